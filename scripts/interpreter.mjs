/** wasm3 as the firmware and the host run it: the sources of the npm package, whose hashes are known, changed at build time where a 32-bit ARM pays
 *  for what it does not need. Each change must be found exactly as often as it says, or the build ends. What each gives: firmware/DESIGN.md §14. */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replaceExactly } from "./replace.mjs";

export const PACKAGE = "node_modules/react-native-webassembly/cpp";
const HASHES = "board/ek-ra6m5/wasm3.sha256";

/** file, how often, what stands there, what is to stand there */
const CHANGES = [
  // A 64-bit register in the third argument lies in r2 and r3; in the fourth it lay on the C stack, to be loaded and stored by every operation.
  [
    "m3_exec_defs.h",
    1,
    "pc_t _pc, m3stack_t _sp, M3MemoryHeader * _mem, m3reg_t _r0",
    "pc_t _pc, m3stack_t _sp, m3reg_t _r0, M3MemoryHeader * _mem",
  ],
  ["m3_exec_defs.h", 2, "_sp, _mem, _r0", "_sp, _r0, _mem"],
  ["m3_exec.h", 2, "sp, _mem, d_m3OpDefaultArgs)", "sp, d_m3OpDefaultArgs, _mem)"],
  ["m3_env.c", 1, "stack, NULL, d_m3OpDefaultArgs)", "stack, d_m3OpDefaultArgs, NULL)"],
  ["m3_env.c", 4, "runtime->memory.mallocated, d_m3OpDefaultArgs)", "d_m3OpDefaultArgs, runtime->memory.mallocated)"],

  // An i32 is the low half of the register; nobody reads the other half of it, so it is not extended.
  [
    "m3_exec.h",
    1,
    "#define M3_FUNC(RES, A, B, OP)  (RES) = OP((A), (B))",
    `#define d_m3Low(REG, VALUE)     (REG) = (m3reg_t) (((u64) (REG) >> 32 << 32) | (u32) (VALUE))
#define d_m3Set(REG, VALUE)     { __typeof__(VALUE) value_ = (VALUE); if (sizeof (value_) < 8) d_m3Low(REG, value_); else (REG) = (m3reg_t) value_; }
#define M3_FUNC(RES, A, B, OP)  d_m3Set(RES, OP((A), (B)))`,
  ],
  [
    "m3_exec.h",
    1,
    "#define M3_OPER(RES, A, B, OP)  (RES) = ((A) OP (B))",
    "#define M3_OPER(RES, A, B, OP)  d_m3Set(RES, (A) OP (B))",
  ],
  ["m3_exec.h", 1, "#define M3_UNARY(RES, X, OP) (RES) = OP(X)", "#define M3_UNARY(RES, X, OP) d_m3Set(RES, OP(X))"],
  ["m3_exec.h", 2, "REG = (DEST_TYPE)value;", "d_m3Set(REG, (DEST_TYPE)value);"],

  // Addresses are 32 bits wide: the sum may wrap, which is told by the carry. The memory is one page, so its length less eight is not negative.
  ["m3_exec.h", 3, "u64 operand = slot (u32);", "u32 operand = slot (u32);"],
  ["m3_exec.h", 3, "u64 operand = (u32) _r0;", "u32 operand = (u32) _r0;"],
  ["m3_exec.h", 6, "operand += offset;", "bool wraps = __builtin_add_overflow (operand, offset, & operand);"],
  [
    "m3_exec.h",
    2,
    "operand + sizeof (SRC_TYPE) <= _mem->length",
    "not wraps and operand <= _mem->length - sizeof (SRC_TYPE)",
  ],
  [
    "m3_exec.h",
    3,
    "operand + sizeof (DEST_TYPE) <= _mem->length",
    "not wraps and operand <= _mem->length - sizeof (DEST_TYPE)",
  ],

  // A constant that a function has already is looked for among all that it has: their values differ more often than their slots are free.
  [
    "m3_compile.c",
    1,
    `            if (IsSlotAllocated (o, slot))
            {
                bool matches;`,
    `            if ((u32) o->constants [i] == (u32) i_word and IsSlotAllocated (o, slot))
            {
                bool matches;`,
  ],

  // The address of the next operation goes where the jump wants it, not through another register.
  [
    "m3_exec_defs.h",
    1,
    "#define nextOpImpl()                ((IM3Operation)(* _pc))(_pc + 1, d_m3OpArgs)",
    `#if defined (__arm__)
# define d_m3Fetch(PC)              register IM3Operation next_ asm ("ip"); asm ("ldr %0, %1" : "=r" (next_) : "m" (* (PC)))
#else
# define d_m3Fetch(PC)              IM3Operation next_ = (IM3Operation) (* (PC))
#endif
#define nextOpImpl()                ({ d_m3Fetch (_pc); next_ (_pc + 1, d_m3OpArgs); })`,
  ],
  [
    "m3_exec_defs.h",
    1,
    "#define jumpOpImpl(PC)              ((IM3Operation)(*  PC))( PC + 1, d_m3OpArgs)",
    "#define jumpOpImpl(PC)              ({ pc_t to_ = (PC); d_m3Fetch (to_); next_ (to_ + 1, d_m3OpArgs); })",
  ],
];

/** What every C file of a firmware with this interpreter is compiled with: nobody keeps anything in these registers over a call, so that operations
 *  can use them without saving them. Nothing returns into code that was not compiled so: no interrupt is ever enabled, and the fault handler that does
 *  is assembly that keeps to r0-r3 and r12. What the C library saves, it saves in vain. */
export const CALL_USED = [4, 5, 6, 8, 9, 10, 11].map((n) => `-fcall-used-r${n}`);
/** Beside, for the file with the operations: r7 is never free without being saved, so it is not used at all. */
export const OPERATIONS = { file: "m3_compile.c", flags: ["-ffixed-r7"] };

/** @throws Error when a source is not the one that was reviewed */
export function checkInterpreter() {
  for (const line of readFileSync(HASHES, "utf8").trim().split("\n")) {
    const [expected, name] = line.split(/\s+/);
    const found = createHash("sha256")
      .update(readFileSync(join(PACKAGE, name)))
      .digest("hex");
    if (found !== expected)
      throw new Error(
        `${PACKAGE}/${name}: expected sha256 ${expected}, came ${found}; run npm ci, or review it and ${HASHES}`,
      );
  }
}

/** @param text of one file @returns it with its changes @throws Error when one is not found as often as expected */
export function change(name, text) {
  const its = CHANGES.filter(([file]) => file === name);
  try {
    return its.reduce((changed, [, times, from, to]) => replaceExactly(changed, [from, times, to]), text);
  } catch (error) {
    throw new Error(`${name} is not the one that scripts/interpreter.mjs knows: ${error.message}`);
  }
}

/** Files of the interpreter, as `HASHES` lists them. */
export const interpreterFiles = () =>
  readFileSync(HASHES, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(/\s+/)[1]);

/** Writes the changed sources. */
export function writeInterpreter(folder) {
  checkInterpreter();
  mkdirSync(folder, { recursive: true });
  for (const name of interpreterFiles()) {
    if (CHANGES.some(([file]) => file === name))
      writeFileSync(join(folder, name), change(name, readFileSync(join(PACKAGE, name), "utf8")));
    else copyFileSync(join(PACKAGE, name), join(folder, name));
  }
}
