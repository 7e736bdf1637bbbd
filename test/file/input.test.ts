/** Files that are read, and files that change meanwhile. */

import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { Draft } from "../../host/file/draft.js";
import { encryptFile } from "../../host/file/encrypt.js";
import { openInput, unlessAborted, untilAborted } from "../../host/file/input.js";
import { run, workDirectory } from "../host/keys.js";
import { KEY_ID, secret } from "./workbench.js";

const directory = workDirectory();
const path = (name: string) => `${directory}/${name}`;

describe("openInput", () => {
  it("gives the bytes of a file of any size, its base name and its size", async () => {
    for (const size of [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000]) {
      const content = randomBytes(size);
      writeFileSync(path("in"), content);
      const file = await openInput(path("in"));
      const seen: Buffer[] = [];
      for await (const chunk of file.stream) seen.push(Buffer.from(chunk)); // the chunk's buffer is used again
      await file.verify();
      await file.close();
      expect([file.name, file.size, Buffer.concat(seen).equals(content)]).toEqual(["in", BigInt(size), true]);
    }
  });

  it("notices another size at the same time, and another time with the same size", async () => {
    const past = new Date(2020, 1, 1);
    for (const [change, time, isSame] of [
      ["", past, true],
      ["more", past, false],
      ["", new Date(2020, 1, 2), false],
    ] as const) {
      writeFileSync(path("in"), "content");
      utimesSync(path("in"), past, past);
      const file = await openInput(path("in"));
      appendFileSync(path("in"), change);
      utimesSync(path("in"), past, time);
      const found = await file.verify().then(
        () => "same",
        (error) => error.message,
      );
      expect(found).toEqual(isSame ? "same" : expect.stringContaining("changed while it was read"));
      await file.close();
    }
  });

  it("does not know the size of a pipe", async () => {
    run(directory, "mkfifo", "pipe");
    const [file] = await Promise.all([
      openInput(path("pipe")),
      import("node:fs/promises").then(({ writeFile }) => writeFile(path("pipe"), "through")),
    ]);
    const seen: Buffer[] = [];
    for await (const chunk of file.stream) seen.push(Buffer.from(chunk));
    await file.verify();
    await file.close();
    expect([file.size, Buffer.concat(seen).toString()]).toEqual([undefined, "through"]);
  });

  it("names the source that cannot be read, whatever kind it is", async () => {
    const broken = new Readable({ read: () => void broken.destroy(new Error("cable out")) });
    const all = async () => {
      for await (const _ of untilAborted("stdin", broken, undefined));
    };
    await expect(all()).rejects.toMatchObject({ code: "file", message: "Cannot read stdin: cable out." });
  });

  it("refuses what is missing and what is a directory", async () => {
    await expect(openInput(path("none"))).rejects.toMatchObject({
      code: "file",
      message: expect.stringContaining("no such file"),
    });
    await expect(openInput(directory)).rejects.toMatchObject({
      code: "file",
      message: expect.stringContaining("directory"),
    });
  });
});

describe("a file that changes while it is encrypted", () => {
  const past = new Date(2020, 1, 1);

  it.each<[string, () => void]>([
    ["longer, behind what was read", () => appendFileSync(path("in"), "more")],
    ["shorter, before it was read", () => truncateSync(path("in"), 2_500_000)],
    ["other bytes of the same length", () => writeFileSync(path("in"), randomBytes(3_000_000))],
    ["another time alone", () => utimesSync(path("in"), past, past)],
  ])("fails and leaves no output: %s", async (_, change) => {
    writeFileSync(path("in"), randomBytes(3_000_000));
    const at = path(`out-${randomBytes(4).toString("hex")}`);
    mkdirSync(at);
    const { size, close, ...found } = await openInput(path("in"));
    let isChanged = false;
    const done = encryptFile({
      input: { ...found, what: "in", ...(size !== undefined && { size }) },
      claim: async (positions) => ({ keyId: KEY_ID, start: 0n, end: positions - 1n, secret: secret() }),
      output: new Draft({ path: `${at}/out`, force: false, advice: "" }),
      progress: () => {
        if (!isChanged) change();
        isChanged = true;
      },
    });
    await expect(done).rejects.toMatchObject({ code: "file", message: expect.stringContaining("changed while") });
    await close();
    expect(readdirSync(at)).toEqual([]);
  });

  it("is encrypted when it does not change: the tests above can pass", async () => {
    writeFileSync(path("in"), randomBytes(3_000_000));
    const { size, close, ...found } = await openInput(path("in"));
    await encryptFile({
      input: { ...found, what: "in", ...(size !== undefined && { size }) },
      claim: async (positions) => ({ keyId: KEY_ID, start: 0n, end: positions - 1n, secret: secret() }),
      output: new Draft({ path: path("right"), force: false, advice: "" }),
    });
    await close();
  });
});

describe("unlessAborted", () => {
  it("gives what the promise gives, or the signal's reason, and forgets the signal", async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(1), signal)).toBe(1);
    await expect(unlessAborted(Promise.reject(new Error("own")), signal)).rejects.toThrow("own");
    const aborted = AbortSignal.abort(new Error("given up"));
    await expect(unlessAborted(Promise.resolve(1), aborted)).rejects.toThrow("given up");
    expect(await unlessAborted(Promise.resolve(2), undefined)).toBe(2);
  });
});
