/** How much of the interpreter's stack, and how many C frames, one function needs at most under wasm3. A frame there holds, in slots of four bytes:
 *  results and parameters (two slots each), locals, constants (m3_compile.c, ReserveConstants), then operands. An operand is given the first free
 *  pair of slots, or one slot of a pair, so n operands never need more than n pairs. Those that are a local's or a constant's own slot need none
 *  until wasm3 copies them: at the entry of a block, and before the local is set.
 *  Relies on: wasm.ts. */
import { type Func, type Instruction, type Module, signature } from "./wasm.js";

export interface Demand {
  /** Of its own frame. */
  slots: number;
  /** C frames of loops alive at once: wasm3's op_Loop does not end when the loop is left forwards. */
  loops: number;
  /** Where the callee's frame begins, in slots, and loops alive at that moment. */
  calls: { index: number; at: number; loops: number }[];
}

/** -Dd_m3MaxConstantTableSize, build.mjs. */
const CONSTANTS_MOST = 120;
const even = (n: number): number => (n + 1) & ~1;

/** What an operand lies in: the slot of local n, a constant's slot, or a slot of its own. */
type Operand = number | "constant" | "own";

interface Block {
  op: string;
  /** Operands below it. */
  height: number;
  results: number;
  /** Loops alive when it began, and at most wherever it is left to its end. */
  begun: number;
  left: number;
  /** False after a jump, where nothing is executed until the block's end. */
  reached: boolean;
}

/** Slots that wasm3 sets aside: it looks at each byte that could be the operation of a constant. */
function constantSlots(body: Uint8Array): { reserved: number; full: boolean } {
  let reserved = 0;
  for (const byte of body) {
    const slots = byte === 0x41 || byte === 0x43 ? 1 : byte === 0x42 || byte === 0x44 ? 2 : 0;
    if (reserved + slots >= CONSTANTS_MOST) return { reserved: even(reserved), full: true };
    reserved += slots;
  }
  return { reserved: even(reserved), full: false };
}

/** Operands that an operation takes and gives, except for blocks and jumps. */
function effect(module: Module, one: Instruction): { takes: number; gives: number } {
  const { op } = one;
  const of = (takes: number, gives: number) => ({ takes, gives });
  if (op === "nop") return of(0, 0);
  if (op === "drop" || op === "global.set") return of(1, 0);
  if (op === "global.get" || op === "memory.size") return of(0, 1);
  if (op === "select") return of(3, 1);
  if (op === "memory.copy" || op === "memory.fill") return of(3, 0);
  if (op === "memory.grow") return of(1, 1);
  if (/\.store\d*$/.test(op)) return of(2, 0);
  if (/\.load/.test(op)) return of(1, 1);
  if (op === "call") {
    const { params, results } = module.functions[one.index!]!.type;
    return of(params.length, results.length);
  }
  if (op === "call_indirect") return of(1 + one.type!.params.length, one.type!.results.length);
  if (/^i(?:32|64)\./.test(op)) return of(signature(op).params.length, signature(op).results.length);
  throw new Error(`the model of wasm3's stack does not know ${op}`);
}

/** @throws Error on what the model does not cover: blocks that take operands or give more than one */
export function demand(module: Module, one: Func): Demand {
  const { params, results } = one.type;
  let locals = 2 * (params.length + results.length);
  for (const type of one.locals.slice(params.length)) locals = type === "i64" ? even(locals) + 2 : locals + 1;
  const constants = constantSlots(one.body);
  const base = locals + constants.reserved;
  const found: Demand = { slots: base, loops: 0, calls: [] };

  let operands: Operand[] = [];
  let loops = 0;
  const blocks: Block[] = [{ op: "function", height: 0, results: results.length, begun: 0, left: 0, reached: true }];
  const here = (): Block => blocks.at(-1)!;
  // of operands that have slots only; operands below a block have theirs
  const top = (): number => even(base) + 2 * operands.filter((operand) => operand === "own").length;
  const touch = (slots: number): void => {
    found.slots = Math.max(found.slots, slots);
  };
  const push = (operand: Operand): void => {
    operands.push(operand);
    touch(top());
  };
  const pop = (count: number): void => {
    operands.length = Math.max(here().height, operands.length - count);
  };
  const own = (which: (operand: Operand) => boolean): void => {
    operands = operands.map((operand) => (which(operand) ? "own" : operand));
    touch(top());
  };
  const leave = (label: number): void => {
    if (!here().reached) return;
    const block = blocks.at(-1 - label)!;
    if (block.op !== "loop") block.left = Math.max(block.left, loops);
  };
  const unreachable = (): void => {
    here().reached = false;
    operands.length = here().height;
  };
  const begin = (op: string, gives: number): void => {
    blocks.push({ op, height: operands.length, results: gives, begun: loops, left: 0, reached: here().reached });
    touch(top() + 2 * gives); // where the results will lie is set aside at the beginning
  };

  for (const instruction of one.code) {
    const { op, index } = instruction;
    if (op === "block" || op === "loop" || op === "if") {
      const { type } = instruction;
      if ((type?.params.length ?? 0) > 0 || (type?.results.length ?? 0) > 1)
        throw new Error(
          `${one.name}: the model of wasm3's stack does not cover a ${op} with operands or several results`,
        );
      if (op === "if") pop(1);
      own((operand) => typeof operand === "number");
      if (op === "loop") {
        loops++;
        if (here().reached) found.loops = Math.max(found.loops, loops);
      }
      begin(op, type?.results.length ?? 0);
    } else if (op === "else") {
      const block = here();
      if (block.reached) block.left = Math.max(block.left, loops);
      block.op = "else";
      block.reached = blocks.at(-2)!.reached;
      loops = block.begun;
      operands.length = block.height;
      touch(top() + 2 * block.results);
    } else if (op === "end") {
      const block = here();
      if (block.reached) block.left = Math.max(block.left, loops);
      if (block.op === "if") block.left = Math.max(block.left, block.begun);
      loops = block.left;
      operands.length = block.height;
      blocks.pop();
      if (blocks.length > 0) for (let i = 0; i < block.results; i++) push("own");
    } else if (op === "br" || op === "return" || op === "unreachable") {
      if (op === "br") leave(index!);
      unreachable();
    } else if (op === "br_if") {
      pop(1);
      leave(index!);
    } else if (op === "br_table") {
      pop(1);
      for (const label of instruction.labels!) leave(label);
      unreachable();
    } else if (op === "local.get") push(index!);
    else if (op === "local.set" || op === "local.tee") {
      const value = operands.length > here().height ? operands.at(-1)! : "own";
      pop(1);
      own((operand) => operand === index);
      if (op === "local.tee") push(value === index ? "own" : value);
    } else if (op.endsWith(".const")) push(constants.full ? "own" : "constant");
    else {
      const { takes, gives } = effect(module, instruction);
      if (op === "call") {
        if (here().reached) found.calls.push({ index: index!, at: Math.max(2, top()), loops });
      }
      pop(takes);
      for (let i = 0; i < gives; i++) push("own");
    }
  }
  return found;
}
