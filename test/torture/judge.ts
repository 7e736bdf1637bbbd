/** What a store shows, seen from outside its code: the newest journal record in its memory, the bytes of its slots and operators, and the
 *  truth about each cell that only the medium knows. And what must hold after any cut. SPEC.md §4, §5; firmware/DESIGN.md §3. */
import { UnitState } from "../../board/virtual/nor.js";
import {
  BODY_OFF_ACCEPTED,
  BODY_OFF_DIRTY,
  BODY_OFF_EPOCH,
  BODY_OFF_FLAGS,
  BODY_OFF_LIVE,
  BODY_OFF_OPERATORS,
  BODY_OFF_PENDING,
  JOURNAL_PLACE,
} from "../../firmware/defs/journal.js";
import { OPERATORS_OFFSET, SLOT_BLOCK, UNIT } from "../../firmware/defs/medium.js";
import { OPERATOR_PLACE, OPERATOR_PLACES } from "../../firmware/defs/operator.js";
import { CLASSES_MAX, HANDLE_SIZE, Origin, Usage } from "../../firmware/defs/record.js";
import {
  HEADER_MAGIC,
  HEADER_OFF_HANDLE,
  HEADER_OFF_LABEL_LENGTH,
  HEADER_OFF_LENGTH,
  HEADER_OFF_ORIGIN,
  HEADER_OFF_USAGE,
  HEADER_SIZE,
} from "../../firmware/defs/slot.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import type { Device } from "../device/device.js";
import { region } from "../device/map.js";
import type { Talk } from "../device/talk.js";

export interface View {
  state: State;
  instance: string;
  /** Flags, times accepted, operators: what counts as a whole. */
  body: string;
  /** Every live record: its bytes on the medium, and the slot that holds it. */
  records: Map<string, number>;
  /** Of every filekey, by handle: which position was handed out last, "lost" when that is not known. */
  pointers: Map<string, string>;
  /** A change may raise these before it takes effect. */
  epoch: number;
  refusals: number;
}

const MOUNTED = [State.Ready, State.Provisioning, State.Degraded, State.ReadOnly];
export const isMounted = ({ state }: View): boolean => MOUNTED.includes(state);
const bit = (map: Buffer, n: number): boolean => ((map[n >> 3]! >> (n & 7)) & 1) !== 0;

interface Slot {
  number: number;
  block: number;
  offset: number;
  units: number;
}

/** All slots of the mounted store. SPEC.md §3. */
function* slotsOf(device: Device): Generator<Slot> {
  const entry = region("CLASS_ENTRY");
  const table = Buffer.from(device.peek(region("CLASSES"), CLASSES_MAX * entry));
  let number = 0;
  for (let c = 0; c < CLASSES_MAX; c++) {
    const [units = 0, blocks = 0, first = 0, , each = 0] = [0, 4, 8, 12, 16].map((at) =>
      table.readInt32LE(c * entry + at),
    );
    if (units === 0) return;
    for (let block = first; block < first + blocks; block++)
      for (let i = 0; i < each; i++)
        yield { number: number++, block, offset: device.slotsOffset + block * SLOT_BLOCK + i * units * UNIT, units };
  }
}

/** Units that a record's header and content take; the whole slot when the header says nonsense. */
function used(bytes: Buffer, { offset, units }: Slot): number {
  if (bytes.readUInt16LE(offset) !== HEADER_MAGIC) return units;
  const length = bytes[offset + HEADER_OFF_LABEL_LENGTH]! + bytes.readUInt16LE(offset + HEADER_OFF_LENGTH);
  return Math.min(units, 1 + Math.ceil(length / UNIT));
}

/** Looks at a store that has just mounted. @throws when what counts stands on cells that are not certain */
export function view(device: Device, talk: Talk): View {
  const hello = talk.ask(Command.Hello);
  const seen: View = {
    state: hello.get(Key.State) as State,
    instance: Buffer.from(hello.get(Key.Instance) as Uint8Array).toString("hex"),
    body: "",
    records: new Map(),
    pointers: new Map(),
    epoch: 0,
    refusals: hello.get(Key.Refusals) as number,
  };
  if (!isMounted(seen)) return seen;
  const current = Buffer.from(device.peek(region("CURRENT"), JOURNAL_PLACE));
  const { slots, data } = device;
  seen.epoch = current.readUInt32LE(BODY_OFF_EPOCH);
  const live = current.subarray(BODY_OFF_LIVE);
  const dirty = current.subarray(BODY_OFF_DIRTY);
  const liveBlocks = new Set<number>();
  const blocks = new Map<number, number>(); // block → units of its slots, which tells its class
  for (const slot of slotsOf(device)) {
    blocks.set(slot.block, slot.units);
    if (bit(live, slot.number)) {
      liveBlocks.add(slot.block);
      const length = used(slots.bytes, slot) * UNIT;
      for (let at = 0; at < length; at += UNIT)
        if (slots.stateAt(slot.offset + at) !== UnitState.Programmed)
          throw new Error(`slot ${slot.number} is live, and unit ${at / UNIT} of it was not programmed whole`);
      seen.records.set(slots.bytes.toString("latin1", slot.offset, slot.offset + length), slot.number);
    } else if (!bit(dirty, slot.number) && !slots.certainlyErased(slot.offset, slot.units * UNIT)) {
      throw new Error(`slot ${slot.number} counts as free and is not certainly erased`);
    }
  }
  for (const units of new Set(blocks.values()))
    if (![...blocks].some(([block, its]) => its === units && !liveBlocks.has(block)))
      throw new Error("a class has no block without live slots left");
  if (seen.state !== State.Degraded) seen.pointers = pointersOf(talk, seen);
  const operators: string[] = [];
  for (let place = 0; place < OPERATOR_PLACES; place++) {
    if (!bit(current.subarray(BODY_OFF_OPERATORS), place)) continue;
    const at = OPERATORS_OFFSET + place * OPERATOR_PLACE;
    if (data.stateAt(at) !== UnitState.Programmed) throw new Error(`operator place ${place} counts and is torn`);
    const pending = bit(current.subarray(BODY_OFF_PENDING), place) ? "pending" : "used";
    operators.push(`${pending} ${data.bytes.toString("hex", at, at + OPERATOR_PLACE)}`);
  }
  seen.body = `${current[BODY_OFF_FLAGS]} ${current[BODY_OFF_ACCEPTED]} ${operators.sort().join(" ")}`;
  return seen;
}

function pointersOf(talk: Talk, { records }: View): View["pointers"] {
  const found: View["pointers"] = new Map();
  for (const bytes of records.keys()) {
    const header = Buffer.from(bytes.slice(0, HEADER_SIZE), "latin1");
    if (header[HEADER_OFF_USAGE] !== Usage.Filekey || header[HEADER_OFF_ORIGIN] !== Origin.Generated) continue;
    const handle = header.subarray(HEADER_OFF_HANDLE, HEADER_OFF_HANDLE + HANDLE_SIZE);
    const pointer = talk.ask(Command.FilekeyDeltas, [[Key.Handle, handle]]).get(Key.Pointer) as Uint8Array | undefined;
    found.set(handle.toString("hex"), pointer === undefined ? LOST : Buffer.from(pointer).toString("hex"));
  }
  return found;
}
const LOST = "lost";

/** Whether every filekey has the pointer of before or of after; one that is made or deleted may have none. A pointer that was cut may read
 *  otherwise at the next boot, until positions are handed out again. */
function pointersFit(seen: View, before: View, after: View): boolean {
  return [...seen.pointers].every(([handle, pointer]) => {
    const [old, next] = [before.pointers.get(handle), after.pointers.get(handle)];
    return pointer === old || pointer === next || (pointer === LOST && (old === undefined || next === undefined));
  });
}

const isMoved = (seen: View, before: View): boolean =>
  [...seen.pointers].some(([handle, pointer]) => pointer !== before.pointers.get(handle));

const sameRecords = (a: View, b: View): boolean =>
  a.records.size === b.records.size && [...a.records.keys()].every((bytes) => b.records.has(bytes));

function isSame(a: View, b: View): boolean {
  return a.state === b.state && a.instance === b.instance && a.body === b.body && sameRecords(a, b);
}

/** Which of two views this one is. @throws when it is neither */
export function sideOf(seen: View, before: View, after: View): "before" | "after" {
  let side: "before" | "after" | undefined;
  if (isSame(seen, before)) side = isSame(seen, after) && isMoved(seen, before) ? "after" : "before";
  else if (isSame(seen, after)) side = "after";
  if (!pointersFit(seen, before, after)) side = undefined;
  if (side === undefined)
    throw new Error(`neither before nor after: ${tell(seen)}\n-- before ${tell(before)}\n-- after ${tell(after)}`);
  for (const key of ["epoch", "refusals"] as const)
    if (isMounted(seen) && seen[key] !== before[key] && seen[key] !== after[key])
      throw new Error(`${key} ${seen[key]}, which was ${before[key]} before and ${after[key]} after`);
  return side;
}

/** @throws when a later boot shows anything else, but for the count of a refusal that was cut: counts are not settled */
export function mustBeSame(seen: View, again: View): void {
  if (!isSame(seen, again) || seen.epoch !== again.epoch)
    throw new Error(`the next boot shows something else: ${tell(again)}\n-- first ${tell(seen)}`);
}

/** Opens every record that does not stand where `before` had it, byte for byte. @throws when a seal does not open */
export function openMoved(talk: Talk, seen: View, before: View): void {
  if (seen.state === State.Degraded) return;
  for (const [bytes, slot] of seen.records) {
    if (before.records.get(bytes) === slot) continue;
    const handle = Buffer.from(bytes.slice(HEADER_OFF_HANDLE, HEADER_OFF_HANDLE + HANDLE_SIZE), "latin1");
    talk.ask(Command.Show, [[Key.Handle, handle]]); // a refusal is thrown
  }
}

function tell({ state, instance, body, records, pointers, epoch, refusals }: View): string {
  const slots = [...records].map(([bytes, slot]) => {
    const header = Buffer.from(bytes.slice(0, HEADER_SIZE), "latin1");
    return `${header.toString("hex", HEADER_OFF_HANDLE, HEADER_OFF_HANDLE + 4)}… version ${header.readUInt32LE(4)} in slot ${slot}`;
  });
  const positions = [...pointers].map(([handle, pointer]) => `pointer of ${handle.slice(0, 8)}… ${pointer}`);
  return `${State[state]} ${instance}, body ${body}, epoch ${epoch}, refusals ${refusals}\n  ${[...slots, ...positions].join("\n  ")}`;
}
