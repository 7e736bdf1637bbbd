/** Filekeys under what goes wrong: flash that fails with power on, tokens of something else, records that changed under a check. Each of these
 *  once handed out a position twice, lost a pointer, or left a filekey that could be neither used nor removed. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UnitState } from "../../../board/virtual/nor.js";
import { BUCKET, FILEKEY_HEAD } from "../../../firmware/defs/filekey.js";
import { CLAIMS_OFFSET, CLAIMS_SIZE } from "../../../firmware/defs/medium.js";
import { POINTER_PLACE, POINTER_PLACES } from "../../../firmware/defs/pointers.js";
import { Status } from "../../../firmware/defs/status.js";
import { Command, Key } from "../../../firmware/defs/wire.js";
import type { Message } from "../../../host/client/message.js";
import type { EngineDevice } from "../../device/device.js";
import { changeData, changeSlots, flip, placesOf } from "../../store/damage.js";
import * as help from "../../store/help.js";
import { type Bench, engineTargets } from "../../targets.js";
import { load } from "../../torture/film.js";
import * as claims from "./help.js";

const { handle, says, token } = help;
const { create, data, range, renew, reserve, seen } = claims;
const CLASSES = [{ units: 32, blocks: 5 }];
const SLOTS = 0; // Region
const DATA = 1;

/** A range, or what was said instead. */
const told = (answer: Message): string => (answer.get(Key.Command) === Status.Ok ? range(answer) : says(answer));

/** A body that is a filekey's content, by somebody who knows SPEC §16. */
function forged(): Uint8Array {
  const body = Buffer.alloc(8 + FILEKEY_HEAD + 64);
  body.set([4, 1], 0);
  body.writeUInt16LE(FILEKEY_HEAD + 64, 2);
  const content = body.subarray(8);
  content[0] = 1;
  content.fill(7, 8, 56);
  content.writeBigInt64LE(1000n, 56);
  content.fill(9, 64, 112);
  content.writeBigInt64LE(999n, 120);
  return body;
}

describe.each(engineTargets)("filekeys on $name", (kind) => {
  let target: Bench<EngineDevice>;
  beforeEach(() => {
    target = help.ready(kind, CLASSES);
  });
  afterEach(() => target.close());
  const make = (how: claims.NewFilekey = {}): Uint8Array => handle(create(target, how));

  /** Watches the flash of pointers from the next boot on. `fails`: whether an operation on a place does. */
  function pointers(fails: (does: "read" | "erase", place: number) => boolean): {
    erased: number[];
    written: number[];
  } {
    const { board } = target.device;
    const { read, erase, program } = board;
    const done = { erased: [] as number[], written: [] as number[] };
    const place = (region: number, offset: number): number | undefined =>
      region === DATA && offset >= CLAIMS_OFFSET && offset < CLAIMS_OFFSET + CLAIMS_SIZE
        ? Math.floor((offset - CLAIMS_OFFSET) / POINTER_PLACE)
        : undefined;
    board.erase = (region, offset) => {
      const at = place(region, offset);
      if (at === undefined) return erase(region, offset);
      done.erased.push(at);
      return fails("erase", at) ? Status.MediumFailed : erase(region, offset);
    };
    board.read = (region, offset, pointer, length) => {
      const at = place(region, offset);
      return at !== undefined && fails("read", at) ? Status.Unreadable : read(region, offset, pointer, length);
    };
    board.program = (region, offset, pointer, length) => {
      const at = place(region, offset);
      if (at !== undefined) done.written.push(at);
      return program(region, offset, pointer, length);
    };
    target.boot();
    return done;
  }

  it("do not begin again behind the last position that there is", () => {
    const filekey = make({ capacity: 2n ** 62n });
    renew(target, filekey, 1);
    expect(told(reserve(target, filekey, 2n ** 62n, { sequence: 2 }))).toBe(`${2n ** 62n}…${2n ** 63n - 1n}`);
    for (let n = 0; n < 2; n++) expect(told(reserve(target, filekey, 1n, { sequence: 2 }))).toBe("DeltaFull");
  });

  it("do not answer a repeated request from an older Delta", () => {
    const [filekey, request] = [make(), token()];
    expect(told(reserve(target, filekey, 10n, { request }))).toBe("0…9");
    renew(target, filekey, 1);
    expect(told(reserve(target, filekey, 10n, { request, sequence: 2 }))).toBe("1000…1009");
  });

  it("keep their pointer when a delete is refused, or fails", () => {
    const made = token();
    const filekey = make({ token: made });
    reserve(target, filekey, 5n);
    const fields = [
      [Key.Handle, filekey],
      [Key.Token, made],
      [Key.Destroy, false],
    ] as const;
    expect(says(target.ask(Command.FilekeyDelete, fields))).toBe("TokenReused");
    expect(told(reserve(target, filekey, 5n))).toBe("5…9");
  });

  it("do not go back to an entry that could not be erased when a delete comes and goes", () => {
    const filekey = make();
    let bad = -1;
    const { erased } = pointers((does, place) => does === "erase" && place === bad);
    const other = make();
    for (let n = 0; n < 27; n++) {
      erased.length = 0;
      expect(says(reserve(target, filekey, 5n))).toBe("Ok");
      if (bad < 0 && erased.at(-1)! > 15) bad = erased.at(-1)! + 1;
    }
    expect(says(claims.remove(target, filekey))).toBe("Ok");
    expect(says(reserve(target, filekey, 5n))).toBe("Deleted");
    expect(told(reserve(target, other, 2n))).toBe("0…1");
  });

  it("do not go back to an entry that could be neither read nor erased for a while", () => {
    const filekey = make();
    let bad = -1;
    const { written } = pointers((_, place) => place === bad);
    for (let n = 0; n < 30; n++) reserve(target, filekey, 5n);
    bad = written.at(-1)!;
    target.boot();
    expect(told(reserve(target, filekey, 5n))).toBe("PositionsLost");
    expect(says(renew(target, filekey, 1))).toBe("Ok");
    expect(told(reserve(target, filekey, 5n, { sequence: 2 }))).toBe("1000…1004");
    expect(told(reserve(target, filekey, 5n, { sequence: 2 }))).toBe("1005…1009");
    bad = -1;
    target.boot();
    expect(told(reserve(target, filekey, 5n, { sequence: 2 }))).toBe("1010…1014");
  });

  it("hand out positions again when erases have failed for a while", () => {
    let failing = false;
    const [filekey, other] = [make(), make()];
    pointers((does) => does === "erase" && failing);
    reserve(target, filekey, 1n);
    failing = true;
    const all = Array.from({ length: 30 }, () => told(reserve(target, filekey, 1n)));
    expect(all.at(-1)).toBe("MediumFailed");
    failing = false;
    for (const boot of [false, true]) {
      if (boot) target.boot();
      for (const one of [filekey, other]) expect(says(reserve(target, one, 1n))).toBe("Ok");
      expect(says(create(target))).toBe("Ok");
    }
    const handed = all.filter((one) => one !== "MediumFailed").map((one) => Number(one.split("…")[0]));
    expect(new Set(handed).size).toBe(handed.length);
    expect(seen(target, filekey).pointer).toBeGreaterThan(BigInt(Math.max(...handed)));
  });

  it("are not made or imported with a token that made something else", () => {
    const away = help.ready(kind, CLASSES);
    const head = data(claims.exportHead(away, handle(create(away))));
    away.close();
    const [first, second, third] = [token(), token(), token()];
    help.relabel(target, handle(help.put(target, { token: first })), "x");
    expect(says(claims.importHead(target, head, first))).toBe("TokenReused");
    expect(says(create(target, { token: first }))).toBe("TokenReused");
    renew(target, make({ token: second }), 1);
    expect(says(claims.importHead(target, head, second))).toBe("TokenReused");
    help.relabel(target, handle(help.put(target, { token: third, body: forged() })), "y");
    expect(says(create(target, { token: third }))).toBe("TokenReused");
    expect(help.list(target)).toHaveLength(3);
  });

  it("of which any bit of a pointer is wrong hand out nothing of that Delta again", () => {
    const [filekey, other] = [make(), make()];
    const { data } = target.device;
    reserve(target, other, 7n);
    for (let n = 0; n < 5; n++) reserve(target, filekey, 10n);
    const sound = { slots: target.device.slots.snapshot(), data: data.snapshot() };
    const places = Array.from({ length: POINTER_PLACES }, (_, place) => CLAIMS_OFFSET + place * POINTER_PLACE).filter(
      (at) => data.stateAt(at) === UnitState.Programmed,
    );
    let lost = 0;
    const step = kind.share === 1 ? 1 : 7;
    for (const at of places)
      for (let bit = 0; bit < 8 * POINTER_PLACE; bit += step) {
        load(target.device, sound);
        changeData(target.device, at + (bit >> 3), (bytes) => {
          bytes[0]! ^= 1 << (bit & 7);
        });
        target.boot();
        const [first, second] = [told(reserve(target, filekey, 1n)), told(reserve(target, other, 1n))];
        expect([`50…50`, "PositionsLost"], `${at}, bit ${bit}`).toContain(first);
        expect([`7…7`, "PositionsLost"], `${at}, bit ${bit}`).toContain(second);
        if (first === "PositionsLost" || second === "PositionsLost") lost++;
      }
    expect(places).toHaveLength(2);
    expect(lost).toBe(Math.ceil((8 * POINTER_PLACE) / step) * 2);
  });

  it("are not held up by renewals that are refused", () => {
    const filekey = make({ capacity: 2n ** 63n - 1n });
    for (let n = 0; n <= BUCKET; n++) expect(says(renew(target, filekey, 1))).toMatch(/^TooLarge/);
    expect(told(reserve(target, filekey, 1n))).toBe("0…0");
  });

  it("whose record is damaged hand out nothing, and can be deleted", () => {
    const filekey = make();
    for (const at of placesOf(target.device, filekey)) changeSlots(target.device, at + 140, flip);
    target.boot();
    for (const answer of [reserve(target, filekey, 1n), renew(target, filekey, 1)])
      expect(says(answer)).toBe("Corrupt");
    expect(says(claims.remove(target, filekey))).toBe("Ok");
    expect(help.list(target)).toHaveLength(0);
    expect(told(reserve(target, make(), 1n))).toBe("0…0");
  });

  it("are not replaced when their header cannot be read at the check and can be afterwards", () => {
    const filekey = make();
    const { board } = target.device;
    const { read } = board;
    let faults = 0;
    const slot = placesOf(target.device, filekey)[0]!;
    board.read = (region, offset, pointer, length) =>
      region === SLOTS && offset === slot && faults-- > 0 ? Status.Unreadable : read(region, offset, pointer, length);
    target.boot();
    reserve(target, filekey, 500n);
    faults = 1;
    expect(says(help.replace(target, filekey, forged()))).toBe("Unreadable");
    expect(told(reserve(target, filekey, 1n))).toBe("500…500");
  });

  it("that were imported never become exportable", () => {
    const away = help.ready(kind, CLASSES);
    const head = data(claims.exportHead(away, handle(create(away))));
    away.close();
    const fields = [
      [Key.Token, token()],
      [Key.Tier, 1],
      [Key.Policy, 0],
      [Key.Data, head],
    ] as const;
    const copy = handle(target.ask(Command.FilekeyImport, fields));
    expect(says(help.setPolicy(target, copy, 1))).toBe("NotExportable");
    expect(says(claims.exportHead(target, copy))).toBe("NotExportable");
  });

  it("ask for no touch for what is no sealed Delta", () => {
    const filekey = make({ policy: 5 });
    const touches = target.talk.touchesAsked;
    expect(says(claims.open(target, filekey, new Uint8Array(3)))).toBe(`BadArgument ${Key.Data}`);
    expect(target.talk.touchesAsked).toBe(touches);
  });
});
