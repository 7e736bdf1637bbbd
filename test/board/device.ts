/** Boards other than the built one as devices, so that the host of tests and bench can talk to them. */
import { type BoardOptions, VirtualBoard } from "../../board/virtual/board.js";
import { builtPath } from "../device/built.js";
import { VirtualDevice } from "../device/virtual.js";

const SEED = 7;

/** @param options what differs from the built firmware with a seed. Not booted yet. */
export function deviceWith(options: Partial<BoardOptions>): VirtualDevice {
  const board = VirtualBoard.create({ elf: builtPath("ek-ra6m5.elf"), seed: SEED, ...options });
  const device = new VirtualDevice(SEED);
  device.close();
  Object.assign(device, { board });
  return device;
}
