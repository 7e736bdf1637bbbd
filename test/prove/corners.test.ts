/** Corners of the check of secrets: what stands behind a number that might be an address, and behind an address that might be a number. */
import { describe, expect, it } from "vitest";
import { checkSecrets, type Policy } from "../../scripts/prove/secrets.js";
import { decode } from "../../scripts/prove/wasm.js";
import { assembled } from "./assembled.js";
import { forbidden } from "./forbidden.js";

const cell = (name: string, at: number, size: number, isPublic: boolean) => ({
  ...{ name, at, size },
  cells: [{ name, at, size, isPublic }],
});
const policy: Policy = {
  regions: [
    cell("CELL", 256, 256, true),
    cell("MARKERS", 512, 512, false),
    cell("SECRETS", 1024, 4096, false),
    cell("MORE", 5376, 256, false),
    cell("AFTER", 5632, 256, true),
  ],
  imports: {},
  forbidden,
  declassify: 512,
  reveal: 516,
  expect: 520,
  roots: ["root"],
  secretParameters: { root: [1] },
};

/** Findings about a function of a public parameter p and a secret one s, with locals i, n and v, whose code ends in an i32. */
function findings(code: string): string[] {
  const module = decode(
    assembled(`(memory 1 1) (func (export "root")
      (param $p i32) (param $s i32) (result i32) (local $i i32) (local $n i32) (local $v i32) ${code})`),
  );
  return checkSecrets(module, policy).findings.map(({ what }) => what);
}
const branchOn = (value: string): string => `(if ${value} (then (return (i32.const 1)))) (i32.const 0)`;
const REVEAL = "(i32.store (i32.const 516) (local.get $p)) (local.set $v (i32.load (i32.const 516)))";

const REFUSED: [string, string][] = [
  [
    "an index that looks like an address of public bytes, behind a base among secrets in the offset",
    branchOn("(i32.load8_u offset=1024 (i32.add (i32.const 256) (i32.and (local.get $p) (i32.const 15))))"),
  ],
  [
    "an index that counts from such a number on",
    `(local.set $i (i32.const 256)) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
     (br_if $l (i32.lt_u (local.get $i) (i32.const 300)))) ${branchOn("(i32.load8_u offset=1024 (local.get $i))")}`,
  ],
  [
    "the difference of two revealed addresses as an index to secrets",
    `${REVEAL} (local.set $n (i32.sub (local.get $v) (i32.add (local.get $v) (local.get $p))))
     ${branchOn("(i32.load8_u (i32.add (i32.const 1024) (local.get $n)))")}`,
  ],
  [
    "some bits of a revealed address as an index to secrets",
    `${REVEAL} ${branchOn("(i32.load8_u (i32.add (i32.const 1024) (i32.and (local.get $v) (i32.const 7))))")}`,
  ],
  [
    "some bits of a revealed address as an index to secrets whose base is the offset",
    `${REVEAL} ${branchOn("(i32.load8_u offset=1024 (i32.and (local.get $v) (i32.const 7)))")}`,
  ],
  [
    "no address where a revealed one may be, behind a base among secrets",
    `(if (local.get $p) (then ${REVEAL})) ${branchOn("(i32.load8_u offset=1024 (local.get $v))")}`,
  ],
  [
    "what is left of a known revealed address that another one was taken from",
    `(i32.store (i32.const 516) (i32.const 2048)) (local.set $v (i32.load (i32.const 516)))
     ${branchOn("(i32.load8_u (i32.add (i32.const 1028) (i32.sub (local.get $v) (i32.const 2048))))")}`,
  ],
  [
    "a secret stored half among secrets and half in public bytes",
    "(i64.store (i32.const 5628) (i64.extend_i32_u (local.get $s))) (i32.const 0)",
  ],
  ["a load that begins in public bytes and ends among secrets", branchOn("(i32.load (i32.const 1022))")],
  [
    "a secret stored where nothing is, and loaded",
    `(i32.store (i32.const 16) (local.get $s)) ${branchOn("(i32.load (i32.const 16))")}`,
  ],
  [
    "a secret stored over a marker from beside it",
    `(i64.store (i32.const 508) (i64.extend_i32_u (local.get $s))) ${branchOn("(i32.load (i32.const 512))")}`,
  ],
  [
    "a marker that two branches wrote",
    `(if (local.get $p) (then (i32.store (i32.const 512) (local.get $s))) (else (i32.store (i32.const 512) (i32.const 1))))
     ${branchOn("(i32.load (i32.const 512))")}`,
  ],
  [
    "a secret in the marker of addresses, read from beside",
    `(i32.store (i32.const 516) (local.get $s)) ${branchOn("(i32.load8_u (i32.const 517))")}`,
  ],
  [
    "a secret in the marker of expectations, read with its neighbours",
    `(i32.store (i32.const 520) (local.get $s))
     ${branchOn("(i64.ne (i64.load (i32.const 517)) (i64.const 0))")}`,
  ],
  [
    "two markers read at once",
    `(i32.store (i32.const 516) (local.get $s)) (i32.store (i32.const 512) (i32.const 0))
     ${branchOn("(i32.wrap_i64 (i64.shr_u (i64.load (i32.const 512)) (i64.const 32)))")}`,
  ],
  [
    "a secret copied out of a marker",
    `(i32.store (i32.const 516) (local.get $s)) (memory.copy (i32.const 256) (i32.const 516) (i32.const 4))
     ${branchOn("(i32.load (i32.const 256))")}`,
  ],
  [
    "what follows a number that a marker of one byte cuts off",
    `(i32.store8 (i32.const 512) (i32.const 256))
     (if (i32.load8_u (i32.const 512)) (then (return (i32.const 7)))) ${branchOn("(local.get $s)")}`,
  ],
  [
    "an unknown address under a mask that looks like a public one",
    `(local.set $n (i32.load (i32.const 256))) ${branchOn("(i32.load8_u (i32.and (local.get $n) (i32.const 65535)))")}`,
  ],
  [
    "a secret stored under a mask that looks like an address among secrets",
    `(i32.store8 (i32.and (local.get $p) (i32.const 2047)) (local.get $s)) ${branchOn("(i32.load8_u (i32.const 256))")}`,
  ],
  [
    "some bits of a revealed address behind an unknown base",
    `${REVEAL} ${branchOn("(i32.load8_u (i32.add (i32.and (local.get $v) (i32.const 7)) (i32.load (i32.const 256))))")}`,
  ],
  [
    "the difference of two revealed addresses behind an unknown base",
    `${REVEAL} ${branchOn("(i32.load8_u (i32.add (i32.sub (local.get $v) (local.get $v)) (i32.load (i32.const 256))))")}`,
  ],
  [
    "a revealed address with a bit set that leads to secrets",
    `${REVEAL} ${branchOn("(i32.load8_u (i32.or (local.get $v) (i32.const 1024)))")}`,
  ],
  [
    "a secret stored half among secrets and half where nothing is, and loaded",
    `(i32.store (i32.const 5118) (local.get $s)) ${branchOn("(i32.load8_u (i32.const 5120))")}`,
  ],
];

describe("checkSecrets", () => {
  it.each(REFUSED)("refuses %s", (_, code) => {
    expect(findings(code)).not.toEqual([]);
  });

  it.each([
    ["what a revealed address shows", `${REVEAL} ${branchOn("(i32.load8_u offset=3 (local.get $v))")}`],
    ["what it shows behind an index", `${REVEAL} ${branchOn("(i32.load8_u (i32.add (local.get $v) (local.get $p)))")}`],
    [
      "secrets stored behind a base in the offset",
      "(i32.store8 offset=1024 (i32.and (local.get $p) (i32.const 15)) (local.get $s)) (i32.const 0)",
    ],
  ])("accepts %s", (_, code) => {
    expect(findings(code)).toEqual([]);
  });
});
