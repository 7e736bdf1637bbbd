/** The host of the bench: provisions a store, opens sessions as its operators and puts numbered records. Stores are filled in V8, which is
 *  fast, and their media handed to the virtual board, which counts. */
import type { NorImage } from "../../board/virtual/nor.js";
import { PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { SLOT_BLOCK, SLOT_BLOCKS, UNIT } from "../../firmware/defs/medium.js";
import { PART_HEADER, PartKind, POLICY_EXPORTABLE, Tier, Usage } from "../../firmware/defs/record.js";
import { Envelope, PSK_SIZE, Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Value } from "../../host/client/message.js";
import type { Device } from "../../test/device/device.js";
import { finish, operatorId, prologue } from "../../test/device/handshake.js";
import { Refusal, repeatNonces, Talk } from "../../test/device/talk.js";
import { V8Device } from "../../test/device/v8.js";
import { VirtualDevice } from "../../test/device/virtual.js";
import { HandshakeState, keyPair } from "../../test/noise/noise.js";
import type { Cost, LineCount } from "./cost.js";
import { flashCount, minus } from "./flash.js";

const UNITS = 32; // of a slot: 4 KB
const PER_BLOCK = SLOT_BLOCK / (UNITS * UNIT);
/** One class over the whole region: a spare block and a spare slot stay free (SPEC.md §3). */
export const CAPACITY = (SLOT_BLOCKS - 1) * PER_BLOCK - 1;
export const SEED = 1;

export type Media = { slots: NorImage; data: NorImage };

/** The operators of every store of the bench. */
const OPERATORS = {
  admin: { role: Role.Admin, key: new Uint8Array(PSK_SIZE).fill(0xad) },
  user: { role: Role.User, key: new Uint8Array(PSK_SIZE).fill(0x5e) },
} as const;
export type Operator = keyof typeof OPERATORS;
/** The setup code of a firmware as it was built; its session waits for a touch, which Talk's person gives. */
const NO_CODE = new Uint8Array(PSK_SIZE);
const EPHEMERAL = keyPair(new Uint8Array(32).fill(0xe0));

export class Host {
  readonly talk: Talk;
  #next = 0;

  constructor(readonly device: Device) {
    this.talk = new Talk(device);
  }

  /** A store in V8, provisioned, with operators whose keys were used, in an admin's session. */
  static provisioned(): { host: Host; device: V8Device } {
    const device = new V8Device(SEED);
    device.boot();
    const host = new Host(device);
    const { talk } = host;
    const slotClass = new Map([
      [Key.SlotUnits, UNITS],
      [Key.Blocks, SLOT_BLOCKS],
    ]);
    host.#handshake("", NO_CODE);
    talk.ask(Command.ProvisionBegin, [
      [Key.Manifest, new Uint8Array(16)],
      [Key.Classes, [slotClass]],
    ]);
    for (const [id, { role, key }] of Object.entries(OPERATORS)) {
      talk.ask(Command.OperatorAdd, [
        [Key.Role, role],
        [Key.Operator, id],
        [Key.Secret, key],
      ]);
    }
    host.openAs("user");
    talk.ask(Command.Info);
    host.openAs("admin");
    talk.ask(Command.ProvisionFinish);
    return { host, device };
  }

  /** Makes a session; what follows is asked in it. */
  openAs(operator: Operator): this {
    this.#handshake(operator, OPERATORS[operator].key);
    return this;
  }

  /** Makes a refused handshake: right operator, wrong key. */
  refused(): void {
    try {
      this.#handshake("user", NO_CODE);
    } catch (error) {
      if (error instanceof Refusal && error.status === Status.HandshakeRefused) return;
      throw error;
    }
    throw new Error("a wrong key was accepted");
  }

  /** As Talk.handshake, with the same ephemeral key each time: what is counted must not depend on the host's randomness. */
  #handshake(operator: string, key: Uint8Array): void {
    const { talk } = this;
    const hello = talk.ask(Command.Hello);
    const id = operatorId(operator);
    const terms = {
      protocol: PROTOCOL_VERSION,
      instance: hello.get(Key.Instance) as Uint8Array,
      challenge: hello.get(Key.Challenge) as Uint8Array,
      id,
    };
    const state = new HandshakeState(true, prologue(terms), key, EPHEMERAL);
    const { message } = state.WriteMessage(new Uint8Array(0));
    const bytes = Buffer.concat([Uint8Array.of(Envelope.Handshake), id, message]);
    talk.session = finish({ state, bytes }, talk.exchange(bytes)).session;
  }

  label(): string {
    return `record-${String(this.#next).padStart(4, "0")}`;
  }

  /** A token that no other request of this store has. */
  token(): Uint8Array {
    this.#next++;
    const token = Buffer.alloc(16);
    token.writeUInt32LE((this.#next * 0x9e3779b1) >>> 0, 0); // tokens of real hosts are random: no two begin alike
    token.writeUInt32LE(this.#next, 4);
    return token;
  }

  #body(size: number): Uint8Array {
    const body = Buffer.alloc(size, this.#next);
    body[0] = PartKind.Opaque;
    body[1] = 0;
    body.writeUInt16LE(size - PART_HEADER, 2);
    body.writeInt32LE(0, 4);
    return body;
  }

  /** Another body for a record, of `size` bytes. */
  replace(handle: Uint8Array, size: number): void {
    const token = this.token();
    this.talk.ask(Command.Replace, [
      [Key.Handle, handle],
      [Key.Token, token],
      [Key.Body, this.#body(size)],
    ]);
  }

  evict(handle: Uint8Array): void {
    this.talk.ask(Command.Evict, [
      [Key.Handle, handle],
      [Key.Destroy, false],
    ]);
  }

  /** Stores a record of `size` bytes. @returns its handle */
  put(size: number): Uint8Array {
    return this.talk.ask(Command.Put, this.putFields(size)).get(Key.Handle) as Uint8Array;
  }

  /** What a put of another record has besides its command. */
  putFields(size: number): [Key, Value][] {
    const token = this.token();
    return [
      [Key.Token, token],
      [Key.Label, this.label()],
      [Key.Usage, Usage.Opaque],
      [Key.Tier, Tier.Private],
      [Key.Policy, POLICY_EXPORTABLE],
      [Key.Body, this.#body(size)],
    ];
  }

  /** Goes on numbering where another host stopped. */
  continue(after: number): this {
    this.#next = after;
    return this;
  }
}

export function imageOf(device: Device): Media {
  return { slots: device.slots.image(device.slotsOffset), data: device.data.image() };
}

/** Counts what goes over the line. */
class CountingDevice extends VirtualDevice {
  readonly line: LineCount = { request: 0, answer: 0 };

  override exchange(bytes: Uint8Array): Uint8Array {
    this.line.request += bytes.length;
    const answer = super.exchange(bytes);
    this.line.answer += answer.length;
    return answer;
  }
  override wait(ms: number): Uint8Array {
    const answer = super.wait(ms);
    this.line.answer += answer.length;
    return answer;
  }
}

/** A virtual board with these media, booted. */
export class CountingBoard {
  readonly device: CountingDevice;
  readonly host: Host;

  /** @param elf other firmware than the one that was built    @param cyclesEach of an instruction, where time matters */
  constructor(media: Media, records: number, elf?: Buffer, cyclesEach?: number) {
    repeatNonces(); // so that what is counted does not depend on what was measured before
    this.device = new CountingDevice(SEED, { elf, cyclesEach });
    this.device.slots.load(this.device.slotsOffset, media.slots);
    this.device.data.load(0, media.data);
    this.host = new Host(this.device).continue(records);
    this.device.boot();
  }

  /** Instructions, bytes on the line and flash operations of `work`: from the first byte of a request to rest after the last of the answer. */
  count<T>(work: () => T): Required<Pick<Cost, "instructions" | "flash" | "line">> & { result: T } {
    const { board, line } = this.device;
    const [instructions, flash, { request, answer }] = [board.instructions, flashCount(this.device), { ...line }];
    const result = work();
    return {
      instructions: board.instructions - instructions,
      line: { request: line.request - request, answer: line.answer - answer },
      flash: minus(flashCount(this.device), flash),
      result,
    };
  }

  close(): void {
    this.device.close();
  }
}
