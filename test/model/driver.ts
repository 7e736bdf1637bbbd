/** Random command sequences for a Twin: the store and the model go through the same life, with power cycles, and are compared
 *  at each step. Everything follows from the random numbers. */
import type { Random } from "../../board/virtual/prng.js";
import { Tier } from "../../firmware/defs/record.js";
import { QUIET_MS, Role } from "../../firmware/defs/session.js";
import { KEY_SIZE } from "../../firmware/defs/use.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { message } from "../../host/client/message.js";
import type { Fields } from "../device/talk.js";
import { room, type SlotClass } from "./geometry.js";
import type { Twin } from "./twin.js";

export class Driver {
  /** How often each command was given, by name; power cycles and quiet times too. */
  readonly counts: Record<string, number> = {};
  #dead: Uint8Array[] = [];
  #tokens: Uint8Array[] = [];
  /** Keys that operators were given, or that were tried for them. */
  #secrets = new Map<string, Uint8Array[]>();

  constructor(
    readonly twin: Twin,
    readonly random: Random,
  ) {}

  get #model() {
    return this.twin.model;
  }

  /** Provisions a blank store with these classes. */
  provision(classes: readonly SlotClass[]): void {
    const maps = classes.map(({ units, blocks }) =>
      message([
        [Key.SlotUnits, units],
        [Key.Blocks, blocks],
      ]),
    );
    this.ask(Command.TransportKey);
    this.ask(Command.ProvisionBegin, [
      [Key.Manifest, new Uint8Array(16)],
      [Key.Classes, maps],
    ]);
    this.ask(Command.TransportKey); // AlreadyProvisioned
    this.ask(Command.ProvisionFinish); // NoAdmin
    const key = this.#bytes(KEY_SIZE);
    this.ask(Command.OperatorAdd, [
      [Key.Role, Role.Admin],
      [Key.Operator, "admin"],
      [Key.Secret, key],
    ]);
    this.#use("admin", key);
    this.ask(Command.ProvisionFinish);
  }

  /** Goes `steps` random steps and looks at everything in between. @throws Divergence, which names the step */
  run(steps: number, lookEvery = 1): void {
    for (let step = 0; step < steps; step++) {
      try {
        this.#step();
        if (step % lookEvery === 0 || step === steps - 1) this.#look();
      } catch (error) {
        if (error instanceof Error) error.message = `step ${step}: ${error.message}`;
        throw error;
      }
    }
  }

  #look(): void {
    this.ask(Command.List);
    this.ask(Command.Info);
    this.ask(Command.OperatorList);
  }

  ask(command: Command, fields: Fields = []): void {
    this.#count(Command[command] ?? "");
    this.twin.ask(command, fields);
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #below(n: number): number {
    return this.random() % n;
  }
  #oneOf<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length || 1)];
  }
  #chance(percent: number): boolean {
    return this.#below(100) < percent;
  }

  #step(): void {
    const dice = this.#below(100);
    if (dice < 26) this.ask(Command.Put, this.#put());
    else if (dice < 31) this.ask(Command.Generate, this.#generate());
    else if (dice < 42) this.ask(Command.Replace, [this.#handle(), this.#token(), [Key.Body, this.#body()]]);
    else if (dice < 46) this.#attach();
    else if (dice < 52) this.ask(Command.Relabel, [this.#handle(), this.#token(), [Key.Label, this.#label()]]);
    else if (dice < 58) this.ask(Command.Policy, [this.#handle(), this.#token(), [Key.Policy, this.#below(7)]]);
    else if (dice < 70) this.#evict(this.#chance(30));
    else if (dice < 76) this.ask(Command.Get, [this.#handle()]);
    else if (dice < 79) this.ask(Command.Public, [this.#handle()]);
    else if (dice < 82) this.ask(Command.Show, [this.#handle()]);
    else if (dice < 85) this.ask(Command.Find, this.#filter());
    else if (dice < 92) this.#operator();
    else if (dice < 93) this.ask(Command.Epoch, [[Key.Epoch, this.#below(12)]]);
    else if (dice < 94) this.ask(Command.Accept);
    else if (dice < 96) {
      this.#count("quiet time");
      this.twin.wait(QUIET_MS + 100);
    } else {
      this.#count("boot");
      this.twin.boot();
    }
  }

  /** A chain to a record's keys, or something that may not be given. */
  #attach(): void {
    const body = this.#chance(80)
      ? this.#part(1 + this.#below(this.#chance(80) ? 400 : 20000), 3 + this.#below(2), 0)
      : this.#body();
    this.ask(Command.Replace, [this.#handle(), this.#token(), [Key.Body, body], [Key.Keep, this.#chance(90)]]);
  }

  /** Something happens to an operator: mostly one that is there, of so many that places run out. */
  #operator(): void {
    const id = (this.#chance(70) ? this.#oneOf(this.#model.operators.ids) : undefined) ?? `id-${this.#below(24)}`;
    const named: [Key, string] = [Key.Operator, this.#chance(3) ? "no id" : id];
    const role: [Key, number] = [Key.Role, this.#chance(95) ? 1 << this.#below(3) : this.#below(16)];
    const secret: [Key, Uint8Array] = [Key.Secret, this.#secret(id)];
    const dice = this.#below(100);
    if (dice < 40 && this.#chance(80)) named[1] = `id-${this.#below(24)}`;
    if (dice >= 58 && dice < 75 && this.#chance(25)) named[1] = "admin"; // often the last one
    if (dice < 40) this.ask(Command.OperatorAdd, [role, named, secret]);
    else if (dice < 58) this.ask(Command.OperatorRotate, [named, secret]);
    else if (dice < 68) this.ask(Command.OperatorRole, [role, named]);
    else if (dice < 75) this.ask(Command.OperatorRemove, [named]);
    else this.#use(id, this.#secret(id));
  }

  /** Mostly a new one, sometimes one that this operator was given before, or zeros. */
  #secret(id: string): Uint8Array {
    const given = this.#secrets.get(id) ?? [];
    this.#secrets.set(id, given);
    if (this.#chance(3)) return new Uint8Array(KEY_SIZE);
    const used = this.#chance(40) ? given.at(-1) : undefined;
    const secret = used ?? this.#bytes(KEY_SIZE);
    given.push(secret);
    return secret;
  }

  #use(id: string, secret: Uint8Array): void {
    this.#count("use");
    this.twin.admit(id, secret);
  }

  #evict(destroy: boolean): void {
    const handle = this.#handle();
    this.ask(Command.Evict, [handle, [Key.Destroy, destroy]]);
    this.#dead.push(handle[1]);
  }

  /** Mostly a record that is there; sometimes one that was; seldom one that never was. */
  #handle(): [Key, Uint8Array] {
    const live = [...this.#model.records.values()].map((record) => record.handle);
    const from = this.#chance(90) ? live : this.#dead;
    return [Key.Handle, this.#oneOf(from) ?? this.#bytes(16)];
  }

  /** Mostly a new one, sometimes one that was used before. */
  #token(): [Key, Uint8Array] {
    const used = this.#chance(8) ? this.#oneOf(this.#tokens.slice(-12)) : undefined; // older ones are mostly forgotten
    const token = used ?? this.#bytes(16);
    this.#tokens.push(token);
    return [Key.Token, token];
  }

  #put(): Fields {
    return [
      this.#token(),
      [Key.Label, this.#label()],
      [Key.Usage, this.#below(this.#chance(3) ? 10 : 8)],
      [Key.Tier, this.#chance(3) ? Tier.Temp : 1 + this.#below(2)],
      [Key.Policy, this.#chance(70) ? 1 : this.#below(7)],
      [Key.Class, this.#chance(25) ? this.#below(this.#model.classes.length + 1) : undefined],
      [Key.Body, this.#body()],
    ];
  }

  #filter(): Fields {
    const maybe = <T>(value: T): T | undefined => (this.#chance(40) ? value : undefined);
    return [
      [Key.Label, this.#chance(15) ? this.#label() : undefined],
      [Key.Usage, maybe(this.#below(9))],
      [Key.Tier, maybe(this.#below(4))],
      [Key.Origin, this.#chance(10) ? 1 + this.#below(3) : undefined],
      [Key.LabelPrefix, maybe(this.#oneOf(["", "a", "key", "ключ"]) ?? "")],
      [Key.EpochMin, maybe(this.#below(8))],
      [Key.EpochMax, maybe(this.#below(12))],
    ];
  }

  #label(): string | undefined {
    const stem = this.#oneOf([
      "",
      "a",
      "key",
      "key 2",
      "ключ",
      "a label of exactly forty-eight bytes, not one more",
      "🔑".repeat(13),
    ]);
    return this.#chance(30) ? undefined : stem;
  }

  /** One or two parts; of a length that is small, near what a class holds, or anything. */
  #body(): Uint8Array {
    const largest = this.#model.classes.map(room);
    const near = (this.#oneOf(largest) ?? 0) - 60 + this.#below(64);
    const anything = this.#below(Math.max(...largest) + 20);
    const length = Math.max(9, this.#chance(40) ? near : this.#chance(70) ? this.#below(300) : anything);
    if (this.#chance(2)) return this.#bytes(length); // hardly ever well-formed
    const first = length > 40 && this.#chance(50) ? this.#below(length - 20) + 1 : length - 8;
    const parts = first === length - 8 ? [first] : [first, length - 8 - first - 8];
    return Buffer.concat(parts.filter((size) => size > 0).map((size) => this.#part(size)));
  }

  #part(size: number, kind = 1 + this.#below(4), secret = this.#below(2)): Uint8Array {
    const part = Buffer.from(this.#bytes(8 + size));
    part[0] = kind;
    part[1] = secret;
    part.writeUInt16LE(size, 2);
    return part;
  }

  #generate(): Fields {
    return [
      this.#token(),
      [Key.Label, this.#label()],
      [Key.Usage, this.#chance(90) ? this.#oneOf([1, 2, 3, 4, 6]) : this.#below(10)],
      [Key.Tier, 1 + this.#below(2)],
      [Key.Policy, this.#chance(90) ? 2 * this.#below(3) : this.#below(7)],
      [Key.Class, this.#chance(25) ? this.#below(this.#model.classes.length + 1) : undefined],
    ];
  }

  #bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.random() >>> 24);
  }
}
