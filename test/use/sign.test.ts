/** Signing: which usage class signs what, and that its signatures are those of other implementations over the same bytes. */
import { createPrivateKey, sign as nodeSign } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { Usage } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { NAMESPACE_MAX, SIGN_MAX } from "../../firmware/defs/use.js";
import { Key } from "../../firmware/defs/wire.js";
import { hex, source } from "../crypto/core.js";
import {
  agreementPair,
  CAPTURED,
  digest,
  join,
  keyBlob,
  opaque,
  signingPair,
  signingPublic,
  signingSecret,
  sshsig,
  text,
  userAuth,
} from "./messages.js";
import { sign, signCheck } from "./use.js";

const SEED = new Uint8Array(32).fill(5);
const KEY = ed25519.getPublicKey(SEED);
const PAIR = signingPair(SEED);
const GIT = text("git");

/** By OpenSSL. */
const openssl = (seed: Uint8Array, message: Uint8Array) =>
  hex(
    nodeSign(
      null,
      message,
      createPrivateKey({
        key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]),
        format: "der",
        type: "pkcs8",
      }),
    ),
  );

const statement = join(text("mbs-attest-v1"), 0, 0xa5);
/** Messages, each of one usage class. */
const MESSAGES: [name: string, usage: Usage, message: Uint8Array][] = [
  ["bytes", Usage.Raw, Uint8Array.of(0, 1, 2, 0xff)],
  ["nothing", Usage.Raw, new Uint8Array()],
  ["a text without a line break at its end", Usage.Raw, text("header.payload")],
  ["a text with CR LF", Usage.Raw, text("a\r\n")],
  ["DER", Usage.Raw, Uint8Array.of(0x30, 0x82, 1, 10, 2, 1, 0)],
  ["the start of the SSHSIG magic", Usage.Raw, text("SSHSI")],
  ["the statement's prefix without its zero byte", Usage.Raw, text("mbs-attest-v1")],
  ["a request to another SSH service", Usage.Raw, userAuth(KEY, { service: "ssh-userauth" })],
  ["what ssh-keygen signs", Usage.SshSig, sshsig("git", digest("sha512", "x"))],
  ["the SSHSIG magic alone", Usage.SshSig, text("SSHSIG")],
  ["a text that begins with the SSHSIG magic", Usage.SshSig, text("SSHSIG says hello")],
  ["an authentication request", Usage.SshUserAuth, userAuth(KEY)],
  ["a hostbound authentication request", Usage.SshUserAuth, userAuth(KEY, { hostKey: keyBlob(KEY) })],
  ["an authentication request that OpenSSH sent", Usage.SshUserAuth, CAPTURED.plain],
  ["a note text", Usage.Note, text("one line\n")],
  ["a checkpoint", Usage.Note, text("example.com/log\n1\nbjQLnP+zepicpUTmu3gKLHiNHT+zNzh2hRGjBhevoB0=\n")],
  ["a statement", Usage.Attest, statement],
  ["the statement's prefix alone", Usage.Attest, statement.subarray(0, 14)],
];
const FORM = { [Usage.SshUserAuth]: "authentication request", [Usage.Note]: "note text" };

describe("sign, by usage class", () => {
  it.each(MESSAGES)("raw signs %s, or says whose it is", (_, usage, message) => {
    const answer = sign(PAIR, Usage.Raw, message);
    if (usage !== Usage.Raw) expect(answer).toMatchObject({ status: Status.ForeignMessage, detail: usage });
    else expect(answer.status).toBe(Status.Ok);
    expect(hex(answer.signature)).toBe(usage === Usage.Raw ? openssl(SEED, message) : "00".repeat(64));
  });

  it("raw refuses authentication requests of any method and algorithm, also for another key", () => {
    for (const request of [
      userAuth(new Uint8Array(32)),
      userAuth(KEY, { method: "hostbased" }),
      userAuth(KEY, { algorithm: "ssh-rsa", blob: new Uint8Array(400) }),
      userAuth(KEY, { behind: Uint8Array.of(1) }),
    ])
      expect(signCheck(Usage.Raw, request)).toEqual({ status: Status.ForeignMessage, detail: Usage.SshUserAuth });
  });

  for (const usage of [Usage.SshUserAuth, Usage.Note] as const) {
    it.each(MESSAGES)(
      `${Usage[usage]} signs %s if that is a ${FORM[usage]}, and nothing else`,
      (name, form, message) => {
        const isOther = name.includes("OpenSSH"); // it names another key
        const answer = sign(PAIR, usage, message);
        expect(answer.status).toBe(form === usage && !isOther ? Status.Ok : Status.BadMessage);
        expect(answer.detail).toBeUndefined();
        if (answer.status === Status.Ok) expect(hex(answer.signature)).toBe(openssl(SEED, message));
      },
    );
  }

  it("signs no message for more than one usage class", () => {
    const { below, some } = source();
    const mutated = Array.from({ length: 300 }, () => {
      const message = Buffer.from(MESSAGES[below(MESSAGES.length)]![2]);
      if (message.length > 0 && below(3) > 0) message[below(message.length)] = below(256);
      return Uint8Array.from(below(3) === 0 ? Buffer.concat([message, some(below(3))]) : message);
    });
    for (const message of [...MESSAGES.map(([, , one]) => one), ...mutated]) {
      const usages = [Usage.Raw, Usage.SshUserAuth, Usage.Note];
      const signing = usages.filter((usage) => signCheck(usage, message).status === Status.Ok);
      expect(signing.length, Buffer.from(message).toString("hex")).toBeLessThanOrEqual(1);
    }
    for (const hashed of [new Uint8Array(32), new Uint8Array(64)])
      for (const usage of [Usage.Raw, Usage.SshUserAuth, Usage.Note])
        expect(signCheck(usage, sshsig("git", hashed)).status).not.toBe(Status.Ok);
  });

  it.each(["sha256", "sha512"] as const)("sshsig signs the preamble with the %s digest, as ssh-keygen does", (hash) => {
    for (const namespace of ["g", "git", "n".repeat(64), "é"]) {
      const hashed = digest(hash, `message for ${namespace}`);
      const answer = sign(PAIR, Usage.SshSig, hashed, { namespace: text(namespace) });
      expect(answer.status).toBe(Status.Ok);
      expect(hex(answer.publicKey)).toBe(hex(KEY));
      expect(hex(answer.signature)).toBe(openssl(SEED, sshsig(namespace, hashed)));
    }
  });

  it("sshsig refuses with BadMessage what is not as long as a digest", () => {
    for (const length of [0, 1, 20, 31, 33, 48, 63, 65, 96, 128])
      expect(signCheck(Usage.SshSig, new Uint8Array(length), GIT)).toEqual({ status: Status.BadMessage });
  });

  it("ssh-userauth signs what OpenSSH sent with the key that it names, and with no other", () => {
    for (const request of [CAPTURED.plain, CAPTURED.hostbound]) {
      const answer = sign(signingPair(CAPTURED.seed), Usage.SshUserAuth, request);
      expect(answer.status).toBe(Status.Ok);
      expect(hex(answer.signature)).toBe(openssl(CAPTURED.seed, request));
      const other = sign(PAIR, Usage.SshUserAuth, request);
      expect(other).toMatchObject({ status: Status.BadMessage, signature: new Uint8Array(64) });
    }
  });

  it.each([Usage.Opaque, Usage.Attest, Usage.Agree, Usage.Certificate, 8, 255])(
    "refuses usage %i with WrongUsage",
    (usage) => {
      for (const namespace of [undefined, GIT])
        expect(signCheck(usage, text("x\n"), namespace)).toEqual({ status: Status.WrongUsage, detail: usage });
    },
  );

  it("wants a namespace of 1 to 64 bytes for sshsig, and none for anything else", () => {
    const refused = { status: Status.BadArgument, detail: Key.Namespace };
    const hashed = new Uint8Array(32);
    expect(signCheck(Usage.SshSig, hashed)).toEqual(refused);
    expect(signCheck(Usage.SshSig, hashed, new Uint8Array())).toEqual(refused);
    expect(signCheck(Usage.SshSig, hashed, new Uint8Array(NAMESPACE_MAX + 1))).toEqual(refused);
    expect(signCheck(Usage.SshSig, hashed, new Uint8Array(NAMESPACE_MAX))).toEqual({ status: Status.Ok });
    for (const usage of [Usage.Raw, Usage.SshUserAuth, Usage.Note])
      expect(signCheck(usage, text("x\n"), GIT)).toEqual(refused);
  });

  it("signs 32,768 bytes and refuses one more with BadArgument", () => {
    const message = new Uint8Array(SIGN_MAX + 1).fill(0x61);
    message[SIGN_MAX - 1] = 0x0a;
    const most = message.subarray(0, SIGN_MAX);
    expect(hex(sign(PAIR, Usage.Note, most).signature)).toBe(openssl(SEED, most));
    for (const usage of [Usage.Raw, Usage.Note])
      expect(signCheck(usage, message)).toEqual({ status: Status.BadArgument, detail: Key.Data });
  });
});

describe("sign, with a record's keys", () => {
  it("gives the signatures of @noble/curves and node:crypto for random keys and messages, and leaves no secret behind", () => {
    const { below, some, seed } = source();
    for (let i = 0; i < 60; i++) {
      const [secret, message] = [some(32), join(0, some(below(300)))];
      const body = below(2) === 0 ? signingPair(secret) : join(opaque(some(20)), signingSecret(secret));
      const answer = sign(body, Usage.Raw, message);
      expect(answer.status, seed).toBe(Status.Ok);
      expect(hex(answer.publicKey), seed).toBe(hex(ed25519.getPublicKey(secret)));
      expect(hex(answer.signature), seed).toBe(hex(ed25519.sign(message, secret)));
      expect(hex(answer.signature), seed).toBe(openssl(secret, message));
    }
  });

  it("answers NoSuchKey when the record holds no secret Ed25519 key", () => {
    for (const body of [opaque(SEED), signingPublic(KEY), agreementPair(SEED)])
      expect(sign(body, Usage.Raw, Uint8Array.of(1)).status).toBe(Status.NoSuchKey);
  });

  it("signs nothing with an imported secret beside another one's public key: KeyMismatch", () => {
    const body = join(signingSecret(SEED), signingPublic(ed25519.getPublicKey(new Uint8Array(32).fill(6))));
    for (const [usage, data, namespace] of [
      [Usage.Raw, Uint8Array.of(1), undefined],
      [Usage.Note, text("x\n"), undefined],
      [Usage.SshSig, new Uint8Array(64), GIT],
    ] as const) {
      const answer = sign(body, usage, data, namespace && { namespace });
      expect(answer).toMatchObject({ status: Status.KeyMismatch, signature: new Uint8Array(64) });
    }
  });

  it("takes a generated record's public key as it is stored, with the same signature", () => {
    const answer = sign(PAIR, Usage.Raw, Uint8Array.of(1), { isGenerated: true });
    expect(answer).toMatchObject({ status: Status.Ok, publicKey: KEY });
    expect(hex(answer.signature)).toBe(openssl(SEED, Uint8Array.of(1)));
  });
});
