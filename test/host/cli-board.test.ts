/** The command line against the firmware itself on the virtual board: a device's life from provisioning to reset. ssh-keygen and OpenSSL
 *  judge what comes out. The board's person touches S1 when the test says so. */
import { execFile } from "node:child_process";
import { createPublicKey, verify } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { PassThrough, Writable } from "node:stream";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBoard } from "../../board/virtual/run.js";
import { writeSetting } from "../../host/config.js";
import { formatKey } from "../../host/keys/text.js";
import { OPERATORS } from "../cli/manifests.js";
import { type Ended, runMbs, type Terminal } from "../cli/run.js";
import { run, workDirectory } from "./keys.js";

const directory = workDirectory();
const path = (name: string) => `${directory}/${name}`;
const code = "5e".repeat(32);
const power = new AbortController();
const monitor = new PassThrough();
let running: Promise<number> | undefined;
let port = "";
let cuts = 0;
let present = true; // somebody touches S1 whenever the light asks for it

beforeAll(async () => {
  await writeSetting(path("config"), "keys", "file");
  writeFileSync(path("code"), `${code}\n`, { mode: 0o600 });
  const log = new Writable({
    write(chunk, _encoding, done) {
      if (present && String(chunk).includes("touch awaited")) setTimeout(() => monitor.write("press s1\n"), 50);
      if (String(chunk).includes("power was cut")) {
        cuts++;
        setTimeout(() => monitor.write("power on\n"), 200);
      }
      done();
    },
  });
  port = await new Promise<string>((resolve, reject) => {
    running = runBoard({
      tcp: 0,
      presence: "ask",
      setupCode: Buffer.from(code, "hex"),
      signal: power.signal,
      input: monitor,
      output: log,
      listening: (where) => resolve(`tcp:127.0.0.1:${where.port}`),
    });
    running.catch(reject);
  });
});
afterAll(async () => {
  power.abort();
  await running;
});

async function mbs(argv: readonly string[], terminal?: Terminal): Promise<Ended> {
  const env = { MBS_PORT: port, MBS_CONFIG_DIR: path("config"), HOME: directory };
  const { err, ...ended } = await runMbs(argv, env, terminal);
  // on a busy machine the virtual board takes longer than the first wait: said, and no part of what is tested
  return { ...ended, err: err.replace(/^The device does not answer; asking again\.\n/gm, "") };
}

async function ok(argv: readonly string[], terminal?: Terminal): Promise<string> {
  const { exitCode, err, out } = await mbs(argv, terminal);
  expect([exitCode, err.replace(/^Touch S1.*\n/gm, "")], argv.join(" ")).toEqual([0, ""]);
  return out;
}

const json = async (argv: readonly string[]) => JSON.parse(await ok([...argv, "--json"]));
const MANIFEST = `${OPERATORS}[[credential]]
label = "release"
generate = true
usage = "sshsig"
presence = "each"
[[credential]]
label = "tls"
generate = true
usage = "raw"
`;

/** What ssh has a user's key sign (RFC 4252 §7). */
function userAuthRequest(publicKey: Uint8Array): Buffer {
  const string = (bytes: Uint8Array | string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, Buffer.from(bytes)]);
  };
  const blob = Buffer.concat([string("ssh-ed25519"), string(publicKey)]);
  const head = Buffer.concat([string(Buffer.alloc(32, 7)), Buffer.of(50)]);
  const words = ["somebody", "ssh-connection", "publickey"].map(string);
  return Buffer.concat([head, ...words, Buffer.of(1), string("ssh-ed25519"), string(blob)]);
}

function isSigned(key: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(key).toString("base64url") };
  return verify(null, data, createPublicKey({ key: jwk, format: "jwk" }), signature);
}

describe("the life of a device", { timeout: 180_000 }, () => {
  it("is provisioned with its setup code, and not with another one or none", async () => {
    writeFileSync(path("m.toml"), MANIFEST);
    expect(await mbs(["provision", path("m.toml")])).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("--setup-code-file"),
    });
    const wrong = await mbs(["provision", path("m.toml")], { env: { MBS_SETUP_CODE: `${"00".repeat(31)}01` } });
    expect(wrong).toMatchObject({ exitCode: 1, err: expect.stringContaining("refused the setup code") });
    monitor.write("power cut 200\n"); // inside provisioning
    const cut = await mbs(["provision", path("m.toml"), "--setup-code-file", path("code")]);
    expect([0, 3]).toContain(cut.exitCode); // the client goes on by itself, when the board is back in time
    expect(cuts).toBe(1);
    const done = await json(["provision", path("m.toml"), "--setup-code-file", path("code")]);
    expect(done).toMatchObject({
      operators: [
        { operator: "ops", role: "admin" },
        { operator: "deploy", role: "user" },
      ],
      credentials: [{ name: "release" }, { name: "tls" }],
    });
    expect((await json(["operator", "list"])).operators.map((one: { pending: boolean }) => one.pending)).toEqual([
      false,
      false,
    ]);
    expect((await json(["provision", path("m.toml")])).credentials).toMatchObject([{ new: false }, { new: false }]);
    writeFileSync(path("wrong.key"), `${formatKey(Buffer.alloc(32, 1))}\n`);
    const stranger = await mbs(["info", "--operator", "ops", "--operator-key-file", path("wrong.key")]);
    expect(stranger).toMatchObject({ exitCode: 1, err: expect.stringContaining('refused operator "ops"') });
    expect((await json(["info"])).refusals).toBe(1);
  });

  it("signs after a touch, and says what the touch is for", async () => {
    writeFileSync(path("m"), "a release");
    const { err, exitCode } = await mbs(["sign", "release", path("m")]);
    expect([exitCode, err]).toEqual([0, "Touch S1 on the board: sign release (within 30 s)\n"]);
    writeFileSync(path("signers"), `me ${await ok(["public", "release"])}`);
    expect(run(directory, "bash", "-c", "ssh-keygen -Y verify -f signers -I me -n file -s m.sig < m 2>&1")).toContain(
      "Good",
    );
  });

  it("gives up a touch at Ctrl-C, at once and for the device too", async () => {
    present = false;
    const { err, exitCode, out } = await mbs(["sign", "release", path("m"), "--force"], { interrupted: true });
    present = true;
    expect([exitCode, out]).toEqual([130, ""]);
    expect(err).toContain("nothing was done");
    expect(await ok(["list"])).toContain("release");
  });

  it("makes a certificate request that OpenSSL accepts, and keeps the certificate beside the key", async () => {
    await ok([
      "csr",
      "tls",
      "--subject",
      "CN=web-1.example,O=Example",
      "--san",
      "dns:web-1.example",
      "-o",
      path("tls.csr"),
    ]);
    expect(run(directory, "bash", "-c", "openssl req -in tls.csr -verify -noout -text 2>&1")).toContain("verify OK");
    const openssl = (...args: string[]) => run(directory, "openssl", ...args);
    openssl("req", "-x509", "-newkey", "ed25519", "-noenc", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem");
    openssl(
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
    await ok(["replace", "tls", "--keep-keys", "--chain", path("leaf.pem")]);
    await ok(["public", "tls", "-o", path("tls.pem")]);
    expect(openssl("verify", "-CAfile", "ca.pem", "tls.pem")).toContain("OK");
    await ok(["sign", "tls", path("m"), "-o", path("m.raw")]);
    const verify = ["pkeyutl", "-verify", "-certin", "-inkey", "leaf.pem", "-rawin", "-in", "m", "-sigfile", "m.raw"];
    expect(openssl(...verify)).toContain("Verified Successfully");
    expect((await json(["show", "tls"])).origin).toBe("generated");
  });

  it("signs notes and logins, and each with a key of that usage alone", async () => {
    writeFileSync(path("note"), "a text of\nwhole lines\n");
    const note = await json(["generate", "--usage", "note", "--label", "example.org/log"]);
    const signed = await ok(["sign", "example.org/log", path("note")]);
    const [, blob] = /\u2014 example.org\/log (\S+)\n$/.exec(signed)!;
    const key = Buffer.from(note.publicKey, "base64");
    expect(isSigned(key, readFileSync(path("note")), Buffer.from(blob!, "base64").subarray(4))).toBe(true);
    const login = await json(["generate", "--usage", "ssh-userauth", "--label", "login"]);
    const loginKey = Buffer.from(login.publicKey, "base64");
    writeFileSync(path("request"), userAuthRequest(loginKey));
    await ok(["sign", "login", path("request"), "-o", path("request.sig")]);
    expect(isSigned(loginKey, readFileSync(path("request")), readFileSync(path("request.sig")))).toBe(true);
    for (const [record, file] of [
      ["login", "note"],
      ["tls", "note"],
      ["tls", "request"],
      ["example.org/log", "request"],
    ] as const)
      expect((await mbs(["sign", record, path(file), "--json"])).exitCode, `${record} ${file}`).toBe(1);
  });

  it("agrees as OpenSSL does, and attests what it made", async () => {
    await ok(["generate", "--usage", "agree", "--label", "box"]);
    await ok(["public", "box", "-o", path("box.pem")]);
    run(directory, "openssl", "genpkey", "-algorithm", "X25519", "-out", "peer.key");
    run(directory, "openssl", "pkey", "-in", "peer.key", "-pubout", "-out", "peer.pem");
    const ours = await ok(["agree", "box", "--peer", path("peer.pem"), "--hex"]);
    run(directory, "openssl", "pkeyutl", "-derive", "-inkey", "peer.key", "-peerkey", "box.pem", "-out", "shared");
    expect(ours.trim()).toBe(readFileSync(path("shared")).toString("hex"));
    expect(await json(["attest", "box"])).toMatchObject({
      trust: "new",
      record: { origin: "generated", usage: "agree" },
    });
    expect((await json(["attest"])).trust).toBe("known");
  });

  it("keeps a session for many commands", async () => {
    const program = new URL("../../dist/host/cli/main.js", import.meta.url).pathname;
    const env = { ...process.env, MBS_PORT: port, MBS_CONFIG_DIR: path("config"), XDG_RUNTIME_DIR: "" };
    const other = (...argv: string[]) => promisify(execFile)(process.execPath, [program, ...argv], { env });
    await ok(["session", "open"]);
    const lists = await Promise.all([other("list", "--json"), ok(["list", "--json"]), other("list", "--json")]);
    expect(new Set(lists.map((one) => (typeof one === "string" ? one : one.stdout))).size).toBe(1);
    expect(await json(["session", "status"])).toMatchObject({ open: true, operator: "deploy" });
    await ok(["session", "close"]);
  });

  it("changes who may ask, and is reset after a touch", async () => {
    await ok(["operator", "add", "audit", "--role", "auditor", "-o", path("audit.key")]);
    expect(statSync(path("audit.key")).mode & 0o777).toBe(0o600);
    const elsewhere = { MBS_CONFIG_DIR: path("elsewhere") };
    await writeSetting(path("elsewhere"), "keys", "file");
    await ok(["operator", "import", "audit", path("audit.key")], { env: elsewhere });
    expect(await ok(["list"], { env: elsewhere })).toContain("release");
    await ok(["operator", "rotate", "ops"]);
    expect((await json(["info", "--operator", "ops"])).role).toBe("admin");
    await ok(["reset", "--yes"]);
    expect(existsSync(path("config/keys"))).toBe(true);
    expect((await json(["info"])).state).toBe("blank");
  });
});
