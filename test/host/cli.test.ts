/** The command line: main(argv, io) against a mock store behind a TCP port, and the program itself where only a process tells. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Status } from "../../firmware/defs/status.js";
import { State } from "../../firmware/defs/wire.js";
import { makeChain, run, sshKeygen, workDirectory } from "./keys.js";
import { Desk } from "./terminal.js";

const directory = workDirectory();
const desk = new Desk(directory);
const { mbs, ok, path } = desk;

beforeAll(() => {
  sshKeygen(directory, "id_ed25519", "-t", "ed25519");
  makeChain(directory);
  writeFileSync(path("chain.pem"), ["leaf.pem", "inter.pem"].map((name) => readFileSync(path(name), "utf8")).join(""));
  writeFileSync(path("secret.bin"), Buffer.from([0, 1, 2, 255]));
  writeFileSync(path("secret.txt"), "open sesame");
});
beforeEach(() => desk.ready());

describe("mbs put and get", () => {
  it("brings an OpenSSH key in and out again, into a file that only its owner may read", async () => {
    const handle = (await ok(["put", path("id_ed25519"), "--label", "deploy", "--exportable"])).trim();
    expect(handle).toMatch(/^[0-9a-f]{32}$/);
    await ok(["get", "deploy", "-o", path("back")]);
    expect(statSync(path("back")).mode & 0o777).toBe(0o600);
    expect(run(directory, "ssh-keygen", "-y", "-f", path("back")).split(" ").slice(0, 2)).toEqual(
      readFileSync(path("id_ed25519.pub"), "utf8").split(" ").slice(0, 2),
    );
    expect(JSON.parse(await ok(["list", "--json"]))).toMatchObject({
      schemaVersion: 1,
      entries: [{ handle, label: "deploy", usage: "ssh-userauth", exportable: true, parts: 2 }],
    });
  });

  it("puts key and chain as one record, and gives them back as PEM", async () => {
    await ok(["put", path("leaf.key"), path("chain.pem"), "--label", "tls", "--exportable"]);
    expect(await ok(["get", "tls"])).toBe(
      readFileSync(path("leaf.key"), "utf8") + readFileSync(path("chain.pem"), "utf8"),
    );
    expect(await ok(["get", "tls", "--as", "pkcs8"])).toBe(readFileSync(path("leaf.key"), "utf8"));
    expect(await ok(["show", "tls"])).toContain("certificate chain");
    expect(JSON.parse(await ok(["show", "tls", "--json"])).usage).toBe("certificate");
  });

  it("takes a secret from stdin, and gives the same bytes into a pipe", async () => {
    await ok(["put", "-", "--label", "token", "--exportable"], { input: "s3cret" });
    expect(await ok(["get", "token"])).toBe("s3cret");
    expect(JSON.parse(await ok(["get", "token", "--json"]))).toMatchObject({
      label: "token",
      parts: [{ secret: true, content: "czNjcmV0" }],
    });
  });

  it("never shows binary on a terminal, but text and pipes are fine", async () => {
    await ok(["put", path("secret.bin"), "--label", "bin", "--exportable"]);
    expect(await mbs(["get", "bin"], { tty: true })).toMatchObject({
      exitCode: 2,
      out: "",
      err: expect.stringContaining("binary"),
    });
    expect((await mbs(["get", "bin"])).bytes).toEqual(readFileSync(path("secret.bin")));
    await ok(["put", path("secret.txt"), "--label", "txt", "--exportable"]);
    expect((await mbs(["get", "txt"], { tty: true })).out).toBe("open sesame");
  });

  it("gets several records into a directory, under their labels or handles, and tells which one is refused", async () => {
    const put = async (label: string, ...more: string[]) =>
      (await ok(["put", path("secret.txt"), ...(label === "" ? [] : ["--label", label]), ...more])).trim();
    await put("tls/web", "--exportable");
    await put("tls_web", "--exportable");
    await put(".hidden", "--exportable");
    const plain = await put("", "--exportable");
    const kept = await put("kept");
    const into = path("several");
    expect(await mbs(["get", "tls/web", "tls_web", "-o", into])).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("directory"),
    });
    mkdirSync(into);
    const json = JSON.parse(await ok(["get", "tls/web", "tls_web", ".hidden", plain, "tls/web", "-o", into, "--json"]));
    const [, same] = json.records.map(({ handle }: { handle: string }) => handle);
    expect(readdirSync(into).sort()).toEqual(["_hidden", plain, same, "tls_web"].sort());
    for (const name of readdirSync(into)) {
      expect(readFileSync(join(into, name), "utf8")).toBe("open sesame");
      expect(statSync(join(into, name)).mode & 0o777).toBe(0o600);
    }
    const other = path("others");
    mkdirSync(other);
    writeFileSync(join(other, "tls_web"), "precious");
    expect((await mbs(["get", ".hidden", "tls_web", "-o", other])).err).toContain("exists already");
    expect(readdirSync(other)).toEqual(["tls_web"]);
    const refused = await mbs(["get", "kept", ".hidden", "-o", other]);
    expect([refused.exitCode, refused.err]).toEqual([1, expect.stringContaining(`Record ${kept}: `)]);
    expect(readdirSync(other).sort()).toEqual(["_hidden", "tls_web"]);
  });

  it("gives each of several records a file of its own, also where capitals do not count and labels look like handles", async () => {
    const put = async (...more: string[]) => (await ok(["put", path("secret.txt"), "--exportable", ...more])).trim();
    const plain = await put();
    const upper = await put("--label", "Key");
    const lower = await put("--label", "key");
    const alike = await put("--label", plain.toUpperCase());
    const into = path("alike");
    mkdirSync(into);
    await ok(["get", upper, lower, alike, plain, "-o", into, "--force"]);
    expect(readdirSync(into).sort()).toEqual(["Key", lower, alike, plain].sort());
  });

  it("overwrites nothing without --force", async () => {
    await ok(["put", path("secret.txt"), "--label", "txt", "--exportable"]);
    writeFileSync(path("there"), "precious");
    expect(await mbs(["get", "txt", "-o", path("there")])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("exists already"),
    });
    expect(readFileSync(path("there"), "utf8")).toBe("precious");
    await ok(["get", "txt", "-o", path("there"), "--force"]);
    expect(readFileSync(path("there"), "utf8")).toBe("open sesame");
    expect(statSync(path("there")).mode & 0o777).toBe(0o600);
  });

  it("keeps what is not exportable on the device", async () => {
    await ok(["put", path("secret.txt"), "--label", "stays"]);
    const { exitCode, err } = await mbs(["get", "stays", "-o", path("never")]);
    expect([exitCode, err]).toEqual([1, expect.stringContaining("--exportable")]);
    expect(existsSync(path("never"))).toBe(false);
  });

  it("refuses wrong arguments with exit code 2, before it talks to a device", async () => {
    const env = { MBS_PORT: "tcp:127.0.0.1:1" };
    for (const wrong of [
      ["--usage", "x"],
      ["--tier", "temp"],
      ["--presence", "x"],
      ["--format", "x"],
      ["--class", "9"],
      ["--label", ""],
      ["--nonsense"],
    ]) {
      expect(await mbs(["put", path("secret.txt"), ...wrong], { env }), wrong.join(" ")).toMatchObject({ exitCode: 2 });
    }
    expect(await mbs(["put"], { env })).toMatchObject({ exitCode: 2, err: expect.stringContaining("Name a file") });
  });

  it("asks for a passphrase only on a terminal, and takes it from a file", async () => {
    run(directory, "ssh-keygen", "-q", "-t", "ed25519", "-N", "correct horse", "-f", path(`locked-${process.pid}`));
    writeFileSync(path("pass"), "correct horse\n");
    const locked = path(`locked-${process.pid}`);
    expect(await mbs(["put", locked])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("--passphrase-file"),
    });
    await ok(["put", locked, "--passphrase-file", path("pass")]);
  });

  it("asks twice for a secret that stands in no file, without showing it", async () => {
    const { exitCode, err } = await mbs(["put", "--label", "typed", "--exportable"], {
      tty: true,
      input: ["correct", "correct"],
    });
    expect(err).not.toContain("correct");
    expect([exitCode, await ok(["get", "typed"])]).toEqual([0, "correct"]);
    expect(await mbs(["put"], { tty: true, input: ["one", "other"] })).toMatchObject({ exitCode: 2 });
  });
});

describe("naming a record", () => {
  it("takes a handle, its first 8 digits, or a label that only one record has", async () => {
    const handle = (await ok(["put", path("secret.txt"), "--label", "same"])).trim();
    expect(JSON.parse(await ok(["show", handle, "--json"])).handle).toBe(handle);
    expect(JSON.parse(await ok(["show", handle.slice(0, 8).toUpperCase(), "--json"])).handle).toBe(handle);
    expect(JSON.parse(await ok(["show", "same", "--json"])).handle).toBe(handle);
    expect(await mbs(["show", handle.slice(0, 7)])).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("No record has"),
    });
    const other = (await ok(["put", path("secret.bin"), "--label", "same"])).trim();
    const { exitCode, err } = await mbs(["show", "same"]);
    expect([exitCode, err.includes(handle), err.includes(other)]).toEqual([2, true, true]);
  });

  it("finds by label, prefix, usage, tier, origin and epochs", async () => {
    await ok(["put", path("secret.txt"), "--label", "a/1"]);
    await ok(["epoch", "5", "--yes"]);
    await ok(["put", path("id_ed25519"), "--label", "a/2", "--tier", "public"]);
    const found = async (...args: string[]) =>
      JSON.parse(await ok(["find", "--json", ...args])).entries.map((entry: { label: string }) => entry.label);
    expect(await found("--prefix", "a/")).toEqual(["a/1", "a/2"]);
    expect(await found("--label", "a/1")).toEqual(["a/1"]);
    expect(await found("--usage", "ssh-userauth")).toEqual(["a/2"]);
    expect(await found("--tier", "public")).toEqual(["a/2"]);
    expect(await found("--origin", "generated")).toEqual([]);
    expect(await found("--epoch", "2..")).toEqual(["a/2"]);
    expect(await found("--epoch", "..4")).toEqual(["a/1"]);
    expect(await found("--epoch", "5")).toEqual(["a/2"]);
    expect(await mbs(["find", "--label", "none"])).toMatchObject({ exitCode: 0, out: "", err: "No record matches.\n" });
    for (const wrong of [["find"], ["find", "--label", ""], ["find", "--epoch", "x"], ["find", "--epoch", ".."]])
      expect((await mbs(wrong)).exitCode).toBe(2);
  });
});

describe("what cannot be undone", () => {
  const destructive = [["evict", "x"], ["replace", "x", path("secret.bin")], ["epoch", "7"], ["accept"]];

  it.each(destructive)("%s asks, and without a terminal needs --yes", async (...argv) => {
    await ok(["put", path("secret.txt"), "--label", "x", "--exportable"]);
    const before = structuredClone(desk.store.sequence);
    expect(await mbs(argv)).toMatchObject({ exitCode: 2, err: expect.stringContaining("--yes") });
    expect(await mbs(argv, { tty: true, input: ["n"] })).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("Nothing was changed"),
    });
    expect([desk.store.records.length, desk.store.sequence]).toEqual([1, before]);
    expect((await mbs(argv, { tty: true, input: ["y"] })).exitCode).toBe(0);
  });

  it("evicts, and says whether the sealed content is erased", async () => {
    for (const [args, what] of [
      [[], "erased when its block is needed again"],
      [["--destroy"], "sealed content erased"],
    ] as const) {
      await ok(["put", path("secret.txt"), "--label", "x"]);
      expect(await ok(["evict", "x", "--yes", ...args])).toContain(what);
    }
    expect(desk.store.records).toEqual([]);
    expect(await ok(["info"])).toContain("1 not erased yet");
  });

  it("relabels, and takes a label away", async () => {
    const handle = (await ok(["put", path("secret.txt"), "--label", "old"])).trim();
    await ok(["relabel", "old", "new"]);
    expect(JSON.parse(await ok(["show", handle, "--json"])).label).toBe("new");
    await ok(["relabel", "new", "--none"]);
    expect(JSON.parse(await ok(["show", handle, "--json"])).label).toBeNull();
    expect((await mbs(["relabel", handle])).exitCode).toBe(2);
  });
});

describe("mbs provision", () => {
  it("provisions from the example, says what it would do, and may be run again", async () => {
    await desk.blank();
    const example = readFileSync(new URL("../../host/example.toml", import.meta.url), "utf8");
    writeFileSync(path("example.toml"), example);
    writeFileSync(path("backup.pass"), "correct horse\n");
    run(
      directory,
      "openssl",
      "pkcs8",
      "-topk8",
      "-in",
      "root.key",
      "-out",
      "backup.key",
      "-passout",
      "file:backup.pass",
    );
    expect(await ok(["provision", path("example.toml"), "--dry-run"])).toContain("room for 183 records");
    expect(desk.store.state).toBe(State.Blank);
    expect(JSON.parse(await ok(["info", "--json"], { env: { MBS_CONFIG_DIR: path("empty") } }))).toMatchObject({
      state: "blank",
      setupCode: true,
      store: null,
    });
    const first = JSON.parse(await ok(["provision", path("example.toml"), "--json"]));
    expect(first.operators).toEqual([
      { operator: "ops", role: "admin", standing: "added" },
      { operator: "deploy", role: "user", standing: "added" },
    ]);
    expect(first.credentials).toMatchObject([
      { name: "deploy@web-1", new: true },
      { name: "tls/web-1", new: true },
      { name: "release/sign", new: true },
      { name: "backup", new: true },
    ]);
    expect(JSON.parse(await ok(["provision", path("example.toml"), "--json"])).credentials).toMatchObject([
      { new: false },
      { new: false },
      { new: false },
      { new: false },
    ]);
    expect(JSON.parse(await ok(["info", "--json"]))).toMatchObject({
      state: "ready",
      store: { classes: [{ slotSize: 4096, capacity: 183 }, { slotSize: 8192 }] },
    });
  });

  it("names file, line and field of a wrong manifest", async () => {
    writeFileSync(path("wrong.toml"), '[instance]\nname = "x"\nnmae = "y"\n');
    expect(await mbs(["provision", path("wrong.toml")])).toMatchObject({
      exitCode: 1,
      err: expect.stringMatching(/wrong.toml, line 3: \[instance\] nmae/),
    });
  });
});

describe("errors", () => {
  it("are one JSON object on stderr with --json, each class with its code and exit code", async () => {
    const failures: [string[], number, Record<string, unknown>][] = [
      [["get", "0".repeat(32)], 1, { code: "device", status: Status.NoSuchHandle, name: "NoSuchHandle" }],
      [["get", "nothing"], 1, { code: "not-found", status: null }],
      [["put", path("missing")], 1, { code: "file", status: null }],
      [["get"], 2, { code: "usage", status: null }],
      [["nonsense"], 2, { code: "usage" }],
      [["list", "--port", "tcp:127.0.0.1:1"], 3, { code: "disconnected" }],
    ];
    for (const [argv, expected, object] of failures) {
      const { exitCode, out, err } = await mbs([...argv, "--json"]);
      expect([exitCode, out], argv.join(" ")).toEqual([expected, ""]);
      expect(JSON.parse(err)).toMatchObject({
        schemaVersion: 1,
        message: expect.any(String),
        hint: expect.any(String),
        ...object,
      });
    }
  });

  it("say what may have happened when the connection ends under a change", async () => {
    desk.work = 30_000;
    const put = mbs(["put", path("secret.txt"), "--label", "x"]);
    const socket = await new Promise<Socket>((resolve) => desk.server.once("connection", resolve));
    socket.once("data", () => {
      desk.server.close(); // nobody listens when the client comes again
      socket.destroy();
    });
    const { exitCode, err } = await put;
    expect([exitCode, err]).toEqual([3, expect.stringContaining("may have been put; `mbs list` shows it")]);
    await desk.listen();
  });

  it("do not let a label steer the terminal", async () => {
    await ok(["put", path("secret.txt"), "--label", "\u001b[2Jgone\u202e"]);
    const listed = await ok(["list"]);
    expect(listed).toContain("\\x1b[2Jgone\\x202e");
    expect(listed).not.toContain("\u001b");
  });
});

describe("mbs config, completion, help, dump", () => {
  it("keeps a port that is used when none is named", async () => {
    const env = { MBS_PORT: "" };
    expect((await mbs(["config", "get", "port"], { env })).exitCode).toBe(1);
    await ok(["config", "set", "port", desk.port], { env });
    expect(await ok(["config", "get", "port"], { env })).toBe(`${desk.port}\n`);
    expect(JSON.parse(await ok(["config", "list", "--json"], { env }))).toMatchObject({
      directory: path("config"),
      settings: { port: desk.port },
    });
    expect(await mbs(["list"], { env })).toMatchObject({ exitCode: 0, out: "", err: "No records.\n" });
    expect((await mbs(["config", "set", "colour", "red"], { env })).exitCode).toBe(2);
    expect((await mbs(["config", "set", "port", "red"], { env })).exitCode).toBe(2);
  });

  it("completes commands and options in bash", async () => {
    writeFileSync(path("mbs.bash"), await ok(["completion", "bash"]));
    const complete = (...words: string[]) =>
      run(
        directory,
        "bash",
        "-c",
        `source mbs.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mbs; echo "\${COMPREPLY[*]}"`,
        "bash",
        "mbs",
        ...words,
      ).trim();
    expect(complete("prov")).toBe("provision");
    expect(complete("config", "s")).toBe("set");
    expect(complete("board", "run", "--fl")).toBe("--flash");
    expect(complete("operator", "ro")).toBe("rotate role");
    expect(complete("session", "")).toMatch(/^open status close --/); // and not what open starts
    expect(complete("sign", "--na")).toBe("--namespace");
    expect(await ok(["completion", "fish"])).toContain("complete -c mbs -n __fish_use_subcommand -f -a evict");
    expect(await ok(["completion", "zsh"])).toContain("bashcompinit");
    expect((await mbs(["completion", "tcsh"])).exitCode).toBe(2);
  });

  it("explains every command with exit code 0, and itself with 2 when nothing is said", async () => {
    for (const command of [
      "info",
      "list",
      "find",
      "show",
      "put",
      "get",
      "replace",
      "relabel",
      "evict",
      "epoch",
      "accept",
      "generate",
      "sign",
      "agree",
      "public",
      "attest",
      "csr",
      "policy",
      "provision",
      "operator",
      "session",
      "reset",
      "dump",
      "config",
      "board",
      "completion",
    ]) {
      expect(await ok([command, "--help"])).toContain(`Usage: mbs ${command}`);
    }
    expect(await ok(["--version"])).toBe(`${JSON.parse(readFileSync("package.json", "utf8")).version}\n`);
    expect(await mbs([])).toMatchObject({ exitCode: 2, err: expect.stringContaining("provision") });
  });

  it("dumps sealed bytes into a file, in steps", async () => {
    await ok(["dump", "data", "-o", path("data.img")]);
    expect(statSync(path("data.img")).size).toBe(8192 - 256);
    const env = { MBS_PORT: "tcp:127.0.0.1:1" }; // nobody is asked
    expect(await mbs(["dump", "data", "-o", path("data.img")], { env })).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("exists already"),
    });
    expect((await mbs(["dump", "slots", "--offset", "32768", "--length", "5000"])).bytes).toHaveLength(5000);
    for (const wrong of [["data", "--offset", "0"], ["slots", "--offset", "1048576"], ["code"]])
      expect((await mbs(["dump", ...wrong])).exitCode).toBe(2);
  });
});

describe("Ctrl-C", () => {
  it("ends with 130 and says what the device kept", async () => {
    desk.work = 30_000;
    const program = new URL("../../dist/host/cli/main.js", import.meta.url).pathname;
    const child = spawn(process.execPath, [program, "put", path("secret.txt"), "--label", "x"], {
      env: { ...process.env, ...desk.env },
    });
    let err = "";
    child.stderr.on("data", (bytes: Buffer) => {
      err += bytes.toString();
    });
    await new Promise<void>((resolve) =>
      desk.server.once("connection", (socket) => socket.once("data", () => resolve())),
    );
    child.kill("SIGINT");
    const exitCode = await new Promise((resolve) => child.once("close", resolve));
    expect([exitCode, err]).toEqual([130, expect.stringContaining("may have been put; `mbs list` shows it")]);
  });
});
