/** Random programs against the checker: what it accepts must show the same with all secrets when the interpreter runs it. One that does not is a
 *  hole in the checker. The interpreter itself is held against V8 on each program. */
import { type Random, seeded } from "../../board/virtual/prng.js";
import { Interpreter, Trap, type Value } from "./interpret.js";
import { MARKER, policyOf, prepare, program, ROOT } from "./programs.js";
import { checkSecrets, type Policy } from "./secrets.js";
import { decode, type Module } from "./wasm.js";

const RUNS = 12;

type Forbidden = Policy["forbidden"];

export interface Tally {
  accepted: number;
  /** Refused, though nothing differed: the checker cannot know, or the secrets did not find it. */
  refusedSame: number;
  refusedDifferent: number;
  /** How many of these were refused for this reason alone: a checker that did not see it would have a hole. */
  needed: Map<string, number>;
  /** Accepted, and something differed. */
  holes: Hole[];
}

export interface Hole {
  program: number;
  why: string;
  text: string;
}

interface Run {
  /** What was declassified, in its order: two runs may differ behind a difference here. */
  released: string;
  /** Everything that could be seen. */
  seen: string[];
  outcome: string;
  memory: Uint8Array;
}

/** The secrets of one run: zeros, ones, then bits and words. */
const secretsOf = (run: number, random: Random) => (): number =>
  run === 0 ? 0 : run === 1 ? 0xffffffff : run % 2 === 1 ? random() & 1 : random();

function interpret(module: Module, memory: Uint8Array, values: Value[], forbidden: Forbidden): Run {
  const seen: string[] = [];
  const released: Value[] = [];
  const interpreter = new Interpreter(module, memory, (at, shows) => seen.push(`${at}: ${shows}`), forbidden);
  interpreter.onStore = (address, value) => {
    if (address === MARKER) released.push(value);
  };
  let outcome: string;
  try {
    outcome = String(interpreter.call(ROOT, ...values)[0]);
  } catch (error) {
    if (!(error instanceof Trap)) throw error;
    outcome = "trap";
    seen.push(error.message);
  }
  return { released: released.join(), seen, outcome, memory };
}

/** The same in V8. */
function native(bytes: Uint8Array, memory: Uint8Array, values: Value[]): { outcome: string; memory: Uint8Array } {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)), {});
  const own = new Uint8Array((instance.exports.memory as WebAssembly.Memory).buffer);
  own.set(memory);
  try {
    const root = instance.exports[ROOT] as (...values: Value[]) => number;
    return { outcome: String(root(...values)), memory: own };
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    return { outcome: "trap", memory: own };
  }
}

const judgeWith = (forbidden: Forbidden) => (module: Module) =>
  checkSecrets(module, policyOf(forbidden)).findings.map(({ what }) => what);

/** Where two runs that released the same show something else. */
function difference(runs: readonly Run[]): string | undefined {
  const first = new Map<string, Run>();
  for (const run of runs) {
    const known = first.get(run.released);
    if (known === undefined) {
      first.set(run.released, run);
      continue;
    }
    const at = run.seen.findIndex((one, i) => one !== known.seen[i]);
    if (at >= 0) return `one run shows ${known.seen[at] ?? "the end"}, another ${run.seen[at]}`;
    if (run.seen.length !== known.seen.length) return `one run ends, another shows ${known.seen[run.seen.length]}`;
  }
  return undefined;
}

/** @param forbidden operations of which the time depends on what they are given
 *  @param judge why the checker refuses a module; empty when it accepts @throws Error when the interpreter and V8 do not agree */
export function fuzz(count: number, seed: number, forbidden: Forbidden, judge = judgeWith(forbidden)): Tally {
  const tally: Tally = { accepted: 0, refusedSame: 0, refusedDifferent: 0, needed: new Map(), holes: [] };
  for (let i = 0; i < count; i++) {
    const random = seeded(seed + i);
    const { bytes, text } = program(random);
    const module = decode(bytes);
    const runs: Run[] = [];
    for (let k = 0; k < RUNS; k++) {
      const { memory, values } = prepare(secretsOf(k, random));
      const before = memory.slice();
      const run = interpret(module, memory, values, forbidden);
      runs.push(run);
      const other = native(bytes, before, values);
      if (other.outcome !== run.outcome || Buffer.compare(other.memory, run.memory) !== 0)
        throw new Error(`program ${i} of seed ${seed}: the interpreter and V8 do not agree\n${text()}`);
    }
    const why = difference(runs);
    const [reason, ...others] = new Set(judge(module));
    if (reason === undefined) {
      tally.accepted++;
      if (why !== undefined) tally.holes.push({ program: i, why, text: text() });
    } else if (why === undefined) tally.refusedSame++;
    else {
      tally.refusedDifferent++;
      if (others.length === 0) tally.needed.set(reason, (tally.needed.get(reason) ?? 0) + 1);
    }
  }
  return tally;
}
