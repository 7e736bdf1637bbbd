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

/** Registers of port 0 (ports.ts), and the bits of S1 and the blue light. */
const PORT0 = { PDR: 0x40080002, PIDR: 0x40080006, PORR: 0x40080008, POSR: 0x4008000a };
const S1 = 1 << 5;
const BLUE = 1 << 6;

/** A request of the probe: command 2 reads 16 bits, 5 writes them. */
function request(command: number, address: number, value = 0): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(9);
  bytes[0] = command;
  bytes.writeUInt32LE(address, 1);
  bytes.writeUInt32LE(value, 5);
  return bytes;
}

async function ask(socket: Socket, what = REQUEST): Promise<string> {
  socket.write(what);
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
      "power cut 0",
      "power cut 12",
      "power cut",
      "power off",
      "power on with s2",
      "power on with s1 s2",
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
      'takes a number of flash operations, got "0"',
      "power will be cut inside flash operation 12 from now",
      "power will be cut inside the next flash operation",
      "power off",
      'got "power on with s2"',
      "s1 and s2 pressed for 11000 ms",
      'no command "nonsense"',
    ]) {
      expect(board.log()).toContain(text);
    }
  });

  it("has a simulated person touch S1 when the blue light goes on, and says so", async () => {
    const board = await start({ tcp: 0, presence: "always" });
    const socket = await client(board.port);
    const pressed = async (): Promise<boolean> => {
      const answer = Buffer.from(await ask(socket, request(2, PORT0.PIDR)), "hex");
      return (answer.readUInt32LE(1) & S1) === 0;
    };
    expect(await pressed()).toBe(false);
    await ask(socket, request(5, PORT0.PDR, BLUE));
    await ask(socket, request(5, PORT0.POSR, BLUE));
    while (!(await pressed()));
    while (await pressed());
    board.type("quit");
    await board.end;
    expect(board.log()).toMatch(/such touches prove nothing[\s\S]*lights: touch[\s\S]*a simulated person touches s1/);
    socket.destroy();
  });

  it("leaves S1 alone without a terminal, and says that a touch is awaited", async () => {
    const board = await start({ tcp: 0 });
    const socket = await client(board.port);
    await ask(socket, request(5, PORT0.PDR, BLUE));
    await ask(socket, request(5, PORT0.POSR, BLUE));
    board.type("quit");
    await board.end;
    expect(board.log()).toContain("touch awaited, and nobody is here (--presence never)");
    socket.destroy();
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
