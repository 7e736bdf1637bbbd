/** The flash of a board in files, for forensics and moves. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { FileError } from "../client/errors.js";
import { refuseExisting, writeOutput } from "../files.js";
import type { FlashBoard, Unreadable } from "./board.js";
import { DATA, FIRMWARE, IMAGE, type Range, SLOTS } from "./map.js";
import type { Advanced } from "./write.js";

export interface Part {
  file: string;
  range: Range;
  /** For people. */
  what: string;
}

export const PARTS: readonly Part[] = [
  { file: "firmware.bin", range: FIRMWARE, what: "program, with the setup code of the board" },
  { file: "image.bin", range: IMAGE, what: "where a sealed image waits" },
  { file: "slots.bin", range: SLOTS, what: "the sealed records" },
  { file: "data.bin", range: DATA, what: "THE ROOT KEY of the store, operators and journal" },
];
export const TOTAL = PARTS.reduce((sum, { range }) => sum + range.end - range.start, 0);

export interface ReadPart extends Part {
  path: string;
  bytes: number;
  unreadable: Unreadable[];
}

/** Makes the folder if need be, for this user alone. @throws FileError when a file is there and `force` is not said */
export async function checkFolder(folder: string, force: boolean): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause: Error) => {
    throw new FileError(`Cannot make the folder ${folder}: ${cause.message}.`, "", { cause });
  });
  if (!force) for (const { file } of PARTS) await refuseExisting(join(folder, file));
}

/** Reads all of the flash, and writes files that only this user may read once everything is there. */
export async function readParts(
  board: FlashBoard,
  folder: string,
  force: boolean,
  advanced: Advanced,
): Promise<ReadPart[]> {
  const parts: (ReadPart & { content: Buffer })[] = [];
  let before = 0;
  for (const part of PARTS) {
    const { start, end } = part.range;
    const unreadable: Unreadable[] = [];
    const content = await board.readFlash(
      start,
      end - start,
      (where) => unreadable.push(where),
      (done) => advanced(before + done),
    );
    before += content.length;
    parts.push({ ...part, path: join(folder, part.file), bytes: content.length, unreadable, content });
  }
  await board.alive(); // or it was the zeros of a probe that went away
  for (const { path, content } of parts) {
    await writeOutput(path, content, force);
    content.fill(0);
  }
  return parts.map(({ content: _, ...part }) => part);
}
