/** Types of what check-elf.mjs exports; it is plain JavaScript because the build runs before TypeScript is compiled. */
export interface Section {
  name: string;
  type: number;
  flags: number;
  address: number;
  offset: number;
  size: number;
  inFile: boolean;
}
export interface Segment {
  physical: number;
  fileSize: number;
}
export interface Elf {
  sections: Section[];
  segments: Segment[];
  symbols: Map<string, number>;
}
export const FLASH: { start: number; end: number };
export const RAM: { start: number; end: number };
export const CALLING_HANDLERS: string[];
export function readElf(bytes: Uint8Array): Elf;
export function outsideMemory(elf: {
  sections: Pick<Section, "name" | "address" | "size">[];
  segments: Segment[];
}): string[];
export function missingTailCalls(disassembly: string): string[];
export function ramReachesFlash(disassembly: string, symbols: Map<string, number>): string[];
