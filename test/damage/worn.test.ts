/** Blocks that can no longer be erased or programmed, one at a time, for each kind of block there is; on the virtual board the flash
 *  controller reports them in its error bits. What must hold: every answer is Ok or MediumFailed; no record is lost or changed; all
 *  others stay readable; the next boot shows the same; and when the block works again, so does everything. DESIGN.md §3.2, §4.
 *  Single failing operations are in test/cuts/failing.test.ts, erases of journal places in test/store/worn.test.ts. */
import { describe, expect, it } from "vitest";
import { seeded } from "../../board/virtual/prng.js";
import { CUSTODY_OFF_ROOT, CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { JOURNAL_PLACE, JOURNAL_PLACES } from "../../firmware/defs/journal.js";
import {
  CUSTODY_OFFSET,
  CUSTODY_SIZE,
  DATA_BLOCK,
  JOURNAL_OFFSET,
  OPERATORS_OFFSET,
  REFUSALS_OFFSET,
  SLOT_BLOCK,
} from "../../firmware/defs/medium.js";
import { OPERATOR_PLACE, OPERATOR_PLACES, REFUSAL_PLACE, REFUSAL_PLACES } from "../../firmware/defs/operator.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { decodeAnswer, type Message } from "../../host/client/message.js";
import { QUICK, transplant } from "../store/help.js";
import { type Bench, deviceTargets, engineTargets, type Kind, repeat, seed } from "../targets.js";
import { harm, inflict } from "./harm.js";
import { Fill, handlesIn, hex, keyOf, look } from "./scene.js";

console.log(`worn blocks: ${repeat}`);

type Mode = "erase" | "program" | "both";
const MODES: readonly Mode[] = ["erase", "program", "both"];
type Outcome = "Ok" | "MediumFailed";

/** A store whose records the test knows; one class of three blocks with four slots each. */
class Story {
  readonly target: Bench;
  readonly to: Fill;
  /** Bodies by handle. */
  readonly known = new Map<string, Buffer>();
  readonly outcomes: Outcome[] = [];
  #turn = 0;

  constructor(kind: Kind<Bench>) {
    const quick = kind.slow === true ? QUICK.make() : kind.make();
    this.target = quick;
    this.to = new Fill(quick.device, seeded(seed)).boot();
    this.to.talk.ask(Command.ProvisionBegin, [
      [Key.Manifest, new Uint8Array(16)],
      [
        Key.Classes,
        [
          new Map([
            [Key.SlotUnits, 64],
            [Key.Blocks, 3],
          ]),
        ],
      ],
    ]);
    this.to.operator("admin", Role.Admin, true);
    for (let i = 0; i < 3; i++) expect(this.put()).toBe("Ok");
    this.outcomes.length = 0;
    if (kind.slow !== true) return;
    this.target = kind.make();
    transplant(quick.device, this.target.device);
    this.to = new Fill(this.target.device, seeded(seed + 1)).boot();
    quick.close();
  }

  get device() {
    return this.target.device;
  }

  /** Makes a block, or several, fail, or work again. */
  stick(medium: "slots" | "data", offset: number, length: number, mode: Mode | undefined): void {
    const size = medium === "slots" ? SLOT_BLOCK : DATA_BLOCK;
    const base = medium === "slots" ? this.device.slotsOffset : 0;
    const how = { erase: mode === "erase" || mode === "both", program: mode === "program" || mode === "both" };
    for (let at = offset; at < offset + length; at += size) this.device[medium].stick(base + at, how);
  }

  put(): Outcome {
    const body = Buffer.from(this.to.body(40 + (this.#turn++ % 9)));
    const fields = [
      [Key.Token, this.to.bytes(16)],
      [Key.Usage, 0],
      [Key.Tier, 1],
      [Key.Policy, 1],
      [Key.Body, body],
    ] as const;
    return this.#note(Command.Put, fields, (list) => {
      const fresh = list.filter((handle) => !this.known.has(handle));
      expect(fresh.length).toBeLessThanOrEqual(1);
      for (const handle of fresh) this.known.set(handle, body);
      return fresh.length === 1;
    });
  }
  replace(handle: string): Outcome {
    const body = Buffer.from(this.to.body(50 + (this.#turn++ % 9)));
    const fields = [
      [Key.Handle, Buffer.from(handle, "hex")],
      [Key.Token, this.to.bytes(16)],
      [Key.Body, body],
    ] as const;
    return this.#note(Command.Replace, fields, () => {
      const isNew = this.#get(handle).equals(body);
      if (isNew) this.known.set(handle, body);
      return isNew;
    });
  }
  evict(handle: string, destroy = false): Outcome {
    const fields = [
      [Key.Handle, Buffer.from(handle, "hex")],
      [Key.Destroy, destroy],
    ] as const;
    return this.#note(Command.Evict, fields, (list) => {
      const isGone = !list.includes(handle);
      if (isGone) this.known.delete(handle);
      return isGone;
    });
  }
  operator(id: string): Outcome {
    const fields = [
      [Key.Role, Role.Admin],
      [Key.Operator, id],
      [Key.Secret, Buffer.alloc(32, `${id} key`)],
    ] as const;
    const ids = () => decodeAnswer(look(this.to.talk).operators).get(Key.Operators) as Message[];
    return this.#note(Command.OperatorAdd, fields, () => ids().some((one) => one.get(Key.Operator) === id));
  }
  epoch(): Outcome {
    return this.#note(Command.Epoch, [[Key.Epoch, 100 + this.#turn++]], () => true);
  }

  /** Asks for a change, and looks what became of it. @param isDone tells, and notes, what the store shows */
  #note(
    command: Command,
    fields: Iterable<readonly [Key, Uint8Array | number | boolean | string]>,
    isDone: (list: string[]) => boolean,
  ): Outcome {
    const status = this.to.talk.answer(command, fields).get(Key.Command) as Status;
    const done = isDone(this.list());
    if (status === Status.Ok) expect(done, `${Command[command]} answers Ok and was not done`).toBe(true);
    else expect(Status[status], Command[command]).toBe("MediumFailed");
    const outcome = status === Status.Ok ? "Ok" : "MediumFailed";
    this.outcomes.push(outcome);
    return outcome;
  }

  list(): string[] {
    return handlesIn(look(this.to.talk).list, decodeAnswer);
  }
  #get(handle: string): Buffer {
    const answer = this.to.talk.ask(Command.Get, [[Key.Handle, Buffer.from(handle, "hex")]]);
    return Buffer.from(answer.get(Key.Body) as Uint8Array);
  }

  /** Every record that the store should have is there, whole, and no other. */
  holds(): void {
    expect(this.list().sort()).toEqual([...this.known.keys()].sort());
    for (const [handle, body] of this.known) expect(hex(this.#get(handle))).toBe(hex(body));
  }

  /** The n-th record. */
  record(n: number): string {
    return [...this.known.keys()][n % this.known.size]!;
  }

  /** So many changes of all sorts, with a power cycle here and there. */
  live(changes: number): void {
    for (let i = 0; i < changes; i++) {
      if (i % 5 === 0) this.epoch();
      else if (i % 5 === 2 && this.known.size < 5) this.put();
      else if (i % 5 === 4 && this.known.size > 3) this.evict(this.record(i), i % 2 === 0);
      else this.replace(this.record(i));
      if (i % 7 === 6) {
        this.holds();
        this.to.boot();
      }
    }
    this.holds();
    this.to.boot();
    this.holds();
  }

  failed(): number {
    return this.outcomes.filter((outcome) => outcome !== "Ok").length;
  }
  close(): void {
    this.target.close();
  }
}

const blockOf = (story: Story, handle: string): number => {
  const live = story.to.slotsNow([handle], true).filter((slot) => slot.live);
  return Math.floor(live[0]!.at / SLOT_BLOCK);
};

const boards = deviceTargets.filter(({ slow }) => slow === true);

describe.each(engineTargets)("a block of slots on $name that fails", (kind) => {
  it.each(MODES)("at %s costs no record, wherever it is: where records are, where the next goes, the spare", (mode) => {
    const told: string[] = [];
    for (let block = 0; block < 3; block++) {
      const story = new Story(kind);
      story.stick("slots", block * SLOT_BLOCK, SLOT_BLOCK, mode);
      story.live(60);
      told.push(`block ${block}: ${story.failed()} of ${story.outcomes.length} changes failed`);
      story.stick("slots", block * SLOT_BLOCK, SLOT_BLOCK, undefined);
      story.outcomes.length = 0;
      story.live(30);
      expect(story.failed(), `block ${block} works again`).toBe(0);
      story.close();
    }
    console.log(`${kind.name}, slots that fail at ${mode}: ${told.join("; ")}`);
  });

  it("and is the only one without records stops puts into its class (limit): evicting the records of another one makes room", () => {
    const story = new Story(kind);
    // two blocks with records, the third one fails
    while (new Set(story.list().map((handle) => blockOf(story, handle))).size < 2) story.put();
    const used = new Set(story.list().map((handle) => blockOf(story, handle)));
    const spare = [0, 1, 2].find((block) => !used.has(block))!;
    story.stick("slots", spare * SLOT_BLOCK, SLOT_BLOCK, "both");
    story.outcomes.length = 0;
    for (let i = 0; i < 12 && story.failed() === 0; i++) story.replace(story.record(i));
    for (let i = 0; i < 3; i++) expect(story.replace(story.record(i))).toBe("MediumFailed");
    story.holds();
    const [first] = used;
    for (const handle of story.list()) if (blockOf(story, handle) === first) expect(story.evict(handle)).toBe("Ok");
    const tries: Outcome[] = [];
    while (tries.at(-1) !== "Ok" && tries.length < 4) tries.push(story.put());
    expect(tries.at(-1)).toBe("Ok");
    story.to.boot();
    story.holds();
    story.close();
  });

  it("at programming is left after a few tries: the records go to another block", () => {
    const story = new Story(kind);
    const at = blockOf(story, story.record(0)) * SLOT_BLOCK;
    story.stick("slots", at, SLOT_BLOCK, "program");
    const tries: Outcome[] = [];
    while (tries.at(-1) !== "Ok" && tries.length < 6) tries.push(story.put());
    expect(tries.at(-1)).toBe("Ok");
    expect(blockOf(story, story.record(3)) * SLOT_BLOCK).not.toBe(at);
    story.holds();
    story.close();
  });
});

describe.each(engineTargets)("a block of the data flash on $name that fails", (kind) => {
  it.each(MODES)(
    "at %s in a journal place costs at most the change that meets it, and the next one goes round it",
    (mode) => {
      let met = 0;
      for (let place = 0; place < JOURNAL_PLACES; place++) {
        const story = new Story(kind);
        const offset = JOURNAL_OFFSET + place * JOURNAL_PLACE;
        for (let block = 0; block < JOURNAL_PLACE; block += DATA_BLOCK) {
          story.stick("data", offset + block, DATA_BLOCK, mode);
          story.outcomes.length = 0;
          for (let i = 0; i < JOURNAL_PLACES + 3; i++) story.epoch();
          expect(story.failed(), `place ${place}, block ${block}`).toBeLessThanOrEqual(1);
          met += story.failed();
          story.holds();
          story.to.boot();
          story.holds();
          story.stick("data", offset + block, DATA_BLOCK, undefined);
        }
        expect(story.put()).toBe("Ok");
        story.close();
      }
      console.log(`${kind.name}, journal places that fail at ${mode}: ${met} changes failed`);
      if (mode === "program") expect(met).toBeGreaterThan(0);
    },
  );

  it.each(MODES)("at %s in custody changes nothing as long as both copies stand", (mode) => {
    const story = new Story(kind);
    story.stick("data", CUSTODY_OFFSET, CUSTODY_SIZE, mode);
    story.live(20);
    expect(story.failed()).toBe(0);
    expect(story.to.talk.ask(Command.Info).get(Key.CustodyCopies)).toBe(2);
    story.close();
  });

  it.each(MODES)(
    "at %s in a damaged copy of custody leaves it damaged, and the store works with the other one",
    (mode) => {
      for (let copy = 0; copy < 2; copy++) {
        const story = new Story(kind);
        const offset = CUSTODY_OFFSET + copy * CUSTODY_PLACE;
        const area = {
          row: "a custody copy",
          name: "",
          medium: "data",
          offset: offset + CUSTODY_OFF_ROOT,
          length: 1,
        } as const;
        inflict(story.device, harm(area, "bit", 3));
        story.stick("data", offset, CUSTODY_PLACE, mode);
        story.to.boot();
        story.live(20);
        expect(story.failed()).toBe(0);
        expect(story.to.talk.ask(Command.Info).get(Key.CustodyCopies)).toBe(1);
        story.stick("data", offset, CUSTODY_PLACE, undefined);
        story.to.boot();
        story.epoch();
        expect(story.to.talk.ask(Command.Info).get(Key.CustodyCopies)).toBe(2);
        story.holds();
        story.close();
      }
    },
  );

  it.each(MODES)("at %s in an operator place sends the key to another place", (mode) => {
    for (let place = 0; place < OPERATOR_PLACES; place++) {
      const story = new Story(kind);
      story.stick("data", OPERATORS_OFFSET + place * OPERATOR_PLACE, OPERATOR_PLACE, mode);
      expect(story.operator("second")).toBe("Ok");
      expect(story.operator("third")).toBe("Ok");
      story.to.boot().talk.handshake("second", Buffer.alloc(32, "second key"));
      expect(story.to.talk.ask(Command.Info).get(Key.Operator)).toBe("second");
      story.to.talk.session = undefined;
      // a place that cannot be erased any more counts no more all the same
      for (const id of ["second", "third"]) story.to.talk.ask(Command.OperatorRemove, [[Key.Operator, id]]);
      expect(() => story.to.boot().talk.handshake("second", Buffer.alloc(32, "second key"))).toThrow(
        "HandshakeRefused",
      );
      story.holds();
      story.close();
    }
  });

  it.each(MODES)("at %s among the counts of refusals costs counts alone", (mode) => {
    for (let place = 0; place < REFUSAL_PLACES; place++) {
      const story = new Story(kind);
      story.stick("data", REFUSALS_OFFSET + place * REFUSAL_PLACE, REFUSAL_PLACE, mode);
      for (let life = 0; life < 5; life++) {
        expect(() => story.to.boot().talk.handshake("admin", new Uint8Array(32))).toThrow("HandshakeRefused");
      }
      story.to.boot().talk.handshake("admin", keyOf("admin"));
      story.to.talk.session = undefined;
      const hello = story.to.boot().talk.ask(Command.Hello);
      expect(hello.get(Key.State)).toBe(State.Provisioning);
      expect(hello.get(Key.Refusals)).toBeLessThanOrEqual(5);
      story.holds();
      story.close();
    }
  });
});

describe.each(engineTargets)("a unit on $name that cannot be read any more, inside a live record", (kind) => {
  it("keeps its block from being reclaimed until the record is evicted (limit); nothing else is lost", () => {
    const story = new Story(kind);
    const damaged = story.record(1);
    const [slot] = story.to.slotsNow([damaged], true).filter(({ live }) => live);
    const area = {
      row: "sealed body of a record",
      name: "",
      medium: "slots",
      offset: slot!.at + 128,
      length: 1,
    } as const;
    inflict(story.device, harm(area, "unreadable", 0));
    story.known.delete(damaged);
    story.to.boot();
    const get = () => story.to.talk.answer(Command.Get, [[Key.Handle, Buffer.from(damaged, "hex")]]).get(Key.Command);
    expect(get()).toBe(Status.Unreadable);
    let turn = 0;
    const replace = () =>
      story.to.talk
        .answer(Command.Replace, [
          [Key.Handle, Buffer.from(story.record(turn++), "hex")],
          [Key.Token, story.to.bytes(16)],
          [Key.Body, story.to.body(40)],
        ])
        .get(Key.Command);
    // the others go on until the block has to be emptied
    let done = 0;
    while (done < 40 && replace() === Status.Ok) done++;
    expect(done).toBeLessThan(40);
    const kept = story.list();
    for (let again = 0; again < 3; again++) expect(replace()).toBe(Status.MediumFailed);
    expect(story.list()).toEqual(kept);
    expect(get()).toBe(Status.Unreadable);
    story.to.talk.ask(Command.Evict, [
      [Key.Handle, Buffer.from(damaged, "hex")],
      [Key.Destroy, false],
    ]);
    for (let more = 0; more < 20; more++) expect(replace()).toBe(Status.Ok);
    story.close();
  });
});

describe.each(boards)("an error that the flash controller of $name reports", (kind) => {
  /** Where the newest journal record stands. */
  const newest = (story: Story): number => {
    const sequence = story.to.talk.ask(Command.Info).get(Key.Sequence);
    const isNewest = (place: number) =>
      story.device.data.bytes.readUInt32LE(JOURNAL_OFFSET + place * JOURNAL_PLACE) === sequence;
    return Array.from({ length: JOURNAL_PLACES }, (_, place) => place).find(isNewest)!;
  };

  it("at programming a slot makes a put try the next one, in another block; what is there stays", () => {
    const story = new Story(kind);
    const block = blockOf(story, story.record(0));
    story.stick("slots", block * SLOT_BLOCK, SLOT_BLOCK, "program");
    const changes = story.to.talk.ask(Command.Info).get(Key.Sequence) as number;
    expect(story.put()).toBe("Ok");
    expect(story.to.talk.ask(Command.Info).get(Key.Sequence)).toBe(changes + 3); // given up, the next block erased, done
    expect(blockOf(story, story.record(3))).not.toBe(block);
    story.to.boot();
    story.holds();
    story.close();
  });

  it("at erasing a block of slots makes the change that needs it answer MediumFailed, and costs nothing", () => {
    const story = new Story(kind);
    story.stick("slots", 0, 3 * SLOT_BLOCK, "erase");
    expect(story.evict(story.record(0), true)).toBe("MediumFailed"); // evicted, and its ciphertext still stands
    expect(story.list()).toHaveLength(2);
    story.to.boot();
    story.holds();
    story.close();
  });

  it.each([
    ["erasing", "erase", ["Ok", "Ok"]],
    ["programming", "program", ["MediumFailed", "Ok"]],
  ] as const)("at %s a journal place costs at most the change that meets it", (_, mode, expected) => {
    const story = new Story(kind);
    const place = (newest(story) + 1) % JOURNAL_PLACES;
    story.stick("data", JOURNAL_OFFSET + place * JOURNAL_PLACE, JOURNAL_PLACE, mode);
    expect([story.epoch(), story.epoch()]).toEqual(expected);
    expect(newest(story)).not.toBe(place);
    story.to.boot();
    story.holds();
    story.close();
  });

  it("at programming an operator place sends the key to another one", () => {
    const story = new Story(kind);
    story.stick("data", OPERATORS_OFFSET, 4 * OPERATOR_PLACE, "program"); // place 0 is in use, three are tried
    expect(story.operator("second")).toBe("MediumFailed");
    story.stick("data", OPERATORS_OFFSET, OPERATOR_PLACE * 2, undefined);
    expect(story.operator("second")).toBe("Ok");
    story.holds();
    story.close();
  });
});
