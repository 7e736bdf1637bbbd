/** Binds a core to a target: commits each effect that the core needs to something that the target has, or says what is missing. SPEC.md §19.
 *  Knows what the core takes for granted: the geometry of defs/medium.ts, and the word of the journal that settles a change. */
import { createHash } from "node:crypto";
import {
  Atomic,
  BoundMedium,
  type ConstantTime,
  Engine,
  EntropySource,
  PresenceSource,
  RootPlace,
  Sealing,
  Target as TargetNumber,
} from "../../firmware/defs/binding.js";
import { BODY_OFF_SETTLED, JOURNAL_PLACE } from "../../firmware/defs/journal.js";
import {
  CUSTODY_SIZE,
  DATA_BLOCK,
  DATA_SIZE,
  DATA_UNIT,
  SLOT_BLOCK,
  SLOT_BLOCKS,
  UNIT,
} from "../../firmware/defs/medium.js";
import type { Binding } from "../../host/binding.js";
import type { Coeffects } from "./section.js";
import type { Medium, Target } from "./target.js";

const SETTLED_WORD = JOURNAL_PLACE - BODY_OFF_SETTLED;

/** One effect, and what it was committed to. */
export interface Choice {
  effect: string;
  to: string;
  /** What it costs whoever wants to verify it; only where there was more than one way to do it. */
  cost?: string;
  /** Exports that need it, each with the way to where it is needed. */
  needed: { export: string; way: readonly string[] }[];
}

export interface Bound {
  choices: Choice[];
  binding: Binding;
}

/** The target lacks something. One line for each export and effect. */
export class CapabilityError extends Error {
  override name = "CapabilityError";
  constructor(readonly failures: readonly string[]) {
    super(failures.join("\n"));
  }
}

interface Question {
  /** What the core needs, in words. */
  need: string;
  /** What the target has not, or undefined. */
  lacks(target: Target): string | undefined;
  choose(target: Target): Pick<Choice, "to" | "cost">;
}

/** What is asked of a target for each effect that scripts/coeffects.mjs knows. */
const QUESTIONS: Record<string, Question> = {
  "durable slots": {
    need: "a medium for slots that survives power loss",
    lacks: ({ slots }) => lacksMedium("media.slots", slots, SLOT_BLOCK * SLOT_BLOCKS, SLOT_BLOCK, UNIT),
    choose: ({ slots }) => ({ to: mediumText(slots!) }),
  },
  "durable data": {
    need: "a medium for the journal and the other logs that survives power loss",
    lacks: ({ data }) => lacksMedium("media.data", data, DATA_SIZE, DATA_BLOCK),
    choose: ({ data }) => ({ to: mediumText(data!) }),
  },
  "atomic journal": {
    need: `a program unit of at most ${SETTLED_WORD} bytes, the journal's settled word`,
    lacks: ({ data }) => {
      if (data === undefined) return "media.data is missing";
      if (DATA_UNIT % data.programUnit === 0) return undefined;
      return `media.data programs ${data.programUnit} bytes at a time`;
    },
    choose: ({ data }) => ({
      to: `the settled word of a journal place: ${SETTLED_WORD} keyed bytes in one ${data!.kind} program of ${data!.programUnit}-byte units`,
      cost: "the journal is code of the core, and every cut point of it can be tried; nothing is believed of the medium but that what was programmed whole stays",
    }),
  },
  "sealed record": {
    need: "custody for the root key that seals",
    lacks: ({ custody }) => (custody === undefined ? "custody is missing" : undefined),
    choose: ({ custody }) =>
      sealing("XChaCha20-Poly1305 in the core, under a key derived from the root", custody!.what),
  },
  "sealed delta": {
    need: "custody for the root key behind the filekeys",
    lacks: ({ custody }) => (custody === undefined ? "custody is missing" : undefined),
    choose: ({ custody }) => sealing("XChaCha20-Poly1305 in the core, under a filekey's Alpha", custody!.what),
  },
  "sealed image": {
    need: "custody for the transport key that an image is sealed to",
    lacks: ({ custody }) => (custody === undefined ? "custody is missing" : undefined),
    choose: ({ custody }) =>
      sealing("XChaCha20-Poly1305 in the core, under a key agreed with the transport key", custody!.what),
  },
  custody: {
    need: "a place for the root key",
    lacks: lacksCustody,
    choose: ({ custody }) => ({
      to: `root key in ${custody!.what}`,
      cost: "the root can be read by whoever reads that memory; an element that keeps it would have to be believed instead",
    }),
  },
  entropy: {
    need: "a source of entropy",
    lacks: ({ entropy }) => (entropy === undefined ? "entropy is missing" : undefined),
    choose: ({ entropy }) => ({
      to: `${entropy!.what}, health-tested and conditioned in the core`,
      cost: "tests and conditioning are code of the core; how much entropy a sample has must be measured on the target",
    }),
  },
  presence: {
    need: "a way to tell that somebody is there",
    lacks: ({ presence }) => (presence === undefined ? "presence is missing" : undefined),
    choose: ({ presence }) => ({ to: presence!.what }),
  },
  clock: plain("clock", "a clock that never goes backwards"),
  diagnostic: plain("diagnostic", "somewhere to leave a trap code"),
  facts: plain("facts", "facts about itself"),
};

function plain(key: "clock" | "diagnostic" | "facts", need: string): Question {
  return {
    need,
    lacks: (target) => (target[key] === undefined ? `${key} is missing` : undefined),
    choose: (target) => ({ to: target[key]!.what }),
  };
}

function sealing(how: string, root: string): Pick<Choice, "to" | "cost"> {
  return {
    to: `${how} (${root})`,
    cost: "every step is in core.wasm and checked with it; the key passes through linear memory while it is used",
  };
}

/** @param unit the largest program unit that will do, if the core programs in larger steps than it must settle */
function lacksMedium(
  key: string,
  medium: Medium | undefined,
  bytes: number,
  block: number,
  unit?: number,
): string | undefined {
  if (medium === undefined) return `${key} is missing`;
  if (medium.kind === "ram") return `${key} is RAM`;
  if (medium.bytes < bytes) return `${key} has ${medium.bytes} bytes of ${bytes}`;
  if (medium.eraseBlock !== block) return `${key} erases ${medium.eraseBlock} bytes at a time, not ${block}`;
  if (unit !== undefined && unit % medium.programUnit !== 0)
    return `${key} programs ${medium.programUnit} bytes at a time, which do not fit into ${unit}`;
  return undefined;
}

function lacksCustody({ custody, data }: Target): string | undefined {
  if (custody === undefined) return "custody is missing";
  if (data === undefined || data.kind === "ram") return "custody stands in media.data, which forgets";
  return custody.bytes < CUSTODY_SIZE ? `custody has ${custody.bytes} bytes of ${CUSTODY_SIZE}` : undefined;
}

function mediumText({ what, bytes, eraseBlock, programUnit }: Medium): string {
  return `${what}: ${bytes} bytes, erased by ${eraseBlock}, programmed by ${programUnit}`;
}

const MEDIUM_NUMBERS = {
  "code-flash": BoundMedium.CodeFlash,
  "data-flash": BoundMedium.DataFlash,
  "simulated-flash": BoundMedium.SimulatedFlash,
};
const NUMBERS = {
  target: {
    "ek-ra6m5": TargetNumber.EkRa6m5,
    virtual: TargetNumber.Virtual,
    renode: TargetNumber.Renode,
    host: TargetNumber.Host,
  },
  engine: { wasm3: Engine.Wasm3, "ahead-of-time": Engine.AheadOfTime, v8: Engine.V8 },
  custody: { "data-flash": RootPlace.DataFlash, simulated: RootPlace.Simulated },
  entropy: { "clock-jitter": EntropySource.ClockJitter, simulated: EntropySource.Simulated },
  presence: { switches: PresenceSource.Switches, simulated: PresenceSource.Simulated },
};

export interface Bindable {
  /** core.wasm */
  core: Uint8Array;
  coeffects: Coeffects;
  /** target.json, and what it says. */
  manifest: Uint8Array;
  target: Target;
  constantTime: ConstantTime;
}

/** @throws CapabilityError that names every export, way and missing capability */
export function bind({ core, coeffects, manifest, target, constantTime }: Bindable): Bound {
  const needed = new Map<string, Choice["needed"]>();
  for (const [name, ways] of coeffects)
    for (const [effect, way] of ways) needed.set(effect, [...(needed.get(effect) ?? []), { export: name, way }]);
  const failures: string[] = [];
  const choices: Choice[] = [];
  for (const [effect, exports] of [...needed].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const question = QUESTIONS[effect];
    const lacks = question === undefined ? "nobody has said what that asks of a target" : question.lacks(target);
    if (question !== undefined && lacks === undefined) {
      choices.push({ effect, ...question.choose(target), needed: exports });
      continue;
    }
    for (const { export: name, way } of exports)
      failures.push(
        `capability failure: export '${name}' needs ${question?.need ?? "something"} (${effect}; ${way.join(" -> ")}), and the target ${target.name} has none: ${lacks}`,
      );
  }
  if (failures.length > 0) throw new CapabilityError(failures);
  return { choices, binding: record(core, manifest, target, constantTime) };
}

/** What the effects were committed to, in numbers. */
function record(core: Uint8Array, manifest: Uint8Array, target: Target, constantTime: ConstantTime): Binding {
  const { slots, data, custody, entropy, presence } = target;
  return {
    target: NUMBERS.target[target.name],
    engine: NUMBERS.engine[target.engine],
    constantTime,
    core: createHash("sha256").update(core).digest(),
    manifest: createHash("sha256").update(manifest).digest(),
    slots: mediumNumber(slots),
    data: mediumNumber(data),
    atomic: Atomic.SettledWord,
    unit: data?.programUnit ?? 0,
    sealing: Sealing.Core,
    custody: custody === undefined ? RootPlace.None : NUMBERS.custody[custody.kind],
    entropy: entropy === undefined ? EntropySource.None : NUMBERS.entropy[entropy.kind],
    presence: presence === undefined ? PresenceSource.None : NUMBERS.presence[presence.kind],
  };
}

function mediumNumber(medium: Medium | undefined): BoundMedium {
  return medium === undefined || medium.kind === "ram" ? BoundMedium.None : MEDIUM_NUMBERS[medium.kind];
}
