/** scripts/prove/operands.ts and handlers.ts: each finding is first made in a handler that was put into the listing of the built firmware, then the
 *  firmware itself is audited. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { audit, auditTable, handlersOf, notAudited } from "../../scripts/prove/handlers.js";
import { disassemble, readListing } from "../../scripts/prove/listing.js";
import { decidedBy } from "../../scripts/prove/operands.js";
import { decode } from "../../scripts/prove/wasm.js";
import { builtPath } from "../device/built.js";

const built = disassemble(builtPath("ek-ra6m5.elf"));
const compiler = readFileSync("node_modules/react-native-webassembly/cpp/m3_compile.c", "utf8");
const core = decode(readFileSync(builtPath("core.wasm")));

/** A function as objdump prints it, its instructions two bytes apart. */
const writtenAt = (start: number, name: string, ...lines: string[]): string =>
  [
    `0000${start.toString(16)} <${name}>:`,
    ...lines.map((line, i) => `    ${(start + 2 * i).toString(16)}:\t0000      \t${line.replace(" ", "\t")}`),
    "",
  ].join("\n");

const written = (name: string, ...lines: string[]): string => writtenAt(0x9000, name, ...lines);

/** The built listing with one function in the place of what it was. */
function planted(name: string, ...lines: string[]): string {
  const parts = built.split(/\n(?=[0-9a-f]{8} <)/).filter((part) => !part.includes(` <${name}>:\n`));
  return [...parts, written(name, ...lines)].join("\n");
}
const of = (...lines: string[]) => [...decidedBy(readListing(written("op_x", ...lines)), "op_x").by.keys()].sort();
const TOP = "ldr r3, [r0, #0]"; // the word that names the slot
const SLOT = "ldr.w r4, [r1, r3, lsl #2]";
const NEXT = "bx r3";

describe("decidedBy", () => {
  it("lets operands be added, multiplied and stored", () => {
    expect(of(TOP, SLOT, "ldr r5, [sp, #0]", "mul r4, r5", "strd r4, r5, [sp, #0]", "ldr r3, [r0, #8]", NEXT)).toEqual(
      [],
    );
  });

  it("lets a flag choose between two values inside an IT block", () => {
    expect(of(TOP, SLOT, "cmp r4, #0", "it eq", "moveq r4, r5", "str r4, [sp, #0]", "ldr r3, [r0, #4]", NEXT)).toEqual(
      [],
    );
  });

  it.each([
    ["a comparison and a branch", ["cmp r4, #0", "beq.n 9000 <op_x>"]],
    ["a branch that compares", ["cbz r4, 9000 <op_x>"]],
    ["flags that a sum left", ["adds r4, #1", "bne.n 9000 <op_x>"]],
    ["a sum of sums", ["add.w r5, r2, r4", "eors r5, r5", "lsls r5, r5, #2", "bmi.n 9000 <op_x>"]],
    ["the C stack and back", ["push {r4, r5}", "pop {r6, r7}", "cbnz r6, 9000 <op_x>"]],
    ["an address", ["ldr.w r5, [r2, r4]"]],
    ["an address to store at", ["str.w r5, [r2, r4, lsl #2]"]],
    ["a division", ["udiv r5, r5, r4"]],
    ["a load that only happens for some values", ["cmp r4, #0", "it eq", "ldreq r5, [r2, #12]"]],
    ["a jump", ["ldr.w r3, [r0, r4, lsl #2]"]],
    ["a jump through a table", ["ldr pc, [r0, r4, lsl #2]"]],
    ["a jump through a table of offsets", ["tbb [pc, r4]"]],
    ["a call of something that is not there", ["mov r0, r4", "bl 100 <nowhere>"]],
    ["an instruction that is not known", ["vmov s0, r4"]],
    ["a jump in disguise", ["mov pc, r4"]],
    ["a jump that is a sum", ["add pc, r4"]],
    ["a carry that is turned into a bit", ["lsrs r4, r4, #1", "mov.w r5, r5, rrx", "cbz r5, 9000 <op_x>"]],
    [
      "a byte of a word on the C stack",
      ["movs r6, #0", "str r6, [sp, #4]", "strb r4, [sp, #5]", "ldr r7, [sp, #4]", "cbz r7, 9000 <op_x>"],
    ],
  ])("finds an operand in %s", (_what, lines) => {
    expect(of(TOP, SLOT, ...lines, "ldr r3, [r0, #4]", NEXT)).toContain("slot 0");
  });

  it("looks into calls and into jumps to other functions", () => {
    const helper = writtenAt(0x8000, "helper", "lsls r0, r0, #2", "bne.n 8000 <helper>", "bx lr");
    for (const way of ["bl", "b.w"]) {
      const handler = written("op_x", TOP, "ldr.w r0, [r1, r3, lsl #2]", `${way} 8000 <helper>`, NEXT);
      const { by } = decidedBy(readListing(`${helper}\n${handler}`), "op_x");
      expect(by.get("slot 0")).toContain("of helper (bne.n");
    }
  });

  it("follows what a callee writes to a place on the stack that it was given", () => {
    const helper = writtenAt(0x8000, "helper", "str r1, [r0, #0]", "bx lr");
    const before = ["movs r5, #0", "str r5, [sp, #4]", TOP, "ldr.w r1, [r1, r3, lsl #2]", "add r0, sp, #4"];
    const handler = written("op_x", ...before, "bl 8000 <helper>", "ldr r5, [sp, #4]", "cbz r5, 9000 <op_x>", NEXT);
    expect([...decidedBy(readListing(`${helper}\n${handler}`), "op_x").by.keys()]).toContain("slot 0");
  });

  it("follows a value around a loop", () => {
    // r5 is clean at first and holds the operand from the second round on
    const lines = ["movs r5, #0", TOP, "cbz r5, 900c <op_x+0xc>", SLOT, "mov r5, r4", "b.n 9004 <op_x+0x4>", NEXT];
    expect(of(...lines)).toContain("slot 0");
  });
});

describe("handlersOf", () => {
  it("reads which handlers serve an operation from the engine's own table", () => {
    const table = handlersOf(compiler);
    expect(table.get("i64.sub")).toEqual(["i64_Subtract_rs", "i64_Subtract_sr", "i64_Subtract_ss"]);
    expect(table.get("i64.extend_i32_u")).toEqual(["i64_Extend_u32_r", "i64_Extend_u32_s"]);
    expect(() => handlersOf("")).toThrow("c_operations");
  });
});

describe("audit", () => {
  const BRANCH = [TOP, SLOT, "cbz r4, 9008 <x+0x8>", "movs r4, #1", "ldr r3, [r0, #8]", NEXT];

  it("forbids an operation one of whose handlers branches on an operand", () => {
    const { forbidden } = audit(planted("op_i32_Add_ss", ...BRANCH), compiler);
    expect(forbidden.get("i32.add")).toMatch(/^slot 0 decides the branch at 0x9004 of op_i32_Add_ss/);
  });

  it("forbids a load that branches on what it loaded", () => {
    const at = [TOP, SLOT, "ldr r5, [sp, #0]", "add r4, r5"];
    const load = [...at, "ldr r5, [r4, #12]", "cbz r5, 900c <x+0xc>", "ldr r3, [r0, #8]", NEXT];
    expect(audit(planted("op_i32_Load_u8_s", ...load), compiler).forbidden.get("i32.load8_u")).toMatch(/^content/);
  });

  it("forbids a store that branches on what it stores", () => {
    const { forbidden } = audit(planted("op_i64_Store_i64_ss", ...BRANCH), compiler);
    expect(forbidden.get("i64.store")).toMatch(/^slot 0 decides the branch/);
  });

  it("refuses a handler that every operation may bring along", () => {
    expect(() => audit(planted("op_CopySlot_64", ...BRANCH), compiler)).toThrow("every operation may bring along");
  });

  it("refuses handlers that nobody is known to use, handlers that are missing, and a listing without any", () => {
    expect(() => audit(`${built}\n${written("op_i32_Frobnicate_rs", NEXT)}`, compiler)).toThrow("op_i32_Frobnicate_rs");
    expect(() => audit(built.replaceAll("op_i64_Subtract_rs", "sub_rs"), compiler)).toThrow("op_i64_Subtract_rs");
    expect(() => audit("", compiler)).toThrow("found 0 handlers");
  });

  const found = audit(built, compiler);

  it("finds in the built firmware what is known to depend on values, and arithmetic that does not", () => {
    const verdict = (name: string) => found.operations.get(name)?.verdict;
    for (const name of [
      "i64.select",
      "i64.clz",
      "i64.ctz",
      "i32.div_s",
      "i32.rem_u",
      "i64.div_u",
      "i64.rem_s",
      "memory.grow",
    ])
      expect(verdict(name), name).toBe("forbidden");
    for (const name of [
      "i32.add",
      "i32.select",
      "i32.mul",
      "i64.mul",
      "i64.shl",
      "i64.rotr",
      "i64.lt_u",
      "i64.eqz",
      "i32.rotl",
      "i32.clz",
      "i32.ctz",
    ])
      expect(verdict(name), name).toBe("free");
    for (const name of ["i32.load", "i64.load32_u", "i64.store8", "memory.copy", "memory.fill"])
      expect(verdict(name), name).toBe("place");
    for (const name of ["if", "br_if", "br_table"]) expect(verdict(name), name).toBe("control");
  });

  it("covers every operation of the core, and says when one is missing", () => {
    expect(notAudited(core, found)).toEqual([]);
    const operations = new Map([...found.operations].filter(([name]) => name !== "i64.select" && name !== "i64.mul"));
    expect(notAudited(core, { ...found, operations }).map((one) => one.split(",")[0])).toEqual(
      expect.arrayContaining(["i64.select", "i64.mul"]),
    );
  });

  it("gives a table without addresses", () => {
    expect(auditTable(found)).toMatch(/^i64\.select +forbidden +register decides the branch of op_Select_i64_rss$/m);
    expect(auditTable(found)).not.toContain("0x");
  });
});
