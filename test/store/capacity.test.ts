/** The promise of the default geometry: 247 records of 4 KB, all read back equal after a power cycle. A slow device starts
 *  from the medium that core.wasm in V8 wrote, which also shows that the format is the same everywhere. */
import { describe, expect, it } from "vitest";
import { Key } from "../../firmware/defs/wire.js";
import { type Bench, deviceTargets, repeat } from "../targets.js";
import {
  body,
  get,
  handle,
  hex,
  info,
  list,
  provisioned,
  put,
  QUICK,
  ready,
  replace,
  says,
  transplant,
  unchanged,
} from "./help.js";

const RECORDS = 247;
const RECORD = 3900;
describe.each(deviceTargets)("the whole medium of $name", (kind) => {
  const every = kind.slow ? 5 : 1; // an answer is sealed, and takes a slow device a while
  it(`holds ${RECORDS} records of ${RECORD} bytes, equal after a power cycle; looks at 1 in ${every}`, () => {
    const filler = ready(kind.slow ? QUICK : kind);
    const content = new Map<string, Uint8Array>();
    const fill = (target: Bench, upTo: number): void => {
      while (content.size < upTo) {
        const bytes = body(RECORD);
        content.set(hex(handle(put(target, { body: bytes, label: `record ${content.size}` }))), bytes);
      }
    };
    fill(filler, kind.slow ? RECORDS - 12 : RECORDS);
    let target = filler;
    if (kind.slow) {
      target = kind.make();
      transplant(filler.device, target.device);
      target.boot();
      fill(target, RECORDS);
    }
    expect(unchanged(target, () => says(put(target)))).toBe("StoreFull");
    const [first] = content.keys();
    content.set(first!, body(RECORD));
    expect(says(replace(target, Buffer.from(first!, "hex"), content.get(first!)))).toBe("Ok");
    target.boot();
    expect(list(target)).toHaveLength(RECORDS);
    expect(info(target).get(Key.Corrupt)).toBe(0);
    for (const [made, bytes] of [...content].filter((_, i) => i % every === 0)) {
      expect(Buffer.compare(get(target, Buffer.from(made, "hex")).get(Key.Body) as Uint8Array, bytes), repeat).toBe(0);
    }
    target.close();
  }, 300_000);
});

describe("engines", () => {
  it("give the same bytes for the same random numbers: answers and both media", () => {
    const engines = deviceTargets
      .filter((kind) => !kind.slow)
      .map((kind) => provisioned(kind, [{ units: 64, blocks: 3 }]));
    const by = (i: number) => Buffer.alloc(16, i);
    for (const target of engines) {
      for (let i = 0; i < 20; i++) {
        const made = handle(put(target, { token: by(2 * i), body: sameBody(i) }));
        if (i % 2 === 0) replace(target, made, sameBody(i + 1), by(2 * i + 1));
        if (i > 4)
          target.ask(8, [
            [Key.Handle, made],
            [Key.Destroy, i % 3 === 0],
          ]);
      }
    }
    const [one, ...others] = engines;
    for (const other of others) {
      expect(other.device.slots.bytes.equals(one!.device.slots.bytes)).toBe(true);
      expect(other.device.data.bytes.equals(one!.device.data.bytes)).toBe(true);
    }
    for (const target of engines) target.close();
  });
});

function sameBody(i: number): Uint8Array {
  const bytes = Buffer.alloc(500 + i, i);
  bytes.set([4, 0, (492 + i) & 255, (492 + i) >> 8, 0, 0, 0, 0]);
  return bytes;
}
