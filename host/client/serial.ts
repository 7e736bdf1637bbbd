/** A Transport over a serial port or a pseudo-terminal. Relies on the package serialport, loaded when the first port is opened. */
import { readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { LINE_RATE } from "../../firmware/defs/link.js";
import { DisconnectedError } from "./errors.js";
import type { Transport } from "./transport.js";

/** What a USB adapter of today can do, and the firmware's line too. */
export const FASTEST = 921_600;

/** Opens a port, 8 data bits, no parity, one stop bit, no flow control, at the rate that a device starts with.
 *  @param fastest bits per second that the link may go to
 *  @throws DisconnectedError when there is no such port, when it may not be opened, or when another program holds it (which is named) */
export async function openSerial(path: string, fastest = FASTEST): Promise<Transport> {
  const { SerialPort } = await import("serialport");
  let bitRate: number = LINE_RATE;
  const port = new SerialPort({ path, baudRate: bitRate, autoOpen: false });
  await new Promise<void>((resolve, reject) => {
    port.open((error) => (error ? explain(path, error).then(reject, reject) : resolve()));
  });
  // a board may hang on these lines; a pseudo-terminal has none and says so
  port.set({ dtr: true, rts: true }, () => {});
  let receive: (bytes: Uint8Array) => void = () => {};
  let closed: (error?: Error) => void = () => {};
  let ended: { error?: Error } | undefined;
  const end = (error?: Error | null) => {
    if (ended !== undefined) return;
    ended = error ? { error } : {};
    closed(ended.error);
  };
  port.on("data", (bytes: Buffer) => receive(bytes));
  port.on("error", end);
  port.on("close", end);
  return {
    name: path,
    fastest,
    get bitRate() {
      return bitRate;
    },
    setRate: (bits) =>
      new Promise((done, failed) => {
        const update = () =>
          port.update({ baudRate: bits }, (error) => {
            if (error) failed(error);
            else {
              bitRate = bits;
              done();
            }
          });
        port.drain((error) => (error ? failed(error) : update()));
      }),
    write: (bytes) =>
      new Promise((done, failed) => {
        port.write(bytes, (error) => (error ? failed(error) : done()));
      }),
    onData: (callback) => {
      receive = callback;
    },
    onClose: (callback) => {
      closed = callback;
      if (ended !== undefined) callback(ended.error);
    },
    close: async () => {
      closed = () => {};
      if (port.isOpen) await new Promise<void>((resolve) => port.close(() => resolve()));
    },
  };
}

/** Says why a port did not open. */
async function explain(path: string, cause: Error): Promise<DisconnectedError> {
  const fail = (message: string, hint: string) => new DisconnectedError("closed", message, hint, { cause });
  const found = await stat(path).catch(() => undefined);
  if (process.platform !== "win32" && found === undefined) {
    return fail(`There is no port ${path}.`, "Connect the device, or name another port with --port.");
  }
  if (found !== undefined && (!found.isCharacterDevice() || /ioctl/i.test(cause.message)))
    return fail(`${path} is not a serial port.`, "Name another port with --port.");
  if (/lock|busy|access denied/i.test(cause.message)) {
    const holders = (await findHolders(path)) || "another program";
    return fail(`${path} is in use by ${holders}.`, "End that program, then run the command again.");
  }
  if (/permission/i.test(cause.message))
    return fail(`${path} may not be opened by this user.`, "Join the group that owns it (often dialout).");
  return fail(`${path} cannot be opened: ${cause.message}.`, "Check the port, or name another one with --port.");
}

/** @returns "name (process 123)" of every program that has the file open, as far as /proc shows it; "" for none */
async function findHolders(path: string): Promise<string> {
  const target = await realpath(path).catch(() => path);
  const holders: string[] = [];
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const open = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const files = await Promise.all(open.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
    if (!files.includes(target)) continue;
    const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "a program");
    holders.push(`${Number(pid) === process.pid ? "this program" : name.trim()} (process ${pid})`);
  }
  return holders.join(", ");
}
