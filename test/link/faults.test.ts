/** A bad line under the real client: whatever happens to a frame of hello, handshake or put, a put happens once, and a list is whole. SPEC.md §8, §9, §11. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { Key } from "../../firmware/defs/wire.js";
import { DisconnectedError } from "../../host/client/errors.js";
import type { Device } from "../device/device.js";
import { ADMIN, ADMIN_KEY, body, get, handle, hex, put, QUICK, ready, SMALL, transplant } from "../store/help.js";
import { Bench, deviceTargets, repeat, seed } from "../targets.js";
import { DeviceWire, type Fault, perfect } from "./wire.js";

const REQUEST = { label: "once", usage: Usage.Opaque, tier: Tier.Private, policy: 1, body: body(2500) };
const late = 400; // within the client's timeout
const tooLate = 30_000; // after every retransmission of one step

const FAULTS: Record<string, (frame: Uint8Array) => { after: number; bytes: Uint8Array }[]> = {
  lost: () => [],
  doubled: (bytes) => [
    { after: 0, bytes },
    { after: 0, bytes },
  ],
  late: (bytes) => [{ after: late, bytes }],
  "doubled, once late": (bytes) => [
    { after: 0, bytes },
    { after: late, bytes },
  ],
  "so late that it was sent again": (bytes) => [{ after: 1500, bytes }],
  "doubled, once when all is over": (bytes) => [
    { after: 0, bytes },
    { after: tooLate, bytes },
  ],
  "changed in one bit": (bytes) => [
    { after: 0, bytes: bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 4 : byte)) },
  ],
  "cut in two by a zero": (bytes) => [
    { after: 0, bytes: bytes.map((byte, i) => (i === bytes.length >> 1 ? 0 : byte)) },
  ],
  "without its end": (bytes) => [{ after: 0, bytes: bytes.subarray(0, -1) }],
  "behind noise": (bytes) => [{ after: 0, bytes: Buffer.concat([Buffer.alloc(40, 0x55), Uint8Array.of(0), bytes]) }],
};

const SOME = Object.values(FAULTS).filter((one) => one !== FAULTS["doubled, once when all is over"]);

/** One frame in five suffers something. */
function bad(random: () => number): Fault {
  return (bytes) => (random() % 5 === 0 ? SOME[random() % SOME.length]!(bytes) : [{ after: 0, bytes }]);
}

/** Puts once over a wire with this fault, and looks. @returns the frames that it took, from Open on */
async function putOver(device: Device, fault: Fault, retransmissions?: number): Promise<number> {
  const wire = new DeviceWire(device, fault);
  const operator = async () => ({ id: ADMIN, key: ADMIN_KEY });
  const client = wire.client(retransmissions === undefined ? { operator } : { operator, retransmissions });
  const { handle } = await client.put(REQUEST);
  const frames = wire.frames;
  await new Promise<void>((resolve) => wire.time.after(2 * tooLate, resolve)); // let the last one arrive
  expect(await client.list()).toHaveLength(1);
  expect(hex(get(new Bench(device), handle).get(Key.Body))).toBe(hex(REQUEST.body));
  return frames;
}

/** Devices with the same provisioned medium, each freshly booted. */
function copies(target: Bench): () => Device {
  const { device } = target;
  const [slots, data] = [device.slots.snapshot(), device.data.snapshot()];
  return () => {
    device.slots.restore(slots);
    device.data.restore(data);
    device.boot();
    return device;
  };
}

describe.each(deviceTargets)("a put over a bad line on $name", (kind) => {
  const target = ready(kind, SMALL);
  const fresh = copies(target);

  it.each(kind.slow ? ["lost", "doubled"] : Object.keys(FAULTS))(
    "happens once when any one frame is %s",
    async (name) => {
      const frames = await putOver(fresh(), perfect);
      expect(frames).toBeGreaterThan(10);
      for (let which = 0; which < frames; which += kind.slow ? 6 : kind.share < 1 ? 3 : 1) {
        const fault: Fault = (bytes, number) => (number === which ? FAULTS[name]!(bytes) : [{ after: 0, bytes }]);
        await putOver(fresh(), fault).catch((error: Error) => {
          throw new Error(`frame ${which} of ${frames}`, { cause: error });
        });
      }
    },
  );

  it("would be noticed if it happened twice, or not at all", async () => {
    const device = fresh();
    await putOver(device, perfect);
    await expect(putOver(device, perfect)).rejects.toThrow("length");
    await expect(putOver(fresh(), () => [])).rejects.toThrow(DisconnectedError);
  });

  it("happens once when one frame in five suffers something", async () => {
    const random = seeded(seed);
    for (let round = 0; round < 40 * kind.share; round++) {
      await putOver(fresh(), bad(random), 40).catch((error: Error) => {
        throw new Error(repeat, { cause: error });
      });
    }
  });
});

describe.each(deviceTargets)("a list over a bad line on $name", (kind) => {
  it("is whole when one frame in five suffers something", async () => {
    const quick = ready(QUICK);
    const made = Array.from({ length: 60 }, () => hex(handle(put(quick))));
    const target = kind.make();
    transplant(quick.device, target.device);
    const random = seeded(seed);
    for (let round = 0; round < 40 * kind.share; round++) {
      target.device.boot();
      const operator = async () => ({ id: ADMIN, key: ADMIN_KEY });
      const wire = new DeviceWire(target.device, bad(random));
      const { entries, corrupt } = await wire.client({ operator, retransmissions: 40 }).listing();
      wire.cut();
      expect(
        entries.map((entry) => hex(entry.handle)),
        repeat,
      ).toEqual(made);
      expect(corrupt).toBe(0);
    }
    target.close();
  });
});
