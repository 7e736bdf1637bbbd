/** Doing what a plan says, and looking afterwards whether it is so. */

import type { FlashBoard } from "./board.js";
import { Debugger } from "./debugger.js";
import { DESCRIPTOR_AT, DESCRIPTOR_SIZE, readDescriptor } from "./descriptor.js";
import { FlashError } from "./errors.js";
import { hex, type Segment } from "./hex.js";
import { Loader } from "./loader.js";
import { CUSTODY_PLACES, CUSTODY_PUBLIC } from "./map.js";
import type { Programmer } from "./operation.js";
import type { Holding, Plan } from "./plan.js";

/** Bytes of flash that are done. */
export type Advanced = (bytes: number) => void;

/** What the board holds, without its root key. */
export async function look(board: FlashBoard): Promise<Holding> {
  const descriptor = await board.readFlash(DESCRIPTOR_AT, DESCRIPTOR_SIZE, () => {});
  const custody: (Buffer | undefined)[] = [];
  for (const place of CUSTODY_PLACES) {
    let torn = false;
    const bytes = await board.readFlash(place, CUSTODY_PUBLIC, () => {
      torn = true;
    });
    custody.push(torn ? undefined : bytes);
  }
  await board.alive(); // or it was the zeros of a probe that went away
  return { uniqueId: board.identity.uniqueId, firmware: readDescriptor(descriptor), custody };
}

/** @param loader false: the debugger writes everything itself @returns who did it */
export async function perform(board: FlashBoard, plan: Plan, loader: boolean, advanced: Advanced): Promise<string> {
  const programmer: Programmer = (loader ? await Loader.start(board) : undefined) ?? new Debugger(board);
  const { operations } = plan;
  const sums: number[] = [0];
  for (const one of operations) sums.push(sums.at(-1)! + (one.kind === "program" ? one.bytes.length : 0));
  await programmer.perform(operations, (done) => advanced(sums[done]!));
  await board.resetHalted(); // ends the loader, and reads flash with the caches that a reset leaves off
  return programmer.name;
}

/** Reads everything back that a file gives. @throws FlashError with the first byte that differs */
export async function verify(board: FlashBoard, segments: readonly Segment[], advanced: Advanced): Promise<void> {
  let before = 0;
  await board.alive();
  for (const { address, bytes } of segments) {
    const unreadable: number[] = [];
    const found = await board.readFlash(
      address,
      bytes.length,
      (where) => unreadable.push(where.address),
      (done) => advanced(before + done),
    );
    await board.alive();
    const at = found.findIndex((byte, i) => byte !== bytes[i]);
    if (unreadable.length > 0)
      throw new FlashError(
        `The flash at ${hex(unreadable[0]!)} cannot be read.`,
        "Flash the file: mbs flash write FILE",
      );
    if (at >= 0)
      throw new FlashError(
        `The board differs from the file at ${hex(address + at)}: it holds ${two(found[at]!)}, the file ${two(bytes[at]!)}.`,
        "Flash the file: mbs flash write FILE",
      );
    before += bytes.length;
  }
}

const two = (byte: number): string => `0x${byte.toString(16).toUpperCase().padStart(2, "0")}`;
