/** What damage meets: the areas of both media of a scene, and what each of them may make of it. The table of DESIGN.md, in code. */
import { CUSTODY_COPIES, CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { BODY_OFF_SETTLED, INTENT_SIZE, JOURNAL_PLACE, JOURNAL_PLACES } from "../../firmware/defs/journal.js";
import {
  CLAIMS_OFFSET,
  JOURNAL_OFFSET,
  OPERATORS_OFFSET,
  REFUSALS_OFFSET,
  SLOT_BLOCK,
} from "../../firmware/defs/medium.js";
import { OPERATOR_PLACE, OPERATOR_PLACES, REFUSAL_PLACE, REFUSAL_PLACES } from "../../firmware/defs/operator.js";
import { HEADER_SIZE } from "../../firmware/defs/slot.js";
import type { Device } from "../device/device.js";
import { newestPlace } from "../store/damage.js";
import { CLASSES, hex, type Scene, type Slot } from "./scene.js";

/** What a store makes of damage. Everything else is a violation. */
export type Outcome =
  /** Ready, every answer as before, nothing written. */
  | "same"
  /** As before, and mount wrote the state once more, into another journal place. */
  | "rewritten"
  /** As before; info tells one copy of custody. */
  | "one copy"
  /** The record answers Corrupt and is listed, perhaps without its label; all else as before. */
  | "corrupt"
  /** The same with the status Unreadable: a read of it is answered with a bus fault. */
  | "unreadable"
  /** Degraded; the record is missing from the list, all others are in it, and work after accept. */
  | "degraded"
  /** Degraded, with the records as they were before the last change. */
  | "degraded, one change back"
  /** Degraded, with everything as it is. */
  | "degraded, nothing lost"
  /** Ready, as it was before the last change: nobody is told. */
  | "one change back"
  /** One operator's key is gone, and the list of operators counts it as corrupt; all else as before. */
  | "operator out"
  /** As before but for the count of refused handshakes. */
  | "counts"
  /** As before; a handle that is told as residue, and whose ciphertext still stands, is told no more. */
  | "residue";

/** Rows of the table. */
export const ALLOWED = {
  "header of a record": ["degraded"],
  "label of a record": ["corrupt", "unreadable"],
  "sealed body of a record": ["corrupt", "unreadable"],
  "rest of a record's last unit": ["same"],
  "erased units behind a record": ["same"],
  "header of an evicted record": ["residue"],
  "header of an old version": ["same"],
  "what stands behind the header of a dead slot": ["same"],
  "a free slot": ["same"],
  "a custody copy": ["one copy"],
  "newest journal record: intent": ["rewritten"],
  "newest journal record: body": ["rewritten"],
  "newest journal record: settled word": ["rewritten"],
  "the journal record before it": ["same"],
  "an old journal record": ["same"],
  "the journal place that is written next": ["same"],
  "place of an operator": ["operator out"],
  "operator place that counts no more": ["same"],
  "newest refusal place": ["counts"],
  "older refusal place": ["same"],
  "areas not in use": ["same"],
} as const satisfies Record<string, readonly Outcome[]>;

export type Row = keyof typeof ALLOWED;

/** Limits: what may also come of damage to more than one bit, which cannot be put right. A sequence that is all wrong does not tell a
 *  damaged newest record from a damaged old one. "same": a unit of zeros that cannot be read is taken for zeros, and then the record
 *  verifies. */
export const BEYOND_A_BIT: Partial<Record<Row, readonly Outcome[]>> = {
  "newest journal record: intent": ["degraded, one change back", "one change back", "same"],
  "newest journal record: body": ["degraded, one change back", "same"],
  "the journal place that is written next": ["degraded, nothing lost"],
  "an old journal record": ["degraded, nothing lost"],
};

/** Limits: what comes of the loss of a whole area. Of a newest record whose body, MAC included, is gone nothing is left that a change
 *  cut short would not leave as well. */
export const LOST: Partial<Record<Row, readonly Outcome[]>> = {
  "newest journal record: body": ["one change back"],
};

export interface Area {
  readonly row: Row;
  readonly name: string;
  readonly medium: "slots" | "data";
  /** Offset in the slot region, or in the data flash. */
  readonly offset: number;
  readonly length: number;
  /** The record that it belongs to. */
  readonly slot?: Slot;
  /** The operator place that it is. */
  readonly place?: number;
}

export function areas(scene: Scene, device: Device): Area[] {
  return [
    ...ofSlots(scene),
    ...ofCustody(),
    ...ofOperators(scene),
    ...ofJournal(device),
    ...ofRefusals(device),
    unused(),
  ];
}

function ofSlots(scene: Scene): Area[] {
  const found: Area[] = [];
  for (const slot of scene.slots) {
    const { name, at, size, live, labelLength, bodyLength } = slot;
    let offset = at;
    const add = (row: Row, to: number): void => {
      if (to > offset) found.push({ row, name, medium: "slots", offset, length: to - offset, slot });
      offset = to;
    };
    if (!live) {
      const lives = scene.slots.some((other) => other.live && hex(other.handle) === hex(slot.handle));
      add(lives ? "header of an old version" : "header of an evicted record", at + HEADER_SIZE);
      add("what stands behind the header of a dead slot", at + size);
      continue;
    }
    const end = at + HEADER_SIZE + labelLength + bodyLength;
    add("header of a record", at + HEADER_SIZE);
    add("label of a record", at + HEADER_SIZE + labelLength);
    add("sealed body of a record", end);
    add("rest of a record's last unit", Math.ceil(end / 128) * 128);
    add("erased units behind a record", at + size);
  }
  // the slot behind the last one of each class, and one in a block without records
  const last = (from: number, to: number): number =>
    Math.max(...scene.slots.filter(({ at }) => at >= from && at < to).map(({ at, size }) => at + size));
  const spare = 3 * SLOT_BLOCK;
  const [small, large] = CLASSES.map(({ units }) => units * 128) as [number, number];
  const free = (offset: number, length: number): Area => {
    return { row: "a free slot", name: `slot at ${offset}`, medium: "slots", offset, length };
  };
  return [...found, free(last(0, SLOT_BLOCK), small), free(last(2 * SLOT_BLOCK, spare), large), free(spare, large)];
}

function ofCustody(): Area[] {
  return Array.from({ length: CUSTODY_COPIES }, (_, copy) => ({
    row: "a custody copy",
    name: `copy ${copy + 1}`,
    medium: "data",
    offset: copy * CUSTODY_PLACE,
    length: CUSTODY_PLACE,
  }));
}

function ofOperators(scene: Scene): Area[] {
  return Array.from({ length: OPERATOR_PLACES }, (_, place) => {
    const used = scene.operators.some((operator) => operator.place === place);
    return {
      row: used ? "place of an operator" : "operator place that counts no more",
      name: `place ${place}`,
      medium: "data",
      offset: OPERATORS_OFFSET + place * OPERATOR_PLACE,
      length: OPERATOR_PLACE,
      place: used ? place : undefined,
    } as Area;
  });
}

function ofJournal(device: Device): Area[] {
  const newest = newestPlace(device);
  const found: Area[] = [];
  for (let place = 0; place < JOURNAL_PLACES; place++) {
    const offset = JOURNAL_OFFSET + place * JOURNAL_PLACE;
    const add = (row: Row, from: number, to: number): void => {
      found.push({ row, name: `place ${place}`, medium: "data", offset: offset + from, length: to - from });
    };
    const age = (newest - place + JOURNAL_PLACES) % JOURNAL_PLACES;
    if (age === 0) {
      add("newest journal record: intent", 0, INTENT_SIZE);
      add("newest journal record: body", INTENT_SIZE, BODY_OFF_SETTLED);
      add("newest journal record: settled word", BODY_OFF_SETTLED, JOURNAL_PLACE);
    } else if (age === 1) add("the journal record before it", 0, JOURNAL_PLACE);
    else if (age === JOURNAL_PLACES - 1) add("the journal place that is written next", 0, JOURNAL_PLACE);
    else add("an old journal record", 0, JOURNAL_PLACE);
  }
  return found;
}

function ofRefusals(device: Device): Area[] {
  const offset = (place: number) => REFUSALS_OFFSET + place * REFUSAL_PLACE;
  const sequences = Array.from({ length: REFUSAL_PLACES }, (_, place) => device.data.bytes.readUInt32LE(offset(place)));
  const newest = sequences.indexOf(Math.max(...sequences));
  return sequences.map((_, place) => ({
    row: place === newest ? "newest refusal place" : "older refusal place",
    name: `place ${place}`,
    medium: "data",
    offset: offset(place),
    length: REFUSAL_PLACE,
  }));
}

/** Claims, the entropy seed and the ledger: nothing is written there yet. */
function unused(): Area {
  const area = { row: "areas not in use", name: "claims", medium: "data" } as const;
  return { ...area, offset: CLAIMS_OFFSET, length: REFUSALS_OFFSET - CLAIMS_OFFSET };
}
