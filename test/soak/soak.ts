/** A soak: hours of mixed load through the real client, with power that fails, a line with noise, ports that close and sessions that
 *  expire, beside the reference model. What was answered must be what the model says and must stay; a command that was cut off, or whose
 *  answer was lost, has happened whole or not at all, which a look at the device decides, and the model follows.
 *  No command may take longer than LIMIT_MS of virtual time. */
import type { Nor } from "../../board/virtual/nor.js";
import { BusyReason } from "../../firmware/defs/link.js";
import { PSK_SIZE, Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { Client, type ClientOptions } from "../../host/client/client.js";
import { DeclinedError, DeviceError, DisconnectedError, UnreachedError } from "../../host/client/errors.js";
import { type Message, message } from "../../host/client/message.js";
import type { Operator } from "../../host/client/session.js";
import type { Transport } from "../../host/client/transport.js";
import { type Device, TrapError } from "../device/device.js";
import { SoakBoard } from "./board.js";
import { SoakClock } from "./clock.js";
import { Dice } from "./dice.js";
import { Line } from "./line.js";
import { statusOf, type Task, Tasks } from "./tasks.js";
import { differs, hex, type Seen, World } from "./world.js";

/** Virtual milliseconds that one command may take, and a look. */
const LIMIT_MS = 30 * 60_000;
/** Lines of history that a report has. */
const HISTORY = 300;
const SETUP_ID = "";
/** When what is planted in the line begins. */
const MISTAKE_MS = 600_000;

/** Bugs that can be planted, to see that a soak notices them. */
export type Mistake =
  | "a put is repeated with a new token"
  | "the last commit is forgotten"
  | "the line dies"
  | "the core traps";

export interface SoakOptions {
  seed: number;
  device: Device;
  /** What it was flashed with. */
  setupCode: Uint8Array;
  /** The device's work takes virtual time by itself. */
  timed?: boolean;
  mistake?: Mistake;
}

/** What happened so far. */
export interface Numbers {
  virtualHours: number;
  /** From provisioning to factory reset. */
  lives: number;
  commands: Record<string, number>;
  /** Commands that the device refused, as the model said. */
  refused: number;
  /** Commands that were cut off or whose answer was lost, by what the device showed then. */
  before: number;
  after: number;
  /** Commands that were answered although power failed in between. */
  answeredAcrossPowerUps: number;
  looks: number;
  powerUps: number;
  cuts: number;
  cutsWhileMounting: number;
  powerCycles: number;
  noise: Record<string, number>;
  split: number;
  portsOpened: number;
  takeovers: number;
  retransmissions: number;
  busyWaits: number;
  touches: number;
  divergences: number;
}

/** The device and the model do not agree, or nobody answers. */
export class SoakDivergence extends Error {
  override name = "SoakDivergence";
}

type Outcome =
  | { kind: "answered"; value: unknown }
  | { kind: "refused"; error: DeviceError }
  | { kind: "lost"; error: Error };

export class Soak {
  readonly clock = new SoakClock();
  readonly line: Line;
  readonly board: SoakBoard;
  readonly world = new World();
  /** The newest lines of what happened. */
  readonly history: string[] = [];
  /** Commands so far. */
  step = 0;
  readonly #dice: Dice;
  readonly #tasks: Tasks;
  readonly #options: SoakOptions;
  readonly #client: Client;
  readonly #counts = { refused: 0, before: 0, after: 0, across: 0, looks: 0, takeovers: 0, busy: 0, touches: 0 };
  readonly #commands: Record<string, number> = {};
  #lives = 0;
  #divergences = 0;
  /** Power-ups that the model knows of. */
  #boots = 0;
  /** Ports that had been opened before the present command. */
  #opened = 0;
  /** Who asks at the moment, and the key that the client has. */
  #operator: Operator;
  #key = new Uint8Array(0);
  #touched: "s1" | "s2" | "nobody" | undefined;
  #second: Promise<void> | undefined;
  /** Another client took the link since the present command began, or since the one before it: then the client may have repeated itself. */
  #taken = { now: false, before: false };
  /** Links opened so far: what strays on the line can take one away while the port stays open. */
  #links = 0;
  #linksBefore = 0;
  #broken: Promise<never>;

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#dice = new Dice(options.seed);
    this.line = new Line(this.clock, new Dice(options.seed + 1));
    this.board = new SoakBoard(
      options.device,
      this.clock,
      this.line,
      new Dice(options.seed + 2),
      options.timed ?? false,
    );
    this.#tasks = new Tasks(this.world, this.#dice);
    this.#operator = { id: SETUP_ID, key: options.setupCode };
    this.#broken = new Promise((_resolve, reject) => {
      this.clock.failed = reject;
    });
    this.#broken.catch(() => {});
    this.#client = this.#newClient(async () => this.#operator, 3);
    if (options.mistake === "the last commit is forgotten") this.#forgetCommits();
    if (options.mistake === "the line dies") this.clock.after(MISTAKE_MS, () => this.#cutLine());
    if (options.mistake === "the core traps") this.clock.after(MISTAKE_MS, () => this.#trap());
  }

  /** Keys that the operators have now, for whoever looks at the flash. */
  get keys(): string[] {
    return [...this.#tasks.keys].flatMap(([id, { used, pending }]) => [
      ...(used === undefined ? [] : [`${id} ${hex(used)}`]),
      ...(pending === undefined ? [] : [`${id}, pending ${hex(pending)}`]),
    ]);
  }

  get numbers(): Numbers {
    const { line, board } = this;
    const { refused, before, after, across, looks, takeovers, busy, touches } = this.#counts;
    return {
      virtualHours: Math.round(this.clock.now / 36_000) / 100,
      lives: this.#lives,
      commands: this.#commands,
      refused,
      before,
      after,
      answeredAcrossPowerUps: across,
      looks,
      powerUps: board.boots,
      cuts: board.cuts,
      cutsWhileMounting: board.cutBoots,
      powerCycles: board.cycles,
      noise: line.noise,
      split: line.split,
      portsOpened: line.opened,
      takeovers,
      retransmissions: line.retransmissions,
      busyWaits: busy,
      touches,
      divergences: this.#divergences,
    };
  }

  /** Goes on until `enough` says so, asked after each command. @throws SoakDivergence, or what the device threw */
  async run(enough: () => boolean): Promise<void> {
    try {
      await Promise.race([this.#lifetimes(enough), this.#broken]);
    } catch (error) {
      this.#divergences++;
      this.#note(`! ${error instanceof Error ? error.message : error}`);
      throw error;
    } finally {
      this.clock.stop();
    }
  }

  async #lifetimes(enough: () => boolean): Promise<void> {
    this.board.powerUp();
    while (!enough()) {
      await this.#provision();
      for (let left = this.#dice.between(200, 1500); left > 0 && !enough(); left--) await this.#one();
      if (enough()) return;
      await this.#insist(this.#tasks.reset(), this.#admin(), () => this.#state === State.Blank);
      this.#lives++;
    }
  }

  get #state(): State {
    return this.world.model.ask(Command.Hello).get(Key.State) as State;
  }
  #admin(): Operator {
    return { id: "admin", key: this.#tasks.keys.get("admin")!.used! };
  }
  #setup(): Operator {
    return { id: SETUP_ID, key: this.#options.setupCode };
  }

  async #provision(): Promise<void> {
    const tasks = this.#tasks;
    const key = () => this.#dice.bytes(PSK_SIZE);
    await this.#insist(tasks.begin(), this.#setup(), () => this.#state !== State.Blank);
    for (const [id, role] of [
      ["admin", Role.Admin],
      ["user", Role.User],
      ["second", Role.Auditor],
    ] as const) {
      await this.#insist(tasks.add(id, role, key()), this.#setup(), () => tasks.keys.has(id));
      await this.#use(id);
    }
    await this.#insist(tasks.finish(), this.#admin(), () => this.#state === State.Ready);
  }

  /** Asks again until it has happened. */
  async #insist(task: Task, operator: Operator, happened: () => boolean): Promise<void> {
    for (let tries = 0; !happened(); tries++) {
      if (tries > 60) throw new SoakDivergence(`${Command[task.command]} never succeeds`);
      await this.#perform(task, operator);
    }
  }

  /** One command of somebody, and what goes on around it. */
  async #one(): Promise<void> {
    const { clock, line } = this;
    const dice = this.#dice;
    await clock.sleep(
      dice.weighted([
        [78, dice.between(10, 5000)],
        [20, dice.between(5000, 60_000)],
        [2, dice.between(200_000, 700_000)],
      ]),
    );
    if (dice.chance(2)) line.pull();
    if (dice.chance(2)) this.board.cycle();
    if (dice.chance(3)) this.#takeOver();
    if (dice.chance(6))
      for (const [id, { pending }] of this.#tasks.keys) if (pending && dice.chance(50)) await this.#use(id);
    if (!this.#isUsable(this.#operator) || dice.chance(12)) this.#operator = this.#somebody();
    await this.#perform(this.#tasks.next(this.#roleOf(this.#operator.id)!), this.#operator);
    if (this.step % 200 === 0) await this.#readAll();
  }

  #somebody(): Operator {
    const dice = this.#dice;
    if (dice.chance(55)) return this.#admin();
    const usable = [...this.#tasks.keys].filter(([id, { used }]) => used && this.#isUsable({ id, key: used }));
    const [id, { used }] = dice.oneOf(usable)!;
    return { id, key: used! };
  }
  #isUsable({ id, key }: Operator): boolean {
    const { used } = this.#tasks.keys.get(id) ?? {};
    return used !== undefined && hex(used) === hex(key) && this.#roleOf(id) !== undefined;
  }
  #roleOf(id: string): Role | undefined {
    if (id === SETUP_ID) return Role.Setup;
    const entry = this.world.model.operators.list().find((one) => one.get(Key.Operator) === id);
    return entry?.get(Key.Role) as Role | undefined;
  }

  /** A session with a pending key, which makes it the used one; asked until it is answered. */
  async #use(id: string): Promise<void> {
    const keys = this.#tasks.keys.get(id);
    const key = keys?.pending;
    if (key === undefined) return;
    const boots = this.#beginning("use");
    for (let tries = 0; ; tries++) {
      const outcome = await this.#ask({ id, key }, (client) => client.info(), `use ${id}`);
      if (outcome.kind === "answered") break;
      if (outcome.kind === "refused" && !this.#isCrossed(outcome)) throw outcome.error;
      if (tries > 60) throw new SoakDivergence(`the pending key of ${id} is never used`);
      await this.clock.sleep(this.#dice.between(100, 5000));
    }
    this.#tasks.keys.set(id, { used: key });
    const follow = () => {
      if (this.world.model.admit(id, key) !== Status.Ok) throw new SoakDivergence(`the model does not know ${id}`);
    };
    if (this.board.boots === boots && this.board.on) follow();
    else
      await this.#settle(({ store }) => {
        if (store !== undefined && store.epoch > this.world.epoch) this.world.boot();
        follow();
      });
  }

  /** Gives one command, compares, and lets the model follow. */
  async #perform(task: Task, operator: Operator): Promise<void> {
    if (destroys(task)) this.#compare(await this.#look()); // when residue is erased is the device's choice
    if (task.unseen === true) await this.#quiet();
    const boots = this.#beginning(Command[task.command]);
    if (this.#options.mistake === "the last commit is forgotten" && this.board.on) this.#remember();
    const call = this.#options.mistake === "a put is repeated with a new token" ? this.#carelessly(task) : task.call;
    const allowed = this.#tasks.isAllowed(task, this.#roleOf(operator.id)!);
    const outcome = await this.#ask(operator, call, describe(task), task.unseen === true);
    this.line.calm = false;
    const interrupted = this.board.boots !== boots || !this.board.on;
    const noTouch = outcome.kind === "refused" && isNoTouch(outcome.error.status) && this.#touched !== undefined;
    if (outcome.kind === "lost" || noTouch || this.#mayEnd(task, outcome))
      await this.#decide(task, allowed, interrupted);
    else if (!interrupted)
      this.#follow(task, allowed, outcome, destroys(task) && isRefused(outcome) ? await this.#look() : undefined);
    else {
      this.#counts.across++;
      await this.#settle((seen) => {
        this.#strand(task);
        this.#follow(task, allowed, outcome, seen);
      });
    }
    if (this.#dice.chance(12)) this.#compare(await this.#look());
  }

  /** Something may happen while a command is under way. */
  #disturb(): void {
    const dice = this.#dice;
    const { board, clock, line } = this;
    if (dice.chance(25)) board.arm();
    if (dice.chance(2)) clock.after(dice.below(400), () => board.cycle());
    if (dice.chance(1)) clock.after(dice.below(400), () => line.pull());
    if (dice.chance(1)) clock.after(dice.below(400), () => this.#takeOver());
  }

  /** Nothing disturbs from here on. */
  async #quiet(): Promise<void> {
    this.line.calm = true;
    await this.clock.sleep(2000); // what was on its way has arrived
    await this.#until(() => this.board.on && this.#second === undefined);
    this.board.disarm();
  }

  #beginning(name: string | undefined): number {
    this.step++;
    this.#commands[name ?? ""] = (this.#commands[name ?? ""] ?? 0) + 1;
    const { boots } = this.board;
    if (boots !== this.#boots) this.world.boot();
    this.#boots = boots;
    this.#opened = this.line.opened;
    this.#linksBefore = this.#links;
    this.#taken = { now: false, before: this.#taken.now || this.#second !== undefined };
    return boots;
  }

  #as(operator: Operator): void {
    this.#client.as(operator);
    this.#key = Uint8Array.from(operator.key);
  }

  /** Asks while the world does what it likes. */
  async #ask<T>(
    operator: Operator,
    call: (client: Client) => Promise<T>,
    what: string,
    quiet = false,
  ): Promise<Outcome> {
    const dice = this.#dice;
    const { board, clock } = this;
    this.#touched = undefined;
    const { session } = this.#client;
    if (session?.operator !== operator.id || hex(this.#key) !== hex(operator.key) || dice.chance(1)) this.#as(operator);
    if (!quiet) this.#disturb();
    const late = () => new SoakDivergence(`hangs: no answer after ${LIMIT_MS / 60_000} minutes of virtual time`);
    let outcome: Outcome;
    try {
      outcome = { kind: "answered", value: await clock.within(LIMIT_MS, () => call(this.#client), late) };
    } catch (error) {
      if (error instanceof DeviceError) outcome = { kind: "refused", error };
      else if (error instanceof DisconnectedError || error instanceof DeclinedError) outcome = { kind: "lost", error };
      else throw error;
    }
    if (dice.chance(70)) board.disarm();
    const { kind } = outcome;
    const how = outcome.kind === "refused" ? outcome.error.name : outcome.kind === "lost" ? outcome.error.message : "";
    this.#note(`${operator.id || "setup"}: ${what} -> ${kind} ${how}`);
    return outcome;
  }

  /** The model carries out what the device answered. */
  #follow(task: Task, allowed: boolean, outcome: Outcome, seen?: Seen): void {
    if (!allowed) {
      const told = outcome.kind === "refused" ? outcome.error.status : Status.Ok;
      this.#same(task, Status[Status.WrongRole], Status[told]);
      this.#counts.refused++;
      return;
    }
    const answer = this.#carryOut(task, seen);
    const [mine, theirs] = [statusOf(answer), outcome.kind === "refused" ? outcome.error.status : Status.Ok];
    if (this.#isGone(task, mine, outcome)) return;
    this.#same(task, Status[mine], Status[theirs]);
    if (outcome.kind === "refused") {
      this.#counts.refused++;
      this.#same(task, answer.get(Key.Detail), outcome.error.detail);
      return;
    }
    const value = outcome.kind === "answered" ? outcome.value : undefined;
    const wrong = task.check?.(answer, value);
    if (wrong !== undefined) throw new SoakDivergence(`${describe(task)}: ${wrong}`);
    task.done?.(value);
  }

  #strand(task: Task): void {
    if (task.command === Command.Put || task.command === Command.Generate)
      this.world.strand(this.board.boots - this.#boots + 1);
  }

  /** A repeated evict of what had been evicted before is answered as the first would have been; so is an operator's removal. */
  #isGone(task: Task, mine: Status, outcome: Outcome): boolean {
    const gone = task.command === Command.Evict ? Status.NoSuchHandle : Status.NoSuchOperator;
    const takes = task.command === Command.Evict || task.command === Command.OperatorRemove;
    const taken = this.#taken.now || this.#taken.before;
    const relinked = this.#links !== this.#linksBefore || this.line.opened !== this.#opened;
    const repeated = taken || relinked || this.board.boots !== this.#boots;
    const handle = new Map(task.fields).get(Key.Handle);
    const faded = handle instanceof Uint8Array && this.world.isFaded(handle);
    return takes && mine === gone && (repeated || faded) && outcome.kind === "answered";
  }

  /** @param seen what a look showed since: power failed meanwhile, and the epoch says on which side of it the change was made */
  #carryOut(task: Task, seen?: Seen): Message {
    const { world } = this;
    while (this.#isBehind(seen, 1)) this.#raise(task, seen);
    if (this.#isBehind(seen, 0)) world.boot();
    const handle = new Map(task.fields).get(Key.Handle) as Uint8Array;
    if (seen === undefined || !destroys(task) || world.isResidue(handle)) return world.ask(task.model, task.fields);
    // evicted first, erased then, and power may have failed in between
    const evicted = world.ask(Command.Evict, [
      [Key.Handle, handle],
      [Key.Destroy, false],
    ]);
    // what a cut erase left without a header is erased even when there is no such record, which is a change
    if (statusOf(evicted) !== Status.Ok) while (this.#isBehind(seen, 0)) this.#raise(task, seen);
    if (statusOf(evicted) !== Status.Ok || seen.store?.residue.some((left) => hex(left) === hex(handle)))
      return evicted;
    if (this.#isBehind(seen, 0)) world.boot();
    return world.ask(task.model, task.fields);
  }

  /** A change that nobody saw, where the model can make one. */
  #raise(task: Task, seen: Seen | undefined): void {
    const { epoch } = this.world;
    this.world.raise();
    if (this.world.epoch === epoch)
      throw new SoakDivergence(
        `${describe(task)}: the device shows epoch ${seen?.store?.epoch}, the model ${epoch} in state ${State[this.#state]}, where nothing can raise it`,
      );
  }

  /** Whether the device counts more than `by` power-ups with changes that the model does not, and that there were. */
  #isBehind(seen: Seen | undefined, by: number): boolean {
    if (this.world.epochSet) return false; // they do not count any more, and an Epoch that was given makes it higher
    const more = (seen?.store?.epoch ?? 0) - this.world.epoch;
    return more > by && more <= this.board.boots - this.#boots + 1;
  }

  /** Nobody heard an answer: the device shows the state before, or the state after. */
  async #decide(task: Task, allowed: boolean, interrupted: boolean): Promise<void> {
    const { world } = this;
    const follow = (seen: Seen) => {
      if (interrupted) this.#strand(task);
      const before = world.differs(seen, !interrupted || task.command === Command.Epoch);
      if (before === undefined) {
        this.#counts.before++;
        while (this.#isBehind(seen, 0)) this.#raise(task, seen);
        return;
      }
      if (!allowed) throw new SoakDivergence(`${describe(task)}, not allowed: ${before}`);
      const answer = this.#carryOut(task, seen);
      world.discover(seen);
      const after = world.differs(seen);
      if (after !== undefined)
        throw new SoakDivergence(
          `${describe(task)}: the device shows neither the state before (${before}) nor the one after (${Status[statusOf(answer)]}; ${after})`,
        );
      this.#counts.after++;
      if (statusOf(answer) === Status.Ok) task.done?.(undefined);
    };
    if (interrupted || !this.board.on) await this.#settle(follow);
    else {
      const seen = await this.#look();
      follow(seen);
      this.#compare(seen);
    }
  }

  /** Power failed: the model follows what a look shows. Where power-ups count, one more makes certain that none is counted yet. */
  async #settle(follow: (seen: Seen) => void): Promise<void> {
    if (!this.world.epochSet) {
      await this.#until(() => this.board.on);
      this.board.disarm();
      this.board.cycle();
    }
    const seen = await this.#look();
    follow(seen);
    this.world.boot();
    this.#compare(seen);
  }

  async #until(isSo: () => boolean): Promise<void> {
    const end = this.clock.now + LIMIT_MS;
    while (!isSo()) {
      if (this.clock.now > end) throw new SoakDivergence("hangs: the board does not come back");
      await this.clock.sleep(100);
    }
  }

  #compare(seen: Seen): void {
    if (this.board.boots !== this.#boots) this.world.boot();
    this.#boots = this.board.boots;
    const wrong = this.world.differs(seen);
    if (wrong !== undefined) throw new SoakDivergence(`a look: ${wrong}`);
    this.world.forget(seen);
  }

  /** What the device shows to its admin, or to the setup code while there is none. Asked until it is answered. */
  async #look(): Promise<Seen> {
    const end = this.clock.now + LIMIT_MS;
    this.#counts.looks++;
    for (;;) {
      await this.#until(() => this.board.on);
      const outcome = await this.#heard(() => this.#lookOnce());
      if (outcome.kind === "answered") return outcome.value as Seen;
      if (outcome.kind === "refused" && !this.#isCrossed(outcome)) throw outcome.error;
      if (this.clock.now > end) throw new SoakDivergence("hangs: the device cannot be looked at");
      await this.clock.sleep(this.#dice.between(100, 5000));
    }
  }

  async #lookOnce(): Promise<Seen> {
    const client = this.#client;
    const { state, trapCode } = await client.hello();
    if (state === State.Blank) return { state, trapCode };
    const admin = this.#tasks.keys.get("admin")?.used;
    this.#as(admin === undefined ? this.#setup() : { id: "admin", key: admin });
    const { store } = await client.info();
    const operators = await client.operators();
    return { state, trapCode, store, operators, listing: admin === undefined ? undefined : await client.listing() };
  }

  async #heard(call: () => Promise<unknown>): Promise<Outcome> {
    const late = () => new SoakDivergence("hangs: a look is not answered");
    try {
      return { kind: "answered", value: await this.clock.within(LIMIT_MS, call, late) };
    } catch (error) {
      if (error instanceof DeviceError) return { kind: "refused", error };
      if (error instanceof DisconnectedError) return { kind: "lost", error };
      throw error;
    }
  }

  /** Every record that a user may read is read. */
  async #readAll(): Promise<void> {
    const used = this.#tasks.keys.get("user")?.used;
    if (used === undefined || this.#roleOf("user") !== Role.User) return;
    for (const { handle, policy } of this.world.entries)
      if (policy <= 1) await this.#perform(this.#tasks.read(handle, (policy & 1) !== 0), { id: "user", key: used });
  }

  /** A second client said hello, or took over, in the middle of a handshake. */
  #isCrossed(outcome: Outcome): boolean {
    return outcome.kind === "refused" && outcome.error.status === Status.HandshakeRefused && this.#second !== undefined;
  }

  /** Whether a refused handshake may be the end of what the command did, or of another client's. */
  #mayEnd(task: Task, outcome: Outcome): boolean {
    if (outcome.kind !== "refused" || outcome.error.status !== Status.HandshakeRefused) return false;
    return task.endsSession === true || this.#second !== undefined;
  }

  /** Another program opens the port, looks and goes. */
  #takeOver(): void {
    const key = this.#tasks.keys.get("second")?.used;
    if (this.#second !== undefined || key === undefined) return;
    this.#counts.takeovers++;
    this.#taken.now = true;
    const client = this.#newClient(async () => ({ id: "second", key }), 1);
    const call = this.#dice.chance(50) ? () => client.list() : () => client.hello();
    const run = async () => {
      await this.#heard(call);
      await client.close();
      await this.clock.sleep(10_000); // what it said may still be on its way
    };
    this.#second = run().then(
      () => {
        this.#second = undefined;
      },
      (error: unknown) => this.clock.failed(error),
    );
  }

  #newClient(operator: () => Promise<Operator>, reconnects: number): Client {
    const dice = new Dice(this.#dice.random());
    const options: ClientOptions = {
      clock: this.clock,
      operator,
      reconnects,
      nonce: () => {
        this.#links++;
        return dice.below(0x10000);
      },
      token: () => dice.bytes(16),
      onBusy: ({ reason }) => this.#busy(reason),
    };
    return new Client(() => this.#connect(dice), options);
  }

  /** The port may be gone while there is no power; mostly the client is patient. */
  async #connect(dice: Dice): Promise<Transport> {
    while (!this.board.on) {
      if (dice.chance(30)) throw new UnreachedError("closed", "There is no port.");
      await this.clock.sleep(500);
    }
    return this.line.open();
  }

  #busy(reason: BusyReason): void {
    this.#counts.busy++;
    if (reason !== BusyReason.Touch) return;
    this.#touched = this.#dice.weighted([
      [88, "s1"],
      [5, "s2"],
      [4, "nobody"],
      [3, undefined],
    ]);
    if (this.#touched === undefined) void this.#client.cancel().catch(() => {});
    else if (this.#touched !== "nobody") {
      this.#counts.touches++;
      this.board.touch(this.#touched);
    }
    this.#touched ??= "nobody";
  }

  #same(task: Task, mine: unknown, theirs: unknown): void {
    const wrong = differs(describe(task), mine, theirs);
    if (wrong !== undefined) throw new SoakDivergence(wrong);
  }

  #note(what: string): void {
    const { boots, on } = this.board;
    this.history.push(`${this.step} t=${Math.round(this.clock.now)} boot ${boots}${on ? "" : " off"} ${what}`);
    if (this.history.length > HISTORY) this.history.shift();
  }

  // --- planted bugs

  #saved: { slots: ReturnType<Nor["snapshot"]>; data: ReturnType<Nor["snapshot"]> } | undefined;

  #remember(): void {
    const { slots, data } = this.#options.device;
    this.#saved = { slots: slots.snapshot(), data: data.snapshot() };
  }
  #forgetCommits(): void {
    this.board.tamper = () => {
      const { slots, data } = this.#options.device;
      if (this.#saved === undefined || this.step < 100) return;
      slots.restore(this.#saved.slots);
      data.restore(this.#saved.data);
    };
  }

  #cutLine(): void {
    this.line.deliver = () => {};
  }
  #trap(): void {
    this.line.deliver = () => {
      throw new TrapError(7);
    };
  }

  #carelessly(task: Task): Task["call"] {
    if (task.command !== Command.Put) return task.call;
    return async (client) => {
      const { boots } = this.board;
      const answer = await task.call(client);
      if (this.board.boots !== boots)
        await client.request(message([[Key.Command, Command.Put], ...task.fields, [Key.Token, this.#dice.bytes(16)]]));
      return answer;
    };
  }
}

const destroys = ({ fields }: Task): boolean => new Map(fields).get(Key.Destroy) === true;

const isRefused = ({ kind }: Outcome): boolean => kind === "refused";

const NO_TOUCH: readonly Status[] = [Status.PresenceDenied, Status.PresenceTimeout, Status.PresenceHeld];
const isNoTouch = (status: Status): boolean => NO_TOUCH.includes(status);

/** A command on one line, its bytes shortened. */
function describe(task: Task): string {
  const fields = [...task.fields]
    .filter(([key, value]) => value !== undefined && key !== Key.Secret)
    .map(([key, value]) => `${Key[key]} ${value instanceof Uint8Array ? short(value) : String(value)}`);
  return [Command[task.command], ...fields].join(", ");
}

function short(bytes: Uint8Array): string {
  return bytes.length <= 16 ? hex(bytes) : `${hex(bytes.subarray(0, 4))}… (${bytes.length} bytes)`;
}
