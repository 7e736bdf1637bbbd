/** The setup code of a board stands in the first block of its firmware, which an update erases: it goes into the new firmware, unless
 *  that brings one of its own. Until the update is whole a file of this user keeps it, so that an update that was cut loses nothing. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeWhole } from "../atomic.js";
import type { FlashBoard } from "./board.js";
import { SETUP_AT, SETUP_SIZE } from "./descriptor.js";
import { bytesAt, type FlashFile } from "./file.js";
import type { Segment } from "./hex.js";
import type { Holding } from "./plan.js";

export interface Kept {
  /** The file, with the setup code of the board when it has none of its own. */
  file: FlashFile;
  /** "file": it brings one. "board": that of the board is kept. "none": there is none. */
  from: "file" | "board" | "none";
  /** Call it before flash changes. */
  remember(): Promise<void>;
  /** Call it when the board is whole again. */
  forget(): Promise<void>;
}

const isNone = (code: Buffer): boolean => code.every((byte) => byte === 0);

/** @param directory the configuration directory */
export async function keepSetupCode(
  file: FlashFile,
  board: FlashBoard,
  { firmware, uniqueId }: Holding,
  directory: string,
): Promise<Kept> {
  const path = join(directory, "flashing", `${uniqueId}.setup`);
  const nothing = async (): Promise<void> => {};
  const forget = (): Promise<void> => rm(path, { force: true });
  if (!isNone(setupCodeOf(file.segments))) return { file, from: "file", remember: nothing, forget };
  const code = firmware === undefined ? await remembered(path) : await board.readFlash(SETUP_AT, SETUP_SIZE, () => {});
  if (code === undefined || isNone(code)) return { file, from: "none", remember: nothing, forget };
  const remember = async (): Promise<void> => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeWhole(path, code.toString("hex"));
  };
  return { file: withSetupCode(file, code), from: "board", remember, forget };
}

/** The file with this setup code in its firmware. @param code SETUP_SIZE bytes */
export function withSetupCode(file: FlashFile, code: Uint8Array): FlashFile {
  const segments = file.segments.map(({ address, bytes }) => ({ address, bytes: Buffer.from(bytes) }));
  const place = segments.find((one) => one.address <= SETUP_AT && SETUP_AT < one.address + one.bytes.length)!; // file.ts saw to it
  place.bytes.set(code, SETUP_AT - place.address);
  return { ...file, segments };
}

/** Segments without the setup code when it is none, for comparing with a board that may have one. */
export function withoutSetupCode(segments: readonly Segment[]): Segment[] {
  if (!isNone(setupCodeOf(segments))) return [...segments];
  return segments.flatMap(({ address, bytes }) =>
    [
      { address, bytes: bytes.subarray(0, Math.max(0, SETUP_AT - address)) },
      {
        address: Math.max(address, SETUP_AT + SETUP_SIZE),
        bytes: bytes.subarray(Math.max(0, SETUP_AT + SETUP_SIZE - address)),
      },
    ].filter((part) => part.bytes.length > 0),
  );
}

function setupCodeOf(segments: readonly Segment[]): Buffer {
  return bytesAt(segments, SETUP_AT, SETUP_SIZE) ?? Buffer.alloc(SETUP_SIZE);
}

async function remembered(path: string): Promise<Buffer | undefined> {
  const text = await readFile(path, "latin1").catch(() => "");
  return /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, "hex") : undefined;
}
