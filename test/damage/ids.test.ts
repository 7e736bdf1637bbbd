/** A damaged operator id may read as somebody else's. */
import { expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { Role } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { V8Device } from "../device/v8.js";
import { Fill, keyOf } from "./scene.js";

it("one bad bit in an operator's id locks out nobody else", () => {
  const to = new Fill(new V8Device(1), seeded(1)).boot();
  const slotClass = new Map([
    [Key.SlotUnits, 64],
    [Key.Blocks, 3],
  ]);
  to.talk.ask(Command.ProvisionBegin, [
    [Key.Manifest, new Uint8Array(16)],
    [Key.Classes, [slotClass]],
  ]);
  to.operator("admin1", Role.Admin, true);
  to.operator("admin3", Role.Admin, true);
  const digit = to.device.data.bytes.indexOf("admin3") + 5;
  to.device.data.bytes[digit]! ^= 2;
  expect(to.device.data.bytes.toString("latin1", digit - 5, digit + 1)).toBe("admin1");
  expect(to.boot().talk.handshake("admin1", keyOf("admin1"))).toBe(Role.Admin);
});
