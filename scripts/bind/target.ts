/** target.json: what a target offers. Strict: what is not known is refused, and what is not there is not offered. SPEC.md §19. */
import { JsonObject, ManifestError } from "./json.js";

export const TARGETS = ["ek-ra6m5", "virtual", "renode", "host"] as const;
export const ENGINES = ["wasm3", "ahead-of-time", "v8"] as const;
export const MEDIA = ["code-flash", "data-flash", "simulated-flash", "ram"] as const;
export const ROOTS = ["data-flash", "simulated"] as const;
export const ENTROPIES = ["clock-jitter", "simulated"] as const;
export const PRESENCES = ["switches", "simulated"] as const;

/** Sizes in bytes. `ram` forgets at power loss; all other kinds keep what they have. */
export interface Medium {
  kind: (typeof MEDIA)[number];
  what: string;
  bytes: number;
  eraseBlock: number;
  programUnit: number;
}

export interface Target {
  name: (typeof TARGETS)[number];
  engine: (typeof ENGINES)[number];
  slots?: Medium;
  data?: Medium;
  /** `bytes` at the beginning of the medium `data`. */
  custody?: { kind: (typeof ROOTS)[number]; what: string; bytes: number };
  entropy?: { kind: (typeof ENTROPIES)[number]; what: string };
  presence?: { kind: (typeof PRESENCES)[number]; what: string };
  clock?: { what: string };
  diagnostic?: { what: string };
  facts?: { what: string };
}

const SCHEMA_VERSION = 1;

/** @param file names the manifest in errors. @throws ManifestError that names the key */
export function parseTarget(text: string, file: string): Target {
  const root = JsonObject.parse(text, file);
  const version = root.integer("schemaVersion", 1);
  if (version !== SCHEMA_VERSION)
    throw new ManifestError(`${file}: "schemaVersion" is ${version}, and only ${SCHEMA_VERSION} is known`);
  const name = root.word("target", TARGETS);
  const engine = root.word("engine", ENGINES);
  const offers = {
    ...root.optional("media", (media) => ({
      slots: media.optional("slots", readMedium),
      data: media.optional("data", readMedium),
    })),
    custody: root.optional("custody", (one) => ({ ...readSource(one, ROOTS), bytes: one.integer("bytes", 1) })),
    entropy: root.optional("entropy", (one) => readSource(one, ENTROPIES)),
    presence: root.optional("presence", (one) => readSource(one, PRESENCES)),
    clock: root.optional("clock", readPlain),
    diagnostic: root.optional("diagnostic", readPlain),
    facts: root.optional("facts", readPlain),
  };
  root.end();
  return { name, engine, ...offers };
}

function readMedium(object: JsonObject): Medium {
  return {
    ...readSource(object, MEDIA),
    bytes: object.integer("bytes", 1),
    eraseBlock: object.integer("eraseBlock", 1),
    programUnit: object.integer("programUnit", 1),
  };
}

function readSource<T extends string>(object: JsonObject, kinds: readonly T[]): { kind: T; what: string } {
  return { kind: object.word("kind", kinds), what: object.text("what") };
}

function readPlain(object: JsonObject): { what: string } {
  return { what: object.text("what") };
}
