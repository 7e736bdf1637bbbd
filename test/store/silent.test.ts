/** Flash that reports success and kept something else: every program is read back, so that no wrong byte is ever committed. */
import { describe, expect, it } from "vitest";
import type { Nor } from "../../board/virtual/nor.js";
import { BODY_OFF_LIVE, BODY_OFF_SETTLED, JOURNAL_PLACE, JOURNAL_PLACES } from "../../firmware/defs/journal.js";
import { CUSTODY_OFFSET, CUSTODY_SIZE, JOURNAL_OFFSET, OPERATORS_OFFSET } from "../../firmware/defs/medium.js";
import { OPERATOR_PLACE, OPERATOR_PLACES } from "../../firmware/defs/operator.js";
import { POINTER_PLACE } from "../../firmware/defs/pointers.js";
import { Role } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import * as claims from "../claims/device/help.js";
import { type Bench, engineTargets } from "../targets.js";
import * as help from "./help.js";

const { addOperator, begin, body, get, handle, handles, hex, list, operators, put, ready, says, SMALL, state } = help;

/** From now on, until the function that comes back is called, one bit of the n-th unit that is programmed where `where` says is kept wrongly. */
function keepWrongly(nor: Nor, n: number, where: (offset: number) => boolean): () => boolean {
  const told = nor.changed;
  let programmed = 0;
  let done = false;
  const restore = (): boolean => {
    nor.changed = told;
    return done;
  };
  nor.changed = (offset, length) => {
    told?.(offset, length);
    if (length !== nor.unit || !where(offset) || programmed++ !== n) return;
    done = true;
    nor.changed = told;
    const bytes = Buffer.from(nor.bytes.subarray(offset, offset + length));
    bytes[0]! ^= 0x04;
    nor.preload(offset, bytes);
  };
  return restore;
}

describe.each(engineTargets)("a unit that keeps something else on $name", (kind) => {
  /** Keeps each unit of a change wrongly in turn. @param check is told what the change answered */
  function each(
    nor: (target: Bench) => Nor,
    where: (offset: number) => boolean,
    make: () => Bench,
    change: (target: Bench) => string,
    check: (target: Bench, answer: string, where: string) => void,
  ): number {
    for (let unit = 0; ; unit++) {
      const target = make();
      const restore = keepWrongly(nor(target), unit, where);
      const answer = change(target);
      const done = restore();
      if (done) check(target, answer, `unit ${unit}`);
      target.close();
      if (!done) return unit;
    }
  }

  it("in a slot: the record is whole in another slot", () => {
    const request = { token: help.token(), body: body(700), label: "whole" };
    const units = each(
      (target) => target.device.slots,
      () => true,
      () => ready(kind, SMALL),
      (target) => says(put(target, request)),
      (target, answer, where) => {
        expect(answer, where).toBe("Ok");
        for (const boot of [false, true]) {
          if (boot) target.boot();
          const [made] = list(target);
          expect(hex(get(target, made!.get(Key.Handle) as Uint8Array).get(Key.Body)), where).toBe(hex(request.body));
        }
      },
    );
    expect(units).toBeGreaterThan(5);
  });

  it("in a journal body: the change is MediumFailed and not done, and can be done again", () => {
    const isBody = (offset: number) => {
      const at = (offset - JOURNAL_OFFSET) % JOURNAL_PLACE;
      const isJournal = offset >= JOURNAL_OFFSET && offset < JOURNAL_OFFSET + JOURNAL_PLACES * JOURNAL_PLACE;
      return isJournal && at >= BODY_OFF_LIVE && at < BODY_OFF_SETTLED;
    };
    let made: Uint8Array;
    each(
      (target) => target.device.data,
      isBody,
      () => {
        const target = ready(kind, SMALL);
        made = handle(put(target));
        return target;
      },
      (target) => says(help.evict(target, made)),
      (target, answer, where) => {
        expect([answer, handles(list(target))], where).toEqual(["MediumFailed", [hex(made)]]);
        target.boot();
        expect([state(target), handles(list(target))], where).toEqual([State.Ready, [hex(made)]]);
        expect(says(help.evict(target, made)), where).toBe("Ok");
      },
    );
  });

  it("in an operator's place: the key stands whole in another one", () => {
    const isOperator = (offset: number) =>
      offset >= OPERATORS_OFFSET && offset < OPERATORS_OFFSET + OPERATOR_PLACES * OPERATOR_PLACE;
    const key = help.randomBytes(32);
    const units = each(
      (target) => target.device.data,
      isOperator,
      () => ready(kind, SMALL),
      (target) => says(addOperator(target, "new", Role.User, key)),
      (target, answer, where) => {
        expect(answer, where).toBe("Ok");
        target.boot();
        expect(operators(target), where).toContain("new User pending");
        expect(target.admit("new", key), where).toBe(0);
      },
    );
    expect(units).toBe(OPERATOR_PLACE / 4);
  });

  it("in a pointer of a filekey: the positions that are answered are those that another place keeps", () => {
    const { create, range, reserve, seen } = claims;
    let filekey: Uint8Array = new Uint8Array(0);
    const units = each(
      (target) => target.device.data,
      () => true,
      () => {
        const target = ready(kind, SMALL);
        filekey = handle(create(target));
        return target;
      },
      (target) => range(reserve(target, filekey, 5n)),
      (target, answer, where) => {
        expect(answer, where).toBe("0…4");
        target.boot();
        expect(seen(target, filekey).pointer, where).toBe(4n);
        expect(range(reserve(target, filekey, 1n)), where).toBe("5…5");
      },
    );
    expect(units).toBe(POINTER_PLACE / 4);
  });

  it("in custody: provisioning is MediumFailed, and nothing is kept under a root of which one copy is wrong", () => {
    const isCustody = (offset: number) => offset >= CUSTODY_OFFSET && offset < CUSTODY_OFFSET + CUSTODY_SIZE;
    each(
      (target) => target.device.data,
      isCustody,
      () => kind.make(),
      (target) => says(begin(target, SMALL)),
      (target, answer, where) => {
        expect([answer, state(target)], where).toEqual(["MediumFailed", State.Blank]);
        target.boot();
        expect([says(begin(target, SMALL)), state(target)], where).toEqual(["Ok", State.Provisioning]);
        expect(target.ask(Command.Info).get(Key.CustodyCopies), where).toBe(2);
      },
    );
  });
});
