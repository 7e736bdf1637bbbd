/** What a change does to flash, operation by operation, and the media as they lie before each. A power cut destroys everything but the
 *  media; so a case is: the media before an operation, that operation torn, and a boot. The change itself need not run again. */
import type { Nor, NorSnapshot, Operation } from "../../board/virtual/nor.js";
import { type CutPlan, PowerCut } from "../../board/virtual/supply.js";
import type { Device } from "../device/device.js";

/** What has media and power. */
export type Powered = Pick<Device, "slots" | "data" | "supply">;

export interface Media {
  slots: NorSnapshot;
  data: NorSnapshot;
}

/** One flash operation, and on which medium. */
export interface Step extends Operation {
  medium: "slots" | "data";
}

export function save(device: Powered): Media {
  return { slots: device.slots.snapshot(), data: device.data.snapshot() };
}
export function load(device: Powered, media: Media): void {
  device.slots.restore(media.slots);
  device.data.restore(media.data);
}

/** Runs something and notes every flash operation that it begins. */
export function film(device: Powered, run: () => void): Step[] {
  const steps: Step[] = [];
  for (const medium of ["slots", "data"] as const)
    device[medium].begun = ({ offset, bytes }) =>
      steps.push({ medium, offset, ...(bytes && { bytes: Uint8Array.from(bytes) }) });
  try {
    run();
  } finally {
    device.slots.begun = undefined;
    device.data.begun = undefined;
  }
  return steps;
}

/** Does a step on the media, whole, or as the supply's plan says. */
export function apply(device: Powered, { medium, offset, bytes }: Step): void {
  const nor: Nor = device[medium];
  if (bytes === undefined) nor.erase(offset);
  else nor.program(offset, bytes, bytes.length);
}

/** From these media on, a step is cut. Power is off afterwards. */
export function cut(device: Powered, media: Media, step: Step, plan: Omit<CutPlan, "operation">): void {
  load(device, media);
  device.supply.on = true; // without drawing noise anew: nobody looks before the next boot
  device.supply.arm({ ...plan, operation: 0 });
  try {
    apply(device, step);
  } catch (error) {
    if (error instanceof PowerCut) return;
    throw error;
  } finally {
    device.supply.disarm();
  }
  throw new Error("the cut did not happen");
}

/** The media before each step of a film that begins at `media`. Power is on when a step is given out. */
export function* stills(device: Powered, media: Media, steps: readonly Step[]): Generator<[number, Step, Media]> {
  let now = media;
  for (const [number, step] of steps.entries()) {
    yield [number, step, now];
    load(device, now);
    device.supply.on = true;
    apply(device, step);
    now = save(device);
  }
}
