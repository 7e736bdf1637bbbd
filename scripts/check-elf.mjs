/** What must hold for the linked firmware, read from the ELF file and its disassembly. Each check answers a list of
 *  complaints. ELF32: System V ABI, chapter 4; what wasm3 needs from the compiler: board/MEMORY.md. */

export const FLASH = { start: 0x00000000, end: 0x00100000 }; // the lower half; the upper one is the slot region
export const RAM = { start: 0x20000000, end: 0x20080000 };

/** Handlers that call the next operation instead of jumping to it, because they go on after it: a loop runs its
 *  body again, a call returns, CallRawFunction calls an import in C. */
export const CALLING_HANDLERS = ["op_Loop", "op_Call", "op_CallIndirect", "op_CallRawFunction"];
const HANDLERS_LEAST = 200; // fewer means that the names were not found, not that all is well

const SHF_ALLOC = 2;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const PT_LOAD = 1;

/** Sections, loadable segments and symbols of a little-endian ELF32 file.
 *  @param {Uint8Array} bytes */
export function readElf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (at) => view.getUint16(at, true);
  const u32 = (at) => view.getUint32(at, true);
  if (bytes.length < 52 || u32(0) !== 0x464c457f || bytes[4] !== 1) throw new Error("expected an ELF32 file");
  const text = (at) => {
    let end = at;
    while (bytes[end] !== 0) end++;
    return Buffer.from(bytes.subarray(at, end)).toString("latin1");
  };
  const table = (offset, size, count, read) => Array.from({ length: count }, (_, i) => read(offset + i * size));
  const raw = table(u32(32), u16(46), u16(48), (at) => ({
    nameAt: u32(at),
    type: u32(at + 4),
    flags: u32(at + 8),
    address: u32(at + 12),
    offset: u32(at + 16),
    size: u32(at + 20),
    link: u32(at + 24),
  }));
  const names = raw[u16(50)].offset;
  const sections = raw.map((one) => ({ ...one, name: text(names + one.nameAt), inFile: one.type !== SHT_NOBITS }));
  const segments = table(u32(28), u16(42), u16(44), (at) => ({
    type: u32(at),
    physical: u32(at + 12),
    fileSize: u32(at + 16),
  })).filter((one) => one.type === PT_LOAD);
  const symbols = new Map();
  for (const section of raw.filter((one) => one.type === SHT_SYMTAB)) {
    const strings = raw[section.link].offset;
    for (const one of table(section.offset, 16, section.size / 16, (at) => [text(strings + u32(at)), u32(at + 4)]))
      symbols.set(one[0], one[1]);
  }
  return { sections: sections.filter((one) => one.flags & SHF_ALLOC && one.size > 0), segments, symbols };
}

/** Everything that is loaded or reserved lies in flash or RAM; in particular nothing in the option-setting memory. */
export function outsideMemory({ sections, segments }) {
  const inside = (range, start, size) => start >= range.start && start + size <= range.end;
  const complaints = [];
  const hex = (value) => `0x${value.toString(16).padStart(8, "0")}`;
  for (const { name, address, size } of sections) {
    if (name.includes("option_setting")) complaints.push(`section ${name} would write option-setting memory`);
    if (!inside(FLASH, address, size) && !inside(RAM, address, size))
      complaints.push(`section ${name}: ${size} bytes at ${hex(address)} are outside flash and RAM`);
  }
  for (const { physical, fileSize } of segments)
    if (fileSize > 0 && !inside(FLASH, physical, fileSize))
      complaints.push(`segment: ${fileSize} bytes at ${hex(physical)} are outside flash`);
  return complaints;
}

/** Where code begins; smaller numbers in RAM functions are counts. */
const VECTORS_END = 0x40;

/** Functions of a disassembly (objdump -d): name -> lines. */
function functions(disassembly) {
  const found = new Map();
  for (const part of disassembly.split(/\n(?=[0-9a-f]{8} <)/)) {
    const head = /^[0-9a-f]{8} <([^>]+)>:\n/.exec(part);
    if (head) found.set(head[1], part.slice(head[0].length));
  }
  return found;
}

/** gcc 12 cannot be told that a call must be a jump; without the jump every operation would grow the C stack. */
export function missingTailCalls(disassembly) {
  const complaints = [];
  let handlers = 0;
  for (const [name, lines] of functions(disassembly)) {
    if (!name.startsWith("op_")) continue;
    handlers++;
    const calls = lines.match(/\tblx\t(?:r\d+|ip|lr)|\tbl\t[0-9a-f]+ <(?:RunCode|op_)/g)?.length ?? 0;
    if (calls > (CALLING_HANDLERS.includes(name) ? 1 : 0))
      complaints.push(`${name} calls the next operation where it must jump to it`);
  }
  if (handlers < HANDLERS_LEAST)
    complaints.push(`found only ${handlers} operation handlers, expected ${HANDLERS_LEAST}`);
  return complaints;
}

/** What runs while code flash cannot be read, or after it could not. */
const IN_RAM = ["faci_program", "faci_erase", "faci_blank", "trap_reset"];

/** Functions in RAM run while code flash cannot be read: no call, no jump through a register and no constant of theirs may lead there. */
export function ramReachesFlash(disassembly, symbols) {
  const complaints = [];
  for (const name of IN_RAM) if (!((symbols.get(name) ?? 0) >= RAM.start)) complaints.push(`${name} must run from RAM`);
  let inRam = 0;
  for (const part of disassembly.split(/\n(?=[0-9a-f]{8} <)/)) {
    const head = /^2[0-9a-f]{7} <([^>]+)>:\n/.exec(part);
    if (!head) continue;
    inRam++;
    if (head[1].includes("veneer")) complaints.push(`${head[1]}: a function in RAM calls one in flash`);
    for (const [, target] of part.matchAll(/\tbl?x?(?:\.[nw])?\t([0-9a-f]+) </g))
      if (Number.parseInt(target, 16) < FLASH.end) complaints.push(`${head[1]} calls 0x${target} in flash`);
    if (/\tblx\t(?:r\d+|ip)|\tbx\t(?!lr)/.test(part)) complaints.push(`${head[1]} jumps through a register`);
    for (const [, word] of part.matchAll(/\t\.word\t0x([0-9a-f]{8})/g)) {
      const value = Number.parseInt(word, 16);
      if (value >= VECTORS_END && value < (symbols.get("__data_load") ?? FLASH.end))
        complaints.push(`${head[1]} holds 0x${word}, a place in flash`);
    }
  }
  if (inRam === 0) complaints.push("found no function in RAM");
  return complaints;
}
