/** Puts an ELF into code flash, as a programmer would: only where firmware stands, and with a setup code if there is one. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { BadElf, type Elf, readElf } from "../elf.js";
import { hex } from "./faults.js";
import { IMAGE_BASE } from "./memory.js";
import type { Nor } from "./nor.js";

/** Where the firmware keeps its setup code (board/ek-ra6m5/facts.c). */
const SETUP_CODE = "setup_code";

/** @param source path or bytes of the ELF
 *  @param setupCode goes where the firmware keeps it
 *  @returns the ELF, and the SHA-256 of the bytes that it puts into flash, without the setup code @throws BadElf, which says what
 *  to do */
export function loadFirmware(
  source: string | Uint8Array,
  code: Nor,
  setupCode?: Uint8Array,
): { elf: Elf; hash: Buffer } {
  const name = typeof source === "string" ? source : "the ELF";
  const elf = readElf(typeof source === "string" ? readFile(source) : source, name);
  const image = Buffer.alloc(IMAGE_BASE, 0xff);
  let end = 0;
  for (const { address, bytes } of elf.segments) {
    if (address + bytes.length > IMAGE_BASE) {
      const where = `${bytes.length} bytes at ${hex(address)}`;
      throw new BadElf(`${name} loads ${where}; only code flash below ${hex(IMAGE_BASE)} is for firmware`);
    }
    bytes.copy(image, address);
    end = Math.max(end, address + bytes.length);
  }
  const used = image.subarray(0, Math.ceil(end / code.unit) * code.unit);
  const hash = createHash("sha256").update(used).digest();
  if (setupCode !== undefined) {
    const place = elf.symbol(SETUP_CODE);
    if (place?.size !== setupCode.length || place.address + place.size > end) {
      throw new BadElf(`${name} has no place for a setup code of ${setupCode.length} bytes: build the firmware again`);
    }
    used.set(setupCode, place.address);
  }
  code.preload(0, used);
  return { elf, hash };
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const help = "build it first (npm run build), or name another with --elf";
    throw new BadElf(`cannot read the firmware ${path}: ${help} (${reason})`);
  }
}
