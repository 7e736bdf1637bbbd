/** scripts/prove/taint.ts on small modules: it computes as an engine does, and tells each thing that a secret must not do. */
import { describe, expect, it } from "vitest";
import { checkSecrets, type Policy } from "../../scripts/prove/secrets.js";
import { TaintRun } from "../../scripts/prove/taint.js";
import { decode, type ValueType } from "../../scripts/prove/wasm.js";
import { assembled } from "./assembled.js";

const [SECRETS, OPEN, DECLASSIFIED, REVEALED, EXPECTED] = [1024, 1280, 1536, 1540, 1544];
const cell = (name: string, at: number, size: number, isPublic: boolean) => ({ name, at, size, isPublic });
const region = (name: string, at: number, size: number, isPublic: boolean) => ({
  name,
  at,
  size,
  cells: [cell(name, at, size, isPublic)],
});
const POLICY: Policy = {
  regions: [region("SECRETS", SECRETS, 256, false), region("OPEN", OPEN, 256, true), region("MARKERS", 1536, 16, true)],
  imports: {
    "board.noise": { writes: { pointer: 0, length: 1, isSecret: () => true } },
    "board.send": { takes: { pointer: 0, length: 1, mayBeSecret: () => false } },
    "board.tell": {},
  },
  forbidden: new Map(["i64.select", "i32.div_u", "i32.clz"].map((op) => [op, "it takes time"])),
  secretGlobals: [],
  declassify: DECLASSIFIED,
  reveal: REVEALED,
  expect: EXPECTED,
};

const IMPORTS = `(import "board" "noise" (func $noise (param i32 i32))) (import "board" "send" (func $send (param i32 i32)))
  (import "board" "tell" (func $tell (param i32)))`;

/** What is found when 16 bytes of noise stand at SECRETS and 16 of something else at OPEN. @param argument of $run */
function findings(body: string, argument = 0, result = ""): string[] {
  const module = decode(
    assembled(`${IMPORTS} (memory 1 1) (global $kept (mut i32) (i32.const 0)) (export "run" (func $run))
    (func $run (param $n i32) ${result} (local $x i32)
      (call $noise (i32.const ${SECRETS}) (i32.const 16)) (local.set $x (i32.load (i32.const ${SECRETS}))) ${body})`),
  );
  const run = new TaintRun(module, POLICY, checkSecrets(module, POLICY).accesses);
  const core = run.instance({
    "board.noise": (at: number, length: number) => core.memory.fill(0x5a, at, at + length),
    "board.send": () => {},
    "board.tell": () => {},
  });
  core.call("run", argument);
  return run.takeFindings().map(({ what }) => what);
}

const through = (marker: number, address: string) =>
  `(block (result i32) (i32.store (i32.const ${marker}) ${address}) (i32.load (i32.const ${marker})))`;
const X = "(local.get $x)";

describe("a run that follows secrets", () => {
  it.each<[name: string, body: string, found: RegExp, argument?: number]>([
    ["a branch", `(if ${X} (then (call $tell (i32.const 1))))`, /a branch that depends on a secret/],
    ["a branch by what was made from one", `(block $b (br_if $b (i32.eqz (i32.shl ${X} (i32.const 3)))))`, /a branch/],
    ["a table of branches", `(block $b (block $a (br_table $a $b ${X})))`, /a branch/],
    ["an address", `(drop (i32.load (i32.and ${X} (i32.const 1023))))`, /the address depends on a secret/],
    ["a length", `(memory.fill (i32.const ${SECRETS}) (i32.const 0) (i32.and ${X} (i32.const 15)))`, /a range depends/],
    ["a division", `(drop (i32.div_u ${X} (i32.const 3)))`, /i32.div_u of a secret/],
    ["a count of zeros", `(drop (i32.clz ${X}))`, /i32.clz of a secret/],
    ["a select of 64 bits", `(drop (select (i64.const 1) (i64.const 2) ${X}))`, /select of i64 by a secret/],
    ["a global", `(global.set $kept ${X})`, /a global is set to a secret/],
    ["an argument", `(call $tell ${X})`, /argument 0 of board.tell is secret/],
    [
      "what is sent",
      `(call $send (i32.const ${SECRETS}) (i32.const 1))`,
      /board.send is given secret bytes of SECRETS/,
    ],
    [
      "a byte among those that are open",
      `(i32.store8 (i32.const ${OPEN + 7}) ${X})`,
      /is stored in OPEN, which is public/,
    ],
    [
      "a byte that is copied among them",
      `(memory.copy (i32.const ${OPEN}) (i32.const ${SECRETS + 15}) (i32.const 2))`,
      /is stored in OPEN/,
    ],
    [
      "what is expected to be open",
      `(drop (i32.load8_u ${through(EXPECTED, `(i32.const ${SECRETS})`)}))`,
      /should be public/,
    ],
    [
      "what is sent and expected to be open",
      `(call $send ${through(EXPECTED, `(i32.const ${SECRETS})`)} (i32.const 4))`,
      /bytes of SECRETS that should be public/,
    ],
    [
      "an address that was meant for another region",
      `(i32.store8 (i32.add (i32.const ${OPEN}) (local.get $n)) (i32.const 0))`,
      /an access to SECRETS, which was not foreseen/,
      -1,
    ],
    [
      "an access of which a part lies in another region",
      `(i32.store (i32.add (i32.const ${OPEN}) (local.get $n)) (i32.const 0))`,
      /an access to SECRETS/,
      -3,
    ],
    [
      "a copy that reaches into another region",
      `(memory.copy (i32.add (i32.const ${SECRETS}) (local.get $n)) (i32.const ${OPEN}) (i32.const 8))`,
      /an access to OPEN/,
      250,
    ],
  ])("tells %s", (_, body, found, argument) => {
    expect(findings(body, argument).join("\n")).toMatch(found);
  });

  it("tells a secret that an export returns", () => {
    expect(findings(`(local.get $x)`, 0, "(result i32)")).toEqual(["it returns a secret"]);
  });

  it.each([
    ["arithmetic, and a select of 32 bits", `(drop (select (i32.const 1) (i32.mul ${X} ${X}) (i32.eqz ${X})))`],
    ["secrets among secrets", `(i32.store (i32.const ${SECRETS + 100}) (i32.xor ${X} (i32.const 1)))`],
    ["a secret that was overwritten", `(local.set $x (i32.const 1)) (if ${X} (then))`],
    [
      "a byte that was wiped",
      `(memory.fill (i32.const ${SECRETS}) (i32.const 0) (i32.const 4)) (if (i32.load (i32.const ${SECRETS})) (then))`,
    ],
    ["a byte beside a secret", `(if (i32.load8_u (i32.const ${SECRETS + 16})) (then))`],
    ["a decision that was made public", `(if ${through(DECLASSIFIED, X)} (then))`],
    [
      "a byte that is read as one that counts as public",
      `(if (i32.load8_u (i32.add ${through(REVEALED, `(i32.const ${SECRETS})`)} (local.get $n))) (then))`,
    ],
    [
      "bytes that were published in place, where such are expected",
      `(memory.copy (i32.const ${SECRETS}) ${through(REVEALED, `(i32.const ${SECRETS})`)} (i32.const 4))
       (call $send ${through(EXPECTED, `(i32.const ${SECRETS})`)} (i32.const 4))`,
    ],
  ])("lets pass %s", (_, body) => {
    expect(findings(body)).toEqual([]);
  });

  it("looks at every byte that is expected to be open, the last one too", () => {
    const published = `(memory.copy (i32.const ${SECRETS}) ${through(REVEALED, `(i32.const ${SECRETS})`)} (i32.const 7))`;
    const sent = (length: number) =>
      `${published} (call $send ${through(EXPECTED, `(i32.const ${SECRETS})`)} (i32.const ${length}))`;
    expect(findings(sent(7))).toEqual([]);
    expect(findings(sent(8))).not.toEqual([]);
  });
});

const CORNERS = [0n, 1n, 2n, 31n, 63n, 0x7fn, 0x80n, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 1n << 32n]
  .concat([(1n << 63n) - 1n, 1n << 63n, 0x0123456789abcdefn])
  .flatMap((one) => [one, -one]);
const OPERATIONS = ["i32", "i64"].flatMap((type) => {
  const two =
    "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
  const one = "clz ctz popcnt eqz extend8_s extend16_s";
  const of = (names: string, count: number) => names.split(" ").map((name) => [`${type}.${name}`, count] as const);
  return [...of(two, 2), ...of(one, 1)];
});
const CHANGES: [string, ValueType, ValueType][] = [
  ["i32.wrap_i64", "i64", "i32"],
  ["i64.extend_i32_s", "i32", "i64"],
  ["i64.extend_i32_u", "i32", "i64"],
  ["i64.extend32_s", "i64", "i64"],
];
const ACCESSES = ["i32.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u", "i64.load i64.load8_s i64.load8_u"]
  .concat(["i64.load16_s i64.load16_u i64.load32_s i64.load32_u"])
  .flatMap((names) => names.split(" "));
const STORES = "i32.store i32.store8 i32.store16 i64.store i64.store8 i64.store16 i64.store32".split(" ");

/** A function of 64-bit values made of an operation; values of 32 bits are cut and filled up. */
function wrapped(op: string, params: readonly ValueType[], result: ValueType): string {
  const operand = (type: ValueType, i: number) =>
    type === "i64" ? `(local.get ${i})` : `(i32.wrap_i64 (local.get ${i}))`;
  const value = `(${op} ${params.map(operand).join(" ")})`;
  return result === "i64" ? value : `(i64.extend_i32_u ${value})`;
}

describe("the code that follows secrets", () => {
  const bodies = new Map<string, string>();
  for (const [op, count] of OPERATIONS) {
    const type = op.slice(0, 3) as ValueType;
    const result = /eq|ne$|[lg][te]_/.test(op) ? "i32" : type;
    bodies.set(
      op,
      wrapped(
        op,
        Array.from({ length: count }, () => type),
        result,
      ),
    );
  }
  for (const [op, from, to] of CHANGES) bodies.set(op, wrapped(op, [from], to));
  const put = "(i64.store (i32.const 1024) (local.get 0))";
  for (const op of ACCESSES) {
    const value = `(${op} offset=1 (i32.const 1024))`;
    bodies.set(op, `${put} ${op.startsWith("i64") ? value : `(i64.extend_i32_u ${value})`}`);
  }
  for (const op of STORES) {
    const value = op.startsWith("i64") ? "(local.get 1)" : "(i32.wrap_i64 (local.get 1))";
    bodies.set(op, `${put} (${op} (i32.const 1024) ${value}) (i64.load (i32.const 1024))`);
  }
  bodies.set("select", "(select (local.get 0) (local.get 1) (i64.eqz (local.get 1)))");
  bodies.set(
    "br_table",
    `(block $c (result i64) (drop (block $b (result i64) (drop (block $a (result i64)
       (br_table $a $b $c (local.get 0) (i32.wrap_i64 (local.get 1))))) (return (i64.const 5)))) (i64.const 6))`,
  );
  bodies.set(
    "loop",
    `(local $sum i64) (local $n i32) (loop $l (local.set $sum (i64.add (i64.rotl (local.get $sum) (i64.const 7)) (local.get 0)))
       (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.wrap_i64 (i64.and (local.get 1) (i64.const 63))))))
     (local.get $sum)`,
  );
  const text = [...bodies].map(
    ([name, body]) => `(func (export "${name}") (param i64 i64) (result i64) ${body})
     (func (export "run ${name}") (i64.store (i32.const 1048) (call $${name} (i64.load (i32.const 1032)) (i64.load (i32.const 1040)))))`,
  );
  const bytes = assembled(
    `(memory (export "memory") 1 1) ${text.join("\n").replaceAll(/\(func \(export "(?!run )([^"]+)"\)/g, "(func $$$1")}`,
  );
  const own = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Record<string, () => void> & {
    memory: WebAssembly.Memory;
  };
  const module = decode(bytes);
  const core = new TaintRun(module, POLICY, checkSecrets(module, POLICY).accesses).instance({});

  /** What stands in memory afterwards, or that it trapped. */
  const outcome = (memory: Uint8Array, run: () => void, a: bigint, b: bigint): string => {
    const view = new DataView(memory.buffer);
    [a, b, 0n].forEach((value, i) => {
      view.setBigInt64(1032 + 8 * i, value, true);
    });
    try {
      run();
      return Buffer.from(memory.subarray(1024, 1056)).toString("hex");
    } catch {
      return "trap";
    }
  };

  it.each([...bodies.keys()])("computes %s as V8 does, on corners", (name) => {
    for (const a of CORNERS)
      for (const b of CORNERS) {
        const expected = outcome(new Uint8Array(own.memory.buffer), () => own[`run ${name}`]?.(), a, b);
        const found = outcome(core.memory, () => core.call(`run ${name}`), a, b);
        expect(found, `${a} ${b}`).toBe(expected);
      }
  });
});
