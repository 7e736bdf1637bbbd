/** The store whose life is simulated: core.wasm in V8 over the strict media, provisioned and asked through the protocol, in sessions that are
 *  planted after each boot. Relies on: test/device. */
import type { Random } from "../../board/virtual/prng.js";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { JOURNAL_PLACE, JOURNAL_PLACES } from "../../firmware/defs/journal.js";
import { DATA_BLOCK, JOURNAL_OFFSET } from "../../firmware/defs/medium.js";
import { ALG_NONE, PartKind, POLICY_EXPORTABLE, Tier, TOKEN_SIZE, Usage } from "../../firmware/defs/record.js";
import { PSK_SIZE, Role } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import { Talk } from "../../test/device/talk.js";
import { V8Device } from "../../test/device/v8.js";

/** Units of a slot, and erase blocks of the only class. */
export interface SlotClass {
  units: number;
  blocks: number;
}

/** Who is there when provisioning ends. */
const ADMIN = "admin";
const ADMIN_KEY = new Uint8Array(PSK_SIZE).fill(0xad);

/** What info tells about room and wear. */
export interface Told {
  capacity: number;
  live: number;
  sequence: number;
  putsLeft: number;
  changesLeft: number;
  mostErases: number;
}

/** Bytes of content: the smallest record takes two units of its slot. */
const CONTENT = 32;

export class Store {
  readonly device: V8Device;
  readonly #talk: Talk;

  /** A blank device that is provisioned with one class. */
  constructor(
    readonly slotClass: SlotClass,
    readonly random: Random,
  ) {
    this.device = new V8Device(0, random);
    this.#talk = new Talk(this.device);
    this.device.boot();
    this.#provision();
  }

  #provision(): void {
    const talk = this.#talk;
    const { units, blocks } = this.slotClass;
    const classes = [
      new Map([
        [Key.SlotUnits, units],
        [Key.Blocks, blocks],
      ]),
    ];
    talk.ask(Command.ProvisionBegin, [
      [Key.Manifest, new Uint8Array(16)],
      [Key.Classes, classes],
    ]);
    talk.ask(Command.OperatorAdd, [
      [Key.Role, Role.Admin],
      [Key.Operator, ADMIN],
      [Key.Secret, ADMIN_KEY],
    ]);
    talk.handshake(ADMIN, ADMIN_KEY);
    talk.ask(Command.Info); // the first message makes the key a used one
    talk.plant().ask(Command.ProvisionFinish);
  }

  /** Power off and on. */
  powerCycle(): void {
    this.device.boot();
    this.#talk.reset();
  }

  /** A body of random content. */
  body(): Uint8Array {
    const content = this.#bytes(CONTENT);
    return encodeParts([{ kind: PartKind.Opaque, secret: true, algorithm: ALG_NONE, content }]);
  }

  /** @returns the handle */
  put(body: Uint8Array): Uint8Array {
    const answer = this.#talk.ask(Command.Put, [
      [Key.Token, this.#bytes(TOKEN_SIZE)],
      [Key.Usage, Usage.Opaque],
      [Key.Tier, Tier.Private],
      [Key.Policy, POLICY_EXPORTABLE],
      [Key.Body, body],
    ]);
    return answer.get(Key.Handle) as Uint8Array;
  }

  replace(handle: Uint8Array, body: Uint8Array): void {
    this.#talk.ask(Command.Replace, [
      [Key.Handle, handle],
      [Key.Token, this.#bytes(TOKEN_SIZE)],
      [Key.Body, body],
    ]);
  }

  evict(handle: Uint8Array): void {
    this.#talk.ask(Command.Evict, [
      [Key.Handle, handle],
      [Key.Destroy, false],
    ]);
  }

  /** Replaces, with power failing at flash operation `operation` of it, and switches on again.
   *  @returns whether power failed; the record then is the old one or the new one */
  replaceCut(handle: Uint8Array, body: Uint8Array, operation: number): boolean {
    this.#talk.ask(Command.Info); // so that the cut falls into the replace
    const { supply } = this.device;
    const marginal = (this.random() & 1) === 0;
    supply.arm({ operation, tear: tears.random(this.random), marginal });
    try {
      this.replace(handle, body);
      return false;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      return true;
    } finally {
      supply.disarm();
      this.powerCycle();
    }
  }

  get(handle: Uint8Array): Uint8Array {
    return this.#talk.ask(Command.Get, [[Key.Handle, handle]]).get(Key.Body) as Uint8Array;
  }

  told(): Told {
    const info = this.#talk.ask(Command.Info);
    const [one] = info.get(Key.Classes) as Message[];
    const ofClass = (key: Key) => one!.get(key) as number;
    return {
      capacity: ofClass(Key.Capacity),
      live: ofClass(Key.Live),
      sequence: info.get(Key.Sequence) as number,
      putsLeft: ofClass(Key.PutsLeft),
      changesLeft: info.get(Key.ChangesLeft) as number,
      mostErases: ofClass(Key.EraseMax),
    };
  }

  /** Erases of each block of the class, as the medium counts them. */
  blockErases(): number[] {
    return this.device.slots.wear.slice(0, this.slotClass.blocks).map((block) => block.erases);
  }

  /** Erases of each journal place: those of its most worn block of data flash. */
  placeErases(): number[] {
    const { wear } = this.device.data;
    return Array.from({ length: JOURNAL_PLACES }, (_, place) => {
      const first = (JOURNAL_OFFSET + place * JOURNAL_PLACE) / DATA_BLOCK;
      return Math.max(...wear.slice(first, first + JOURNAL_PLACE / DATA_BLOCK).map((block) => block.erases));
    });
  }

  close(): void {
    this.device.close();
  }

  #bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.random() >>> 24);
  }
}
