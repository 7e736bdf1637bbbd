/** Old images put back, whole or in part: what is noticed at mount, what is harmless, and what is neither, said for each part of both
 *  media. Whoever can write flash can do this; THREATS.md §2.5 has the same rows. Old slots and blocks that meet a record by name are
 *  in test/store/degraded.test.ts. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { JOURNAL_PLACE, JOURNAL_PLACES } from "../../firmware/defs/journal.js";
import {
  DATA_SIZE,
  JOURNAL_OFFSET,
  JOURNAL_SIZE,
  OPERATORS_OFFSET,
  REFUSALS_OFFSET,
  SLOT_BLOCK,
} from "../../firmware/defs/medium.js";
import { OPERATOR_PLACE, OPERATOR_PLACES, REFUSAL_PLACE, REFUSAL_PLACES } from "../../firmware/defs/operator.js";
import { Role } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { decodeAnswer, type Message } from "../../host/client/message.js";
import { newestPlace } from "../store/damage.js";
import * as help from "../store/help.js";
import { type Bench, engineTargets, repeat, seed } from "../targets.js";
import { CLASSES, Fill, fill, handlesIn, keyOf, look, type Media, restore, type Shown, save } from "./scene.js";

console.log(`rollback: ${repeat}`);

const UNIT = 128;
const BLOCKS = CLASSES.reduce((sum, { blocks }) => sum + blocks, 0);
/** Every slot: offset and size. */
const SLOTS = CLASSES.flatMap(({ units, blocks }, c) => {
  const first = CLASSES.slice(0, c).reduce((sum, before) => sum + before.blocks, 0);
  return Array.from({ length: blocks * Math.floor(SLOT_BLOCK / UNIT / units) }, (_, n) => {
    const perBlock = Math.floor(SLOT_BLOCK / UNIT / units);
    const at = (first + Math.floor(n / perBlock)) * SLOT_BLOCK + (n % perBlock) * units * UNIT;
    return { at, size: units * UNIT };
  });
});

type Verdict = "Degraded" | "as it is" | "as it was" | "one change back" | "otherwise";

describe.each(engineTargets)("an old image on $name", (kind) => {
  /** A store as it was, and as it is after five changes: a put, a replace, an evict, an operator gone, another one in its place. */
  function story() {
    const target: Bench = kind.make();
    const { device } = target;
    const scene = fill(device, seeded(seed), "put", decodeAnswer);
    const to = new Fill(device, seeded(seed + 1)).boot();
    const { talk } = to;
    const handle = (name: string) => scene.slots.find((slot) => slot.name === name && slot.live)!.handle;
    const was = { media: scene.media, shown: scene.shown };
    to.put("later", 90, "later");
    to.talk.ask(Command.Replace, [
      [Key.Handle, handle("large")],
      [Key.Token, to.bytes(16)],
      [Key.Body, to.body(1000)],
    ]);
    talk.ask(Command.OperatorRemove, [[Key.Operator, "user"]]);
    to.operator("newcomer", Role.Auditor, true); // takes the first place of the one that is gone
    const before = look(to.boot().talk);
    to.evict(handle("small"));
    const shown = look(to.boot().talk);
    const is = { media: save(device), shown };

    /** Puts back a part of a medium as it was. */
    const putBack = (medium: "slots" | "data", offset: number, length: number): void => {
      const nor = device[medium];
      const old = was.media[medium];
      // as a programmer does it: bytes, whatever they mean; erased parts of the data flash stay erased
      for (let at = offset; at < offset + length; at += nor.unit) {
        const unit = at / nor.unit;
        if (medium === "data" && old.states[unit] === 0) continue;
        nor.preload(at, old.bytes.subarray(at, at + nor.unit));
      }
    };
    const differs = (medium: "slots" | "data", offset: number, length: number): boolean =>
      was.media[medium].bytes.compare(is.media[medium].bytes, offset, offset + length, offset, offset + length) !== 0;
    const same = (a: Shown, b: Shown): boolean => a.list.equals(b.list) && a.operators.equals(b.operators);
    const verdict = (): Verdict => {
      device.boot();
      const now = look(talk.reset());
      if (now.state === State.Degraded) return "Degraded";
      if (now.state !== State.Ready) return "otherwise";
      if (same(now, is.shown)) return "as it is";
      if (same(now, was.shown)) return "as it was";
      return same(now, before) ? "one change back" : "otherwise";
    };
    const tried = (medium: "slots" | "data", offset: number, length: number): Verdict => {
      restore(device, is.media);
      putBack(medium, offset, length);
      return verdict();
    };
    /** Offsets of the slots that are live now. */
    const live = to.slotsNow(handlesIn(is.shown.list, decodeAnswer), true).filter((slot) => slot.live);
    return { target, device, to, talk, was, is, differs, tried, verdict, live, putBack };
  }

  it("of the whole slot region is noticed: Degraded, and accepted it has what still verifies", () => {
    const { target, talk, tried, live } = story();
    expect(tried("slots", 0, BLOCKS * SLOT_BLOCK)).toBe("Degraded");
    expect(talk.ask(Command.Info).get(Key.Corrupt)).toBe(2); // what was put, and the newer version
    expect(talk.ask(Command.Accept).get(Key.Accepted)).toBe(1);
    expect(handlesIn(look(talk).list, decodeAnswer)).toHaveLength(live.length - 2);
    target.close();
  });

  it("of one block is noticed when a record of now stood in it, and harmless otherwise", () => {
    const { target, tried, live, differs } = story();
    const verdicts = Array.from({ length: BLOCKS }, (_, block) => {
      const at = block * SLOT_BLOCK;
      const meets = live.some(
        (slot) => slot.at >= at && slot.at < at + SLOT_BLOCK && differs("slots", slot.at, slot.size),
      );
      expect(tried("slots", at, SLOT_BLOCK), `block ${block}`).toBe(meets ? "Degraded" : "as it is");
      return meets;
    });
    expect(verdicts.filter((noticed) => noticed)).toHaveLength(2);
    target.close();
  });

  it("of one slot is noticed when a record of now stood in it, and harmless otherwise", () => {
    const { target, tried, live, differs } = story();
    let noticed = 0;
    for (const { at, size } of SLOTS) {
      if (!differs("slots", at, size)) continue;
      const meets = live.some((slot) => slot.at === at);
      expect(tried("slots", at, size), `slot at ${at}`).toBe(meets ? "Degraded" : "as it is");
      noticed++;
    }
    expect(noticed).toBe(2);
    target.close();
  });

  it("of the whole data flash, or of the journal, is noticed while a record written since then stands anywhere, dead or alive", () => {
    const { target, talk, to, live, tried } = story();
    for (const [at, length] of [
      [JOURNAL_OFFSET, JOURNAL_SIZE],
      [0, DATA_SIZE],
    ] as const) {
      expect(tried("data", at, length)).toBe("Degraded");
      // accepted, it is the store of then, and what is written from now on is newer than both
      expect(talk.ask(Command.Accept).get(Key.Accepted)).toBe(1);
      to.boot();
      expect(look(talk).state).toBe(State.Ready);
      expect(handlesIn(look(talk).list, decodeAnswer)).toHaveLength(live.length);
    }
    target.close();
  });

  it("of the whole data flash is not noticed when nothing but evicts came since then (limit)", () => {
    const target = help.ready(kind, help.SMALL);
    const evicted = help.handle(help.put(target));
    const old = target.device.data.snapshot();
    expect(help.says(help.evict(target, evicted))).toBe("Ok");
    target.device.data.restore(old);
    target.boot();
    expect([help.state(target), help.handles(help.list(target))]).toEqual([State.Ready, [help.hex(evicted)]]);
    target.close();
  });

  it("of one journal place is harmless, but for the newest one: then the last change is undone, unnoticed (limit)", () => {
    const { target, device, tried } = story();
    const newest = newestPlace(device);
    for (let place = 0; place < JOURNAL_PLACES; place++) {
      const expected: Verdict = place === newest ? "one change back" : "as it is";
      expect(tried("data", JOURNAL_OFFSET + place * JOURNAL_PLACE, JOURNAL_PLACE), `place ${place}`).toBe(expected);
    }
    target.close();
  });

  it("of one operator place counts again where the place is in use (limit), and is harmless where it is not", () => {
    const { target, talk, tried } = story();
    const ids = () =>
      (decodeAnswer(look(talk).operators).get(Key.Operators) as Message[]).map((one) => one.get(Key.Operator));
    const verdicts: Partial<Record<Verdict, number>> = {};
    for (let place = 0; place < OPERATOR_PLACES; place++) {
      const verdict = tried("data", OPERATORS_OFFSET + place * OPERATOR_PLACE, OPERATOR_PLACE);
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
      if (verdict === "as it is") continue;
      expect([place, verdict]).toEqual([1, "otherwise"]);
      // the one who was removed is back, with key and role, and who took the place is out
      expect(ids()).toEqual(["admin", "user", "waits"]);
      expect(talk.handshake("user", keyOf("user"))).toBe(Role.User);
      expect(() => talk.handshake("newcomer", keyOf("newcomer"))).toThrow("HandshakeRefused");
      talk.session = undefined;
    }
    expect(verdicts).toEqual({ "as it is": OPERATOR_PLACES - 1, otherwise: 1 });
    target.close();
  });

  it("of one refusal place is harmless: no more than counts are lost", () => {
    const { target, tried } = story();
    for (let place = 0; place < REFUSAL_PLACES; place++)
      expect(tried("data", REFUSALS_OFFSET + place * REFUSAL_PLACE, REFUSAL_PLACE)).toBe("as it is");
    target.close();
  });

  it("of everything is not noticed: the store is what it was, evicted records, removed operators and all (limit)", () => {
    const { target, device, to, was, verdict } = story();
    restore(device, was.media as Media);
    expect(verdict()).toBe("as it was");
    expect(to.boot().talk.handshake("user", keyOf("user"))).toBe(Role.User);
    target.close();
  });
});
