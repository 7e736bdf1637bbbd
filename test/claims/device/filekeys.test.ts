/** A board as the authority of filekeys: the commands of SPEC.md §17, on every target that is a device. Cuts: cuts.test.ts. */
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { BUCKET, FILEKEY_HEAD, REFILL_S, SEALED_DELTA } from "../../../firmware/defs/filekey.js";
import { CLAIMS_OFFSET } from "../../../firmware/defs/medium.js";
import { FILEKEYS_MAX, POINTER_PLACE, POINTER_PLACES } from "../../../firmware/defs/pointers.js";
import { Usage } from "../../../firmware/defs/record.js";
import { Command, Key } from "../../../firmware/defs/wire.js";
import { people } from "../../device/person.js";
import * as help from "../../store/help.js";
import { deviceTargets } from "../../targets.js";
import * as claims from "./help.js";

const { handle, randomBytes, says, token, unchanged } = help;
const { create, data, list, open, range, renew, reserve, seen } = claims;
const CLASSES = [{ units: 32, blocks: 5 }];

describe.each(deviceTargets)("filekeys on $name", (kind) => {
  const target = help.ready(kind, CLASSES);
  afterAll(() => target.close());
  beforeEach(() => {
    target.talk.person = people.touches;
    for (const entry of help.list(target)) {
      const one = entry.get(Key.Handle) as Uint8Array;
      if (entry.get(Key.Usage) === Usage.Filekey) claims.remove(target, one);
      help.evict(target, one);
    }
    target.boot(); // and the bucket is full
  });

  const make = (how: claims.NewFilekey = {}): Uint8Array => handle(create(target, how));

  it("hands out positions in order, each once, from 0 on; they are behind the last ones after power was off", () => {
    const filekey = make();
    expect(seen(target, filekey)).toMatchObject({ pointer: -1n, deltas: [{ start: 0n, end: 999n }] });
    expect(range(reserve(target, filekey, 1n))).toBe("0…0");
    expect(range(reserve(target, filekey, 99n))).toBe("1…99");
    target.boot();
    expect(range(reserve(target, filekey, 1n))).toBe("100…100");
    expect(seen(target, filekey).pointer).toBe(100n);
  });

  it("gives the same request the same range, also after power was off, until something else was handed out", () => {
    const [filekey, request] = [make(), token()];
    expect(range(reserve(target, filekey, 10n, { request }))).toBe("0…9");
    target.boot();
    expect(range(reserve(target, filekey, 10n, { request }))).toBe("0…9");
    expect(range(reserve(target, filekey, 11n, { request }))).toBe("10…20"); // another request, whatever it is called
    expect(range(reserve(target, filekey, 5n))).toBe("21…25");
    expect(range(reserve(target, filekey, 10n, { request }))).toBe("26…35");
  });

  it("never hands out more than the newest Delta has left, and nothing of another one", () => {
    const filekey = make();
    expect(says(reserve(target, filekey, 1001n))).toBe("DeltaFull");
    expect(range(reserve(target, filekey, 990n))).toBe("0…989");
    expect(says(unchanged(target, () => reserve(target, filekey, 11n)))).toBe("DeltaFull");
    expect(range(reserve(target, filekey, 10n))).toBe("990…999");
    expect(says(reserve(target, filekey, 1n))).toBe("DeltaFull");
    for (const count of [0n, -1n, -(2n ** 63n)])
      expect(says(reserve(target, filekey, count)), String(count)).toBe(`BadArgument ${Key.Data}`);
    expect(says(reserve(target, filekey, 2n ** 63n - 1n))).toBe("DeltaFull");
  });

  it("renews once for each sequence: the second who asks gets Conflict, the one who repeats itself its Delta", () => {
    const [filekey, id] = [make(), token()];
    reserve(target, filekey, 600n);
    const made = claims.delta(data(renew(target, filekey, 1, id)));
    expect(made).toEqual({ id: Buffer.from(id).toString("hex"), start: 1000n, end: 1999n });
    expect(claims.delta(data(renew(target, filekey, 1, id)))).toEqual(made);
    expect(says(renew(target, filekey, 1))).toBe("Conflict 2");
    expect(says(renew(target, filekey, 3))).toBe("Conflict 2");
    expect(says(renew(target, filekey, 2, id))).toBe(`BadArgument ${Key.Token}`); // the id of a Delta that is there
    expect(says(reserve(target, filekey, 1n, { sequence: 1 }))).toBe("Conflict 2");
    expect(range(reserve(target, filekey, 1n, { sequence: 2 }))).toBe("1000…1000");
    target.boot();
    expect(seen(target, filekey)).toMatchObject({ pointer: 1000n, deltas: [{ end: 999n }, made] });
    expect(help.show(target, filekey).get(Key.Origin)).toBe(1);
  });

  it("says TooLarge when no Delta fits any more, and hands out what is left", () => {
    const filekey = make();
    let [sequence, answer] = [1, renew(target, filekey, 1)];
    for (; says(answer) === "Ok"; answer = renew(target, filekey, sequence)) sequence++;
    expect(says(answer)).toMatch(/^TooLarge/);
    expect(sequence).toBeGreaterThan(50);
    expect(seen(target, filekey).deltas).toHaveLength(sequence);
    const last = seen(target, filekey).deltas.at(-1)!;
    expect(range(reserve(target, filekey, 1000n, { sequence }))).toBe(`${last.start}…${last.end}`);
  });

  it("seals each Delta the same each time, opens it, and nothing that was changed in it", () => {
    const [filekey, other] = [make(), make()];
    renew(target, filekey, 1);
    const sealed = [1, 2].map((sequence) => data(claims.container(target, filekey, sequence)));
    expect(sealed[0]).toHaveLength(SEALED_DELTA);
    expect(data(claims.container(target, filekey, 1))).toEqual(sealed[0]);
    const secrets = sealed.map((one) => open(target, filekey, one).get(Key.Secret) as Uint8Array);
    expect(new Set(secrets.map((one) => Buffer.from(one).toString("hex"))).size).toBe(2);
    expect(says(open(target, other, sealed[0]!))).toBe("NotGenuine");
    for (let at = 8; at < SEALED_DELTA; at += 7) {
      const changed = Buffer.from(sealed[0]!);
      changed[at]! ^= 0x10;
      expect(says(open(target, filekey, changed)), `byte ${at}`).toBe("NotGenuine");
    }
    for (const sequence of [0, 3, 0xffffffff])
      expect(says(claims.container(target, filekey, sequence))).toBe(`BadArgument ${Key.Sequence}`);
    expect(says(open(target, filekey, sealed[0]!.subarray(1)))).toBe(`BadArgument ${Key.Data}`);
  });

  it("lets nothing secret of a device-only filekey out, whoever asks and touches", () => {
    const filekey = make({ policy: 0 });
    const sealed = data(claims.container(target, filekey, 1));
    expect(says(open(target, filekey, sealed))).toBe("NotExportable");
    expect(says(claims.exportHead(target, filekey))).toBe("NotExportable");
    expect(says(help.setPolicy(target, filekey, 1))).toBe("NotExportable");
    expect(range(reserve(target, filekey, 5n))).toBe("0…4");
  });

  it("lets the Alpha out by export alone, after a touch", () => {
    const filekey = make();
    expect(says(help.get(target, filekey))).toBe(`WrongUsage ${Usage.Filekey}`);
    const touches = target.talk.touchesAsked;
    expect(data(claims.exportHead(target, filekey))).toHaveLength(FILEKEY_HEAD);
    expect(target.talk.touchesAsked).toBe(touches + 1);
    target.talk.person = people.denies;
    expect(says(claims.exportHead(target, filekey))).toBe("PresenceDenied");
    const each = make({ policy: 5 });
    expect(says(open(target, each, data(claims.container(target, each, 1))))).toBe("PresenceDenied");
  });

  it("opens Deltas of an imported filekey, and hands out nothing of it", () => {
    const filekey = make();
    const sealed = data(claims.container(target, filekey, 1));
    const secret = open(target, filekey, sealed).get(Key.Secret);
    const head = data(claims.exportHead(target, filekey));
    expect(says(claims.importHead(target, head))).toBe("Conflict"); // it is here
    const away = help.ready(kind, CLASSES);
    try {
      const made = token();
      const copy = handle(claims.importHead(away, head, made));
      expect(handle(claims.importHead(away, head, made))).toEqual(copy);
      expect(says(claims.importHead(away, head))).toBe("Conflict");
      expect(open(away, copy, sealed).get(Key.Secret)).toEqual(secret);
      for (const answer of [
        reserve(away, copy, 1n),
        reserve(away, copy, 1n, { sequence: 0 }),
        renew(away, copy, 0),
        claims.container(away, copy, 1),
        claims.remove(away, copy),
      ])
        expect(says(answer)).toBe("NotAuthority");
      expect(seen(away, copy)).toEqual({ id: seen(target, filekey).id, pointer: undefined, deltas: [] });
      expect(says(help.evict(away, copy))).toBe("Ok");
    } finally {
      away.close();
    }
  });

  it("imports only what export gives", () => {
    const head = data(claims.exportHead(target, make()));
    const wrong = (at: number, value: number) => Object.assign(Buffer.from(head), { [at]: value });
    const none = Buffer.from(head).fill(0, 24, 56);
    for (const one of [head.subarray(1), Buffer.concat([head, head]), wrong(0, 1), wrong(0, 2), wrong(3, 1), none])
      expect(says(claims.importHead(target, one))).toBe(`BadArgument ${Key.Data}`);
    expect(says(claims.importHead(target, Buffer.from(head).fill(0, 56)))).toBe(`BadArgument ${Key.Data}`); // no capacity
  });

  it("keeps id and last position of a deleted filekey, and neither Alpha nor Deltas", () => {
    const filekey = make();
    const sealed = data(claims.container(target, filekey, 1));
    const head = data(claims.exportHead(target, filekey));
    expect(says(help.evict(target, filekey))).toBe(`WrongUsage ${Usage.Filekey}`);
    for (const destroy of [false, true, false]) {
      expect(claims.remove(target, filekey, destroy).get(Key.Destroyed)).toBe(destroy);
      for (const answer of [
        reserve(target, filekey, 1n),
        renew(target, filekey, 1),
        list(target, filekey),
        open(target, filekey, sealed),
        claims.exportHead(target, filekey),
      ])
        expect(says(answer)).toBe("Deleted");
      expect(says(claims.importHead(target, head))).toBe("Conflict");
      target.boot();
    }
    expect(help.list(target)).toHaveLength(1);
    expect(says(help.evict(target, filekey))).toBe("Ok");
    expect(says(claims.importHead(target, head))).toBe("Ok");
  });

  it("makes one filekey for one token, and TokenReused of another request with it", () => {
    const made = token();
    const first = create(target, { token: made });
    target.boot();
    expect(create(target, { token: made })).toEqual(first);
    expect(says(create(target, { token: made, capacity: 7n }))).toBe("TokenReused");
    expect(says(create(target, { token: made, policy: 0 }))).toBe("TokenReused");
    expect(says(help.put(target, { token: made }))).toBe("TokenReused");
    renew(target, handle(first), 1);
    expect(handle(create(target, { token: made }))).toEqual(handle(first));
    for (const capacity of [0n, -5n]) expect(says(create(target, { capacity }))).toBe(`BadArgument ${Key.Data}`);
  });

  it("goes up to the last position that there is, and not further", () => {
    const filekey = make({ capacity: 2n ** 63n - 1n });
    expect(range(reserve(target, filekey, 2n ** 63n - 1n))).toBe(`0…${2n ** 63n - 2n}`);
    expect(says(renew(target, filekey, 1))).toMatch(/^TooLarge/);
    expect(says(reserve(target, filekey, 1n))).toBe("DeltaFull");
  });

  it(`is the authority of ${FILEKEYS_MAX} filekeys at the most`, () => {
    const all = Array.from({ length: FILEKEYS_MAX }, () => make());
    const made = token();
    expect(says(create(target, { token: made }))).toBe("FilekeysFull");
    for (const filekey of all) expect(range(reserve(target, filekey, 3n))).toBe("0…2");
    target.boot();
    for (const filekey of all) expect(range(reserve(target, filekey, 3n))).toBe("3…5");
    claims.remove(target, all[3]!);
    expect(says(create(target, { token: made }))).toBe("Ok");
  });

  it(`hands out ${BUCKET} times at once, then every ${REFILL_S} s; renewals count, what is repeated does not`, () => {
    const filekey = make();
    for (let n = 0; n < BUCKET - 1; n++) expect(says(reserve(target, filekey, 1n))).toBe("Ok");
    const request = token();
    expect(range(reserve(target, filekey, 1n, { request }))).toBe("255…255");
    expect(range(reserve(target, filekey, 1n, { request }))).toBe("255…255");
    const said = says(reserve(target, filekey, 1n));
    expect(said).toMatch(/^RateLimited \d+$/);
    const seconds = Number(said.split(" ")[1]);
    expect(seconds).toBeLessThanOrEqual(REFILL_S);
    expect(says(renew(target, filekey, 1))).toMatch(/^RateLimited/);
    target.device.wait((seconds + 1) * 1000);
    expect(range(reserve(target, filekey, 1n))).toBe("256…256");
    expect(says(reserve(target, filekey, 1n))).toMatch(/^RateLimited/);
  });

  it("hands out nothing when its pointer is lost, until it is renewed, and then new positions", () => {
    const [filekey, other] = [make(), make()];
    for (const one of [filekey, other]) reserve(target, one, 5n);
    for (let place = 0; place < POINTER_PLACES; place++)
      target.device.data.erase(CLAIMS_OFFSET + place * POINTER_PLACE);
    target.boot();
    expect(seen(target, filekey).pointer).toBeUndefined();
    expect(says(reserve(target, filekey, 1n))).toBe("PositionsLost");
    const id = token();
    expect(says(renew(target, filekey, 1, id))).toBe("Ok");
    expect(range(reserve(target, filekey, 5n, { sequence: 2 }))).toBe("1000…1004");
    expect(says(reserve(target, other, 1n))).toBe("PositionsLost");
    target.boot();
    expect(range(reserve(target, filekey, 5n, { sequence: 2 }))).toBe("1005…1009");
    // a renewal that is repeated does not begin anew
    for (let place = 0; place < POINTER_PLACES; place++)
      target.device.data.erase(CLAIMS_OFFSET + place * POINTER_PLACE);
    target.boot();
    expect(says(renew(target, filekey, 1, id))).toBe("Ok");
    expect(says(reserve(target, filekey, 1n, { sequence: 2 }))).toBe("PositionsLost");
  });

  it("answers WrongUsage for records that are none, NoSuchHandle for none, and lets no other command change a filekey", () => {
    const record = handle(help.put(target));
    for (const answer of [
      reserve(target, record, 1n),
      renew(target, record, 1),
      list(target, record),
      claims.exportHead(target, record),
      claims.remove(target, record),
    ])
      expect(says(answer)).toBe("WrongUsage 0");
    expect(says(reserve(target, randomBytes(16), 1n))).toBe("NoSuchHandle");
    const filekey = make({ label: "files" });
    expect(says(help.replace(target, filekey, help.body()))).toBe(`WrongUsage ${Usage.Filekey}`);
    expect(says(help.sign(target, filekey))).toBe(`WrongUsage ${Usage.Filekey}`);
    expect(says(help.put(target, { usage: Usage.Filekey }))).toBe(`BadArgument ${Key.Usage}`);
    expect(says(help.generate(target, { usage: Usage.Filekey }))).toBe(`BadArgument ${Key.Usage}`);
    expect(says(help.relabel(target, filekey, "other"))).toBe("Ok");
    expect(says(help.setPolicy(target, filekey, 0))).toBe("Ok");
    expect(range(reserve(target, filekey, 2n))).toBe("0…1");
    expect(says(renew(target, filekey, 1))).toBe("Ok");
    expect(help.publicParts(target, filekey).get(Key.Body)).toHaveLength(0);
  });

  it("counts in info how many reserves the data flash has left", () => {
    const filekey = make();
    const left = () => target.ask(Command.Info).get(Key.ReservesLeft) as number;
    const before = left();
    reserve(target, filekey, 1n);
    reserve(target, filekey, 1n);
    expect(before - left()).toBe(2);
    expect(before).toBeLessThanOrEqual(POINTER_PLACES * 100_000);
  });

  it("loses its positions with a reset, and nothing of them comes back", () => {
    const away = help.ready(kind, CLASSES);
    try {
      const filekey = handle(create(away));
      reserve(away, filekey, 7n);
      expect(says(away.ask(Command.Reset))).toBe("Ok");
      help.begin(away, CLASSES);
      const made = handle(create(away));
      expect(range(reserve(away, made, 3n))).toBe("0…2");
      expect(says(list(away, filekey))).toBe(Buffer.compare(made, filekey) === 0 ? "Ok" : "NoSuchHandle");
    } finally {
      away.close();
    }
  });
});
