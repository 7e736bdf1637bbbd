/** `runBoard`: its ports, its monitor, its refusals. */
import { existsSync, lstatSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunOptions, runBoard } from "../../board/virtual/run.js";
import { probeElf } from "./probe/probe.js";

let folder: string;
let elf: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mbs-run-"));
  elf = join(folder, "probe.elf");
  writeFileSync(elf, probeElf());
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Reads the word at 0 of the probe: status 0, then the initial stack pointer. */
const REQUEST = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0]);
const ANSWER = "0000000420";

interface Running {
  port: number;
  log: () => string;
  type: (line: string) => void;
  end: Promise<number>;
}

async function start(options: RunOptions): Promise<Running> {
  const lines: string[] = [];
  const input = new PassThrough();
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  let end: Promise<number> = Promise.resolve(0);
  const port = await new Promise<number>((resolve, reject) => {
    end = runBoard({ elf, seed: 1, input, output, listening: (where) => resolve(where.port ?? 0), ...options });
    end.catch(reject);
  });
  return { port, end, log: () => lines.join(""), type: (line) => input.write(`${line}\n`) };
}

async function client(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return socket;
}

async function ask(socket: Socket): Promise<string> {
  socket.write(REQUEST);
  let got = "";
  while (got.length < ANSWER.length) {
    got += (await new Promise<Buffer>((resolve) => socket.once("data", resolve))).toString("hex");
  }
  return got;
}

describe("runBoard", () => {
  it("serves one TCP client after the other, closes a second one, and ends at quit", async () => {
    const board = await start({ tcp: 0 });
    const first = await client(board.port);
    expect(await ask(first)).toBe(ANSWER);
    const second = await client(board.port);
    await new Promise((resolve) => second.once("close", resolve));
    expect(await ask(first)).toBe(ANSWER);
    first.destroy();
    await new Promise((resolve) => first.once("close", resolve));
    const third = await client(board.port);
    expect(await ask(third)).toBe(ANSWER);
    board.type("quit");
    expect(await board.end).toBe(0);
    expect(board.log()).toContain("another client was sent away");
    third.destroy();
  });

  it("obeys the monitor", async () => {
    const board = await start({ tcp: 0 });
    const commands = [
      "status",
      "press s1 20",
      "reset",
      "power cut",
      "power off",
      "power on",
      "nonsense",
      "help",
      "quit",
    ];
    for (const command of commands) board.type(command);
    await board.end;
    for (const text of [
      "no faults",
      "s1 pressed",
      "reset (pin)",
      "power will be cut",
      "power off",
      'no command "nonsense"',
    ]) {
      expect(board.log()).toContain(text);
    }
  });

  it("makes a raw pseudo-terminal that survives reopening, and removes its link", async () => {
    const link = join(folder, "tty");
    const board = await start({ pty: link });
    expect(readlinkSync(link)).toMatch(/^\/dev\/pts\//);
    for (let turn = 0; turn < 2; turn++) {
      const terminal = await open(link, "r+");
      await terminal.write(REQUEST);
      let got = "";
      while (got.length < ANSWER.length) {
        const { buffer, bytesRead } = await terminal.read(Buffer.alloc(64), 0, 64, null);
        got += buffer.toString("hex", 0, bytesRead);
      }
      expect(got).toBe(ANSWER);
      await terminal.close();
    }
    board.type("quit");
    await board.end;
    expect(lstatSync(link, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("keeps flash in its file, ends by a signal, and refuses a path that is no link", async () => {
    const flash = join(folder, "flash");
    const power = new AbortController();
    const board = await start({ tcp: 0, flash, signal: power.signal });
    power.abort();
    expect(await board.end).toBe(0);
    expect(existsSync(flash)).toBe(true);
    await expect(start({ pty: elf })).rejects.toThrow("is no symbolic link");
    await expect(start({ tcp: 0, flash: elf })).rejects.toThrow("is no flash file");
    await expect(start({ tcp: 0, elf: join(folder, "missing.elf") })).rejects.toThrow("npm run build");
  });

  it("says which port is taken", async () => {
    const board = await start({ tcp: 0 });
    await expect(start({ tcp: board.port })).rejects.toThrow(`127.0.0.1:${board.port}: it is in use`);
    board.type("quit");
    await board.end;
  });
});
