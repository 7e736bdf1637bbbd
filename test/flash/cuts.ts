/** An update of the firmware that power cuts, and the same command again: the store is as it was. */
import assert from "node:assert/strict";
import { type CutPlan, tears } from "../../board/virtual/supply.js";
import type { FlashDesk } from "./desk.js";

export type How = Omit<CutPlan, "operation">;

/** The ways in which a flash operation can be cut. */
export const HOWS: readonly [string, How][] = [
  ["before it began", { tear: "before" }],
  ["after it ended", { tear: "after" }],
  ["half done", { tear: tears.half }],
  ["half done, and its cells read differently each time", { tear: tears.half, marginal: true }],
  ["all but done, and its cells read differently each time", { tear: tears.allButFirst, marginal: true }],
  ["half done, and its cells cannot be read", { tear: tears.half, unreadable: true }],
];

/** Updates with a cut at one of its flash operations, counted from 0, and once more. @returns false when the update has fewer */
export async function cutUpdate(desk: FlashDesk, file: string, operation: number, how: How): Promise<boolean> {
  const { board } = desk;
  await desk.runs();
  const before = desk.store();
  board.cutPower({ operation, ...how });
  const first = await desk.flash(["write", file]);
  if (board.powered) {
    assert.deepEqual([first.exitCode, first.err], [0, ""]);
    board.cutPower({ operation: Number.MAX_SAFE_INTEGER, tear: "before" });
    return false;
  }
  assert.equal(first.exitCode, 3, first.err);
  assert.match(first.err, /Run the same command again/);
  board.powerOn();
  const again = await desk.flash(["write", file]);
  assert.deepEqual([again.exitCode, again.err], [0, ""], `after a cut at operation ${operation}`);
  await desk.runs();
  assert.ok(desk.store().equals(before), `the store changed with a cut at operation ${operation}`);
  return true;
}
