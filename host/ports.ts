/** Which port to talk to, and how one is written: tcp:HOST:PORT, or the path of a serial port, with @BITS the fastest rate to use on it. Order: --port, MBS_PORT, config, the only one found. */
import { readdir } from "node:fs/promises";
import { isIP } from "node:net";
import { DisconnectedError, UsageError } from "./client/errors.js";
import { openSerial } from "./client/serial.js";
import { openTcp } from "./client/tcp.js";
import type { Transport } from "./client/transport.js";

export type Port = { kind: "tcp"; host: string; port: number } | { kind: "serial"; path: string; fastest?: number };

/** Where the name of a port may come from, in order. */
export interface PortSources {
  option?: string | undefined;
  environment?: string | undefined;
  config?: string | undefined;
  /** Told of an environment variable that is ignored. */
  warn: (text: string) => void;
  /** Looks for devices. Default: listPorts. */
  list?: () => Promise<string[]>;
}

const EXPECTED =
  "expected tcp:HOST:PORT, such as tcp:127.0.0.1:7420, or the path of a serial port, such as /dev/ttyUSB0 or /dev/ttyUSB0@115200";
/** Bits per second that the firmware's line can do. */
const RATES = [115_200, 230_400, 460_800, 921_600, 1_000_000, 2_000_000, 3_000_000];

/** @throws UsageError */
export function parsePort(text: string): Port {
  const tcp = /^tcp:(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (tcp !== null) {
    const port = Number(tcp[3]);
    if (port >= 1 && port <= 0xffff) return { kind: "tcp", host: (tcp[1] ?? tcp[2])!, port };
  } else if (!text.startsWith("tcp:")) {
    const [, path, bits] = /^(.*\/.*?|COM\d+)(?:@(\d+))?$/.exec(text) ?? [];
    if (bits !== undefined && !RATES.includes(Number(bits)))
      throw new UsageError(`Port: the device's line does ${RATES.join(", ")} bits per second; got "${text}".`);
    if (path !== undefined) return { kind: "serial", path, ...(bits === undefined ? {} : { fastest: Number(bits) }) };
  }
  throw new UsageError(`Port: ${EXPECTED}; got "${text}".`);
}

/** @throws when no port is named: DisconnectedError if no device is found, UsageError if several are */
export async function choosePort(sources: PortSources): Promise<Port> {
  if (sources.option !== undefined) return parsePort(sources.option);
  if (sources.environment) {
    try {
      return parsePort(sources.environment);
    } catch (error) {
      sources.warn(`MBS_PORT is ignored: ${(error as Error).message}`);
    }
  }
  if (sources.config !== undefined) return parsePort(sources.config);
  const found = await (sources.list ?? listPorts)();
  if (found.length === 1) return { kind: "serial", path: found[0]! };
  const hint = "Name one: --port PORT, MBS_PORT, or `mbs config set port PORT`. Without a board: `mbs board run`.";
  if (found.length === 0) throw new DisconnectedError("closed", "No device was found.", hint);
  throw new UsageError(`${found.length} devices were found: ${found.join(", ")}.`, hint);
}

/** Opens a port. @param remote lets TCP leave this computer: a session protects what is said, but whoever reaches the port can hinder and delay
 *  @throws UsageError for another computer without `remote`, DisconnectedError when it does not open */
export async function openPort(port: Port, remote = false): Promise<Transport> {
  if (port.kind === "serial") return openSerial(port.path, port.fastest);
  if (!remote && !isLoopback(port.host)) {
    throw new UsageError(
      `${port.host} is not this computer: sessions protect what is said, but everybody there can hinder you, and a blank device without a setup code trusts whoever comes first.`,
      "Use an SSH tunnel to it, or say --allow-remote.",
    );
  }
  return openTcp(port.host, port.port);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** @returns the serial ports that a board may be at: those of USB adapters */
export async function listPorts(): Promise<string[]> {
  try {
    const { SerialPort } = await import("serialport");
    const ports = await SerialPort.list();
    return ports
      .filter(({ vendorId, path }) => vendorId !== undefined || /^COM\d+$/.test(path))
      .map(({ path }) => path);
  } catch {
    // without udevadm the package cannot list; the names say enough
    const names = await readdir("/dev").catch(() => []);
    return names.filter((name) => /^tty(USB|ACM)\d+$/.test(name)).map((name) => `/dev/${name}`);
  }
}
