/** Serial ports against a pseudo-terminal, which `script` of util-linux makes: nothing here needs hardware. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../host/client/clock.js";
import { DisconnectedError } from "../../host/client/errors.js";
import { Link } from "../../host/client/link.js";
import { openSerial } from "../../host/client/serial.js";
import type { Transport } from "../../host/client/transport.js";
import { MockDevice } from "./mock-device.js";

const children: ChildProcessWithoutNullStreams[] = [];
const ports: Transport[] = [];
afterEach(async () => {
  for (const port of ports.splice(0)) await port.close();
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A pseudo-terminal whose other end is a mock device that answers with what it was asked. */
async function pseudoTerminal(): Promise<{ path: string; unplug: () => void }> {
  const child = spawn("script", ["-q", "-c", "stty raw -echo; tty; exec sleep 60", "/dev/null"]);
  children.push(child);
  const device = new MockDevice(systemClock, { answer: (request) => request });
  device.send = (bytes) => void child.stdin.write(bytes);
  const path = await new Promise<string>((resolve) =>
    child.stdout.once("data", (bytes: Buffer) => resolve(bytes.toString().trim())),
  );
  child.stdout.on("data", (bytes: Buffer) => device.receive(bytes));
  return { path, unplug: () => void child.kill("SIGKILL") };
}

async function open(path: string): Promise<Transport> {
  const port = await openSerial(path);
  ports.push(port);
  return port;
}

describe("openSerial", () => {
  it("carries every byte value over a port that has no DTR and RTS", async () => {
    const { path } = await pseudoTerminal();
    const link = await Link.open(await open(path));
    const message = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff);
    expect(Buffer.compare(await link.exchange(message), message)).toBe(0);
  });

  it("says so when there is no such port, or when it is none", async () => {
    await expect(open("/dev/mbs-no-such-port")).rejects.toThrow(DisconnectedError);
    await expect(open("/dev/mbs-no-such-port")).rejects.toThrow("There is no port /dev/mbs-no-such-port");
    await expect(open("/etc/passwd")).rejects.toThrow("/etc/passwd is not a serial port");
    await expect(open("/dev/null")).rejects.toThrow("/dev/null is not a serial port");
  });

  it("names the program that holds a port", async () => {
    const { path } = await pseudoTerminal();
    await open(path);
    await expect(open(path)).rejects.toThrow(
      new RegExp(`${path} is in use by .*this program \\(process ${process.pid}\\)`),
    );
    const other = await pseudoTerminal();
    const serialport = createRequire(import.meta.url).resolve("serialport");
    const holding = `new (require(${JSON.stringify(serialport)}).SerialPort)({ path: ${JSON.stringify(other.path)}, baudRate: 9600 }, () => console.log("open")); setInterval(() => {}, 1000)`;
    const holder = spawn(process.execPath, ["-e", holding]);
    children.push(holder);
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    await expect(open(other.path)).rejects.toThrow(
      new RegExp(`${other.path} is in use by .*node \\(process ${holder.pid}\\)`),
    );
  });

  it("ends a request with DisconnectedError when the port goes away", async () => {
    const { path, unplug } = await pseudoTerminal();
    const port = await open(path);
    const link = await Link.open(port);
    unplug();
    await expect(link.exchange(Uint8Array.of(1))).rejects.toMatchObject({
      name: "DisconnectedError",
      reason: "closed",
      exitCode: 3,
    });
  });
});
