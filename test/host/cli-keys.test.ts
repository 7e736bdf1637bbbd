/** Commands that use keys on the device, against a mock store; ssh-keygen and OpenSSL judge what comes out. */
import { createPublicKey, randomBytes, verify } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { beforeEach, describe, expect, it } from "vitest";
import { Status } from "../../firmware/defs/status.js";
import { Command } from "../../firmware/defs/wire.js";
import { verifyAttestation } from "../../host/client/attestation.js";
import { run, workDirectory } from "./keys.js";
import { Desk } from "./terminal.js";

const directory = workDirectory();
const desk = new Desk(directory);
const { json, mbs, ok, path } = desk;
const make = (usage: string, label: string, ...more: string[]) =>
  json(["generate", "--usage", usage, "--label", label, ...more]);

beforeEach(() => desk.ready());

describe("mbs generate", () => {
  it("prints handle and public key, in the form that those who need it read", async () => {
    const out = await ok(["generate", "--usage", "sshsig", "--label", "ssh/a"]);
    const [handle, line] = out.trimEnd().split("\n");
    expect([handle, line]).toEqual([
      expect.stringMatching(/^[0-9a-f]{32}$/),
      expect.stringMatching(/^ssh-ed25519 \S+ ssh\/a$/),
    ]);
    expect(await ok(["generate", "--usage", "raw"])).toContain("BEGIN PUBLIC KEY");
    expect((await ok(["generate", "--usage", "agree"])).split("\n")[1]).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect((await json(["show", "ssh/a"])).origin).toBe("generated");
  });

  it("refuses usages that no key is made for", async () => {
    for (const usage of ["opaque", "attest", "certificate", "x"])
      expect(await mbs(["generate", "--usage", usage])).toMatchObject({ exitCode: 2 });
    expect((await mbs(["generate"])).exitCode).toBe(2);
  });
});

describe("mbs sign", () => {
  it("makes an SSH signature that ssh-keygen verifies, beside the file, over a file of any size", async () => {
    await make("sshsig", "release");
    writeFileSync(path("signers"), `me@example.org ${await ok(["public", "release"])}`);
    writeFileSync(path("big"), randomBytes(3_000_000));
    await ok(["sign", "release", path("big"), "--namespace", "release"]);
    const check = "ssh-keygen -Y verify -f signers -I me@example.org -n release -s big.sig < big 2>&1";
    expect(run(directory, "bash", "-c", check)).toContain('Good "release" signature');
    expect(await mbs(["sign", "release", path("big")])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("exists"),
    });
    expect(await ok(["sign", "release"], { input: "from stdin" })).toContain("BEGIN SSH SIGNATURE");
  });

  it("makes a raw signature that OpenSSL verifies, and shows none to a terminal but as text", async () => {
    const { publicKey } = await make("raw", "raw");
    writeFileSync(path("m"), "message");
    await ok(["public", "raw", "-o", path("raw.pem"), "--force"]);
    await ok(["sign", "raw", path("m"), "-o", path("m.raw"), "--force"]);
    expect(
      run(
        directory,
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "raw.pem",
        "-rawin",
        "-in",
        "m",
        "-sigfile",
        "m.raw",
      ),
    ).toContain("Verified Successfully");
    expect(await mbs(["sign", "raw", path("m")], { tty: true })).toMatchObject({ exitCode: 2, out: "" });
    const hex = (await mbs(["sign", "raw", path("m"), "--hex"], { tty: true })).out.trim();
    expect(Buffer.from(hex, "hex")).toEqual(readFileSync(path("m.raw")));
    expect(Buffer.from(await ok(["sign", "raw", path("m"), "--base64"]), "base64")).toEqual(
      readFileSync(path("m.raw")),
    );
    expect(await json(["sign", "raw", path("m")])).toMatchObject({ usage: "raw", publicKey });
  });

  it("signs a note, under the label or another name", async () => {
    const { publicKey } = await make("note", "example.org/log");
    writeFileSync(path("note"), "one line\nanother\n");
    const signed = await ok(["sign", "example.org/log", path("note")]);
    const [, name, blob] = /^\u2014 (\S+) (\S+)$/m.exec(signed)!;
    expect(name).toBe("example.org/log");
    const key = createPublicKey({
      key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey, "base64").toString("base64url") },
      format: "jwk",
    });
    expect(verify(null, Buffer.from("one line\nanother\n"), key, Buffer.from(blob!, "base64").subarray(4))).toBe(true);
    expect(await ok(["sign", "example.org/log", path("note"), "--key-name", "other"])).toContain("\u2014 other ");
    expect((await ok(["public", "example.org/log"])).startsWith("example.org/log+")).toBe(true);
    for (const name of ["a\u200bb", "a\ufeffb"])
      expect((await mbs(["sign", "example.org/log", path("note"), "--key-name", name])).exitCode).toBe(2);
    writeFileSync(path("note"), "no line break");
    expect(await mbs(["sign", "example.org/log", path("note")])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("line break"),
    });
  });

  it("refuses options of another usage, and keys that sign nothing", async () => {
    await make("raw", "raw");
    await make("agree", "box");
    const input = "x";
    expect(await mbs(["sign", "raw", "-n", "git"], { input })).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("sshsig"),
    });
    expect(await mbs(["sign", "box"], { input })).toMatchObject({ exitCode: 1, err: expect.stringContaining("usage") });
    expect(await mbs(["sign", "raw", "--hex", "--base64"], { input })).toMatchObject({ exitCode: 2 });
    expect(await mbs(["sign", "raw", path("missing")])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("missing"),
    });
  });
});

describe("mbs agree", () => {
  it("agrees with keys in PEM, in bytes and in text, derives, and unwraps", async () => {
    const { publicKey } = await make("agree", "box");
    const ours = Buffer.from(publicKey, "base64");
    run(directory, "openssl", "genpkey", "-algorithm", "X25519", "-out", "peer.key");
    run(directory, "openssl", "pkey", "-in", "peer.key", "-pubout", "-out", "peer.pem");
    run(directory, "openssl", "pkey", "-in", "peer.key", "-outform", "DER", "-out", "peer.der");
    const secret = readFileSync(path("peer.der")).subarray(-32);
    const shared = x25519.getSharedSecret(secret, ours);
    expect((await mbs(["agree", "box", "--peer", path("peer.pem")])).bytes).toEqual(Buffer.from(shared));
    const peer = x25519.getPublicKey(secret);
    writeFileSync(path("peer.raw"), peer);
    for (const form of [path("peer.raw"), Buffer.from(peer).toString("hex"), Buffer.from(peer).toString("base64")])
      expect((await mbs(["agree", "box", "--peer", form])).bytes).toEqual(Buffer.from(shared));
    const key = hkdf(sha256, shared, Buffer.from("0102", "hex"), Buffer.from("ctx"), 32);
    const derived = ["agree", "box", "--peer", path("peer.pem"), "--salt", "0102", "--context", "ctx"];
    expect(await ok([...derived, "--hex"])).toBe(`${Buffer.from(key).toString("hex")}\n`);
    writeFileSync(path("wrapped"), chacha20poly1305(key, new Uint8Array(12)).encrypt(Buffer.from("a file key")));
    await ok([...derived, "--unwrap", path("wrapped"), "-o", path("filekey")]);
    expect(readFileSync(path("filekey"), "utf8")).toBe("a file key");
    expect(statSync(path("filekey")).mode & 0o777).toBe(0o600);
  });

  it("refuses half of what belongs together, and shows no secret to a terminal", async () => {
    await make("agree", "box");
    const peer = Buffer.from(x25519.getPublicKey(randomBytes(32))).toString("hex");
    for (const half of [
      ["--salt", "00"],
      ["--context", "x"],
      ["--unwrap", path("wrapped")],
      ["--salt", "0", "--context", "x"],
    ])
      expect(await mbs(["agree", "box", "--peer", peer, ...half])).toMatchObject({ exitCode: 2 });
    expect(await mbs(["agree", "box", "--peer", peer], { tty: true })).toMatchObject({ exitCode: 2, out: "" });
    writeFileSync(path("no-key"), "nothing of the kind");
    expect(await mbs(["agree", "box", "--peer", path("no-key")])).toMatchObject({ exitCode: 1 });
    expect(await mbs(["agree", "box", "--peer", "0".repeat(64)])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("worthless"),
    });
  });
});

describe("mbs public", () => {
  it("gives every form, and says when there is none", async () => {
    await make("raw", "raw");
    expect((await mbs(["public", "raw", "--format", "raw"])).bytes).toHaveLength(32);
    expect(await ok(["public", "raw", "--format", "openssh"])).toMatch(/^ssh-ed25519 \S+ raw\n$/);
    expect(await ok(["public", "raw", "--format", "note", "--key-name", "k"])).toMatch(/^k\+[0-9a-f]{8}\+/);
    expect(JSON.parse(await ok(["public", "raw", "--format", "json"]))).toMatchObject({
      label: "raw",
      parts: [{ algorithm: "Ed25519" }],
    });
    await make("agree", "box");
    expect(await ok(["public", "box"])).toContain("BEGIN PUBLIC KEY");
    expect(await mbs(["public", "box", "--format", "openssh"])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("no public Ed25519"),
    });
  });
});

describe("mbs csr", () => {
  it("makes a request that OpenSSL accepts, and takes the certificate made from it", async () => {
    await make("raw", "tls");
    await ok([
      "csr",
      "tls",
      "--subject",
      "CN=web-1.example,O=Example",
      "--san",
      "dns:web-1.example",
      "--san",
      "ip:192.0.2.1",
      "-o",
      path("tls.csr"),
    ]);
    const text = run(directory, "bash", "-c", "openssl req -in tls.csr -verify -noout -text 2>&1");
    expect(text).toContain("verify OK");
    expect(text).toContain("DNS:web-1.example, IP Address:192.0.2.1");
    run(
      directory,
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ed25519",
      "-noenc",
      "-subj",
      "/CN=ca",
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
    );
    run(
      directory,
      "openssl",
      "x509",
      "-req",
      "-in",
      "tls.csr",
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-copy_extensions",
      "copy",
      "-out",
      "leaf.pem",
    );
    run(directory, "bash", "-c", "cat leaf.pem ca.pem > chain.pem");
    await ok(["replace", "tls", "--keep-keys", "--chain", path("chain.pem")]);
    expect((await json(["show", "tls"])).parts).toHaveLength(3);
    await ok(["public", "tls", "-o", path("public.pem")]);
    expect(run(directory, "openssl", "verify", "-CAfile", "ca.pem", "public.pem")).toContain("OK");
    expect(await mbs(["replace", "tls", "--keep-keys", "--chain", path("ca.pem")])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("for another key"),
    });
    expect(await mbs(["replace", "tls", "--chain", path("chain.pem")])).toMatchObject({ exitCode: 2 });
  });

  it("refuses keys of another usage, and names that are none", async () => {
    await make("sshsig", "ssh");
    expect(await mbs(["csr", "ssh", "--subject", "CN=x"])).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("usage raw"),
    });
    expect((await mbs(["csr", "ssh", "--subject", "x"])).exitCode).toBe(2);
    expect((await mbs(["csr", "ssh", "--subject", "CN=x", "--san", "x"])).exitCode).toBe(2);
  });
});

describe("mbs attest", () => {
  it("remembers an identity key, and refuses another one until it is accepted", async () => {
    await make("sshsig", "release");
    const known = path("config/known-devices.toml");
    const first = await json(["attest", "release", "--out", path("proof.json")]);
    expect(first).toMatchObject({ trust: "new", record: { origin: "generated", usage: "sshsig" } });
    expect(statSync(known).mode & 0o777).toBe(0o600);
    expect((await json(["attest"])).trust).toBe("known");
    const proof = JSON.parse(readFileSync(path("proof.json"), "utf8"));
    const bytes = (name: string) => Buffer.from(proof[name], "base64");
    const [statement, signature, identity, challenge] = ["statement", "signature", "identity", "challenge"].map(
      bytes,
    ) as [Buffer, Buffer, Buffer, Buffer];
    expect(Buffer.from(verifyAttestation({ statement, signature, identity, challenge }).challenge)).toEqual(challenge);
    writeFileSync(known, readFileSync(known, "utf8").replace(first.identity, "ab".repeat(32)));
    expect(await mbs(["attest"])).toMatchObject({ exitCode: 1, out: "", err: expect.stringContaining("HAS CHANGED") });
    expect((await json(["attest", "--trust"])).trust).toBe("accepted");
    expect((await json(["attest"])).trust).toBe("known");
  });

  it("takes a challenge of 16 to 64 bytes", async () => {
    const challenge = "00".repeat(16);
    expect((await json(["attest", "--challenge", challenge])).challenge).toBe(challenge);
    for (const wrong of ["00", "x", "00".repeat(65)])
      expect((await mbs(["attest", "--challenge", wrong])).exitCode).toBe(2);
  });
});

describe("a touch", () => {
  it("is not asked for when nothing could come of it", async () => {
    await make("raw", "each", "--presence", "each");
    const before = desk.store.session.opened.length;
    writeFileSync(path("m"), "m\0");
    for (const [argv, tty] of [
      [["sign", "each", path("m"), "-o", path("nowhere/m.sig")], false],
      [["get", "each", "-o", path("nowhere/key")], false],
      [["sign", "each", path("m")], true],
    ] as const) {
      const { err, exitCode } = await mbs(argv, { tty });
      expect([exitCode === 0, err.includes("Touch S1")]).toEqual([false, false]);
    }
    const asked = desk.store.session.opened.slice(before).map((one) => one.get(0));
    expect(asked.filter((command) => command === Command.Sign || command === Command.Get)).toEqual([]);
  });

  it("is told on stderr with what it is for, and not with --json", async () => {
    await make("sshsig", "release", "--presence", "each");
    desk.touch = 50;
    const { err, exitCode } = await mbs(["sign", "release"], { input: "m" });
    expect([exitCode, err]).toEqual([0, "Touch S1 on the board: sign release (within 30 s)\n"]);
    const shown = await mbs(["sign", "release", path("signers")], { tty: true, input: [] });
    expect(shown.err).toContain("Touch S1 on the board: sign release");
    expect(shown.err.endsWith("\r\x1b[2K")).toBe(true);
    expect((await mbs(["sign", "release", "--json"], { input: "m" })).err).toBe("");
  });

  it("is given up on the device at Ctrl-C, which says that nothing was done", async () => {
    await make("raw", "each", "--presence", "each");
    desk.touch = undefined;
    let interrupt = () => {};
    const running = mbs(["sign", "each", "--hex"], { input: "m", onWatch: (run) => (interrupt = run) });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    interrupt();
    const { err, exitCode, exits, out } = await running;
    expect([exitCode, exits, out]).toEqual([130, [], ""]);
    expect(err).toContain("interrupted. The touch is no longer awaited; nothing was done");
    const asJson = mbs(["sign", "each", "--hex", "--json"], { input: "m", onWatch: (run) => (interrupt = run) });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    interrupt();
    expect(JSON.parse((await asJson).err)).toMatchObject({ code: "interrupted", schemaVersion: 1 });
    desk.touch = 1;
    expect(await ok(["list"])).toContain("each");
  });

  it("is needed to weaken a policy, and not to strengthen it", async () => {
    await make("raw", "key");
    expect(await ok(["policy", "key", "--presence", "each"])).toContain("touch each");
    expect((await mbs(["policy", "key", "--presence", "never"])).err).toContain("Touch S1 on the board: policy key");
    expect((await mbs(["policy", "key"])).exitCode).toBe(2);
    expect((await json(["show", "key"])).presence).toBe("never");
  });
});

describe("mbs reset", () => {
  it("says what is lost, asks, and forgets the operators here", async () => {
    await make("raw", "key");
    expect(await mbs(["reset"])).toMatchObject({ exitCode: 2, err: expect.stringContaining("will be gone for good") });
    expect((await mbs(["reset"], { tty: true, input: ["n"] })).exitCode).toBe(1);
    expect(await mbs(["reset", "--yes"])).toMatchObject({ exitCode: 0, err: expect.stringContaining("Touch S1") });
    expect(existsSync(path(`config/keys/${"15".repeat(16)}/admin.key`))).toBe(false);
    expect(await mbs(["list", "--json"])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining(`"status":${Status.NotProvisioned}`),
    });
    expect(await json(["info"])).toMatchObject({ state: "blank", store: null });
  });
});
