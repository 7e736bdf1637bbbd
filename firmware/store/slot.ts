/** Writing and copying slots: sealed body first, header last, every unit read back. Never writes a slot that is not free.
 *  SPEC.md §4. Relies on journal.ts having made the intent durable. */

import * as board from "../board";
import { equal, wipe } from "../crypto/bytes";
import { expectPublic } from "../crypto/declassify";
import { Region } from "../defs/boundary";
import { UNIT } from "../defs/medium";
import { HEADER_SIZE } from "../defs/slot";
import { Status } from "../defs/status";
import { HEADER, PAGE, PLACE } from "../memory";
import * as geometry from "./geometry";
import * as header from "./header";

/** Programs one unit and reads it back. Ok | MediumFailed. */
function programUnit(offset: i32, from: usize): Status {
  if (board.program(Region.Slots, offset, from, UNIT) != Status.Ok) return Status.MediumFailed;
  if (board.read(Region.Slots, offset, PLACE, UNIT) != Status.Ok) return Status.MediumFailed;
  return equal(PLACE, from, UNIT) ? Status.Ok : Status.MediumFailed;
}

/** Bytes [from, from + UNIT) of label ‖ body into PAGE; 0xFF behind the end. */
function fillPage(from: i32, label: usize, labelLength: i32, body: usize, bodyLength: i32): void {
  memory.fill(PAGE, 0xff, UNIT);
  let at = 0;
  if (from < labelLength) {
    at = min(labelLength - from, UNIT);
    memory.copy(PAGE, label + from, at);
  }
  const bodyFrom = from + at - labelLength;
  const rest = min(bodyLength - bodyFrom, UNIT - at);
  if (rest > 0) memory.copy(PAGE + at, expectPublic(body + bodyFrom), rest);
}

/** Writes label and sealed body, then the header at `head`. Ok | MediumFailed (the slot is dirty now). */
@durable("slots")
export function write(slot: i32, head: usize, label: usize, body: usize): Status {
  const offset = geometry.offsetOfSlot(slot);
  const used = header.unitsUsed(head);
  for (let unit = 0; unit < used; unit++) {
    fillPage(unit * UNIT, label, header.labelLength(head), body, header.bodyLength(head));
    if (programUnit(offset + HEADER_SIZE + unit * UNIT, PAGE) != Status.Ok) return Status.MediumFailed;
  }
  return programUnit(offset, head);
}

/** Copies a live slot verbatim: a seal is bound to handle and sequence, never to a place. Ok | MediumFailed | Unreadable. */
@durable("slots")
export function copy(from: i32, to: i32): Status {
  const source = geometry.offsetOfSlot(from);
  const target = geometry.offsetOfSlot(to);
  // a header that does not verify cannot tell how much it covers: then everything is copied
  const used =
    header.read(from) == Status.Ok ? header.unitsUsed(HEADER) : geometry.units(geometry.classOfSlot(from)) - 1;
  for (let unit = used; unit >= 0; unit--) {
    if (board.read(Region.Slots, source + unit * UNIT, PAGE, UNIT) != Status.Ok) return Status.Unreadable;
    if (programUnit(target + unit * UNIT, PAGE) != Status.Ok) return Status.MediumFailed;
  }
  return Status.Ok;
}

/** Reads the sealed body of the record whose header stands in HEADER. Ok | Unreadable (nothing left behind). */
export function readBody(slot: i32, out: usize): Status {
  const offset = geometry.offsetOfSlot(slot) + HEADER_SIZE + header.labelLength(HEADER);
  const status = board.read(Region.Slots, offset, out, header.bodyLength(HEADER));
  if (status != Status.Ok) wipe(out, header.bodyLength(HEADER));
  return <Status>status;
}
