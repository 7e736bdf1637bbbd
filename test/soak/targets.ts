/** What a soak runs on: core.wasm in V8, or the ELF on the virtual board. A seed repeats both. */
import type { FlashImage } from "../../board/virtual/flashfile.js";
import { SLOT_BASE } from "../../board/virtual/memory.js";
import { FACTS_OFF_SETUP, FACTS_OFF_UID } from "../../firmware/defs/boundary.js";
import { PSK_SIZE } from "../../firmware/defs/session.js";
import { V8Device } from "../device/v8.js";
import { VirtualDevice } from "../device/virtual.js";
import { type Mistake, Soak } from "./soak.js";

export const TARGETS = ["v8", "virtual"] as const;
export type TargetName = (typeof TARGETS)[number];

const SETUP_CODE = Buffer.alloc(PSK_SIZE, 0x5e);

export interface Started {
  soak: Soak;
  /** The flash as it is, for `mbs board run --flash`. */
  image(): FlashImage;
  close(): void;
}

export function start(target: TargetName, seed: number, mistake?: Mistake): Started {
  const options = { seed, setupCode: SETUP_CODE, ...(mistake !== undefined && { mistake }) };
  if (target === "virtual") {
    const device = new VirtualDevice(seed, { setupCode: SETUP_CODE });
    const soak = new Soak({ ...options, device, timed: true });
    return { soak, image: () => device.board.flashImage(), close: () => device.close() };
  }
  const device = new V8Device(seed);
  device.board.facts.set(SETUP_CODE, FACTS_OFF_SETUP);
  return {
    soak: new Soak({ ...options, device }),
    image: () => ({
      uniqueId: Buffer.from(device.board.facts.subarray(FACTS_OFF_UID, FACTS_OFF_UID + 16)),
      firmware: Buffer.alloc(32),
      from: SLOT_BASE,
      code: device.slots.image(),
      data: device.data.image(),
    }),
    close: () => device.close(),
  };
}
