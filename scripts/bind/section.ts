/** The custom section `mbs.coeffects` of core.wasm: what each export needs of a target, and by which way. SPEC.md §18; scripts/coeffects.mjs
 *  writes it. Strict: a section that says anything in another way is refused. */
const SECTION = "mbs.coeffects";
const VERSION = 1;
/** Row of what engines run before any export. */
const START = "(start)";

/** effect ("durable slots") -> functions from the export to the one that declares it or calls the import */
export type Ways = ReadonlyMap<string, readonly string[]>;
/** export -> what it needs */
export type Coeffects = ReadonlyMap<string, Ways>;

export class SectionError extends Error {
  override name = "SectionError";
}

/** @param name of the file, for errors. @throws SectionError */
export function readCoeffects(wasm: Uint8Array, name: string): Coeffects {
  const module = compile(wasm, name);
  const sections = WebAssembly.Module.customSections(module, SECTION);
  if (sections.length !== 1)
    throw new SectionError(
      `${name} has ${sections.length} sections ${SECTION}; a core has exactly one. Build it: npm run build.`,
    );
  const needs = decode(new Uint8Array(sections[0]!), name);
  const exported = WebAssembly.Module.exports(module).filter(({ kind }) => kind === "function");
  const missing = exported.filter((one) => !needs.has(one.name));
  const unknown = [...needs.keys()].filter((one) => one !== START && !exported.some(({ name }) => name === one));
  if (missing.length + unknown.length > 0)
    throw new SectionError(
      `${name}: section ${SECTION} is another module's: it has no row for [${missing.map((one) => one.name)}], and rows for [${unknown}].`,
    );
  return needs;
}

function compile(wasm: Uint8Array, name: string): WebAssembly.Module {
  try {
    return new WebAssembly.Module(Uint8Array.from(wasm));
  } catch (cause) {
    throw new SectionError(`${name} is no WebAssembly module: ${(cause as Error).message}`, { cause });
  }
}

function decode(bytes: Uint8Array, file: string): Coeffects {
  const fail = (what: string): never => {
    throw new SectionError(`${file}: section ${SECTION}, byte ${at}: ${what}.`);
  };
  let at = 0;
  const byte = (): number => bytes[at++] ?? fail("it ends too early");
  const below = (limit: number, what: string): number => {
    const value = byte();
    return value < limit ? value : fail(`${what} ${value} of ${limit}`);
  };
  const times = <T>(read: () => T): T[] => Array.from({ length: byte() }, read);
  const text = (): string => {
    const length = byte();
    at += length;
    if (at > bytes.length) fail("it ends too early");
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at - length, at));
  };
  const version = byte();
  if (version !== VERSION) fail(`version ${version}, and only ${VERSION} is known`);
  const effects = times(text);
  const names = times(text).flatMap((group) => {
    const [folder, ...functions] = group.split(" ");
    return functions.map((one) => `${folder}.${one}`);
  });
  const ways: string[][] = [];
  for (let left = byte(); left > 0; left--) {
    const name = names[below(names.length, "name")]!;
    const parent = below(ways.length + 1, "parent");
    ways.push([...(ways[parent - 1] ?? []), name]);
  }
  const roots = times(text);
  const rows = roots.map((root) => {
    const found = times(() => [effects[below(effects.length, "effect")]!, ways[below(ways.length, "way")]!] as const);
    return [root, new Map(found)] as const;
  });
  if (at !== bytes.length) fail("something follows");
  return new Map(rows);
}
