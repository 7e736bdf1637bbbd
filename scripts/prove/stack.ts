/** How much of the interpreter's stack, and how many C frames, one function needs at most under wasm3. A frame there holds, in slots of four bytes:
 *  results and parameters (two slots each), locals, constants (m3_compile.c, ReserveConstants), then operands. An operand is given the first free
 *  pair of slots here (wasm3 keeps one in a register, and gives an i32 a single slot), the result of a call the place where the callee left it.
 *  Operands in a local's or a constant's own slot need none until wasm3 copies them: at the entry of a block, and before the local is set.
 *  A model, not the compiler: a test compares it with what wasm3 found out for every function of the core.
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

/** What an operand lies in: the slot of a local, a constant's slot, or a pair of slots of its own, counted from the first. */
type Operand = { local: number } | { pair: number } | "constant";
const isPair = (operand: Operand): operand is { pair: number } => typeof operand === "object" && "pair" in operand;
const isLocal = (operand: Operand): operand is { local: number } => typeof operand === "object" && "local" in operand;

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

  const operands: Operand[] = [];
  let loops = 0;
  const blocks: Block[] = [{ op: "function", height: 0, results: results.length, begun: 0, left: 0, reached: true }];
  const here = (): Block => blocks.at(-1)!;
  const pairs = (): number[] => operands.filter(isPair).map((operand) => operand.pair);
  const height = (): number => Math.max(0, ...pairs().map((pair) => pair + 1));
  const slotOf = (pair: number): number => even(base) + 2 * pair;
  const touch = (count: number): void => {
    found.slots = Math.max(found.slots, slotOf(count));
  };
  /** The first free pair. */
  const pair = (): Operand => {
    const taken = new Set(pairs());
    let first = 0;
    while (taken.has(first)) first++;
    touch(first + 1);
    return { pair: first };
  };
  const pop = (count: number): void => {
    operands.length = Math.max(here().height, operands.length - count);
  };
  /** Copies operands that lie in a local's slot. */
  const copy = (which: (local: number) => boolean): void => {
    operands.forEach((operand, i) => {
      if (isLocal(operand) && which(operand.local)) operands[i] = pair();
    });
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
    touch(height() + gives); // where the results will lie is set aside at the beginning
  };

  for (const instruction of one.code) {
    const { op, index } = instruction;
    if (op === "block" || op === "loop" || op === "if") {
      const { type } = instruction;
      if ((type?.params.length ?? 0) > 0 || (type?.results.length ?? 0) > 1)
        throw new Error(
          `${one.name}: the model of wasm3's stack does not cover a ${op} with operands or several results`,
        );
      copy(() => true);
      if (op === "if") pop(1);
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
      touch(height() + block.results);
    } else if (op === "end") {
      const block = here();
      if (block.reached) block.left = Math.max(block.left, loops);
      if (block.op === "if") block.left = Math.max(block.left, block.begun);
      loops = block.left;
      operands.length = block.height;
      blocks.pop();
      if (blocks.length > 0) for (let i = 0; i < block.results; i++) operands.push(pair());
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
    } else if (op === "local.get") operands.push({ local: index! });
    else if (op === "local.set" || op === "local.tee") {
      copy((local) => local === index);
      if (op === "local.set") pop(1);
    } else if (op.endsWith(".const")) operands.push(constants.full ? pair() : "constant");
    else if (op === "call") {
      // the callee's frame begins above the arguments, and the results stay where it left them
      const { takes, gives } = effect(module, instruction);
      const top = height();
      if (here().reached) found.calls.push({ index: index!, at: Math.max(2, slotOf(top)), loops });
      pop(takes);
      for (let i = 0; i < gives; i++) operands.push({ pair: top + i });
      touch(top + gives);
    } else {
      const { takes, gives } = effect(module, instruction);
      pop(takes);
      for (let i = 0; i < gives; i++) operands.push(pair());
    }
  }
  return found;
}
