/** The list of FACI sequences in renode/faci.json, read strictly: what both models of the flash sequencer must answer alike. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type Width = 8 | 16 | 32;
export type Step =
  | { do: "write"; width: Width; place: number; value: number }
  | { do: "read"; width: Width; place: number; value: number; mask: number }
  | { do: "halfwords"; count: number; first: number }
  | { do: "wait" }
  | { do: "stick"; place: number; what: "program" | "erase" }
  | { do: "cut"; operation: number; how: "before" | "half" | "after" }
  | { do: "lose" };

export interface Sequence {
  name: string;
  steps: Step[];
  /** Every text that is recorded, in order. */
  faults: string[];
  /** Units programmed and blocks erased, begun or torn. */
  operations: number;
}

export interface Sequences {
  setup: Step[];
  cases: Sequence[];
}

/** @throws Error that names the step that cannot be read */
export function readSequences(): Sequences {
  const path = fileURLToPath(new URL("../../renode/faci.json", import.meta.url));
  const file: unknown = JSON.parse(readFileSync(path, "utf8"));
  const { registers, setup, cases } = file as {
    registers: Record<string, string>;
    setup: string[];
    cases: { name: string; steps: string[]; faults: string[]; operations: number }[];
  };
  const parse = (step: string): Step => parseStep(step, registers);
  return { setup: setup.map(parse), cases: cases.map((c) => ({ ...c, steps: c.steps.map(parse) })) };
}

/** @throws Error that names the step that cannot be read */
export function parseStep(step: string, registers: Record<string, string>): Step {
  const [verb = "", ...args] = step.split(" ");
  const refuse = (why: string): never => {
    throw new Error(`"${step}": ${why}`);
  };
  const number = (text: string | undefined): number => {
    const value = Number(text);
    return text === undefined || text === "" || !Number.isInteger(value) || value < 0 || value > 0xffffffff
      ? refuse(`${text} is no number`)
      : value;
  };
  const place = (text: string | undefined): number => number(registers[text ?? ""] ?? text);
  const choice = <T extends string>(text: string | undefined, ...all: T[]): T =>
    all.find((one) => one === text) ?? refuse(`${text} is none of ${all.join(", ")}`);
  const takes = (least: number, most = least): void => {
    if (args.length < least || args.length > most) refuse(`${args.length} words follow ${verb}`);
  };
  const access = /^(read|write)(8|16|32)$/.exec(verb);
  if (access !== null) {
    const width = Number(access[2]) as Width;
    const all = 2 ** width - 1;
    takes(2, access[1] === "read" ? 3 : 2);
    const at = { width, place: place(args[0]), value: number(args[1]) };
    if (at.value > all) refuse(`${args[1]} has more than ${width} bits`);
    return access[1] === "write"
      ? { do: "write", ...at }
      : { do: "read", ...at, mask: args[2] === undefined ? all : number(args[2]) };
  }
  switch (verb) {
    case "halfwords":
      takes(2);
      return { do: "halfwords", count: number(args[0]), first: number(args[1]) };
    case "wait":
    case "lose":
      takes(0);
      return { do: verb };
    case "stick":
      takes(2);
      return { do: "stick", place: place(args[0]), what: choice(args[1], "program", "erase") };
    case "cut":
      takes(2);
      return { do: "cut", operation: number(args[0]), how: choice(args[1], "before", "half", "after") };
    default:
      return refuse("no step has this name");
  }
}
