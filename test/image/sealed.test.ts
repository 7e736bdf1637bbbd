/** Images that are sealed to one board: opened once, by that board alone, whole or not at all, across any cut. SPEC.md §20. */
import { x25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { CUSTODY_MAGIC, CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { IMAGE_BLOCK, IMAGE_HEADER, IMAGE_ITEM_HEAD, TRANSPORT_MAGIC } from "../../firmware/defs/image.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { sealImage } from "../../host/image/seal.js";
import * as help from "../store/help.js";
import { type Bench, deviceTargets, engineTargets, repeat } from "../targets.js";
import * as image from "./help.js";

const { contents, DONE, flash, flashed, INSTANCE, open, put, requests, standing, transportKey, USER } = image;

console.log(`sealed images: ${repeat}`);
const bodies = { one: help.body(64), three: help.body(300, { secret: true }), two: help.body(3900) };
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const expected = Object.fromEntries(Object.entries(bodies).map(([label, body]) => [label, hex(body)]));
const all = () => requests(Object.entries(bodies).map(([label, body]) => put(label, body)));
const magics = ({ device }: Bench) => [0, CUSTODY_PLACE].map((at) => Buffer.from(device.data.bytes).readUInt32LE(at));
const region = ({ device }: Bench, length: number) =>
  Buffer.from(device.image.bytes.subarray(device.imageOffset, device.imageOffset + length));

describe.each(deviceTargets)("an image on $name", (kind) => {
  it("makes the store that its requests describe, and is gone then, with the key that it was sealed to", () => {
    const target = kind.make();
    const bytes = flashed(target, all());
    expect(magics(target)[1]).toBe(TRANSPORT_MAGIC);
    open(target);
    expect(standing(target)).toEqual(DONE);
    expect(contents(target)).toEqual(expected);
    const info = target.ask(Command.Info);
    expect(hex(info.get(Key.Instance) as Uint8Array)).toBe(hex(INSTANCE));
    expect(info.get(Key.CustodyCopies)).toBe(2);
    expect(magics(target)).toEqual([CUSTODY_MAGIC, CUSTODY_MAGIC]);
    expect(region(target, bytes.length).every((byte) => byte === 0xff)).toBe(true);
    expect(help.says(target.ask(Command.TransportKey))).toBe("AlreadyProvisioned");
    target.boot();
    for (const { id, key } of [USER, { id: help.ADMIN, key: help.ADMIN_KEY }])
      expect(Status[target.admit(id, key)]).toBe("Ok");
    expect(contents(target)).toEqual(expected);
    target.close();
  });

  it("is for one board alone", () => {
    const target = kind.make();
    const board = transportKey(target);
    const uniqueId = Uint8Array.from(board.uniqueId, (byte) => byte ^ 1);
    flashed(target, all(), { ...board, uniqueId });
    open(target);
    expect(standing(target)).toEqual({ ...DONE, state: "Blank", image: "Foreign" });
    target.close();
  });

  it("is opened by no other key, and by none when there is none", () => {
    const target = kind.make();
    const board = transportKey(target);
    flashed(target, all(), { ...board, publicKey: x25519.getPublicKey(help.randomBytes(32)) });
    open(target);
    expect(standing(target)).toEqual({ ...DONE, state: "Blank", image: "Unopened" });
    const without = kind.make();
    flashed(without, all(), board);
    open(without);
    expect(standing(without)).toEqual({ ...DONE, state: "Blank", image: "Unopened" });
    for (const one of [target, without]) one.close();
  });

  it("keeps nobody waiting when there is none", () => {
    const target = kind.make();
    expect(standing(target).image).toBe("None");
    const key = transportKey(target);
    expect(standing(target).image).toBe("Awaited");
    expect(transportKey(target)).toEqual(key);
    target.boot();
    expect(standing(target).image).toBe("Awaited");
    expect(transportKey(target)).toEqual(key);
    target.close();
  });
});

describe.each(engineTargets)("an image on $name", (kind) => {
  it("does nothing when a byte of it is not what was sealed", () => {
    const target = kind.make();
    const bytes = flashed(target, requests([put("one", bodies.one)]));
    const step = kind.share === 1 ? 7 : 97;
    for (let at = 0; at < bytes.length; at += step) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      flash(target.device, changed);
      const before = target.device.supply.operations;
      open(target);
      const { state, image: what } = standing(target);
      const isIgnored = at === 0 || at === 1 || at === 2 || at === 3;
      expect([at, state, what]).toEqual([
        at,
        "Blank",
        isIgnored ? "Awaited" : at >= 16 && at < 32 ? "Foreign" : "Unopened",
      ]);
      expect(target.device.supply.operations).toBe(before);
    }
    target.close();
  });

  it.each([
    ["a filekey, whose positions two boards would hand out", Command.FilekeyCreate],
    ["a reset", Command.Reset],
    ["a record that goes out", Command.Get],
    ["an eviction", Command.Evict],
    ["another policy", Command.Policy],
    ["the transport key", Command.TransportKey],
  ])("carries out nothing but what makes a store: not %s", (_what, command) => {
    const target = kind.make();
    const [begin, ...rest] = requests([put("one", bodies.one)]);
    flashed(target, [begin!, [command, []], ...rest]);
    open(target);
    expect(standing(target)).toEqual({ state: "Provisioning", image: "Stopped", item: 1, status: "UnknownCommand" });
    target.boot();
    image.settle(target);
    expect(standing(target)).toEqual({ state: "Provisioning", image: "Stopped", item: 1, status: "UnknownCommand" });
    target.close();
  });

  it("stops at what the store refuses, and says at which item and why", () => {
    const target = kind.make();
    flashed(target, requests([put("one", bodies.one), put("a".repeat(49), bodies.two)]));
    open(target);
    expect(standing(target)).toEqual({ state: "Provisioning", image: "Stopped", item: 4, status: "BadLabel" });
    expect(Object.keys(contents(target))).toEqual(["one"]);
    target.close();
  });

  it("does not end without an admin, or without an end", () => {
    const target = kind.make();
    const [begin, , user, ...rest] = requests([]);
    flashed(target, [begin!, user!, ...rest]);
    open(target);
    expect(standing(target)).toMatchObject({ state: "Provisioning", image: "Stopped", status: "NoAdmin" });
    target.close();
    const endless = kind.make();
    flashed(endless, all().slice(0, -1));
    open(endless);
    expect(standing(endless)).toMatchObject({ state: "Provisioning", image: "Stopped", status: "NoAdmin" });
    endless.close();
  });

  it("is not opened after a trap, so that one that traps does not trap for ever", () => {
    const target = kind.make();
    flashed(target, all());
    target.device.boot(0, 7);
    image.settle(target);
    expect(standing(target)).toMatchObject({ state: "Blank", image: "Stopped" });
    open(target);
    expect(standing(target)).toEqual(DONE);
    target.close();
  });

  it("answers nobody while it is opened", () => {
    const target = kind.make();
    flashed(target, all());
    target.boot();
    expect(image.answers(target)).toBe(false);
    image.settle(target);
    expect(standing(target)).toEqual(DONE);
    target.close();
  });

  it.each(["a session that provisions", "a factory reset"])("is worth nothing after %s: the key is gone", (what) => {
    const target = kind.make();
    flashed(target, all());
    if (what.includes("reset")) {
      expect(help.says(target.ask(Command.Reset))).toBe("Ok");
    } else {
      help.begin(target, help.SMALL);
      help.addAdmin(target);
      expect(help.says(target.ask(Command.ProvisionFinish))).toBe("Ok");
    }
    expect(magics(target)[1]).not.toBe(TRANSPORT_MAGIC);
    open(target);
    expect(standing(target)).toMatchObject({ image: "Unopened" });
    expect(target.ask(Command.List).get(Key.Entries) ?? []).toEqual([]);
    target.close();
  });

  it("holds no byte of what is in it in clear", () => {
    const target = kind.make();
    const bytes = sealImage(transportKey(target), INSTANCE, all().map(image.encode));
    for (const secret of [bodies.one.subarray(8, 24), bodies.two.subarray(1000, 1016), USER.key.subarray(0, 16)])
      expect(Buffer.from(bytes).includes(Buffer.from(secret))).toBe(false);
    expect(bytes.includes(Buffer.from("user"))).toBe(false);
    target.close();
  });

  it("seals each time under another key: two images for one board share nothing but their heads", () => {
    const target = kind.make();
    const make = () => sealImage(transportKey(target), INSTANCE, all().map(image.encode));
    const [one, two] = [make(), make()];
    const first = IMAGE_HEADER + IMAGE_ITEM_HEAD;
    expect(one.subarray(first, first + 16)).not.toEqual(two.subarray(first, first + 16));
    target.close();
  });
});

describe.each(deviceTargets)("an image on $name that power leaves", (kind) => {
  it("is opened all the same at the next start, wherever the cut was", () => {
    const target = kind.make();
    const { device } = target;
    flashed(target, requests([put("one", bodies.one), put("three", bodies.three)]));
    const media = [device.slots, device.data, device.image].map((nor) => [nor, nor.snapshot()] as const);
    const restore = () => {
      for (const [nor, snapshot] of media) nor.restore(snapshot);
    };
    device.supply.arm({ operation: 1_000_000, tear: "before" });
    open(target);
    const operations = device.supply.sinceArmed;
    device.supply.disarm();
    expect(operations).toBeGreaterThan(500);
    const cuts = kind.share === 1 ? operations : kind.slow ? 6 : 40;
    for (let i = 0; i < cuts; i++) {
      const operation = Math.floor((i * operations) / cuts);
      restore();
      const tear = [tears.half, tears.none, tears.all, "after" as const][i % 4]!;
      device.supply.arm({ operation, tear, marginal: i % 3 === 0, unreadable: i % 5 === 0 });
      expect(() => open(target), `cut at ${operation}`).toThrow(PowerCut);
      device.supply.disarm();
      open(target);
      expect([operation, standing(target)]).toEqual([operation, DONE]);
      expect(Object.keys(contents(target))).toEqual(["one", "three"]);
      // what was cut while the second copy took the key's place is mended by the next change
      expect(magics(target)[1]).not.toBe(TRANSPORT_MAGIC);
      expect(help.says(target.ask(Command.Epoch, [[Key.Epoch, 1000]]))).toBe("Ok");
      expect(magics(target)).toEqual([CUSTODY_MAGIC, CUSTODY_MAGIC]);
    }
    expect(region(target, IMAGE_BLOCK).every((byte) => byte === 0xff)).toBe(true);
    target.close();
  });
});
