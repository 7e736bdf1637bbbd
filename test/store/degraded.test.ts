/** A medium that is not the one the journal vouches for: the store mounts, shows what it has, opens nothing, and waits for accept. */
import { describe, expect, it } from "vitest";
import { Role } from "../../firmware/defs/session.js";
import { HEADER_OFF_EPOCH, HEADER_OFF_MAC, HEADER_SIZE } from "../../firmware/defs/slot.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { type Bench, deviceTargets } from "../targets.js";
import { blockImage, changeSlots, flip, placesOf, slotImage } from "./damage.js";
import * as help from "./help.js";

const {
  body,
  evict,
  find,
  get,
  handle,
  handles,
  hex,
  info,
  list,
  put,
  ready,
  relabel,
  replace,
  says,
  show,
  state,
  unchanged,
} = help;

const UNITS = 64;
const CLASSES = [{ units: UNITS, blocks: 3 }];
const accept = (target: Bench) => target.ask(Command.Accept);
const place = (target: Bench, made: Uint8Array): number => placesOf(target.device, made).at(-1)!;

describe.each(deviceTargets)("a degraded store on $name", (kind) => {
  /** Three records; the last one was replaced once. */
  const filled = () => {
    const target = ready(kind, CLASSES);
    const contents = [body(100), body(200), body(300)];
    const made = contents.map((bytes, i) => handle(put(target, { body: bytes, label: `record ${i}` })));
    return { target, contents, made };
  };
  const reboot = (target: Bench) => {
    target.boot();
    expect(state(target)).toBe(State.Degraded);
  };

  it("lists, finds and informs, answers Degraded to what opens a seal or changes something, and changes nothing", () => {
    const { target, made } = filled();
    changeSlots(target.device, place(target, made[1]!) + HEADER_OFF_EPOCH, flip);
    reboot(target);
    unchanged(target, () => {
      expect(handles(list(target))).toEqual([made[0]!, made[2]!].map(hex));
      expect(find(target, [[Key.Label, "record 2"]])).toHaveLength(1);
      expect(info(target).get(Key.Corrupt)).toBe(1);
      for (const ask of [
        () => get(target, made[0]!),
        () => show(target, made[0]!),
        () => put(target),
        () => replace(target, made[0]!),
        () => relabel(target, made[0]!),
        () => evict(target, made[0]!, true),
        () => target.ask(Command.Epoch, [[Key.Epoch, 9]]),
        () => help.setPolicy(target, made[0]!, 0),
        () => help.generate(target),
        () => help.publicParts(target, made[0]!),
        () => help.sign(target, made[0]!),
        () => help.agree(target, made[0]!),
        () => help.addOperator(target, "new", Role.User, help.ADMIN_KEY),
        () => help.rotateOperator(target, help.ADMIN, help.randomBytes(32)),
        () => help.setRole(target, help.ADMIN, Role.User),
        () => help.removeOperator(target, help.ADMIN),
      ]) {
        expect(says(ask())).toBe("Degraded");
      }
    });
    target.close();
  });

  it("gives up a corrupt record with accept, keeps the others, and counts it", () => {
    const { target, contents, made } = filled();
    changeSlots(target.device, place(target, made[1]!) + HEADER_OFF_MAC, flip);
    reboot(target);
    expect(accept(target).get(Key.Accepted)).toBe(1);
    for (let life = 0; life < 2; life++) {
      expect([state(target), info(target).get(Key.Corrupt), info(target).get(Key.Accepted)]).toEqual([
        State.Ready,
        0,
        1,
      ]);
      expect(says(get(target, made[1]!))).toBe("NoSuchHandle");
      expect(hex(get(target, made[2]!).get(Key.Body))).toBe(hex(contents[2]));
      target.boot();
    }
    expect(unchanged(target, () => accept(target)).get(Key.Accepted)).toBe(1);
    expect(says(put(target))).toBe("Ok");
    target.close();
  });

  it("comes from an old image of one block", () => {
    const { target, contents, made } = filled();
    // the block that holds the record now, as it was before the record was there
    const old = blockImage(target.device, Math.floor(place(target, made[2]!) / 32768));
    const renewed = body(400);
    replace(target, made[2]!, renewed);
    old();
    reboot(target);
    expect(accept(target).get(Key.Accepted)).toBe(1);
    expect(says(get(target, made[2]!))).toBe("NoSuchHandle");
    expect(hex(get(target, made[0]!).get(Key.Body))).toBe(hex(contents[0]));
    target.close();
  });

  it("comes from an old image of one slot, which holds a record that verifies", () => {
    const { target, made } = filled();
    const at = place(target, made[2]!);
    const old = slotImage(target.device, at, UNITS);
    evict(target, made[2]!, true);
    let other = handle(put(target));
    while (place(target, other) !== at) other = handle(put(target));
    old();
    reboot(target);
    expect(handles(list(target))).toContain(hex(made[2]));
    expect(handles(list(target))).not.toContain(hex(other));
    expect(accept(target).get(Key.Accepted)).toBe(1);
    expect(says(get(target, made[2]!))).toBe("Ok");
    expect(says(get(target, other))).toBe("NoSuchHandle");
    target.close();
  });

  it("has no handle twice after accept: of two copies the newer one stays, and evict means both", () => {
    const { target, made } = filled();
    const old = slotImage(target.device, place(target, made[0]!), UNITS);
    const renewed = body(500);
    replace(target, made[0]!, renewed);
    old(place(target, made[1]!));
    reboot(target);
    expect(says(accept(target))).toBe("Ok");
    expect(handles(list(target)).sort()).toEqual([made[0]!, made[2]!].map(hex).sort());
    expect(hex(get(target, made[0]!).get(Key.Body))).toBe(hex(renewed));
    expect(says(evict(target, made[0]!, true))).toBe("Ok");
    expect(placesOf(target.device, made[0]!)).toEqual([]);
    expect(says(get(target, made[0]!))).toBe("NoSuchHandle");
    target.close();
  });

  it("is noticed while running, by the first change that touches the block", () => {
    const { target, made } = filled();
    changeSlots(target.device, place(target, made[1]!) + HEADER_OFF_MAC, flip);
    expect(state(target)).toBe(State.Ready);
    expect(unchanged(target, () => says(put(target)))).toBe("Degraded");
    expect(unchanged(target, () => says(get(target, made[0]!)))).toBe("Degraded");
    expect(state(target)).toBe(State.Degraded);
    target.boot();
    expect(state(target)).toBe(State.Degraded);
    target.close();
  });

  it("is not what damage behind a header makes: that record answers Corrupt, and all others work", () => {
    const { target, contents, made } = filled();
    changeSlots(target.device, place(target, made[0]!) + HEADER_SIZE + 20, flip);
    changeSlots(target.device, place(target, made[1]!) + HEADER_SIZE + 3, flip); // its label
    target.boot();
    expect(state(target)).toBe(State.Ready);
    for (const damaged of [made[0]!, made[1]!]) {
      expect(unchanged(target, () => says(get(target, damaged)))).toBe("Corrupt");
      expect(unchanged(target, () => says(show(target, damaged)))).toBe("Corrupt");
      expect(unchanged(target, () => says(relabel(target, damaged, "new")))).toBe("Corrupt");
    }
    expect(hex(get(target, made[2]!).get(Key.Body))).toBe(hex(contents[2]));
    expect(says(replace(target, made[0]!, contents[0]!))).toBe("Ok");
    expect(hex(get(target, made[0]!).get(Key.Body))).toBe(hex(contents[0]));
    expect(says(evict(target, made[1]!))).toBe("Ok");
    target.close();
  });

  it("is not what a change of erased or dead slots makes", () => {
    const { target, made } = filled();
    const at = place(target, made[2]!);
    evict(target, made[2]!);
    changeSlots(target.device, at + HEADER_OFF_EPOCH, flip);
    target.boot();
    expect(state(target)).toBe(State.Ready);
    expect(says(put(target))).toBe("Ok");
    target.close();
  });
});
