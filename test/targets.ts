/** The targets that one suite runs over: the reference model, and core.wasm in several engines and on the virtual board.
 *  MBS_TARGET=v8,model selects; all of them otherwise. A target that cannot be made fails, it is not skipped.
 *  MBS_TARGET=taint runs the same suite over a core in which secrets are followed (device/taint.ts), which none runs over by itself. */
import { randomInt } from "node:crypto";
import { FACTS_OFF_SETUP } from "../firmware/defs/boundary.js";
import { Status } from "../firmware/defs/status.js";
import { Command } from "../firmware/defs/wire.js";
import type { Message } from "../host/client/message.js";
import type { Device, EngineDevice } from "./device/device.js";
import { type Person, people } from "./device/person.js";
import { type Fields, Refusal, Talk } from "./device/talk.js";

/** What answers commands. */
export interface Target {
  readonly name: string;
  /** Power off and on. */
  boot(): void;
  /** Sends one command, with every role. @returns the answer, whatever its status */
  ask(command: Command, fields?: Fields): Message;
  /** An operator opens a session and asks something in it, which makes a pending key the used one. @returns Ok or HandshakeRefused */
  admit(operator: string, key: Uint8Array): Status;
  /** Nobody asks for so many milliseconds. */
  wait(ms: number): void;
  close(): void;
}

/** A device, with a synchronous host at the other end of its line and a person who touches the switch when that is awaited. */
export class Bench<D extends Device = Device> implements Target {
  readonly talk: Talk;

  constructor(
    readonly device: D,
    person: Person = people.touches,
  ) {
    this.talk = new Talk(device, person);
  }

  get name(): string {
    return this.device.name;
  }
  boot(): void {
    this.device.boot();
    this.talk.reset();
  }
  ask(command: Command, fields: Fields = []): Message {
    return this.talk.answer(command, fields);
  }
  admit(operator: string, key: Uint8Array): Status {
    try {
      this.talk.handshake(operator, key);
      this.talk.ask(Command.Info);
      return Status.Ok;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return error.status;
    } finally {
      this.talk.session = undefined;
    }
  }
  wait(ms: number): void {
    this.device.wait(ms);
  }
  close(): void {
    this.device.close();
  }
}

/** The seed of this run's random choices; a failing run is repeated with it. */
export const seed = process.env.MBS_SEED === undefined ? randomInt(2 ** 31) : Number(process.env.MBS_SEED);
export const repeat = `repeat with MBS_SEED=${seed}`;

export interface Kind<T extends Target> {
  readonly name: string;
  /** How much of a long test it does in bearable time; 1 = all of it. */
  readonly share: number;
  /** A command takes it a tenth of a second and more. */
  readonly slow?: boolean;
  /** A blank one that was switched on. @param setupCode that it was flashed with; none: zeros */
  make(setupCode?: Uint8Array): T;
}

function on<T extends Target>(target: T): T {
  target.boot();
  return target;
}

function withCode<D extends EngineDevice>(device: D, setupCode: Uint8Array | undefined): D {
  if (setupCode !== undefined) device.board.facts.set(setupCode, FACTS_OFF_SETUP);
  return device;
}

const engines: Kind<Bench<EngineDevice>>[] = [
  { name: "v8", share: 1, make: (code) => on(new Bench(withCode(new (need(v8).V8Device)(seed), code))) },
  { name: "wasm3", share: 0.2, make: (code) => on(new Bench(withCode(new (need(wasm3).Wasm3Device)(seed), code))) },
];
const boards: Kind<Bench>[] = [
  {
    name: "virtual",
    share: 0.08,
    slow: true,
    make: (setupCode) => on(new Bench(new (need(virtual).VirtualDevice)(seed, { setupCode }))),
  },
  {
    name: "aot", // the same board, with firmware whose core was compiled ahead of time
    share: 0.1,
    slow: true,
    make: (setupCode) => on(new Bench(new (need(virtual).AheadOfTimeDevice)(seed, { setupCode }))),
  },
];
const models: Kind<Target>[] = [{ name: "model", share: 1, make: () => on(new (need(model).ModelStore)()) }];

const usual = [...models, ...engines, ...boards].map((kind) => kind.name);
engines.push({
  name: "taint",
  share: 0.1,
  make: (code) => on(new Bench(withCode(new (need(taint).TaintDevice)(need(taint).builtRun(), seed), code))),
});
const known = [...usual, "taint"];
const chosen = process.env.MBS_TARGET?.split(",") ?? usual;
for (const name of chosen) {
  if (!known.includes(name)) throw new Error(`MBS_TARGET names ${name}; expected some of ${known.join(", ")}`);
}
const among = <T extends Target>(kinds: Kind<T>[]): Kind<T>[] => kinds.filter((kind) => chosen.includes(kind.name));

// an engine is loaded only when it was chosen
const load = <T>(names: string | string[], from: () => Promise<T>): Promise<T | undefined> =>
  [names].flat().some((name) => chosen.includes(name)) ? from() : Promise.resolve(undefined);
// one after the other: they share modules, and a loader may meet one half-way
const model = await load("model", () => import("./model/store.js"));
const v8 = await load("v8", () => import("./device/v8.js"));
const wasm3 = await load("wasm3", () => import("./device/wasm3.js"));
const virtual = await load(["virtual", "aot"], () => import("./device/virtual.js"));
const taint = await load("taint", () => import("./device/taint.js"));
function need<T>(module: T | undefined): T {
  if (module === undefined) throw new Error("the target was not chosen");
  return module;
}

/** Those whose board is ours: memory, noise and start mode can be reached. */
export const engineTargets = among(engines);
/** Those with a medium. */
export const deviceTargets: Kind<Bench>[] = [...engineTargets, ...among(boards)];
/** All of them. */
export const targets: Kind<Target>[] = [...among(models), ...deviceTargets];
