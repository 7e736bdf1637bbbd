/** Reading what `arm-none-eabi-objdump -d` prints: the functions of the very firmware that is flashed. Armv8-M ARM (DDI 0553) for the names. */
import { execFileSync } from "node:child_process";

export interface Line {
  at: number;
  /** Without its width: `ldr` for `ldr.w`. */
  op: string;
  /** Split at the commas outside brackets: `["r4", "[r1, r6, lsl #2]"]`. */
  args: string[];
  /** What is printed, for messages. */
  text: string;
}

export type Listing = Map<string, Line[]>;

const CONDITION = "(?:eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)";
const CONDITIONAL_BRANCH = new RegExp(`^(?:b${CONDITION}|cbn?z)$`);

export const isConditionalBranch = (line: Line): boolean => CONDITIONAL_BRANCH.test(line.op);

/** Name in `1234 <name+0x12>`, and whether it is the function's start. */
export function target(line: Line): { address: number; name: string; start: boolean } | undefined {
  const found = /^([0-9a-f]+) <([^+>]+)(\+0x[0-9a-f]+)?>$/.exec(line.args.at(-1) ?? "");
  if (!found) return undefined;
  return { address: Number.parseInt(found[1]!, 16), name: found[2]!, start: found[3] === undefined };
}

/** @param elf path of the firmware @returns its disassembly, code in RAM included
 *  @throws Error when objdump is not installed */
export function disassemble(elf: string): string {
  return execFileSync("arm-none-eabi-objdump", ["-d", elf], { encoding: "utf8", maxBuffer: 1 << 28 });
}

/** Functions by name. Constants between them (`.word`) are left out. */
export function readListing(disassembly: string): Listing {
  const functions: Listing = new Map();
  let lines: Line[] | undefined;
  for (const text of disassembly.split("\n")) {
    const head = /^[0-9a-f]+ <([^>]+)>:$/.exec(text);
    if (head) {
      lines = [];
      functions.set(head[1]!, lines);
      continue;
    }
    const [place, , name, rest = ""] = text.split("\t");
    const at = /^\s*([0-9a-f]+):$/.exec(place ?? "")?.[1];
    if (at === undefined || name === undefined || name.startsWith(".") || lines === undefined) continue;
    const operands = rest.replace(/\s*@.*$/, "").trim();
    lines.push({
      at: Number.parseInt(at, 16),
      op: name.trim().replace(/\.[nw]$/, ""),
      args: operands === "" ? [] : operands.split(/,\s*(?![^[{]*[\]}])/),
      text: `${name.trim()} ${operands}`.trim(),
    });
  }
  return functions;
}
