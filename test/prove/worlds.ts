/** The same store with other secrets: root, operator's key, private keys, bodies and random numbers differ from world to world; handles, labels,
 *  lengths and everything else that a host may know are the same. Made in V8, run on the virtual board. */
import { seeded } from "../../board/virtual/prng.js";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { region } from "../device/map.js";
import { repeatSessions } from "../device/session.js";
import { repeatNonces, Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import { VirtualDevice } from "../device/virtual.js";
import { begin, transplant } from "../store/help.js";
import { agreementPair, opaque, signingPair } from "../use/messages.js";
import { hooks } from "./tracer.js";

const SEED = 11;
const NO_CODE = new Uint8Array(32);
const BODY = 300;
const DRBG_SIZE = 64;
const PEER = new Uint8Array(32).fill(9);

/** The secrets of a world: nearly all zeros, all ones, then random ones. */
function secrets(world: number): (length: number) => Uint8Array {
  if (world === 0) return (length) => Uint8Array.of(1, ...new Uint8Array(length - 1));
  if (world === 1) return (length) => new Uint8Array(length).fill(0xff);
  const random = seeded(world);
  return (length) => Uint8Array.from({ length }, () => random() >>> 24);
}

/** What is traced; each uses other secrets. */
export const OPERATIONS = ["get", "put", "sign", "agree", "generate", "hello", "handshake"] as const;
export type Operation = (typeof OPERATIONS)[number];

export class World {
  readonly device: VirtualDevice;
  readonly #talk: Talk;
  readonly #secret: (length: number) => Uint8Array;
  readonly #handles: Uint8Array[] = [];
  readonly #key: Uint8Array;

  /** @param elf what is flashed */
  constructor(world: number, elf: Uint8Array) {
    repeatNonces();
    repeatSessions();
    this.#secret = secrets(world);
    this.#key = this.#secret(32);
    this.device = new VirtualDevice(SEED, { elf, hooks });
    transplant(this.#made(), this.device);
    this.device.boot();
    this.#talk = new Talk(this.device);
    this.#talk.ask(Command.Hello);
    this.#talk.ask(Command.Info);
  }

  /** A store in V8 with three records. Its root follows from the world; what the DRBG gives afterwards does not. */
  #made(): V8Device {
    const device = new V8Device(SEED);
    device.boot();
    const talk = new Talk(device);
    talk.handshake("", NO_CODE);
    device.poke(region("DRBG"), this.#secret(DRBG_SIZE));
    begin({ ask: (command, fields) => talk.ask(command, fields) } as Parameters<typeof begin>[0]);
    device.poke(region("DRBG"), new Uint8Array(DRBG_SIZE));
    talk.ask(Command.OperatorAdd, [
      [Key.Role, Role.Admin],
      [Key.Operator, "admin"],
      [Key.Secret, this.#key],
    ]);
    talk.handshake("admin", this.#key);
    talk.ask(Command.ProvisionFinish);
    const bodies = [
      [Usage.Opaque, opaque(this.#secret(BODY))],
      [Usage.Raw, signingPair(this.#secret(32))],
      [Usage.Agree, agreementPair(this.#secret(32))],
    ] as const;
    for (const [usage, body] of bodies) this.#handles.push(put(talk, this.#handles.length, usage, body));
    return device;
  }

  /** Does one of them. */
  do(operation: Operation): void {
    const [content, signer, agrees] = this.#handles;
    const talk = this.#talk;
    switch (operation) {
      case "get":
        talk.ask(Command.Get, [[Key.Handle, content]]);
        return;
      case "put":
        put(talk, 100, Usage.Opaque, opaque(this.#secret(BODY)));
        return;
      case "sign":
        talk.ask(Command.Sign, [
          [Key.Handle, signer],
          [Key.Data, new Uint8Array(100)],
        ]);
        return;
      case "agree":
        talk.ask(Command.Agree, [
          [Key.Handle, agrees],
          [Key.Public, PEER],
        ]);
        return;
      case "generate":
        this.#stir();
        talk.ask(Command.Generate, [
          [Key.Token, token(101)],
          [Key.Label, "made"],
          [Key.Usage, Usage.Raw],
          [Key.Tier, Tier.Private],
          [Key.Policy, 0],
        ]);
        return;
      case "hello":
        this.#stir();
        talk.ask(Command.Hello);
        return;
      case "handshake":
        this.#stir();
        talk.handshake("admin", this.#key);
    }
  }

  /** Other random numbers from here on. */
  #stir(): void {
    this.device.poke(region("DRBG"), this.#secret(DRBG_SIZE));
  }

  close(): void {
    this.device.close();
  }
}

const token = (n: number): Uint8Array => new Uint8Array(16).fill(n + 1);

function put(talk: Talk, n: number, usage: Usage, body: Uint8Array): Uint8Array {
  const answer = talk.ask(Command.Put, [
    [Key.Token, token(n)],
    [Key.Label, `record-${n}`],
    [Key.Usage, usage],
    [Key.Tier, Tier.Private],
    [Key.Policy, 1],
    [Key.Body, body],
  ]);
  return answer.get(Key.Handle) as Uint8Array;
}
