/** The binding record in the image: the firmware starts the core that it was bound to, and no other. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { readElf } from "../../board/elf.js";
import {
  BINDING_OFF_CORE,
  BINDING_OFF_MAGIC,
  BINDING_OFF_MANIFEST,
  BINDING_OFF_PRESENCE,
  BINDING_OFF_VERSION,
  BINDING_SIZE,
  Engine,
  Target,
} from "../../firmware/defs/binding.js";
import { FrameType, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { PSK_SIZE } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { decodeBinding } from "../../host/binding.js";
import { encodeFrame } from "../../host/client/frame.js";
import { built } from "../device/built.js";
import { CORE } from "../device/engine.js";
import { Talk } from "../device/talk.js";
import type { VirtualDevice } from "../device/virtual.js";
import { deviceWith } from "./device.js";

/** Instructions in which a board that does not start goes round a few times. */
const SOME = 3e6;
const elf = built("ek-ra6m5.elf");
const hash = createHash("sha256").update(CORE).digest();

/** Where the record stands in the ELF file. */
function recordAt(): number {
  const { segments, symbol } = readElf(elf);
  const { address } = symbol("binding_record")!;
  const segment = segments.find((one) => address >= one.address && address < one.address + one.bytes.length)!;
  return segment.bytes.byteOffset - elf.byteOffset + address - segment.address;
}
const at = recordAt();

/** The image with one byte of its record changed. */
function patched(offset: number): Buffer {
  const copy = Buffer.from(elf);
  copy[at + offset]! ^= 1;
  return copy;
}

describe("an image", () => {
  let device: VirtualDevice;
  afterEach(() => device.close());
  const open = encodeFrame({
    ...{ type: FrameType.Open, more: false, link: 1, sequence: 0, index: 0 },
    payload: Uint8Array.of(PROTOCOL_VERSION),
  });

  it("tells in info what its core was bound to", () => {
    device = deviceWith({});
    device.boot();
    const talk = new Talk(device);
    talk.handshake("", new Uint8Array(PSK_SIZE));
    const record = talk.ask(Command.Info).get(Key.Binding) as Uint8Array;
    expect(Buffer.from(record)).toEqual(elf.subarray(at, at + BINDING_SIZE));
    const manifest = readFileSync(new URL("../../board/ek-ra6m5/target.json", import.meta.url));
    expect(decodeBinding(record)).toMatchObject({ target: Target.EkRa6m5, engine: Engine.Wasm3, unit: 4 });
    expect(Buffer.from(decodeBinding(record)!.core)).toEqual(hash);
    expect(Buffer.from(decodeBinding(record)!.manifest)).toEqual(createHash("sha256").update(manifest).digest());
  });

  it.each([
    ["another magic", BINDING_OFF_MAGIC],
    ["another version", BINDING_OFF_VERSION],
    ["another core", BINDING_OFF_CORE],
    ["another core in its last byte", BINDING_OFF_CORE + 31],
  ])("bound to %s starts no core: red and green, and deaf", (_, offset) => {
    device = deviceWith({ elf: patched(offset) });
    device.board.powerOn();
    device.board.run(SOME);
    expect(device.board.lights).toEqual(["ready", "fault"]);
    device.board.feed(open);
    device.board.run(SOME);
    expect(device.board.take()).toHaveLength(0);
    expect(device.board.lights).toEqual(["ready", "fault"]);
    expect(() => device.peek(0, 1)).toThrow(); // no core, no linear memory
    expect(device.board.faults.list).toEqual([]);
  });

  it("that starts no core feeds the watchdog", () => {
    device = deviceWith({ elf: patched(BINDING_OFF_CORE) });
    device.board.powerOn();
    let resets = 0;
    device.board.onEvent = (event) => {
      if (event.kind === "reset") resets++;
    };
    const resetsAfter = (ms: number): number => {
      device.board.run(SOME);
      device.board.passed(ms);
      device.board.run(SOME);
      return resets;
    };
    expect([resetsAfter(2000), resetsAfter(2000), resetsAfter(2000)]).toEqual([0, 0, 0]);
    expect(device.board.lights).toEqual(["ready", "fault"]);
    expect(resetsAfter(3000)).toBe(1); // it does run
  });

  it.each([
    ["target.json", BINDING_OFF_MANIFEST],
    ["a choice", BINDING_OFF_PRESENCE],
  ])("is not stopped by what only tells: %s", (_, offset) => {
    device = deviceWith({ elf: patched(offset) });
    device.boot();
    expect(device.board.lights).toEqual(["ready"]);
    expect(new Talk(device).ask(Command.Hello).get(Key.TrapCode)).toBe(0);
  });
});
