/** Reads what is loaded of a 32-bit little-endian Arm ELF, for host, virtual board and scripts. ELF specification (TIS 1.2); Arm ELF (IHI 0044)
 *  for flags. */

export class BadElf extends Error {
  override name = "BadElf";
}

export interface Segment {
  /** Load address (physical address of the segment). */
  address: number;
  bytes: Buffer;
}

export interface Elf {
  segments: Segment[];
  /** Where a symbol stands; undefined when the file does not name it. */
  symbol(name: string): { address: number; size: number } | undefined;
  /** The program uses floating-point registers in calls, so it must switch the FPU on. */
  hardFloat: boolean;
}

/** What stands for a firmware of which only the bytes in flash are known. */
export const NO_ELF: Elf = { segments: [], symbol: () => undefined, hardFloat: false };

const HEADER = 52;
const PROGRAM_HEADER = 32;
const MACHINE_ARM = 40;
const SECTION_HEADER = 40;
const SYMBOL = 16;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const FLAG_HARD_FLOAT = 0x400;

/** @throws BadElf, which says what was expected. */
export function readElf(file: Uint8Array, name = "the ELF"): Elf {
  const data = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (data.length < HEADER || data.readUInt32BE(0) !== 0x7f454c46) {
    throw new BadElf(`${name} is not an ELF file: build the firmware first (npm run build)`);
  }
  if (data[4] !== 1 || data[5] !== 1 || data.readUInt16LE(18) !== MACHINE_ARM) {
    throw new BadElf(`${name} is not a 32-bit little-endian Arm ELF`);
  }
  const at = data.readUInt32LE(28);
  const size = data.readUInt16LE(42);
  const count = data.readUInt16LE(44);
  if (size !== PROGRAM_HEADER || at + count * size > data.length) throw new BadElf(`${name} is cut short`);
  const segments: Segment[] = [];
  for (let i = 0; i < count; i++) {
    const header = at + i * size;
    const offset = data.readUInt32LE(header + 4);
    const length = data.readUInt32LE(header + 16);
    if (data.readUInt32LE(header) !== PT_LOAD || length === 0) continue;
    if (offset + length > data.length) throw new BadElf(`${name} is cut short`);
    segments.push({ address: data.readUInt32LE(header + 12), bytes: data.subarray(offset, offset + length) });
  }
  if (segments.length === 0) throw new BadElf(`${name} has nothing to load`);
  const hardFloat = (data.readUInt32LE(36) & FLAG_HARD_FLOAT) !== 0;
  return { segments, hardFloat, symbol: (wanted) => findSymbol(data, wanted) };
}

function findSymbol(data: Buffer, wanted: string): { address: number; size: number } | undefined {
  const at = data.readUInt32LE(32);
  const count = data.readUInt16LE(48);
  if (at === 0 || at + count * SECTION_HEADER > data.length) return undefined;
  const section = (i: number) => ({
    type: data.readUInt32LE(at + i * SECTION_HEADER + 4),
    offset: data.readUInt32LE(at + i * SECTION_HEADER + 16),
    size: data.readUInt32LE(at + i * SECTION_HEADER + 20),
    link: data.readUInt32LE(at + i * SECTION_HEADER + 24),
  });
  for (let i = 0; i < count; i++) {
    const table = section(i);
    if (table.type !== SHT_SYMTAB || table.link >= count || table.offset + table.size > data.length) continue;
    const names = section(table.link).offset;
    for (let symbol = table.offset; symbol + SYMBOL <= table.offset + table.size; symbol += SYMBOL) {
      const name = names + data.readUInt32LE(symbol);
      const end = data.indexOf(0, name);
      if (data.toString("latin1", name, end) !== wanted) continue;
      return { address: data.readUInt32LE(symbol + 4), size: data.readUInt32LE(symbol + 8) };
    }
  }
  return undefined;
}
