/** Which probe is meant, and how OpenOCD is made to reach it. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FileError, UsageError } from "../client/errors.js";
import { OpenOcdError } from "./errors.js";

export const PROBE_KINDS = ["jlink", "cmsis-dap", "virtual"] as const;

export interface Probe {
  kind: (typeof PROBE_KINDS)[number];
  /** For people. */
  title: string;
  /** What to do when it is not there. */
  hint: string;
  serial?: string;
  /** Of the virtual one: where it listens. */
  socket?: string;
}

/** Name of the virtual probe's socket in the configuration directory, where `mbs board run --probe` puts it. */
const SOCKET = "virtual.probe";
/** What board/ek-ra6m5/openocd/virtual.cfg looks for. */
const VIRTUAL_SERIAL = "600001";
/** Runs of OpenOCD until it is said that there is no virtual probe. */
const BEACON_RUNS = 5;
/** A network of its own: libjaylink finds a J-Link by a broadcast, which must not leave it. */
const NETWORK = "ip link set lo up && ip route add 255.255.255.255/32 dev lo";
/** For root and, where users may have namespaces, for others. */
const UNSHARE = [["-n"], ["-Urn"]];

/** @param text of --probe @throws UsageError */
export function parseProbe(text: string, serial: string | undefined, configDirectory: string): Probe {
  const [kind, ...rest] = text.split(":");
  const socket = rest.join(":");
  if (kind === "virtual") {
    if (serial !== undefined)
      throw new UsageError("--probe-serial: a virtual probe has none; name its socket instead.");
    return {
      kind,
      title: "virtual probe",
      hint: "Start it: mbs board run --probe",
      socket: socket === "" ? join(configDirectory, SOCKET) : resolve(socket),
    };
  }
  if ((kind !== "jlink" && kind !== "cmsis-dap") || rest.length > 0)
    throw new UsageError(`--probe: expected ${PROBE_KINDS.join(", ")} or virtual:SOCKET; got "${text}".`);
  // the number is written into a command of OpenOCD
  if (serial !== undefined && !/^[\w.:-]{1,64}$/.test(serial))
    throw new UsageError(`--probe-serial: expected letters and digits; got "${serial}".`);
  return {
    kind,
    title: kind === "jlink" ? "J-Link" : "CMSIS-DAP probe",
    hint:
      kind === "jlink"
        ? "The board's own J-Link is at connector J10. Is its USB cable plugged in? For a board without hardware: --probe virtual."
        : "Is its USB cable plugged in? For the J-Link of the board itself: --probe jlink.",
    ...(serial !== undefined && { serial }),
  };
}

/** The folder of the package, from the sources and from dist/. */
export function packagePath(path: string): string {
  const found = ["../..", "../../.."]
    .map((up) => fileURLToPath(new URL(`${up}/${path}`, import.meta.url)))
    .find((at) => existsSync(at));
  if (found === undefined) throw new FileError(`${path} of this package is missing.`, "Build it: npm run build");
  return found;
}

/** Arguments of OpenOCD for the board behind this probe; it does not connect yet. */
export function openOcdArguments({ kind, serial }: Probe): string[] {
  const files = [`${kind}.cfg`, "ek-ra6m5.cfg", "flash.tcl", "loader.tcl"].flatMap((file) => ["-f", file]);
  if (serial !== undefined) files.splice(2, 0, "-c", `adapter serial ${serial}`);
  return ["-s", packagePath("board/ek-ra6m5/openocd"), ...files];
}

/** The command that runs OpenOCD where it finds the probe. @throws OpenOcdError when there is no way to a virtual one here */
export function reaching({ kind, socket }: Probe, command: readonly string[]): string[] {
  if (kind !== "virtual" || socket === undefined) return [...command];
  const flags = namespaceFlags();
  if (flags === undefined)
    throw new OpenOcdError(
      "OpenOCD needs a network of its own to reach the virtual probe, and none can be made here: `unshare -n` and `unshare -Urn` fail, or `ip` is missing.",
      "Install the Debian packages util-linux and iproute2, or run as root, or allow users to have namespaces.",
    );
  const relay = [process.execPath, packagePath("dist/host/flash/relay.js"), socket, VIRTUAL_SERIAL];
  return ["unshare", ...flags, "sh", "-c", `${NETWORK} && exec "$@"`, "sh", ...relay, ...command];
}

/** Whether OpenOCD missed the beacon of a virtual probe, for which it listens 20 ms: on a busy machine that happens. Then it found nothing,
 *  did nothing, and is run again. @param run how many runs came before */
export function missedBeacon({ kind }: Probe, log: string, run: number): boolean {
  return kind === "virtual" && run < BEACON_RUNS && /No J-Link device found/.test(log);
}

let flags: string[] | undefined | null = null;

/** What `unshare` needs here; undefined: nothing works. */
export function namespaceFlags(): string[] | undefined {
  if (flags === null)
    flags = UNSHARE.find(
      (some) => spawnSync("unshare", [...some, "sh", "-c", NETWORK], { stdio: "ignore" }).status === 0,
    );
  return flags;
}
