/** Provisioning: blank, then under way, then ready. SPEC.md §3, §9. */
import { describe, expect, it } from "vitest";
import { Role } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import type { SlotClass } from "../model/geometry.js";
import { deviceTargets, type Target, targets } from "../targets.js";
import * as help from "./help.js";

const {
  ADMIN,
  ADMIN_KEY,
  addAdmin,
  addOperator,
  begin,
  body,
  evict,
  find,
  get,
  handle,
  hex,
  info,
  list,
  put,
  relabel,
  replace,
  says,
  show,
  SMALL,
  state,
  unchanged,
  WHOLE,
} = help;

const OTHER = Buffer.alloc(16, 2);
const finish = (target: Target) => target.ask(Command.ProvisionFinish);
const KEY = help.randomBytes(32);

describe.each(targets)("a blank $name", (kind) => {
  it("answers hello, info, close and reset, and NotProvisioned to everything else", () => {
    const target = kind.make();
    expect(state(target)).toBe(State.Blank);
    expect([info(target), target.ask(Command.Close), target.ask(Command.Reset)].map(says)).toEqual(["Ok", "Ok", "Ok"]);
    const made = Buffer.alloc(16, 7);
    for (const ask of [
      () => put(target),
      () => get(target, made),
      () => show(target, made),
      () => replace(target, made),
      () => relabel(target, made),
      () => evict(target, made, true),
      () => finish(target),
      () => target.ask(Command.List),
      () => target.ask(Command.Find),
      () => target.ask(Command.Accept),
      () => target.ask(Command.Epoch, [[Key.Epoch, 1]]),
      () => help.setPolicy(target, made, 0),
      () => help.generate(target),
      () => help.publicParts(target, made),
      () => addOperator(target, ADMIN, Role.Admin, ADMIN_KEY),
      () => help.rotateOperator(target, ADMIN, ADMIN_KEY),
      () => help.setRole(target, ADMIN, Role.User),
      () => help.removeOperator(target, ADMIN),
      () => target.ask(Command.OperatorList),
    ]) {
      expect(says(ask())).toBe("NotProvisioned");
    }
    expect(state(target)).toBe(State.Blank);
    target.close();
  });

  const whole = (units: number, blocks: number): SlotClass => ({ units, blocks });
  it.each([
    ["no class", [], 0],
    ["slots of one unit", [whole(1, 32)], 0],
    ["slots of no unit", [whole(0, 32)], 0],
    ["slots larger than a block", [whole(257, 32)], 0],
    ["slots of 2^32 − 1 units", [whole(0xffffffff, 2)], 0],
    ["slots of 2^16 + 32 units", [whole(0x10020, 2)], 0],
    ["one block", [whole(32, 1)], 0],
    ["2^8 + 2 blocks", [whole(256, 0x102)], 0],
    ["a class without room for replace", [whole(129, 2)], 0],
    ["33 blocks in one class", [whole(32, 33)], 0],
    ["33 blocks in all", [whole(200, 30), whole(200, 3)], 1],
    ["more than 256 slots in one class", [whole(2, 3)], 0],
    ["more than 256 slots in all", [whole(32, 4), whole(4, 4)], 1],
    ["a bad one behind three good ones", [whole(200, 3), whole(200, 3), whole(200, 3), whole(1, 3)], 3],
  ] as [string, SlotClass[], number][])(
    "refuses a geometry with %s, names the class, and stays blank",
    (_what, classes, index) => {
      const target = kind.make();
      expect(says(begin(target, classes))).toBe(`BadGeometry ${index}`);
      expect(state(target)).toBe(State.Blank);
      expect(says(begin(target))).toBe("Ok");
      target.close();
    },
  );

  it.each([
    ["the largest slots", [whole(256, 3)]],
    ["the smallest slots, 256 of them", [whole(2, 2)]],
    ["four classes that fill the medium", [whole(32, 8), whole(64, 8), whole(100, 8), whole(256, 8)]],
  ] as [string, SlotClass[]][])("takes %s", (_what, classes) => {
    const target = kind.make();
    expect(says(begin(target, classes))).toBe("Ok");
    expect(says(put(target))).toBe("Ok");
    target.close();
  });
});

describe.each(targets)("provisioning $name", (kind) => {
  it("resumes for the same manifest, also after a power cycle, and for no other", () => {
    const target = kind.make();
    const first = begin(target);
    expect([says(first), first.get(Key.State)]).toEqual(["Ok", State.Provisioning]);
    target.boot();
    expect(state(target)).toBe(State.Provisioning);
    const again = unchanged(target, () => begin(target));
    expect([says(again), again.get(Key.State)]).toEqual(["Ok", State.Provisioning]);
    expect(unchanged(target, () => says(begin(target, WHOLE, OTHER)))).toBe("OtherManifest");
    expect(unchanged(target, () => says(begin(target, SMALL)))).toBe("OtherManifest");
    expect(unchanged(target, () => says(begin(target, [])))).toBe("OtherManifest");
    target.close();
  });

  it("lets every command work before finish, and keeps what they did", () => {
    const target = kind.make();
    begin(target);
    const content = body(100);
    const made = handle(put(target, { body: content }));
    expect(says(relabel(target, made, "early"))).toBe("Ok");
    expect(says(evict(target, handle(put(target))))).toBe("Ok");
    addAdmin(target);
    expect(finish(target).get(Key.State)).toBe(State.Ready);
    target.boot();
    expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
    expect([list(target), find(target, [])].map((entries) => entries.length)).toEqual([1, 1]);
    target.close();
  });

  it("does not end without an admin whose key was used: NoAdmin, for an auditor, a user and a pending admin too", () => {
    const target = kind.make();
    begin(target);
    const refused = () => expect(unchanged(target, () => says(finish(target)))).toBe("NoAdmin");
    refused();
    for (const role of [Role.Auditor, Role.User]) {
      expect(says(addOperator(target, `role${role}`, role, KEY))).toBe("Ok");
      target.admit(`role${role}`, KEY);
      refused();
    }
    expect(says(addOperator(target, ADMIN, Role.Admin, ADMIN_KEY))).toBe("Ok");
    refused();
    target.boot();
    refused();
    target.admit(ADMIN, ADMIN_KEY);
    expect(finish(target).get(Key.State)).toBe(State.Ready);
    target.close();
  });

  it("ends for good: a second finish changes nothing, and ProvisionBegin answers AlreadyProvisioned", () => {
    const target = help.ready(kind);
    expect(state(target)).toBe(State.Ready);
    expect(unchanged(target, () => finish(target)).get(Key.State)).toBe(State.Ready);
    for (const classes of [WHOLE, SMALL, []]) {
      expect(unchanged(target, () => says(begin(target, classes)))).toBe("AlreadyProvisioned");
    }
    target.boot();
    expect(says(begin(target))).toBe("AlreadyProvisioned");
    target.close();
  });
});

describe.each(deviceTargets)("an instance on $name", (kind) => {
  it("has an id that provisioning answers, hello tells and power cycles keep; zeros before", () => {
    const target = kind.make();
    const id = () => hex(target.ask(Command.Hello).get(Key.Instance));
    expect(id()).toBe("0".repeat(32));
    const named = hex(begin(target).get(Key.Instance));
    expect(named).not.toBe("0".repeat(32));
    expect([hex(begin(target).get(Key.Instance)), id()]).toEqual([named, named]);
    target.boot();
    expect([id(), hex(info(target).get(Key.Instance))]).toEqual([named, named]);
    target.close();
  });
});
