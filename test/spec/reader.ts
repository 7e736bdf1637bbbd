/** A reader of the medium written from SPEC.md §2–§5 alone, over @noble: nothing of the core is used. It proves that the document says
 *  enough to read a device's flash, and that the core writes what the document says. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { blake3 } from "@noble/hashes/blake3.js";

const text = new TextEncoder();
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
const bit = (map: Uint8Array, n: number) => ((map[n >> 3]! >> (n & 7)) & 1) === 1;

/** derive_key of §3. */
export const derive = (context: string, root: Uint8Array) => blake3(root, { context: text.encode(context) });
const keyed = (key: Uint8Array, data: Uint8Array, length: number) => blake3(data, { key }).subarray(0, length);

export function keysOf(root: Uint8Array) {
  return {
    custody: derive("mbs 2026 custody mac", root),
    seal: derive("mbs 2026 seal", root),
    header: derive("mbs 2026 header mac", root),
    journal: derive("mbs 2026 journal", root),
    handle: derive("mbs 2026 handle", root),
    operator: derive("mbs 2026 operator", root),
    refusals: derive("mbs 2026 refusals", root),
    identity: derive("mbs 2026 identity", root),
  };
}
export type Keys = ReturnType<typeof keysOf>;

/** §3. @throws when the MAC does not hold */
export function readCustody(place: Uint8Array) {
  const root = place.subarray(24, 56);
  const keys = keysOf(root);
  if (!same(keyed(keys.custody, place.subarray(0, 112), 16), place.subarray(112, 128))) throw new Error("custody MAC");
  const view = new DataView(place.buffer, place.byteOffset, place.length);
  const classes = Array.from({ length: place[6]! }, (_, c) => ({
    units: view.getUint16(72 + 4 * c, true),
    blocks: place[74 + 4 * c]!,
  }));
  return { root, keys, instance: place.subarray(8, 24), manifest: place.subarray(56, 72), kind: place[5]!, classes };
}

/** §5: the valid record with the highest sequence. */
export function newestRecord(data: Uint8Array, keys: Keys) {
  const records = Array.from({ length: 16 }, (_, n) => data.subarray(1536 + 192 * n, 1536 + 192 * (n + 1)))
    .filter((place) => same(keyed(keys.journal, place.subarray(0, 172), 16), place.subarray(172, 188)))
    .filter((place) => same(keyed(keys.journal, place.subarray(0, 8), 8), place.subarray(8, 16)))
    .filter((place) => same(keyed(keys.journal, place.subarray(172, 188), 4), place.subarray(188, 192)));
  const sequence = (place: Uint8Array) => new DataView(place.buffer, place.byteOffset).getUint32(0, true);
  const newest = records.sort((a, b) => sequence(b) - sequence(a))[0];
  if (newest === undefined) throw new Error("no settled record");
  return {
    sequence: sequence(newest),
    live: newest.subarray(16, 48),
    operators: newest.subarray(144, 147),
    pending: newest.subarray(153, 156),
    digest: newest.subarray(156, 172),
    settled: records.length,
  };
}

/** §3: first block, first slot and slots per block of each class. */
function geometry(classes: { units: number; blocks: number }[]) {
  let block = 0;
  let slot = 0;
  return classes.map(({ units, blocks }) => {
    const perBlock = Math.floor(256 / units);
    const here = { units, blocks, block, slot, perBlock };
    block += blocks;
    slot += blocks * perBlock;
    return here;
  });
}

/** §4: one slot. @throws when MAC, label hash or seal does not hold */
export function openSlot(slot: Uint8Array, keys: Keys, instance: Uint8Array) {
  const view = new DataView(slot.buffer, slot.byteOffset, slot.length);
  if (view.getUint16(0, true) !== 0x424d || slot[2] !== 1) throw new Error("magic or version");
  if (!same(keyed(keys.header, slot.subarray(0, 112), 16), slot.subarray(112, 128))) throw new Error("header MAC");
  const label = slot.subarray(128, 128 + slot[3]!);
  if (!same(blake3(label).subarray(0, 16), slot.subarray(56, 72))) throw new Error("label hash");
  const nonce = new Uint8Array(24);
  new DataView(nonce.buffer).setBigUint64(0, BigInt(view.getUint32(4, true)), true);
  nonce.set(slot.subarray(24, 40), 8);
  const length = view.getUint16(72, true);
  const from = 128 + label.length;
  const sealed = Buffer.concat([slot.subarray(from, from + length), slot.subarray(96, 112)]);
  const body = xchacha20poly1305(keys.seal, nonce, slot.subarray(0, 96)).decrypt(sealed);
  const handle = slot.subarray(8, 24);
  if (!same(handle, handleOf(keys, view.getUint32(84, true), instance))) throw new Error("handle");
  return { handle, label: Buffer.from(label).toString(), body, mac: slot.subarray(112, 128) };
}

/** §4: handle of the record whose first version has this sequence. */
export function handleOf(keys: Keys, created: number, instance: Uint8Array): Uint8Array {
  const input = Buffer.alloc(20);
  input.writeUInt32LE(created);
  input.set(instance, 4);
  return keyed(keys.handle, input, 16);
}

/** §11: one operator place that is in use. @throws when its tag does not hold */
function openOperator(place: Uint8Array, number: number, keys: Keys) {
  const tag = place.subarray(48, 64);
  const stream = keyed(keys.operator, tag, 32);
  const key = place.subarray(16, 48).map((byte, i) => byte ^ stream[i]!);
  if (!same(keyed(keys.operator, Buffer.concat([place.subarray(0, 16), key]), 16), tag))
    throw new Error("operator tag");
  if (place[5] !== number) throw new Error("operator place");
  const id = Buffer.from(place.subarray(6, 16)).toString("ascii").replace(/\0+$/, "");
  return { id, role: place[4]!, key };
}

/** §11: refused handshakes, all and by operator place; zeros when no place verifies. */
export function readRefusals(data: Uint8Array, keys: Keys) {
  const places = Array.from({ length: 4 }, (_, n) => Buffer.from(data.subarray(6144 + 64 * n, 6144 + 64 * (n + 1))))
    .filter((place) => same(keyed(keys.refusals, place.subarray(0, 48), 16), place.subarray(48, 64)))
    .sort((a, b) => b.readUInt32LE(0) - a.readUInt32LE(0));
  const newest = places[0] ?? Buffer.alloc(64);
  return {
    sequence: newest.readUInt32LE(0),
    total: newest.readUInt32LE(4),
    counts: Array.from({ length: 20 }, (_, i) => newest.readUInt16LE(8 + 2 * i)),
  };
}

/** Everything that a device's flash holds, read by the document. @throws when anything does not verify */
export function readMedium(slots: Uint8Array, data: Uint8Array) {
  const custody = readCustody(data.subarray(0, 128));
  const record = newestRecord(data, custody.keys);
  const records: ReturnType<typeof openSlot>[] = [];
  const leaves = Buffer.alloc(32 * 16);
  for (const { units, blocks, block, slot, perBlock } of geometry(custody.classes)) {
    for (let b = 0; b < blocks; b++) {
      const macs: Uint8Array[] = [];
      for (let i = 0; i < perBlock; i++) {
        if (!bit(record.live, slot + b * perBlock + i)) continue;
        const at = (block + b) * 32768 + i * units * 128;
        const found = openSlot(slots.subarray(at, at + units * 128), custody.keys, custody.instance);
        records.push(found);
        macs.push(found.mac);
      }
      if (macs.length > 0)
        keyed(custody.keys.header, Buffer.concat(macs), 16).forEach((byte, i) => {
          leaves[(block + b) * 16 + i] = byte;
        });
    }
  }
  if (!same(keyed(custody.keys.header, leaves, 16), record.digest)) throw new Error("set digest");
  const operators = Array.from({ length: 20 }, (_, n) => n)
    .filter((n) => bit(record.operators, n))
    .map((n) => ({
      ...openOperator(data.subarray(256 + 64 * n, 256 + 64 * (n + 1)), n, custody.keys),
      place: n,
      pending: bit(record.pending, n),
    }));
  return { ...custody, ...record, records, operators, refusals: readRefusals(data, custody.keys) };
}
