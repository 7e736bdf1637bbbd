/** The check of secrets on small functions: those that leak are refused for what they do, in the function that does it, and those that do not are
 *  accepted. Compiled as the core is: test/probe/secrets.ts. */
import { describe, expect, it } from "vitest";
import { checkSecrets, type Policy } from "../../scripts/prove/secrets.js";
import { decode } from "../../scripts/prove/wasm.js";
import { built } from "../device/built.js";
import { forbidden } from "./forbidden.js";

const module = decode(built("secrets.wasm"));
const cell = (name: string, at: number, size: number, isPublic: boolean) => ({
  ...{ name, at, size },
  cells: [{ name, at, size, isPublic }],
});

/** As test/probe/secrets.ts lays its memory out. */
const policy = (root: string, secretParameters: readonly number[] = []): Policy => ({
  regions: [cell("MARKERS", 512, 8, true), cell("OPEN", 1024, 1024, true), cell("SECRET", 2048, 2048, false)],
  imports: {
    "board.diag": {},
    "board.program": { takes: { pointer: 2, length: 3, mayBeSecret: () => false } },
    "board.entropy": { writes: { pointer: 0, length: 1, isSecret: () => true } },
  },
  forbidden,
  declassify: 512,
  reveal: 516,
  roots: [root],
  secretParameters: { [root]: secretParameters },
});

const BRANCH = /branch that depends on a secret/;
const LEAKS: [string, RegExp][] = [
  ["leakByEarlyExit", BRANCH],
  ["leakByTable", /i32.load8_u: the address depends on a secret/],
  ["leakByPlace", /i32.store8: the address depends on a secret/],
  ["leakByBit", BRANCH],
  ["leakByCount", BRANCH],
  ["leakByQuotient", /i32.div_u of a secret/],
  ["leakByRemainder", /i64.rem_s of a secret/],
  ["leakBySelect", /select of i64 by a secret/],
  ["leakByOptimiser", /i64.load: the address depends on a secret/],
  ["leakByClz", /i32.clz of a secret/],
  ["leakByCtz", /i64.ctz of a secret/],
  ["leakByPopcnt", /i32.popcnt of a secret/],
  ["leakByLength", /memory.copy: an operand depends on a secret/],
  ["leakByFill", /memory.fill: an operand depends on a secret/],
  ["leakByGlobal", BRANCH],
  ["leakThroughMemory", BRANCH],
  ["leakThroughResult", BRANCH],
  ["leakByStore", /stored in OPEN, which is public/],
  ["leakByCopy", /stored in OPEN, which is public/],
  ["leakToAnywhere", /stored at an address of which nothing is known/],
  ["leakByArgument", /argument 0 of board.diag is secret/],
  ["leakBySending", /board.program is given bytes that may be secret/],
  ["leakByDrawing", /stored in OPEN, which is public/],
  ["leakBySwitch", BRANCH],
  ["leakOfParameter", BRANCH],
  ["leakBehindDeclassified", BRANCH],
  ["leakInCarry", BRANCH],
  ["leakBesideTheRevealed", BRANCH],
];
const named = (start: string): string[] =>
  module.exports.map(({ name }) => name).filter((name) => name.startsWith(start));

describe("checkSecrets", () => {
  it.each(LEAKS)("refuses %s: %s", (name, what) => {
    const { findings } = checkSecrets(module, policy(name, name === "leakOfParameter" ? [0] : []));
    expect(findings.map((one) => one.what).join("\n")).toMatch(what);
    for (const { path } of findings) expect(path[0]).toBe(name);
  });

  it.each(named("keep"))("accepts %s", (name) => {
    expect(checkSecrets(module, policy(name, name === "keepParameter" ? [1] : [])).findings).toEqual([]);
  });

  it("knows every example, and names a parameter as secret only when it is told", () => {
    expect(LEAKS.map(([name]) => name).sort()).toEqual(named("leak").sort());
    expect(named("keep").length).toBeGreaterThan(10);
    expect(checkSecrets(module, policy("leakOfParameter")).findings).toEqual([]);
  });

  it("tells where it was, and where secrets were made public", () => {
    const { findings } = checkSecrets(module, policy("leakByTable"));
    const func = module.functions.find(({ name }) => name === "leakByTable");
    expect(findings.map((one) => func?.code.find(({ at }) => at === one.at)?.op)).toEqual(["i32.load8_u"]);
    expect(findings[0]?.function).toBe("leakByTable");
    const declassified = checkSecrets(module, policy("keepComparing"));
    expect(declassified.declassified).toHaveLength(1);
    expect(checkSecrets(module, policy("keepPublishing")).revealed).toHaveLength(1);
  });
});
