/** The creation epoch: power-ups with a change count until an admin sets it; it never goes back. SPEC.md §9. */
import { describe, expect, it } from "vitest";
import { Command, Key } from "../../firmware/defs/wire.js";
import { engineTargets, type Target, targets } from "../targets.js";
import {
  body,
  evict,
  get,
  handle,
  info,
  put,
  provisioned as ready,
  relabel,
  replace,
  SMALL,
  says,
  unchanged,
} from "./help.js";

const epoch = (target: Target): unknown => info(target).get(Key.Epoch);
const set = (target: Target, value: number) => target.ask(Command.Epoch, [[Key.Epoch, value]]);

describe.each(targets)("the epoch on $name", (kind) => {
  it("is 0 in the power-up that provisioned, and rises by one at the first change after each power-up", () => {
    const target = ready(kind);
    expect(epoch(target)).toBe(0);
    const first = handle(put(target));
    target.boot();
    expect(epoch(target)).toBe(0);
    const second = handle(put(target));
    expect(epoch(target)).toBe(1);
    const third = handle(put(target));
    target.boot();
    target.boot();
    evict(target, third);
    const fourth = handle(put(target));
    expect([first, second, fourth].map((made) => get(target, made).get(Key.Epoch))).toEqual([0, 1, 2]);
    target.close();
  });

  it("does not rise by reading, by a refusal or by a repeated request", () => {
    const target = ready(kind);
    const by = help();
    const made = put(target, by);
    target.boot();
    get(target, handle(made));
    put(target, by);
    put(target, { policy: 9 });
    target.ask(Command.Accept);
    target.ask(Command.ProvisionFinish);
    expect(epoch(target)).toBe(0);
    target.close();
  });

  it("once set does not count power-ups any more", () => {
    const target = ready(kind);
    expect(set(target, 5).get(Key.Epoch)).toBe(5);
    expect([epoch(target), info(target).get(Key.EpochSet)]).toEqual([5, true]);
    target.boot();
    const made = handle(put(target));
    expect(get(target, made).get(Key.Epoch)).toBe(5);
    target.close();
  });

  it("can be set to what it is, which stops the counting, and a second time without a change", () => {
    const target = ready(kind);
    expect(info(target).get(Key.EpochSet)).toBe(false);
    expect(says(set(target, 0))).toBe("Ok");
    expect(info(target).get(Key.EpochSet)).toBe(true);
    expect(unchanged(target, () => says(set(target, 0)))).toBe("Ok");
    target.boot();
    put(target);
    expect(epoch(target)).toBe(0);
    target.close();
  });

  it("never goes back: EpochBack with the present one", () => {
    const target = ready(kind);
    set(target, 0xfffffffe);
    expect(unchanged(target, () => says(set(target, 7)))).toBe(`EpochBack ${0xfffffffe}`);
    expect(says(set(target, 0xffffffff))).toBe("Ok");
    expect(unchanged(target, () => says(set(target, 0xfffffffe)))).toBe(`EpochBack ${0xffffffff}`);
    target.close();
  });

  it("of a record is that of its creation, also after replace and relabel", () => {
    const target = ready(kind);
    const made = handle(put(target));
    set(target, 3);
    replace(target, made);
    relabel(target, made, "renamed");
    expect(get(target, made).get(Key.Epoch)).toBe(0);
    target.close();
  });
});

function help() {
  return { token: Buffer.alloc(16, 0xab), body: body(90) };
}

describe.each(engineTargets)("the epoch on $name with a failing medium", (kind) => {
  it("rises at the first change that happens, not at one that failed", () => {
    const target = ready(kind, SMALL);
    const made = handle(put(target));
    target.boot();
    for (let at = 0; at < target.device.data.size; at += 64) target.device.data.stick(at, { erase: true });
    expect(says(evict(target, made))).toBe("MediumFailed");
    for (let at = 0; at < target.device.data.size; at += 64) target.device.data.stick(at, {});
    expect(epoch(target)).toBe(0);
    expect(says(replace(target, made))).toBe("Ok");
    expect(epoch(target)).toBe(1);
    target.close();
  });
});
