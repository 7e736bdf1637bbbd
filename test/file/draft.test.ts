/** Outputs: files that appear whole or not at all, and streams. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import * as system from "node:fs/promises";
import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { type Disk, Draft } from "../../host/file/draft.js";
import { Batches, StreamOutput } from "../../host/file/output.js";
import { workDirectory } from "../host/keys.js";

const directory = workDirectory();
let count = 0;
/** An empty folder for one test. */
function folder(): string {
  const path = `${directory}/${++count}`;
  mkdirSync(path);
  return path;
}

const text = (what: string) => [Buffer.from(what)];
const fails = (code: string) => Promise.reject(Object.assign(new Error(`${code}: so it is`), { code }));
const make = (path: string, force = false, disk: Partial<Disk> = {}) =>
  new Draft({ path, force, advice: "Take another." }, { ...system, ...disk });

describe("Draft", () => {
  it("is no file under its name before it is finished, and one of mode 0600 afterwards", async () => {
    const at = folder();
    const draft = make(`${at}/out`);
    await draft.check();
    await draft.begin();
    await draft.write(text("some"));
    await draft.write([...text(" more"), ...text(" pieces")]);
    const drafts = readdirSync(at);
    expect([drafts.length, drafts[0]]).toEqual([1, expect.stringMatching(/^\.mbs-[0-9a-f]{12}\.new$/)]);
    expect(statSync(`${at}/${drafts[0]}`).mode & 0o777).toBe(0o600);
    await draft.finish();
    expect([readdirSync(at), draft.path, readFileSync(`${at}/out`, "utf8")]).toEqual([
      ["out"],
      `${at}/out`,
      "some more pieces",
    ]);
    expect([statSync(`${at}/out`).mode & 0o777, statSync(`${at}/out`).nlink]).toEqual([0o600, 1]);
  });

  it("is gone when it is abandoned: before it began, while it is written, and after it could not be finished", async () => {
    const at = folder();
    await make(`${at}/out`).abandon();
    const draft = make(`${at}/out`);
    await draft.begin();
    const writing = draft.write([Buffer.alloc(1 << 24)]);
    await draft.abandon();
    await writing.catch(() => {});
    expect(readdirSync(at)).toEqual([]);
    for (const force of [true, false]) {
      const unlucky = make(`${at}/out`, force, { rename: () => fails("EIO"), link: () => fails("EIO") });
      await unlucky.begin();
      await expect(unlucky.finish()).rejects.toMatchObject({ code: "file" });
      await unlucky.abandon();
      expect(readdirSync(at)).toEqual([]);
    }
  });

  it("overwrites nothing without force: not what is there before, nor what comes while it is written", async () => {
    const at = folder();
    writeFileSync(`${at}/old`, "old");
    await expect(make(`${at}/old`).check()).rejects.toMatchObject({
      message: expect.stringContaining("exists already"),
      hint: "Take another.",
    });
    const draft = make(`${at}/out`);
    await draft.check();
    await draft.begin();
    await draft.write(text("new"));
    writeFileSync(`${at}/out`, "theirs");
    await expect(draft.finish()).rejects.toMatchObject({ message: expect.stringContaining("exists already") });
    await draft.abandon();
    expect([readdirSync(at).sort(), readFileSync(`${at}/out`, "utf8")]).toEqual([["old", "out"], "theirs"]);
  });

  it("overwrites nothing either where files cannot have two names", async () => {
    const at = folder();
    const disk = { link: () => fails("EPERM") };
    const first = make(`${at}/out`, false, disk);
    await first.begin();
    await first.write(text("first"));
    await first.finish();
    const second = make(`${at}/out`, false, disk);
    await second.begin();
    await expect(second.finish()).rejects.toMatchObject({ message: expect.stringContaining("exists already") });
    await second.abandon();
    expect([readdirSync(at), readFileSync(`${at}/out`, "utf8")]).toEqual([["out"], "first"]);
    const third = make(`${at}/third`, false, { ...disk, rename: () => fails("EIO") });
    await third.begin();
    await expect(third.finish()).rejects.toMatchObject({ code: "file" });
    await third.abandon();
    expect(readdirSync(at)).toEqual(["out"]);
  });

  it("takes the place of a file with force, and of a link rather than of what it points to", async () => {
    const at = folder();
    writeFileSync(`${at}/out`, "old");
    writeFileSync(`${at}/target`, "target");
    symlinkSync(`${at}/target`, `${at}/link`);
    for (const name of ["out", "link"]) {
      await expect(make(`${at}/${name}`).check()).rejects.toThrow("exists");
      const draft = make(`${at}/${name}`, true);
      await draft.check();
      await draft.begin();
      await draft.write(text("new"));
      await draft.finish();
    }
    expect(["out", "link", "target"].map((name) => readFileSync(`${at}/${name}`, "utf8"))).toEqual([
      "new",
      "new",
      "target",
    ]);
  });

  it("takes its name from what the file says, in its folder", async () => {
    const at = folder();
    const path = { folder: at, name: (stored: Uint8Array) => `${Buffer.from(stored)}.txt` };
    const draft = new Draft({ path, force: false, advice: "" });
    await draft.check();
    await draft.begin();
    await draft.finish(Buffer.from("said"));
    expect([readdirSync(at), draft.path]).toEqual([["said.txt"], `${at}/said.txt`]);
    const refusing = { folder: at, name: () => fail() };
    const fail = (): never => {
      throw new Error("refused");
    };
    const other = new Draft({ path: refusing, force: false, advice: "" });
    await other.begin();
    await expect(other.finish(Buffer.from("x"))).rejects.toThrow("refused");
    await other.abandon();
    expect(readdirSync(at)).toEqual(["said.txt"]);
  });

  it("says early that a folder is missing or that the name is one of a directory", async () => {
    const at = folder();
    await expect(make(`${at}/none/out`).check()).rejects.toMatchObject({ code: "file" });
    await expect(make(at, true).check()).rejects.toThrow("no name of a file");
    await expect(make(`${at}/none/out`).begin()).rejects.toThrow("there is no such directory");
  });

  it("says that the disk is full, names the file that was to be, and leaves nothing", async () => {
    const at = folder();
    for (const code of ["ENOSPC", "EIO"]) {
      const open: Disk["open"] = async (path, flags, mode) => {
        const file = await system.open(path, flags, mode);
        if (flags === "wx") file.writev = () => fails(code);
        return file;
      };
      const draft = make(`${at}/out`, false, { open });
      await draft.begin();
      await expect(draft.write(text("x"))).rejects.toMatchObject({
        code: "file",
        message: expect.stringContaining(code === "ENOSPC" ? "out: the disk is full" : "so it is"),
      });
      await draft.abandon();
      expect(readdirSync(at)).toEqual([]);
    }
  });

  it("writes on where the disk took less than it was given", async () => {
    const at = folder();
    const open: Disk["open"] = async (path, flags, mode) => {
      const file = await system.open(path, flags, mode);
      const writev = file.writev.bind(file);
      file.writev = async <T extends readonly NodeJS.ArrayBufferView[]>(buffers: T) => {
        const first = buffers[0] as unknown as Buffer;
        await writev([first.subarray(0, 3)]);
        return { bytesWritten: Math.min(3, first.length), buffers };
      };
      return file;
    };
    const draft = make(`${at}/out`, false, { open });
    await draft.begin();
    await draft.write([Buffer.from("ab"), Buffer.from("cdefgh"), Buffer.from("ijk")]);
    await draft.finish();
    expect(readFileSync(`${at}/out`, "utf8")).toBe("abcdefghijk");
  });

  it("keeps a file that has its name when the folder cannot be confirmed, and says so", async () => {
    const at = folder();
    const open: Disk["open"] = async (path, flags, mode) => {
      const file = await system.open(path, flags, mode);
      if (flags === "r") file.sync = () => fails("EIO");
      return file;
    };
    const draft = make(`${at}/out`, false, { open });
    await draft.begin();
    await expect(draft.finish()).rejects.toThrow("written in full");
    await draft.abandon();
    expect([existsSync(`${at}/out`), draft.path]).toEqual([true, `${at}/out`]);
    expect(readdirSync(at)).toEqual(["out"]);
  });
});

describe("StreamOutput", () => {
  it("waits until what it was given went out, and counts it", async () => {
    const stream = new PassThrough({ highWaterMark: 10 });
    const output = new StreamOutput(stream);
    await output.begin();
    let isOut = false;
    const writing = output.write([Buffer.alloc(30), Buffer.alloc(30)]).then(() => (isOut = true));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(isOut).toBe(false);
    const seen: Buffer[] = [];
    stream.on("data", (bytes: Buffer) => seen.push(bytes));
    await writing;
    await output.write([]);
    await output.finish();
    expect([Buffer.concat(seen).length, output.written]).toEqual([60, 60n]);
  });

  it("tells a stream that fails or is closed", async () => {
    const failing = new Writable({ write: (_, __, done) => done(Object.assign(new Error("x"), { code: "EPIPE" })) });
    const output = new StreamOutput(failing);
    await output.begin();
    await expect(output.write(text("a"))).rejects.toThrow("nobody reads it any more");
    await expect(output.write(text("a"))).rejects.toMatchObject({ code: "file" });
  });
});

describe("Batches", () => {
  it("writes in order, a batch at a time, and nothing twice", async () => {
    const seen: number[] = [];
    let isWriting = false;
    const output = {
      begin: async () => {},
      write: async (pieces: readonly Uint8Array[]) => {
        expect(isWriting).toBe(false);
        isWriting = true;
        await new Promise((resolve) => setTimeout(resolve, 1));
        for (const piece of pieces) seen.push(piece[0]!);
        isWriting = false;
      },
      finish: async () => {},
      abandon: async () => {},
    };
    const batches = new Batches(output, undefined);
    for (let i = 0; i < 200; i++) await batches.add(Buffer.alloc(60_000, i), Buffer.alloc(0));
    await batches.flush();
    expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });
});
