/** mbs encrypt and mbs decrypt: in this process, and as a process where only that tells. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { PassThrough, type Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { build } from "vite";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { addDecrypt } from "../../host/cli/decrypt.js";
import { addEncrypt } from "../../host/cli/encrypt.js";
import type { Io } from "../../host/cli/io.js";
import { workDirectory } from "../host/keys.js";
import { type Asked, fileMain } from "./program.js";
import { encrypt, KEY_ID } from "./workbench.js";

const directory = workDirectory();
const home = process.cwd();
let count = 0;
let at = "";

beforeEach(() => {
  at = `${directory}/${++count}`;
  mkdirSync(at);
  process.chdir(at); // what has no other place goes here
});
afterAll(() => process.chdir(home));

interface Terminal {
  input?: Uint8Array | Readable;
  /** Of stdin and stdout, of stderr. */
  tty?: boolean;
  watched?: boolean;
  onWatch?: (interrupt: () => void) => void;
}

async function mbs(argv: readonly string[], { input, tty = false, watched = false, onWatch }: Terminal = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const [out, err]: Buffer[][] = [[], []];
  stdout.on("data", (bytes: Buffer) => out!.push(bytes));
  stderr.on("data", (bytes: Buffer) => err!.push(bytes));
  const stdin = input instanceof Uint8Array ? new PassThrough().end(input) : (input ?? new PassThrough());
  const io: Io = {
    env: {},
    stdin: Object.assign(stdin as PassThrough, { isTTY: tty }),
    stdout: Object.assign(stdout, { isTTY: tty }),
    stderr: Object.assign(stderr, { isTTY: watched }),
    onInterrupt: (run) => {
      onWatch?.(run);
      return () => {};
    },
    exit: () => {},
  };
  const asked: Asked = { claims: [], secrets: [] };
  const exitCode = await fileMain(argv, io, asked);
  const bytes = Buffer.concat(out!);
  return { exitCode, bytes, out: bytes.toString(), err: Buffer.concat(err!).toString(), asked };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.mbs$/;

describe("mbs encrypt and mbs decrypt", () => {
  it("bring a file through a random name back to its own, for this person alone", async () => {
    const content = randomBytes(200_000);
    mkdirSync("from");
    writeFileSync("from/report.pdf", content);
    const { exitCode, err, asked, out } = await mbs(["encrypt", "from/report.pdf", "--key", "archive"]);
    expect([exitCode, err, asked.claims.length, asked.claims[0]?.key]).toEqual([0, "", 1, "archive"]);
    const name = readdirSync(".").find((one) => one !== "from")!;
    expect([name, out]).toEqual([
      expect.stringMatching(UUID),
      `${name}: 200000 bytes encrypted, positions 0 to ${asked.claims[0]!.size - 1n}\n`,
    ]);
    expect(statSync(name).mode & 0o777).toBe(0o600);
    const back = await mbs(["decrypt", name]);
    expect(back).toMatchObject({ exitCode: 0, err: "", out: "report.pdf: 200000 bytes decrypted\n" });
    expect(back.asked.secrets).toEqual([{ keyId: Buffer.from(KEY_ID).toString("hex"), start: 0n }]);
    expect(readFileSync("report.pdf").equals(content)).toBe(true);
    expect(statSync("report.pdf").mode & 0o777).toBe(0o600);
    expect(readFileSync("from/report.pdf").equals(content)).toBe(true);
  });

  it("tell what they did as JSON, positions and sizes in decimal strings", async () => {
    writeFileSync("a", "content");
    const encrypted = await mbs(["encrypt", "a", "--output", "a.mbs", "--json"]);
    const filekey = Buffer.from(KEY_ID).toString("hex");
    const common = { schemaVersion: 1, filekey, start: "0", end: "1034", size: "7" };
    expect(JSON.parse(encrypted.out)).toEqual({ ...common, file: "a.mbs" });
    const decrypted = await mbs(["decrypt", "a.mbs", "--output", "b", "--json"]);
    expect(JSON.parse(decrypted.out)).toEqual({ ...common, file: "b", name: "a" });
  });

  it("go through pipes, where the most that comes must be said and no name is kept", async () => {
    const content = randomBytes(100_000);
    expect(await mbs(["encrypt", "-"], { input: content })).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("--max-size"),
    });
    const argv = ["encrypt", "-", "--max-size", "1MB", "--output", "-"];
    const { bytes, exitCode, asked } = await mbs(argv, { input: content });
    expect([exitCode, asked.claims[0]!.size]).toEqual([0, 1_050_000n + 17n * 4n + 1024n]);
    const back = await mbs(["decrypt", "-", "--output", "-"], { input: bytes });
    expect([back.exitCode, back.err, back.bytes.equals(content)]).toEqual([0, "", true]);
    expect(await mbs(["decrypt", "-"], { input: bytes })).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("Say --output FILE"),
    });
    expect(readdirSync(".")).toEqual([]);
  });

  it("refuse more than was said, before a claim where the size is known", async () => {
    writeFileSync("a", randomBytes(1001));
    const known = await mbs(["encrypt", "a", "--max-size", "1kB"]);
    expect([known.exitCode, known.asked.claims]).toEqual([1, []]);
    const stream = await mbs(["encrypt", "-", "--max-size", "1kB"], { input: randomBytes(1001) });
    expect([stream.exitCode, stream.asked.claims.length]).toEqual([1, 1]);
    expect(stream.err).toContain("not used again");
    expect(await mbs(["encrypt", "a", "--max-size", "1 elephant"])).toMatchObject({ exitCode: 2 });
    expect(readdirSync(".")).toEqual(["a"]);
  });

  it("overwrite nothing: encrypt never, decrypt with --force, and both look before they claim or ask", async () => {
    writeFileSync("a", "content");
    writeFileSync("b", "theirs");
    const encrypted = await mbs(["encrypt", "a", "--output", "b"]);
    expect([encrypted.exitCode, encrypted.asked.claims]).toEqual([1, []]);
    await mbs(["encrypt", "a", "--output", "c"]);
    const decrypted = await mbs(["decrypt", "c", "--output", "b"]);
    expect([decrypted.exitCode, decrypted.asked.secrets]).toEqual([1, []]);
    expect(await mbs(["decrypt", "c"])).toMatchObject({ exitCode: 1, err: expect.stringContaining("a exists") });
    expect(readFileSync("b", "utf8")).toBe("theirs");
    expect(await mbs(["decrypt", "c", "--output", "b", "--force"])).toMatchObject({ exitCode: 0 });
    expect(readFileSync("b", "utf8")).toBe("content");
    writeFileSync("a", "changed");
    expect(await mbs(["decrypt", "c", "--force"])).toMatchObject({ exitCode: 0 });
    expect(readFileSync("a", "utf8")).toBe("content");
    expect(readdirSync(".").sort()).toEqual(["a", "b", "c"]);
  });

  it("leave nothing of a damaged file or a wrong one, and the exit code says so", async () => {
    const { file } = await encrypt(randomBytes(200_000));
    file[150_000] = file[150_000]! ^ 1;
    writeFileSync("a.mbs", file);
    writeFileSync("b.mbs", file.subarray(0, 130_000));
    writeFileSync("c.mbs", "no such file");
    for (const [name, why] of [
      ["a.mbs", "damaged at position 131072"],
      ["b.mbs", "its end is missing"],
      ["c.mbs", "not a file that mbs encrypted"],
    ] as const) {
      for (const more of [[], ["--output", "out"], ["--output", "out", "--force"]])
        expect(await mbs(["decrypt", name, ...more])).toMatchObject({ exitCode: 1, err: expect.stringContaining(why) });
    }
    expect(readdirSync(".").sort()).toEqual(["a.mbs", "b.mbs", "c.mbs"]);
  });

  it("warn on stdout's side that what came before an error must not be used", async () => {
    const { file } = await encrypt(randomBytes(3_000_000));
    const cut = await mbs(["decrypt", "-", "--output", "-"], { input: file.subarray(0, file.length - 1) });
    expect([cut.exitCode, cut.bytes.length > 0]).toEqual([1, true]);
    expect(cut.err).toContain("What came out before this error");
    const { err } = await mbs(["decrypt", "-", "--output", "-"], { input: Buffer.from("something else") });
    expect(err).not.toContain("What came out before");
  });

  it("show nothing to a terminal, read nothing from one, and keep JSON and content apart", async () => {
    writeFileSync("a", "content");
    await mbs(["encrypt", "a", "--output", "a.mbs"]);
    for (const argv of [
      ["encrypt", "a", "--output", "-"],
      ["decrypt", "a.mbs", "--output", "-"],
      ["encrypt", "-", "--max-size", "1"],
      ["decrypt", "-"],
    ])
      expect(await mbs(argv, { tty: true })).toMatchObject({ exitCode: 2, out: "" });
    for (const argv of [
      ["encrypt", "a", "--output", "-", "--json"],
      ["decrypt", "a.mbs", "--output", "-", "--json"],
    ])
      expect(await mbs(argv)).toMatchObject({ exitCode: 2, out: "" });
  });

  it("refuse what is missing, a directory, and a name that cannot be stored", async () => {
    for (const name of ["a", "a\nb"]) writeFileSync(name, "content");
    mkdirSync("folder");
    for (const argv of [
      ["encrypt", "none"],
      ["encrypt", "folder"],
      ["encrypt", "a\nb"],
      ["decrypt", "none"],
      ["encrypt", "a", "--output", "none/out"],
      ["encrypt", "a", "--output", ""],
      ["encrypt", "a", "--output", "folder"],
      ["encrypt", "a", "--output", "new/"],
      ["encrypt", "a", "--output", "n".repeat(256)],
    ]) {
      const { exitCode, asked } = await mbs(argv);
      expect([exitCode > 0, asked.claims, asked.secrets]).toEqual([true, [], []]);
    }
    expect(readdirSync(".").sort()).toEqual(["a", "a\nb", "folder"]);
  });

  it("give up on Ctrl-C with 130 and without output, but not before there is something to give up", async () => {
    const { file } = await encrypt(randomBytes(300_000));
    for (const [argv, begin] of [
      [["encrypt", "-", "--max-size", "1MB"], randomBytes(200_000)],
      [["decrypt", "-", "--output", "out"], file.subarray(0, 200_000)],
    ] as const) {
      const input = new PassThrough();
      let isAsked = false;
      const onWatch = (interrupt: () => void) => {
        isAsked = true;
        setTimeout(interrupt, 50);
      };
      input.write(begin); // and never ends
      const { exitCode, err } = await mbs(argv, { input, onWatch });
      expect([exitCode, isAsked, err]).toEqual([130, true, expect.stringContaining("There is no output")]);
      expect(input.destroyed).toBe(true); // an open pipe would keep the process alive
      expect(readdirSync(".")).toEqual([]);
    }
  });

  it("explain themselves", () => {
    for (const [command, words] of [
      ["encrypt", ["--max-size", "--key", "5 %", "mbs encrypt report.pdf"]],
      ["decrypt", ["--force", "exit code", "mbs decrypt backup.mbs"]],
    ] as const) {
      let text = "";
      const program = new Command("mbs").exitOverride().configureOutput({ writeOut: (more) => (text += more) });
      addEncrypt(
        program,
        () => expect.fail(),
        () => expect.fail(),
      );
      addDecrypt(
        program,
        () => expect.fail(),
        () => expect.fail(),
      );
      expect(() => program.parse([command, "--help"], { from: "user" })).toThrow("outputHelp");
      for (const word of words) expect(text).toContain(word);
    }
  });
});

describe("the process", () => {
  const script = `${directory}/bundle/child.js`;

  beforeAll(async () => {
    const outDir = `${directory}/bundle`;
    mkdirSync(outDir);
    writeFileSync(`${outDir}/package.json`, '{ "type": "module" }');
    symlinkSync(`${home}/node_modules`, `${outDir}/node_modules`);
    const options = { ssr: `${home}/test/file/child.ts`, outDir, emptyOutDir: false, minify: false, target: "node20" };
    await build({ configFile: false, logLevel: "error", root: home, build: options });
  });

  it("leaves no draft and exits 130 when it is interrupted in the middle", async () => {
    const { file } = await encrypt(randomBytes(3_000_000));
    for (const [argv, begin] of [
      [["encrypt", "-", "--max-size", "10MB"], randomBytes(2_500_000)],
      [["decrypt", "-", "--output", "out"], file.subarray(0, 2_500_000)],
    ] as const) {
      const child = spawn(process.execPath, [script, ...argv], { cwd: at, stdio: ["pipe", "ignore", "pipe"] });
      const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
      let err = "";
      child.stderr.on("data", (bytes: Buffer) => (err += bytes));
      child.stdin.on("error", () => {});
      child.stdin.write(begin);
      while (!readdirSync(at).some((name) => statSync(`${at}/${name}`).size > 1_000_000)) await sleep(10);
      expect(readdirSync(at)).toEqual([expect.stringMatching(/^\.mbs-/)]);
      await sleep(200); // until it waits for more
      child.kill("SIGINT");
      // its stdin stays open
      const code = await Promise.race([ended, sleep(60_000).then(() => child.kill("SIGKILL"))]);
      expect([code, err]).toEqual([130, expect.stringContaining("There is no output")]);
      expect(readdirSync(at)).toEqual([]);
    }
  });

  it("encrypts and decrypts through the pipes of a shell", async () => {
    const content = randomBytes(1_500_000);
    writeFileSync("in", content);
    const mbs = `'${process.execPath}' '${script}'`;
    const line = `${mbs} encrypt - --max-size 2MB --output - < in | cat | ${mbs} decrypt - --output - | cat > out`;
    const child = spawn("bash", ["-c", `set -o pipefail; ${line}`], { cwd: at, stdio: "inherit" });
    expect(await new Promise((resolve) => child.on("exit", resolve))).toBe(0);
    expect(readFileSync("out").equals(content)).toBe(true);
  });

  it("takes a pipe that has a path, as a stream without a name", async () => {
    const program = `'${process.execPath}' '${script}'`;
    const line = `${program} encrypt <(printf content) --max-size 1kB --output a.mbs && ${program} decrypt a.mbs`;
    const child = spawn("bash", ["-c", line], { cwd: at, stdio: ["ignore", "ignore", "pipe"] });
    let err = "";
    child.stderr.on("data", (bytes: Buffer) => (err += bytes));
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(1);
    expect([readdirSync(at), err]).toEqual([["a.mbs"], expect.stringContaining("stored name is not used")]);
    expect(await mbs(["decrypt", "a.mbs", "--output", "-"])).toMatchObject({ exitCode: 0, out: "content" });
  });
});
