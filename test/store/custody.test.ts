/** Custody and journal that are damaged, gone, or of another version: told apart, and never answered by wiping. SPEC.md §3, §9. */
import { describe, expect, it } from "vitest";
import { CUSTODY_OFF_ROOT, CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { CUSTODY_OFFSET, CUSTODY_SIZE, DATA_SIZE, JOURNAL_OFFSET, JOURNAL_SIZE } from "../../firmware/defs/medium.js";
import { Role } from "../../firmware/defs/session.js";
import { FORMAT_VERSION } from "../../firmware/defs/slot.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { type Bench, deviceTargets, type Target } from "../targets.js";
import { changeData, flip, setVersion } from "./damage.js";
import * as help from "./help.js";

const {
  begin,
  body,
  evict,
  find,
  get,
  handle,
  hex,
  info,
  list,
  medium,
  put,
  ready,
  relabel,
  replace,
  says,
  show,
  SMALL,
  state,
} = help;

const COPIES = [CUSTODY_OFFSET, CUSTODY_OFFSET + CUSTODY_PLACE];
const dump = (target: Target) =>
  target.ask(Command.Dump, [
    [Key.Length, 4096],
    [Key.Region, 0],
    [Key.Offset, 0],
  ]);

describe.each(deviceTargets)("custody on $name", (kind) => {
  const filled = () => {
    const target = ready(kind, SMALL);
    const content = body(100);
    return { target, content, made: handle(put(target, { body: content })) };
  };

  /** Everything but hello, info and dump answers `status`; nothing changes, over a power cycle too. */
  const isClosed = (target: Bench, made: Uint8Array, status: string) => {
    const before = medium(target.device);
    expect([info(target), dump(target)].map(says)).toEqual(["Ok", "Ok"]);
    for (const ask of [
      () => put(target),
      () => get(target, made),
      () => show(target, made),
      () => replace(target, made),
      () => relabel(target, made),
      () => evict(target, made, true),
      () => begin(target, SMALL),
      () => target.ask(Command.ProvisionFinish),
      () => target.ask(Command.List),
      () => target.ask(Command.Find),
      () => target.ask(Command.Accept),
      () => target.ask(Command.Epoch, [[Key.Epoch, 1]]),
      () => help.setPolicy(target, made, 0),
      () => help.generate(target),
      () => help.publicParts(target, made),
      () => help.addOperator(target, "new", Role.Admin, help.ADMIN_KEY),
      () => help.removeOperator(target, help.ADMIN),
      () => target.ask(Command.OperatorList),
    ]) {
      expect(says(ask())).toBe(status);
    }
    target.boot();
    const after = medium(target.device);
    expect(after.operations).toBe(before.operations);
    expect(after.slots.equals(before.slots)).toBe(true);
  };

  it("works with either copy damaged, says so, and mends it with the first change", () => {
    for (const copy of COPIES) {
      const { target, content, made } = filled();
      changeData(target.device, copy + CUSTODY_OFF_ROOT, flip);
      target.boot();
      expect(state(target)).toBe(State.Ready);
      expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
      expect(info(target).get(Key.CustodyCopies)).toBe(1);
      expect(says(put(target))).toBe("Ok");
      expect(info(target).get(Key.CustodyCopies)).toBe(2);
      expect([list(target), find(target, [])].map((entries) => entries.length)).toEqual([2, 2]);
      target.close();
    }
  });

  it("works with any one byte of the first copy changed", () => {
    const { target, made } = filled();
    const step = Math.max(1, Math.round(1 / kind.share));
    for (let at = 0; at < CUSTODY_PLACE; at += step) {
      changeData(target.device, at, flip);
      target.boot();
      expect([state(target), says(get(target, made))]).toEqual([State.Ready, "Ok"]);
      changeData(target.device, at, flip);
    }
    target.close();
  });

  it("that is damaged in both copies is CustodyDamaged: told by hello, and nothing is changed", () => {
    const { target, made } = filled();
    for (const copy of COPIES) changeData(target.device, copy + CUSTODY_OFF_ROOT + 31, flip);
    target.boot();
    expect(state(target)).toBe(State.CustodyDamaged);
    isClosed(target, made, "CustodyDamaged");
    target.close();
  });

  it("that was erased beside a journal is CustodyDamaged, not blank", () => {
    const { target, made } = filled();
    target.device.data.preloadErased(CUSTODY_OFFSET, CUSTODY_SIZE);
    target.boot();
    expect(state(target)).toBe(State.CustodyDamaged);
    isClosed(target, made, "CustodyDamaged");
    target.close();
  });

  it("without any readable journal record is CustodyDamaged", () => {
    const { target, made } = filled();
    changeData(target.device, JOURNAL_OFFSET, (bytes) => bytes.fill(0x5a), JOURNAL_SIZE);
    target.boot();
    expect(state(target)).toBe(State.CustodyDamaged);
    isClosed(target, made, "CustodyDamaged");
    target.close();
  });

  it("that was erased with everything else in the data flash is blank, and provisioning makes another instance", () => {
    const { target, made } = filled();
    const instance = hex(target.ask(Command.Hello).get(Key.Instance));
    target.device.data.preloadErased(0, DATA_SIZE);
    target.boot();
    expect(state(target)).toBe(State.Blank);
    expect(hex(begin(target, SMALL).get(Key.Instance))).not.toBe(instance);
    expect(says(get(target, made))).toBe("NoSuchHandle");
    expect(says(put(target))).toBe("Ok");
    target.close();
  });

  it("of another format version is WrongVersion with that version, and nothing is changed", () => {
    const { target, made } = filled();
    setVersion(target.device, 3);
    target.boot();
    expect(state(target)).toBe(State.WrongVersion);
    isClosed(target, made, "WrongVersion 3");
    setVersion(target.device, FORMAT_VERSION);
    target.boot();
    expect([state(target), says(get(target, made))]).toEqual([State.Ready, "Ok"]);
    target.close();
  });
});
