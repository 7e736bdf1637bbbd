/** The nine imports of the core over two media: what board/ek-ra6m5 does in C, for engines on the host. SPEC.md §1. */
import { createHash } from "node:crypto";
import type { Random } from "../../board/virtual/prng.js";
import type { Engine as EngineNumber } from "../../firmware/defs/binding.js";
import {
  BOARD_EK_RA6M5,
  FACTS_OFF_BINDING,
  FACTS_OFF_BOARD,
  FACTS_OFF_CORE,
  FACTS_OFF_CUSTODY,
  FACTS_OFF_UID,
  FACTS_SIZE,
  Region,
} from "../../firmware/defs/boundary.js";
import { Custody } from "../../firmware/defs/custody.js";
import { LINE_RATE } from "../../firmware/defs/link.js";
import { CUSTODY_SIZE } from "../../firmware/defs/medium.js";
import { Status } from "../../firmware/defs/status.js";
import { decodeBinding, encodeBinding } from "../../host/binding.js";
import { built } from "./built.js";
import type { Media } from "./media.js";

/** The record that the build made for board/host/target.json, of the core that really runs here, and what runs it. */
function bindingOf(core: Uint8Array, engine: EngineNumber): Uint8Array {
  const binding = decodeBinding(built("host.binding"));
  if (binding === undefined) throw new Error("build/host.binding is no binding record; run: npm run build");
  return encodeBinding({ ...binding, core: createHash("sha256").update(core).digest(), engine });
}

/** Whether board/ek-ra6m5/sci.c can set it: 12 MHz divided by a whole number, within 1 %. */
function isLineRate(bits: number): boolean {
  if (bits < 115_200 || bits > 3_000_000) return false;
  return Math.abs(Math.round(12e6 / bits) * bits - 12e6) <= 120_000;
}

export class Board {
  readonly facts = Buffer.alloc(FACTS_SIZE);
  /** Last diagnostic code of the core. */
  code = 0;
  /** Bits per second of the line, as the core asked last. */
  bits = LINE_RATE;
  lights = 0;
  /** False: the noise source gives the same sample for ever. */
  noisy = true;
  /** Samples drawn so far. */
  samples = 0;
  /** SWITCH_… that are pressed. */
  switches = 0;
  #time = 0n;
  readonly #memory: () => Uint8Array;

  constructor(
    readonly media: Media,
    core: Uint8Array,
    engine: EngineNumber,
    readonly random: Random,
    memory: () => Uint8Array,
  ) {
    this.#memory = memory;
    createHash("sha256").update(core).digest().copy(this.facts, FACTS_OFF_CORE);
    this.facts.write("simulated", FACTS_OFF_UID, "ascii");
    this.facts[FACTS_OFF_CUSTODY] = Custody.Simulated;
    this.facts[FACTS_OFF_BOARD] = BOARD_EK_RA6M5;
    this.facts.set(bindingOf(core, engine), FACTS_OFF_BINDING);
  }

  #inside(pointer: number, length: number): Uint8Array {
    const memory = this.#memory();
    if (pointer + length > memory.length) throw new RangeError(`pointer ${pointer} + ${length} leaves linear memory`);
    return memory.subarray(pointer, pointer + length);
  }

  #medium(region: Region, offset: number, length: number) {
    const { slots, data, image } = this.media;
    if (region === Region.Image) return offset + length <= image.size ? image : undefined;
    const nor = region === Region.Slots ? slots : data;
    const [from, to] =
      region === Region.Slots
        ? [0, slots.size]
        : region === Region.Data
          ? [CUSTODY_SIZE, data.size]
          : region === Region.Custody
            ? [0, CUSTODY_SIZE]
            : [0, 0];
    return offset >= from && offset + length <= to ? nor : undefined;
  }

  read = (region: Region, offset: number, pointer: number, length: number): Status => {
    const into = this.#inside(pointer >>> 0, length >>> 0);
    if (region === Region.Facts) {
      if (offset + length > FACTS_SIZE) return Status.Unreadable;
      into.set(this.facts.subarray(offset, offset + length));
      return Status.Ok;
    }
    const nor = this.#medium(region, offset >>> 0, length >>> 0);
    return nor?.readInto(offset >>> 0, into) ? Status.Ok : Status.Unreadable;
  };

  program = (region: Region, offset: number, pointer: number, length: number): Status => {
    const from = this.#inside(pointer >>> 0, length >>> 0);
    const nor = region === Region.Image ? undefined : this.#medium(region, offset >>> 0, length >>> 0);
    return nor?.program(offset >>> 0, from) ? Status.Ok : Status.MediumFailed;
  };

  erase = (region: Region, offset: number): Status => {
    return this.#medium(region, offset >>> 0, 1)?.erase(offset >>> 0) ? Status.Ok : Status.MediumFailed;
  };

  blank = (region: Region, offset: number, length: number): number => {
    if (region === Region.Slots || region === Region.Image) return Status.MediumFailed;
    const nor = this.#medium(region, offset >>> 0, length >>> 0);
    return nor === undefined ? Status.MediumFailed : Number(nor.blank(offset >>> 0, length >>> 0));
  };

  entropy = (pointer: number, length: number): number => {
    const into = this.#inside(pointer >>> 0, length >>> 0);
    for (let i = 0; i < into.length; i++) into[i] = this.noisy ? this.random() >>> 24 : 7;
    this.samples += into.length;
    return into.length;
  };

  presence = (lights: number): number => {
    this.lights = lights;
    return this.switches;
  };

  clock = (): bigint => {
    this.#time += 10n;
    return this.#time;
  };

  /** What clock() answered last, and what passed since. */
  get now(): bigint {
    return this.#time;
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.#time += BigInt(Math.round(ms * 1000));
  }

  diag = (code: number): void => {
    this.code = code;
  };

  rate = (bits: number): Status => {
    if (!isLineRate(bits >>> 0)) return Status.BadArgument;
    this.bits = bits >>> 0;
    return Status.Ok;
  };

  powerUp(): void {
    this.#time = BigInt(this.random() & 0xffff);
    this.code = 0;
  }
}
