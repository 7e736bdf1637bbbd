/** `npm start`: a tour of the store on the virtual board, with credentials made on the spot by ssh-keygen and OpenSSL. It provisions
 *  over the UART, uses keys that the device made, reads a chain back, cuts the power and looks again. ssh-keygen and OpenSSL judge what
 *  the device signs. Everything lies in a folder that is removed at the end. Relies on a finished build (npm runs scripts/setup.mjs first). */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BadElf } from "../board/elf.js";
import { runBoard } from "../board/virtual/run.js";
import { BusyReason } from "../firmware/defs/link.js";
import { ALG_ED25519, Origin, Presence, Tier, Usage } from "../firmware/defs/record.js";
import { PSK_SIZE } from "../firmware/defs/session.js";
import { Status } from "../firmware/defs/status.js";
import { ENTRY_ALIGN, ENTRY_HEADINGS, entryRows } from "../host/cli/present.js";
import { table } from "../host/cli/table.js";
import type { Entry } from "../host/client/answers.js";
import { verifyAttestation } from "../host/client/attestation.js";
import { Client, handleText } from "../host/client/client.js";
import { DeviceError, MbsError } from "../host/client/errors.js";
import type { Busy } from "../host/client/link.js";
import { openTcp } from "../host/client/tcp.js";
import { writeCredential } from "../host/credentials/export.js";
import { publicKey, publicPem } from "../host/credentials/public.js";
import { makeCsr, parseAlternativeName, parseSubject } from "../host/csr.js";
import { FileStore } from "../host/keys/file.js";
import { nextOf } from "../host/keys/keys.js";
import { parseManifest } from "../host/manifest.js";
import { CUSTODIES, makePolicy, STATES } from "../host/names.js";
import { loadCredentials, provision } from "../host/provision.js";
import { decodeParts } from "../host/record.js";
import { armorSshsig, opensshLine, sshsigDigest } from "../host/sshsig.js";

const MANIFEST = `[instance]
name = "demo"

[[class]] # small records
size = 1024
blocks = 2

[[class]] # certificate chains
size = "4K"
blocks = 24

[[credential]]
label = "ssh/deploy"
file = "ssh_key"
usage = "ssh-userauth"

[[credential]]
label = "tls/board.example"
files = ["leaf.key", "chain.pem"]
usage = "certificate"
exportable = true

[[credential]] # made on the device; each use needs a touch
label = "release/sign"
generate = true
usage = "sshsig"
presence = "each"

[[credential]]
label = "agree/backup"
file = "agree.key"

[[credential]]
label = "api/token"
file = "token.bin"
`;

const terminal = process.stdout.isTTY === true;
const colour = terminal && !process.env.NO_COLOR;
const paint = (code: number, text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
const line = (text = "") => process.stdout.write(`${text}\n`);

/** Something that the tour expected and did not find. */
class Surprise extends Error {}

function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Surprise(otherwise);
}

const REACTION_MS = 300; // until this program presses S1, as a person would

let present = ""; // the step under way, for the message when it fails

/** Runs one step and prints one line about it: its time, its name and what `work` says came of it. */
async function step(name: string, work: () => Promise<string>): Promise<void> {
  present = name;
  const began = performance.now();
  const seconds = () => ((performance.now() - began) / 1000).toFixed(2).padStart(6);
  const show = (mark: string, text: string) => process.stdout.write(`${terminal ? "\r\x1b[2K" : ""}${mark}  ${text}`);
  if (terminal) show(paint(2, `${seconds()} s`), `${name} …`);
  const waiting = setInterval(() => {
    if (terminal) show(paint(2, `${seconds()} s`), `${name} …`);
    else line(`${seconds()} s  ${name} …`);
  }, 1000);
  try {
    const result = await work();
    show(paint(32, `${seconds()} s`), `${paint(1, name)}: ${result}\n`);
  } finally {
    clearInterval(waiting);
  }
}

/** Runs a program in the demo's folder. @returns what it printed. @throws Surprise with what it said when it fails */
async function tool(folder: string, program: string, ...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args, { cwd: folder })).stdout;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Surprise(`${program} ${args[0]} failed: ${(stderr || message).trim()}`);
  }
}

/** SSH key, TLS key with a chain of three, X25519 key, random token. */
async function makeCredentials(folder: string): Promise<void> {
  const openssl = (...args: string[]) => tool(folder, "openssl", ...args);
  const certificate = (name: string, subject: string, issuer: string | undefined, ...extensions: string[]) =>
    openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "365"],
      ...["-subj", `/CN=${subject}`, "-keyout", `${name}.key`, "-out", `${name}.pem`],
      ...(issuer === undefined ? [] : ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`]),
      ...extensions.flatMap((extension) => ["-addext", extension]),
    );
  const signs = "keyUsage=critical,keyCertSign,cRLSign";
  await tool(folder, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mbs demo", "-f", "ssh_key");
  await certificate("root", "mbs demo root", undefined, "basicConstraints=critical,CA:TRUE", signs);
  await certificate("issuer", "mbs demo issuer", "root", "basicConstraints=critical,CA:TRUE,pathlen:0", signs);
  await certificate("leaf", "board.example", "issuer", "basicConstraints=critical,CA:FALSE");
  const chain = ["leaf", "issuer", "root"].map((name) => readFileSync(join(folder, `${name}.pem`), "utf8"));
  writeFileSync(join(folder, "chain.pem"), chain.join(""));
  await openssl("genpkey", "-algorithm", "X25519", "-out", "agree.key");
  await openssl("rand", "-out", "token.bin", "32");
}

/** The virtual board under power, and a client on its UART. */
interface Powered {
  client: Client;
  port: number;
  off: () => Promise<void>;
  /** How often this program pressed S1 because the device waited for a touch. */
  presses: number;
}

/** @param setupCode is flashed with the firmware, so that whoever provisions proves something */
async function powerOn(flash: string, setupCode: Uint8Array): Promise<Powered> {
  const power = new AbortController();
  const monitor = new PassThrough();
  const log: string[] = [];
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      log.push(String(chunk));
      done();
    },
  });
  let running: Promise<number> | undefined;
  const port = await new Promise<number>((resolve, reject) => {
    const listening = (where: { port?: number }) => resolve(where.port ?? 0);
    running = runBoard({
      flash,
      tcp: 0,
      setupCode,
      presence: "ask",
      signal: power.signal,
      output,
      input: monitor,
      listening,
    });
    running.then((code) => reject(new Surprise(`the virtual board ended (${code}): ${log.join("").trim()}`)), reject);
  });
  const onBusy = ({ reason }: Busy) => {
    if (reason !== BusyReason.Touch) return;
    board.presses++;
    setTimeout(() => monitor.write("press s1\n"), REACTION_MS);
  };
  const client = new Client(() => openTcp("127.0.0.1", port), { onBusy });
  const off = async () => {
    await client.close();
    power.abort();
    await running;
  };
  const board: Powered = { client, port, off, presses: 0 };
  return board;
}

async function tour(folder: string, keep: (board: Powered) => void): Promise<void> {
  const flash = join(folder, "flash.bin");
  let board: Powered;
  const setupCode = randomBytes(PSK_SIZE);
  const keys = new FileStore(folder);
  const on = async () => {
    board = await powerOn(flash, setupCode);
    keep(board);
    const { state } = await board.client.hello();
    return `UART on tcp:127.0.0.1:${board.port}, the store is ${STATES.word(state)}`;
  };
  /** Asks as an operator from here on. */
  const ask = async (id: "admin" | "user") => {
    const { instance } = await board.client.hello();
    const key = await keys.get(instance, id);
    expect(key !== undefined, `the key of ${id} is not there`);
    board.client.as({ id, key });
  };
  const handleOf = async (label: string) => {
    const [found] = await board.client.find({ label });
    expect(found !== undefined, `${label} is not there`);
    return found.handle;
  };
  let before: Entry[] = [];

  await step("credentials", async () => {
    await makeCredentials(folder);
    return "an SSH key, a TLS key with its chain of three, an X25519 key, a random token";
  });
  await step("power on", on);
  await step("provision", async () => {
    const manifest = parseManifest(MANIFEST, "manifest.toml");
    const loaded = await loadCredentials(manifest, folder, async (file) => {
      throw new Surprise(`${file} asks for a passphrase`);
    });
    const authority = {
      keys: {
        get: (instance: Uint8Array, id: string) => keys.get(instance, id),
        waiting: (instance: Uint8Array, id: string) => keys.get(instance, nextOf(id)),
        make: async (instance: Uint8Array, id: string) => {
          const key = randomBytes(PSK_SIZE);
          await keys.put(instance, nextOf(id), key);
          return key;
        },
        settle: async (instance: Uint8Array, { id }: { id: string }, key: Uint8Array) => {
          await keys.put(instance, id, key);
          await keys.remove(instance, nextOf(id));
        },
        knows: async () => false,
      },
      setupCode: async () => setupCode,
      admin: async () => {
        throw new Surprise("the board was provisioned before");
      },
    };
    const { done, instance, operators } = await provision(board.client, manifest, loaded, authority);
    const who = operators.map(({ id }) => id).join(" and ");
    return `in sealed sessions; operators ${who}, ${done.length} records, instance ${Buffer.from(instance).toString("hex")}`;
  });
  await step("core", async () => {
    const build = JSON.parse(readFileSync(fileURLToPath(new URL("../../build/core.json", import.meta.url)), "utf8"));
    const device = Buffer.from((await board.client.info()).coreHash).toString("hex");
    expect(device === build.sha256, `the device runs ${device}, the build made ${build.sha256}; run npm run build`);
    return `build and device agree on core.wasm, SHA-256 ${device}`;
  });
  await step("list", async () => {
    before = await board.client.list();
    expect(before.length === 5, `${before.length} records instead of 5`);
    return `${before.length} records`;
  });
  for (const row of table(ENTRY_HEADINGS, entryRows(before), ENTRY_ALIGN)) line(`           ${row}`);
  await step("find", async () => {
    const found = await board.client.find({ labelPrefix: "tls/" });
    expect(found.length === 1, `${found.length} records begin with tls/ instead of 1`);
    return `label tls/… is ${handleText(found[0]!.handle)}`;
  });
  await step("refuse", async () => {
    await ask("user");
    const ssh = await handleOf("ssh/deploy");
    const answer = await board.client.get(ssh).catch((error) => error);
    const refused = answer instanceof DeviceError && answer.status === Status.NotExportable;
    expect(refused, "the device gave out a key that must not leave it");
    const evicted = await board.client.evict(ssh).catch((error) => error);
    expect(evicted instanceof DeviceError && evicted.status === Status.WrongRole, "a user may evict a record");
    return "the SSH key may not leave the device (NotExportable), and a user may not evict it (WrongRole)";
  });
  await step("sign with a touch", async () => {
    const message = join(folder, "release.txt");
    writeFileSync(message, "what is released\n");
    const handle = await handleOf("release/sign");
    const digest = await sshsigDigest(createReadStream(message));
    const { publicKey, signature } = await board.client.sign(handle, digest, "file");
    expect(board.presses === 1, "the device signed without a touch");
    writeFileSync(join(folder, "release.txt.sig"), armorSshsig(publicKey, signature, "file"));
    writeFileSync(join(folder, "signers"), `board ${opensshLine(publicKey, "release/sign")}\n`);
    const verify = "ssh-keygen -Y verify -f signers -I board -n file -s release.txt.sig < release.txt";
    const verdict = await tool(folder, "sh", "-c", verify);
    expect(verdict.startsWith("Good"), verdict);
    return "the blue light asked, this program pressed S1 on the virtual board, ssh-keygen says Good";
  });
  await step("generate", async () => {
    await ask("admin");
    const { publicKey } = await board.client.generate({
      label: "tls/made-here",
      usage: Usage.Raw,
      tier: Tier.Private,
      policy: makePolicy({ exportable: false, presence: Presence.Never }),
    });
    writeFileSync(join(folder, "made.pem"), publicPem(ALG_ED25519, publicKey));
    return `an Ed25519 key whose secret never existed elsewhere, public key ${Buffer.from(publicKey).toString("base64")}`;
  });
  await step("sign", async () => {
    await ask("user");
    const message = randomBytes(64);
    writeFileSync(join(folder, "message"), message);
    const { signature } = await board.client.sign(await handleOf("tls/made-here"), message);
    writeFileSync(join(folder, "message.sig"), signature);
    const check = ["pkeyutl", "-verify", "-pubin", "-inkey", "made.pem", "-rawin", "-in", "message"];
    const verdict = await tool(folder, "openssl", ...check, "-sigfile", "message.sig");
    expect(verdict.includes("Verified Successfully"), verdict);
    return `64 random bytes, and OpenSSL says: ${verdict.trim()}`;
  });
  await step("certificate request", async () => {
    const handle = await handleOf("tls/made-here");
    const key = publicKey(decodeParts((await board.client.publicParts(handle)).body), ALG_ED25519);
    const csr = await makeCsr({
      subject: parseSubject("CN=board.example"),
      names: [parseAlternativeName("dns:board.example")],
      publicKey: key,
      sign: async (request) => (await board.client.sign(handle, request)).signature,
    });
    writeFileSync(join(folder, "made.csr"), csr);
    const verdict = await tool(folder, "sh", "-c", "openssl req -in made.csr -verify -noout -subject 2>&1");
    expect(verdict.includes("verify OK"), verdict);
    return `signed on the device, and OpenSSL says: ${verdict.trim().split("\n").join(", ")}`;
  });
  await step("attest", async () => {
    const challenge = randomBytes(32);
    const attestation = await board.client.attest(challenge, await handleOf("tls/made-here"));
    const { custody, record } = verifyAttestation({ ...attestation, challenge });
    expect(record?.origin === Origin.Generated, "the device does not say that it made the key");
    return `the device signs that it made this key and that its root is ${CUSTODIES.word(custody)}`;
  });
  await step("list again", async () => {
    before = await board.client.list();
    expect(before.length === 6, `${before.length} records instead of 6`);
    return `${before.length} records`;
  });
  await step("power off", async () => {
    await board.off();
    return "what is left is the flash";
  });
  await step("power on", on);
  await step("list once more", async () => {
    await ask("user");
    const after = await board.client.list();
    expect(JSON.stringify(after) === JSON.stringify(before), "the records are not the ones from before");
    return `the same ${after.length} records, handle by handle`;
  });
  await step("openssl verify", async () => {
    const tls = await handleOf("tls/board.example");
    const parts = decodeParts((await board.client.get(tls)).body);
    const file = join(folder, "read-back.pem");
    writeFileSync(file, await writeCredential(parts, "pem", ""), { mode: 0o600 });
    const verdict = await tool(
      folder,
      "openssl",
      "verify",
      "-x509_strict",
      "-CAfile",
      "root.pem",
      "-untrusted",
      file,
      file,
    );
    const key = await tool(folder, "openssl", "pkey", "-in", file, "-pubout");
    const leaf = await tool(folder, "openssl", "x509", "-in", file, "-pubkey", "-noout");
    expect(key === leaf, "the key that was read back is not the leaf's");
    return `chain read back: ${verdict.trim().split(": ").at(-1)}, and the key belongs to the leaf`;
  });
  await board!.off();
}

async function main(): Promise<void> {
  const began = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "mbs-demo-"));
  chmodSync(folder, 0o700);
  const clean = () => rmSync(folder, { recursive: true, force: true });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      clean();
      line(`\nStopped at: ${present}. The demo's folder is removed; nothing else was changed.`);
      process.exit(signal === "SIGINT" ? 130 : 143);
    });
  }
  let board: Powered | undefined;
  line(`${paint(1, "mbs")}: a device-bound credential store, here on a virtual EK-RA6M5 that runs build/ek-ra6m5.elf`);
  line();
  try {
    await tour(folder, (powered) => {
      board = powered;
    });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    line();
    line(`Done in ${seconds} s. To try it by hand, start a board in one terminal and leave it running:`);
    line("  npx mbs board run --flash board.img --tcp 7420");
    line("and in another one:");
    line("  export MBS_PORT=tcp:127.0.0.1:7420");
    line(`  printf '[instance]\\nname = "mine"\\n' > mine.toml`);
    line("  npx mbs provision mine.toml        asks you, and for a touch: type  press s1  in the first terminal");
    line("  npx mbs generate --usage sshsig --label my-key --presence each");
    line("  npx mbs sign my-key README.md -o -");
    line("  openssl rand -hex 32 | npx mbs put - --label my-token --exportable");
    line("  npx mbs list");
    line("  npx mbs get my-token");
    line("Every command explains itself: npx mbs --help");
  } catch (error) {
    const { message } = error as Error;
    const hint = error instanceof MbsError && error.hint !== "" ? ` ${error.hint}` : "";
    process.exitCode = 1;
    const expected = [Surprise, MbsError, BadElf].some((kind) => error instanceof kind);
    process.stderr.write(
      `\n${paint(31, `The step "${present}" failed`)}: ${expected ? message : (error as Error).stack}${hint}\n`,
    );
  } finally {
    await board?.off().catch(() => {});
    clean();
  }
}

await main();
