/** Power is cut at every flash operation of every change of a filekey, in many ways. What was answered holds; what was not is as before or as
 *  after; the same request again gets what it would have had; and no position is handed out twice. The core in V8, a sample on the ELF. */
import { afterAll, describe, expect, it } from "vitest";
import { seeded } from "../../../board/virtual/prng.js";
import { CLAIMS_OFFSET, CLAIMS_SIZE } from "../../../firmware/defs/medium.js";
import { Key, State } from "../../../firmware/defs/wire.js";
import * as help from "../../store/help.js";
import { type Bench, deviceTargets, repeat, seed } from "../../targets.js";
import { cut, film, load, type Media, type Step, save, stills } from "../../torture/film.js";
import { changingBits, cutsOf } from "../../torture/tears.js";
import * as claims from "./help.js";

console.log(`cuts of filekeys: ${repeat}`);
const { handle, hex, says, token } = help;
const random = seeded(seed);
/** Two slots of a class of 4 KB beside three for filekeys, so that changes reclaim. */
const CLASSES = [{ units: 32, blocks: 2 }];

/** What is known of a filekey from outside. */
interface Known {
  filekey: Uint8Array;
  /** Last position that was answered. */
  answered: bigint;
  /** Secrets of its Deltas, in hexadecimal. */
  secrets: string[];
}

/** A change, with what it may be asked with again. */
interface Change {
  name: string;
  /** Something else is handed out before it in the same power-up. */
  warm?: boolean;
  /** Asks, and checks the answer as the same question asked again must be answered too. */
  ask: (known: Known[]) => void;
  /** The answer came: what is known from now on. */
  answered: (known: Known[]) => Known[];
}

describe.each(deviceTargets.filter(({ name }) => name !== "wasm3"))("on $name: a change of a filekey", (kind) => {
  const target: Bench = help.ready(kind, CLASSES);
  const { device } = target;
  afterAll(() => target.close());

  const secretsOf = (filekey: Uint8Array): string[] =>
    claims.seen(target, filekey).deltas.map((_, i) => {
      const sealed = claims.data(claims.container(target, filekey, i + 1));
      return hex(claims.open(target, filekey, sealed).get(Key.Secret));
    });
  const replaced = (known: Known[], n: number, by: Partial<Known>): Known[] =>
    known.map((one, i) => (i === n ? { ...one, ...by } : one));

  /** Two filekeys in use, and what is known of them. */
  function begin(): { media: Media; known: Known[] } {
    const known = [0, 1].map(() => {
      const filekey = handle(claims.create(target));
      return { filekey, answered: -1n, secrets: secretsOf(filekey) };
    });
    for (let n = 0; n < 30; n++) {
      const one = known[n % 2]!;
      expect(claims.range(claims.reserve(target, one.filekey, 2n))).toBe(`${one.answered + 1n}…${one.answered + 2n}`);
      one.answered += 2n;
    }
    return { media: save(device), known };
  }
  const { media, known } = begin();

  function reserve(count: bigint, warm: boolean): Change {
    const request = token();
    return {
      name: `reserve${warm ? "" : ", the first after power-up"}`,
      warm,
      ask: ([one]) => {
        const first = one!.answered + 1n;
        expect(claims.range(claims.reserve(target, one!.filekey, count, { request }))).toBe(
          `${first}…${first + count - 1n}`,
        );
      },
      answered: (known) => replaced(known, 0, { answered: known[0]!.answered + count }),
    };
  }
  const id = token();
  const renew: Change = {
    name: "renew",
    ask: ([one]) => {
      const made = claims.delta(claims.data(claims.renew(target, one!.filekey, 1, id)));
      expect(made).toEqual({ id: hex(id), start: 1000n, end: 1999n });
    },
    answered: (known) => replaced(known, 0, { secrets: secretsOf(known[0]!.filekey) }),
  };
  const made = token();
  const create: Change = {
    name: "create",
    ask: () => expect(says(claims.create(target, { token: made }))).toBe("Ok"),
    answered: (known) => {
      const filekey = handle(claims.create(target, { token: made }));
      return [...known, { filekey, answered: -1n, secrets: secretsOf(filekey) }];
    },
  };
  const remove: Change = {
    name: "delete with its ciphertext",
    ask: ([one]) => expect(says(claims.remove(target, one!.filekey, true))).toBe("Ok"),
    answered: (known) => known.slice(1),
  };

  /** What must hold of everything that is known. */
  function holds(known: readonly Known[]): Known[] {
    expect(help.state(target)).toBe(State.Ready);
    return known.map(({ filekey, answered, secrets }) => {
      const there = secretsOf(filekey);
      expect(there.slice(0, secrets.length)).toEqual(secrets);
      let sequence = there.length;
      let answer = claims.reserve(target, filekey, 3n, { sequence });
      if (says(answer) === "PositionsLost") {
        // only of one that was never answered
        expect(answered).toBe(-1n);
        expect(says(claims.renew(target, filekey, sequence))).toBe("Ok");
        answer = claims.reserve(target, filekey, 3n, { sequence: ++sequence });
      }
      const [start, end] = claims.range(answer).split("…").map(BigInt) as [bigint, bigint];
      expect(start).toBeGreaterThan(answered);
      return { filekey, answered: end, secrets: secretsOf(filekey) };
    });
  }

  function go({ warm }: Change): Known[] {
    load(device, media);
    target.boot();
    if (!warm) return known;
    claims.reserve(target, known[1]!.filekey, 1n);
    return replaced(known, 1, { answered: known[1]!.answered + 1n });
  }

  /** The next boot, and what is asked then. @param nth varies it: every third time nobody asks again, as a host does that heard nothing */
  function aftermath(change: Change, before: Known[], after: Known[], isAnswered: boolean, nth: number): void {
    target.boot();
    const asked = nth % 3 !== 0;
    if (asked) change.ask(before);
    const wholly = asked && change !== create ? change.answered(before) : isAnswered ? after : before;
    if (nth % 2 === 0) target.boot();
    const later = holds(change === remove ? after : wholly);
    target.boot();
    holds(later);
  }

  it.each([reserve(10n, true), reserve(10n, false), renew, create, remove])("$name", (change) => {
    const before = go(change);
    const from = save(device);
    const steps = film(device, () => change.ask(before));
    const after = change.answered(before);
    let [cases, torn, tried] = [0, 0, 0];
    const every = kind.slow ? 3 * steps.length : 1; // some ten cases
    for (const [number, step, still] of stills(device, from, steps)) {
      const options = { singles: steps.length > 60 ? 1 : 4, subsets: 1 };
      for (const { name, plan } of cutsOf(changingBits(device, step), number === 0, random, options)) {
        if (tried++ % every !== 0) continue;
        const isAnswered = number === steps.length - 1 && plan.tear === "after";
        // a whole entry that reads differently at each look does not come out the same each time
        const isEntry = isPointer(step) && steps[number + 1]?.bytes === undefined;
        const rounds = isEntry && name === "all bits, marginal" && !kind.slow ? 60 : 1;
        for (let round = 0; round < rounds; round++) {
          cases++;
          if (typeof plan.tear !== "string") torn++;
          try {
            cut(device, still, step, plan);
            aftermath(change, before, after, isAnswered, cases);
          } catch (error) {
            const where = `step ${number} of ${steps.length}, ${name}, round ${round}`;
            throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
          }
        }
      }
    }
    console.log(`${kind.name}: ${change.name}: ${cases} cuts of ${steps.length} operations`);
    expect(torn).toBeGreaterThan(cases / 2);
  });
});

/** Whether an entry of a pointer is written. */
const isPointer = ({ medium, offset, bytes }: Step): boolean =>
  medium === "data" && bytes !== undefined && offset >= CLAIMS_OFFSET && offset < CLAIMS_OFFSET + CLAIMS_SIZE;
