/** The firmware whose core was compiled ahead of time, beside what the suites try on it as the target aot: it answers byte for byte as V8 does,
 *  survives cuts, says what it is, and leaves nothing on its stack. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { ConstantTime, Engine, Target } from "../../firmware/defs/binding.js";
import { DESCRIPTOR_OFF_ENGINE } from "../../firmware/defs/image.js";
import { PSK_SIZE, QUIET_MS } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { decodeBinding } from "../../host/binding.js";
import { Host } from "../../scripts/bench/host.js";
import { readElf } from "../../scripts/check-elf.mjs";
import { depth } from "../../scripts/prove/frames.js";
import { disassemble, readListing, target } from "../../scripts/prove/listing.js";
import { built, builtPath } from "../device/built.js";
import { Talk } from "../device/talk.js";
import { VirtualDevice } from "../device/virtual.js";

const ELF = "ek-ra6m5-aot.elf";
const elf = built(ELF);
const { symbols, sections } = readElf(elf);
const listing = readListing(disassemble(builtPath(ELF)));
const NOP = 0xbf00;
const SEED = 5;

const STACK = { from: symbols.get("__stack_limit")!, to: symbols.get("__stack_top")! };

/** The firmware that does not wipe the stack behind an answer. */
function withoutWipe(): Uint8Array {
  const changed = Uint8Array.from(elf);
  const view = new DataView(changed.buffer);
  for (const from of ["engine_take", "engine_give"]) {
    const { at } = listing.get(from)!.find((line) => target(line)?.name === "wipe_stack")!;
    const section = sections.find((one) => one.address <= at && at < one.address + one.size)!;
    for (const i of [0, 2]) view.setUint16(section.offset + at - section.address + i, NOP, true);
  }
  return changed;
}

let device: VirtualDevice;
afterEach(() => device.close());

/** A board with operators, switched on. */
function booted(flashed: Uint8Array): Host {
  const filled = Host.provisioned().device;
  device = new VirtualDevice(SEED, { elf: flashed });
  device.slots.load(device.slotsOffset, filled.slots.image(filled.slotsOffset));
  device.data.load(0, filled.data.image());
  filled.close();
  device.boot();
  return new Host(device);
}

/** Bytes of the C stack, from its top, that hold something; all of it held noise before the firmware started. */
function used(): number {
  const bytes = device.board.peek(STACK.from, STACK.to - STACK.from)!;
  return bytes.length - bytes.findIndex((byte) => byte !== 0);
}

describe("the C stack of ahead-of-time code", () => {
  /** Frames that are alive between two turns, and what turns without bytes leave. */
  const IDLE = 256;

  it("holds nothing of the mount, of a handshake, of an answer", () => {
    const host = booted(elf);
    expect(used()).toBeLessThan(IDLE);
    host.openAs("admin");
    expect(used()).toBeLessThan(IDLE);
    host.talk.ask(Command.List);
    expect(used()).toBeLessThan(IDLE);
  });

  it.each([
    ["holds nothing of an erase in advance", elf, 0, IDLE],
    ["would, if it were not wiped (positive control)", withoutWipe(), 2 * IDLE, STACK.to - STACK.from],
  ])("%s", (_, flashed, least, most) => {
    const host = booted(flashed);
    host.put(64);
    const { totalErases } = device.slots;
    device.wait(QUIET_MS + 1000);
    expect(device.slots.totalErases).toBe(totalErases + 1);
    expect(used()).toBeGreaterThanOrEqual(least);
    expect(used()).toBeLessThan(most);
  });

  it("would, if it were not wiped (positive control)", () => {
    booted(withoutWipe()).openAs("admin");
    expect(used()).toBeGreaterThan(2 * IDLE);
  });

  it("has room for the deepest chain of calls four times", () => {
    expect(4 * depth(listing, "reset_handler")).toBeLessThan(STACK.to - STACK.from);
  });
});

describe("an image", () => {
  it("says in descriptor and binding record that its core was compiled ahead of time, and that nobody has proven its time", () => {
    expect(elf.subarray(elf.indexOf("MBSF"))[DESCRIPTOR_OFF_ENGINE]).toBe(Engine.AheadOfTime);
    device = new VirtualDevice(SEED, { elf });
    device.boot();
    const talk = new Talk(device);
    talk.handshake("", new Uint8Array(PSK_SIZE));
    const binding = decodeBinding(talk.ask(Command.Info).get(Key.Binding) as Uint8Array)!;
    expect(binding).toMatchObject({
      target: Target.EkRa6m5,
      engine: Engine.AheadOfTime,
      constantTime: ConstantTime.Unproven,
    });
    expect(Buffer.from(binding.core)).toEqual(createHash("sha256").update(built("core.wasm")).digest());
  });

  it("is bound to what the interpreter's is bound to, but for the engine", () => {
    const manifest = (name: string) => JSON.parse(readFileSync(`board/ek-ra6m5/${name}`, "utf8"));
    expect(manifest("target-aot.json")).toEqual({ ...manifest("target.json"), engine: "ahead-of-time" });
  });
});
