/** What must not happen, tried on the board under both engines: loads, stores, fills and copies around the end of the linear memory, pointers
 *  given to the board, divisions, unreachable. V8 runs the same module and says for each whether it is allowed, and which trap it is otherwise.
 *  A trap resets the board, with its code (board/ek-ra6m5/trap.h). */
import binaryen from "binaryen";
import { afterEach, describe, expect, it } from "vitest";
import { RX_OFFSET, TX_OFFSET } from "../../firmware/defs/boundary.js";
import { withModule } from "../../scripts/bench/crypto.js";
import { built } from "../device/built.js";
import { CORE } from "../device/engine.js";
import type { VirtualDevice } from "../device/virtual.js";
import { aotWith } from "../probe/aot.js";
import { deviceWith } from "./device.js";

const root = new URL("../..", import.meta.url).pathname;
const PAGE = 65536;
const REQUEST = 4096; // three words: which, a, b
const REQUEST_SIZE = 12;
const TELL = 0xffff; // asks for the trap code that start was given

/** Trap codes, board/ek-ra6m5/trap.h, by what V8 says. */
const CODES: [RegExp, number][] = [
  [/unreachable/, 1],
  [/out of bounds/, 2],
  [/divide by zero|remainder by zero|unrepresentable/, 3],
];

/** One thing to try with two numbers, as WebAssembly text with $a and $b. */
interface Trial {
  text: string;
  tries: [number, number][];
}

const at = (address: number): [number, number] => [address >>> 0, 0x5a];
const ACCESSES = [
  ...(
    [
      ["i32", 4, ["load"]],
      ["i32", 2, ["load16_s", "load16_u"]],
      ["i32", 1, ["load8_s", "load8_u"]],
      ["i64", 8, ["load"]],
      ["i64", 4, ["load32_s", "load32_u"]],
      ["i64", 2, ["load16_s", "load16_u"]],
      ["i64", 1, ["load8_s", "load8_u"]],
    ] as const
  ).flatMap(([type, size, names]) => names.map((name) => ({ type, size, name }))),
  ...(
    [
      ["i32", 4, "store"],
      ["i32", 2, "store16"],
      ["i32", 1, "store8"],
      ["i64", 8, "store"],
      ["i64", 4, "store32"],
      ["i64", 2, "store16"],
      ["i64", 1, "store8"],
    ] as const
  ).map(([type, size, name]) => ({ type, size, name })),
];

function accesses(): Trial[] {
  return ACCESSES.flatMap(({ type, size, name }) =>
    [0, 4, PAGE - size, PAGE - size + 1, PAGE, 0xffffffff].map((offset) => {
      const value = type === "i64" ? "(i64.extend_i32_u (local.get $b))" : "(local.get $b)";
      const place = `${type}.${name} offset=${offset} (local.get $a)`;
      const last = PAGE - size - offset;
      return {
        text: name.startsWith("load") ? `(drop (${place}))` : `(${place} ${value})`,
        tries: [last, last + 1, PAGE, 0xffffffff - offset, 0xfffffffc, -1].map(at),
      };
    }),
  );
}

const TRIALS: Trial[] = [
  ...accesses(),
  {
    text: "(memory.fill (local.get $a) (i32.const 0) (local.get $b))",
    tries: [
      [PAGE - 8, 8],
      [PAGE - 8, 9],
      [PAGE, 0],
      [PAGE + 1, 0],
      [8192, 0xffffffff],
    ],
  },
  ...["(local.get $a) (i32.const 8192)", "(i32.const 8192) (local.get $a)"].map(
    (pointers): Trial => ({
      text: `(memory.copy ${pointers} (local.get $b))`,
      tries: [
        [PAGE - 8, 8],
        [PAGE - 8, 9],
        [PAGE, 0],
        [PAGE + 1, 0],
        [9000, 0xfffffff0],
      ],
    }),
  ),
  ...["div_s", "div_u", "rem_s", "rem_u"].flatMap((name): Trial[] => [
    {
      text: `(drop (i32.${name} (local.get $a) (local.get $b)))`,
      tries: [
        [7, 2],
        [7, 0],
        [0x80000000, 0xffffffff],
      ],
    },
    {
      text: `(drop (i64.${name} (i64.shl (i64.extend_i32_u (local.get $a)) (i64.const 32)) (i64.extend_i32_s (local.get $b))))`,
      tries: [
        [7, 2],
        [7, 0],
        [0x80000000, 0xffffffff],
      ],
    },
  ]),
  {
    text: "(if (local.get $a) (then (unreachable)))",
    tries: [
      [0, 0],
      [1, 0],
    ],
  },
  // pointers that go to the board, which V8 knows nothing of: the imports below check them as they must be
  ...[
    "(call $read (i32.const 0) (i32.const 0) (local.get $a) (local.get $b))",
    "(call $entropy (local.get $a) (local.get $b))",
  ].map(
    (call): Trial => ({
      text: `(drop ${call})`,
      tries: [
        [PAGE - 8, 8],
        [PAGE - 8, 9],
        [PAGE, 0],
        [PAGE + 1, 0],
        [9000, 0xfffffff0],
        [0xffffffff, 1],
      ],
    }),
  ),
  {
    text: "(drop (call $program (i32.const 9) (i32.const 0) (local.get $a) (local.get $b)))", // there is no such region
    tries: [
      [PAGE - 8, 8],
      [PAGE - 8, 9],
      [PAGE + 1, 0],
      [0xffffffff, 1],
    ],
  },
];

/** The trials behind the core's three exports. */
function module(): Uint8Array {
  const text = `(module
    (import "board" "read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "board" "program" (func $program (param i32 i32 i32 i32) (result i32)))
    (import "board" "entropy" (func $entropy (param i32 i32) (result i32)))
    (memory (export "memory") 1 1)
    (global $code (mut i32) (i32.const 0))
    (global $have (mut i32) (i32.const 0))
    (func (export "start") (param $mode i32) (param $trap i32) (result i32)
      (global.set $code (local.get $trap)) (i32.const 0))
    (func (export "give") (result i32) (i32.const 0))
    (func (export "take") (param $n i32) (result i32)
      (memory.copy (i32.add (i32.const ${REQUEST}) (global.get $have)) (i32.const ${RX_OFFSET}) (local.get $n))
      (global.set $have (i32.add (global.get $have) (local.get $n)))
      (if (i32.lt_u (global.get $have) (i32.const ${REQUEST_SIZE})) (then (return (i32.const 0))))
      (global.set $have (i32.const 0))
      (if (i32.eq (i32.load (i32.const ${REQUEST})) (i32.const ${TELL}))
        (then (i32.store8 (i32.const ${TX_OFFSET}) (global.get $code)) (return (i32.const 1))))
      (call $try (i32.load (i32.const ${REQUEST})) (i32.load (i32.const ${REQUEST + 4})) (i32.load (i32.const ${REQUEST + 8})))
      (i32.store8 (i32.const ${TX_OFFSET}) (i32.const 0xaa))
      (i32.const 1))
    ${TRIALS.map(({ text }, i) => `(func $trial${i} (param $a i32) (param $b i32) ${text})`).join("\n")}
    (func $try (param $which i32) (param $a i32) (param $b i32)
      ${TRIALS.map((_, i) => `(if (i32.eq (local.get $which) (i32.const ${i})) (then (call $trial${i} (local.get $a) (local.get $b))))`).join("\n")}))`;
  const made = binaryen.parseText(text);
  made.setFeatures(binaryen.Features.All);
  if (made.validate() === 0) throw new Error("the module is not valid");
  return made.emitBinary();
}

/** What V8 says of a try: the trap's code, 0 for none. */
function expected(wasm: Uint8Array): (which: number, a: number, b: number) => number {
  const window = (pointer: number, length: number): number => {
    if ((pointer >>> 0) + (length >>> 0) > PAGE) throw new Error("out of bounds");
    return 0;
  };
  const board = {
    read: (_region: number, _offset: number, pointer: number, length: number) => window(pointer, length),
    program: (_region: number, _offset: number, pointer: number, length: number) => window(pointer, length),
    entropy: window,
  };
  return (which, a, b) => {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(wasm)), { board });
    const { memory, take } = instance.exports as { memory: WebAssembly.Memory; take(n: number): number };
    new Uint8Array(memory.buffer).set(request(which, a, b), RX_OFFSET);
    try {
      take(REQUEST_SIZE);
      return 0;
    } catch (error) {
      const code = CODES.find(([says]) => says.test((error as Error).message))?.[1];
      if (code === undefined) throw error;
      return code;
    }
  };
}

const request = (...words: number[]): Buffer => {
  const bytes = Buffer.alloc(REQUEST_SIZE);
  words.forEach((word, i) => {
    bytes.writeUInt32LE(word >>> 0, 4 * i);
  });
  return bytes;
};

const wasm = module();
const oracle = expected(wasm);

describe.each([
  ["interpreter", 4, () => withModule(built("ek-ra6m5.elf"), CORE, wasm)], // its restarts are slow
  ["ahead-of-time code", 1, () => aotWith(root, wasm)],
] as const)("the firmware with its %s", (_, every, flashed) => {
  let device: VirtualDevice;
  afterEach(() => device.close());

  it("allows what WebAssembly allows, and answers everything else with a reset and the code of that trap", () => {
    device = deviceWith({ elf: flashed() });
    const { board } = device;
    let resets = 0;
    board.onEvent = (event) => {
      if (event.kind === "reset") resets++;
    };
    board.powerOn();
    board.run();
    const seen = new Map<number, number>();
    for (const [which, { text, tries }] of TRIALS.entries()) {
      if (text.includes("offset=") && which % every !== 0) continue;
      for (const [a, b] of tries) {
        const before = resets;
        const answer = board.exchange(request(which, a, b));
        const code = resets === before ? 0 : board.exchange(request(TELL, 0, 0))[0]!;
        const should = oracle(which, a, b);
        const told = `${text} with $a ${a}, $b ${b}`;
        expect([told, resets - before, code], told).toEqual([told, should === 0 ? 0 : 1, should]);
        expect([...answer], told).toEqual(should === 0 ? [0xaa] : []);
        seen.set(should, (seen.get(should) ?? 0) + 1);
      }
    }
    for (const [, code] of CODES) expect(seen.get(code)).toBeGreaterThan(0);
    expect(seen.get(0)).toBeGreaterThan(30);
    expect(board.faults.list).toEqual([]);
  });
});
