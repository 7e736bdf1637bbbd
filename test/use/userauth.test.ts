/** Requests for public-key authentication: RFC 4252 §7, OpenSSH's PROTOCOL §3.1, and what OpenSSH really sends. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { hex, source } from "../crypto/core.js";
import { CAPTURED, join, keyBlob, string, type UserAuth, userAuth } from "./messages.js";
import { core, parse } from "./use.js";

const KEY = Uint8Array.from({ length: 32 }, (_, i) => 0xa0 + i);
const HOST_KEY = keyBlob(new Uint8Array(32).fill(9));

/** The key that the core finds in a request. */
function keyOf(data: Uint8Array): string | undefined {
  const at = parse(core.keyOf, data);
  return at === 0 ? undefined : hex(data.subarray(at, at + 32));
}
const begins = (data: Uint8Array) => parse(core.beginsAsRequest, data) === 1;

/** The same grammar by another reader: all fields, or nothing. */
function fields(data: Uint8Array): { service: string; rest: Uint8Array } | undefined {
  const bytes = Buffer.from(data);
  let at = 0;
  const next = () => {
    if (at + 4 > bytes.length) throw new RangeError();
    const length = bytes.readUInt32BE(at);
    at += 4 + length;
    if (at > bytes.length) throw new RangeError();
    return bytes.subarray(at - length, at);
  };
  try {
    const session = next();
    if (session.length < 1 || session.length > 64 || bytes[at++] !== 50) return undefined;
    next();
    const service = next().toString("latin1");
    return service === "ssh-connection" ? { service, rest: bytes.subarray(at) } : undefined;
  } catch {
    return undefined;
  }
}
function expected(data: Uint8Array): string | undefined {
  const rest = fields(data)?.rest;
  if (rest === undefined) return undefined;
  const plain = join(string("publickey"), 1, string("ssh-ed25519"));
  const hostbound = join(string("publickey-hostbound-v00@openssh.com"), 1, string("ssh-ed25519"));
  for (const start of [plain, hostbound]) {
    if (!Buffer.from(rest.subarray(0, start.length)).equals(start)) continue;
    const key = rest.subarray(start.length + 4 + 19, start.length + 4 + 51);
    if (key.length !== 32) return undefined;
    const blob = string(keyBlob(key));
    const after = rest.subarray(start.length + blob.length);
    if (!Buffer.from(rest.subarray(start.length, start.length + blob.length)).equals(blob)) return undefined;
    if (start === plain) return after.length === 0 ? hex(key) : undefined;
    return after.length >= 4 && Buffer.from(after).readUInt32BE(0) === after.length - 4 ? hex(key) : undefined;
  }
  return undefined;
}

describe("keyOf", () => {
  it.each(["plain", "hostbound"] as const)("finds the key in the %s request that OpenSSH sent", (variant) => {
    expect(keyOf(CAPTURED[variant])).toBe(hex(ed25519.getPublicKey(CAPTURED.seed)));
  });

  it.each<[string, UserAuth]>([
    ["a plain request", {}],
    ["a hostbound request", { hostKey: HOST_KEY }],
    ["a hostbound request with a host key of another type", { hostKey: keyBlob(new Uint8Array(300), "ssh-rsa") }],
    ["a session id of one byte", { session: Uint8Array.of(1) }],
    ["a session id of 20 bytes", { session: new Uint8Array(20) }],
    ["a session id of 64 bytes", { session: new Uint8Array(64) }],
    ["an empty user name", { user: "" }],
    ["a user name of 5,000 bytes", { user: "u".repeat(5000) }],
    ["a user name outside ASCII", { user: "Jürgen" }],
  ])("finds the key in %s", (_, request) => {
    expect(keyOf(userAuth(KEY, request))).toBe(hex(KEY));
  });

  it.each<[string, UserAuth]>([
    ["an empty session id", { session: new Uint8Array() }],
    ["a session id of 65 bytes", { session: new Uint8Array(65) }],
    ["another message number", { type: 51 }],
    ["another service", { service: "ssh-userauth" }],
    ["a service with a zero byte behind", { service: "ssh-connection\0" }],
    ["another method", { method: "password" }],
    ["the start of a method", { method: "publicke" }],
    ["a request that will carry no signature", { hasSignature: 0 }],
    ["another spelling of true", { hasSignature: 2 }],
    ["another algorithm", { algorithm: "rsa-sha2-512" }],
    ["a certificate", { algorithm: "ssh-ed25519-cert-v01@openssh.com" }],
    ["a key blob of another type", { blob: keyBlob(KEY, "ssh-ed448") }],
    ["a key of 31 bytes", { blob: keyBlob(KEY.subarray(1)) }],
    ["a key of 33 bytes", { blob: keyBlob(join(KEY, 0)) }],
    ["a key blob with a byte behind", { blob: join(keyBlob(KEY), 0) }],
    ["an empty key blob", { blob: new Uint8Array() }],
    ["a byte behind a plain request", { behind: Uint8Array.of(0) }],
    ["a host key behind a plain request", { behind: string(HOST_KEY) }],
    ["a hostbound request without a host key", { method: "publickey-hostbound-v00@openssh.com" }],
    ["a byte behind a hostbound request", { hostKey: HOST_KEY, behind: Uint8Array.of(0) }],
  ])("refuses %s", (_, request) => {
    expect(keyOf(userAuth(KEY, request))).toBeUndefined();
  });

  it.each(["plain", "hostbound"] as const)(
    "refuses every shorter start of the %s request that OpenSSH sent",
    (variant) => {
      for (let length = 0; length < CAPTURED[variant].length; length++)
        expect(keyOf(CAPTURED[variant].subarray(0, length)), `${length} bytes`).toBeUndefined();
    },
  );

  it("refuses every request in which one bit outside session id, user, key and host key changed", () => {
    for (const request of [userAuth(KEY), userAuth(KEY, { hostKey: HOST_KEY })]) {
      const isFree = (i: number) => {
        const text = Buffer.from(request);
        const user = text.indexOf("git");
        const key = text.indexOf(KEY);
        return (i >= 4 && i < 36) || (i >= user && i < user + 3) || (i >= key && i < key + 32) || i >= key + 36;
      };
      for (let bit = 0; bit < 8 * request.length; bit++) {
        if (isFree(bit >> 3)) continue;
        const changed = request.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
        expect(keyOf(changed), `bit ${bit}`).toBeUndefined();
      }
    }
  });

  it("agrees with another reader on damaged requests, and reads nothing behind them", () => {
    const { below, some, seed } = source();
    const odd = [0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffc, 0xfffffffd, 0xffffffff];
    let good = 0;
    for (let i = 0; i < 3000; i++) {
      const variants = [CAPTURED.plain, CAPTURED.hostbound, userAuth(some(32), { user: "x".repeat(below(40)) })];
      let data = Buffer.from(variants[below(3)]!);
      const hit = below(6);
      if (hit === 0) data = data.subarray(0, below(data.length));
      if (hit === 1) data[below(data.length)] = below(256);
      if (hit === 2) data.writeUInt32BE(odd[below(odd.length)]!, below(data.length - 4));
      if (hit === 3) data = Buffer.concat([data, some(below(3))]);
      if (hit === 4) {
        const at = below(data.length);
        data = Buffer.concat([data.subarray(0, at), data.subarray(at + 1 + below(4))]);
      }
      const where = `${data.toString("hex")}, ${seed}`;
      good += Number(expected(data) !== undefined);
      expect(keyOf(data), where).toBe(expected(data));
      expect(begins(data), where).toBe(fields(data) !== undefined);
    }
    expect(good).toBeGreaterThan(500);
  });
});

describe("beginsAsRequest", () => {
  it("takes a request whatever its method, algorithm and key are, and whatever stands behind it", () => {
    for (const request of [
      {},
      { hostKey: HOST_KEY },
      { method: "hostbased" },
      { algorithm: "rsa-sha2-256", blob: new Uint8Array(500) },
      { hasSignature: 0 },
      { behind: new Uint8Array(9) },
    ])
      expect(begins(userAuth(KEY, request))).toBe(true);
  });

  it("refuses other messages, services and session ids", () => {
    for (const request of [
      { type: 49 },
      { service: "ssh-connectiom" },
      { session: new Uint8Array() },
      { session: new Uint8Array(65) },
    ])
      expect(begins(userAuth(KEY, request))).toBe(false);
  });
});
