/** What can go wrong with a probe, as errors of ours: what OpenOCD 0.12 prints, and which sentence that becomes. */
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { DisconnectedError, MbsError, UnreachedError } from "../client/errors.js";
import type { Probe } from "./probe.js";

/** The board, or what is on it, is not what the file is for; or flashing failed. */
export class FlashError extends MbsError {
  readonly code = "flash";
}

/** OpenOCD is missing, or is not one that this mbs can work with. */
export class OpenOcdError extends MbsError {
  readonly code = "openocd";
}

/** What OpenOCD said cannot be told apart any more; whoever has to look into it gets its last lines. */
export function unexpected(what: string, log: string): OpenOcdError {
  return new OpenOcdError(`${what}${quote(log)}`, "OpenOCD 0.12 is known to work; mbs looks for `openocd` on PATH.");
}

const NOISE = /^(Open On-Chip Debugger|Licensed under|For bug reports|\s*http|Info :|Debug:|adapter speed|$)/;
const QUOTED_LINES = 4;

/** The last lines that say something, indented. */
export function quote(log: string): string {
  const lines = log.split("\n").filter((line) => !NOISE.test(line.trim()));
  return lines
    .slice(-QUOTED_LINES)
    .map((line) => `\n  openocd: ${line.trim().slice(0, 200)}`)
    .join("");
}

interface Known {
  pattern: RegExp;
  error: (probe: Probe) => MbsError | Promise<MbsError>;
}

const UNCHANGED = "The board was not changed.";

/** The first that is found in the log counts. Texts of OpenOCD 0.12.0 as Debian builds it, with libjaylink 0.3 and libusb. */
const KNOWN: readonly Known[] = [
  {
    pattern: /VTarget = 0\.[0-4]\d\d V|target voltage (may be )?too low/i,
    error: () =>
      reached(
        "The probe is there, and the board has no power.",
        "Switch it on; the cable of the probe may not power it.",
      ),
  },
  {
    pattern: /LIBUSB_ERROR_ACCESS|Access denied|permission denied|insufficient permissions/i,
    error: (probe) =>
      new UnreachedError("closed", `This user may not use the ${probe.title} on USB. ${UNCHANGED}`, UDEV_HINT),
  },
  { pattern: /LIBUSB_ERROR_BUSY|Resource busy|claim interface|already in use/i, error: busy },
  {
    pattern: /No J-Link device found|unable to find a matching CMSIS-DAP|Failed to open (the )?device|unable to open/i,
    error: async (probe) =>
      probe.socket === undefined ? (findPermission() ?? noProbe(probe)) : await whySocket(probe, probe.socket),
  },
  {
    pattern: /debug interface was not found|adapter driver .*not|invalid command name "(jlink|cmsis-dap)"/i,
    error: (probe) =>
      new OpenOcdError(
        `This OpenOCD was built without what a ${probe.title} needs.`,
        "Debian's has it: apt-get install openocd",
      ),
  },
  {
    pattern: /Error connecting DP|SWD: Read data parity mismatch|SWD connect failed|Invalid ACK/i,
    error: () =>
      reached(
        "The probe is there, and no debug port answers behind it.",
        "Check debug cable, jumpers J29 and supply. A part in life-cycle state DPL, LCK_DBG or LCK_BOOT does not answer either, and cannot be flashed this way.",
      ),
  },
  {
    // its debug port is there, and its memory is closed. Not tried on silicon.
    pattern: /^(?=[\s\S]*Failed to read memory at 0xe000ed00)(?=[\s\S]*(examination failed|not examined))/i,
    error: () =>
      new FlashError(
        `The debug port answers and lets nobody reach the processor: the life-cycle state of the part locks it. ${UNCHANGED}`,
        "Flashing needs state CM or SSD. mbs never changes the state.",
      ),
  },
  {
    pattern: /examination failed|not examined/i,
    error: () =>
      reached("The debug port answers, and the processor behind it does not.", "Switch the board off and on."),
  },
];

/** Why OpenOCD could not connect. @param log all that it printed */
export async function explainConnect(log: string, probe: Probe): Promise<MbsError> {
  const known = KNOWN.find(({ pattern }) => pattern.test(log));
  return (await known?.error(probe)) ?? unexpected(`OpenOCD could not connect to the board. ${UNCHANGED}`, log);
}

/** Of a virtual probe OpenOCD tells only that it could not be had: one that is free says hello, one that is taken hangs up. */
async function whySocket(probe: Probe, path: string): Promise<MbsError> {
  const socket = connect(path);
  const taken = await new Promise<boolean>((resolve) => {
    socket.on("data", () => resolve(false));
    socket.on("error", () => resolve(false));
    socket.on("end", () => resolve(true));
  });
  socket.destroy();
  return taken ? busy(probe) : noProbe(probe);
}

/** What the jlink driver logs, and then goes on as if nothing was (OpenOCD 0.12). */
const PROBE_GONE =
  /jaylink_\w+\(\) failed|transport_(read|write)\(\) failed|LIBUSB_ERROR_(NO_DEVICE|IO|PIPE)|CMSIS-DAP: .*failed/i;

export function isProbeGone(log: string): boolean {
  return PROBE_GONE.test(log);
}

export function probeGone(probe: Probe): DisconnectedError {
  return new DisconnectedError(
    "closed",
    `The connection to the ${probe.title} was lost.`,
    "Check its cable, then run the same command again.",
  );
}

export function boardGone(): DisconnectedError {
  return new DisconnectedError(
    "silent",
    "The board does not answer its probe any more.",
    "Check cable and supply, then run the same command again.",
  );
}

function reached(message: string, hint: string): UnreachedError {
  return new UnreachedError("silent", `${message} ${UNCHANGED}`, hint);
}

function noProbe(probe: Probe): UnreachedError {
  const serial = probe.serial === undefined ? "" : ` with serial number ${probe.serial}`;
  const where = probe.socket === undefined ? "" : ` at ${probe.socket}`;
  return new UnreachedError("closed", `No ${probe.title}${serial} was found${where}. ${UNCHANGED}`, probe.hint);
}

function busy(probe: Probe): UnreachedError {
  return new UnreachedError(
    "closed",
    `The ${probe.title} is used by another program. ${UNCHANGED}`,
    "Close the debugger or the other mbs that has it, then run the command again.",
  );
}

const SEGGER = "1366";
const UDEV_HINT = [
  "Install a udev rule as root, then plug the probe in again:",
  `  echo 'SUBSYSTEM=="usb", ATTR{idVendor}=="${SEGGER}", MODE="0660", TAG+="uaccess"' > /etc/udev/rules.d/60-mbs-probe.rules`,
  "  udevadm control --reload",
].join("\n");

/** OpenOCD does not see a J-Link that it may not open, so the system is asked. @param root the root of the file system */
export function findPermission(root = "/"): UnreachedError | undefined {
  const devices = join(root, "sys/bus/usb/devices");
  const read = (device: string, file: string): string => {
    try {
      return readFileSync(join(devices, device, file), "latin1").trim();
    } catch {
      return "";
    }
  };
  let names: string[] = [];
  try {
    names = readdirSync(devices);
  } catch {
    return undefined; // no USB here
  }
  for (const name of names.filter((one) => read(one, "idVendor") === SEGGER)) {
    const number = (file: string): string => read(name, file).padStart(3, "0");
    const node = join(root, "dev/bus/usb", number("busnum"), number("devnum"));
    try {
      accessSync(node, constants.R_OK | constants.W_OK);
    } catch {
      return new UnreachedError(
        "closed",
        `There is a J-Link at ${node}, and this user may not use it. ${UNCHANGED}`,
        UDEV_HINT,
      );
    }
  }
  return undefined;
}
