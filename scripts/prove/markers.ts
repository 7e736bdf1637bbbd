/** Every place in the sources where something becomes public, and what firmware/PROOFS.md says of it: the two must agree, one by one. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The functions of firmware/crypto/declassify.ts. */
const KINDS = ["declassify", "reveal", "publish", "expectPublic"] as const;
export type Kind = (typeof KINDS)[number];

/** `firmware/store/header.ts authenticate publish`, as often as it is there. */
export type Sites = Map<string, number>;

const OWN = "crypto/declassify.ts";
const FUNCTION = /^(?:export )?function (\w+)/;
const USE = new RegExp(`(?<![\\w.])(${KINDS.join("|")})\\(`, "g");
const IMPORT = /^import \{\s*\w+(?:,\s*\w+)*,?\s*\} from "[./]*(?:crypto\/)?declassify";$/gm;
const COMMENTS = /\/\*[\s\S]*?\*\/|\/\/.*$/gm;
const MARKER = /\b(DECLASSIFIED|REVEALED|EXPECTED)\b[^}]*\} from "[^"]*memory"/;

/** Why the uses in a file could not be counted: they are there under another name. */
function evasion(text: string): string | undefined {
  const plain = text.replace(COMMENTS, "");
  const marker = MARKER.exec(plain)?.[1];
  if (marker) return `uses ${marker}`;
  if (/\* as \w+ from "[^"]*memory"/.test(plain)) return "takes all of memory.ts";
  const rest = plain.replace(IMPORT, "");
  if (rest.includes('declassify"')) return "takes declassify.ts in another way than by the names of its functions";
  if (rest === plain) return undefined;
  if (/^\s*(export )?(abstract )?class /m.test(plain)) return "has classes, whose functions are not told apart here";
  const other = new RegExp(`(?<![\\w.])(${KINDS.join("|")})\\b(?!\\()`).exec(rest)?.[1];
  return other ? `uses ${other} as a value` : undefined;
}

/** Reads the sources.
 *  @param folder firmware/
 *  @throws Error when something becomes public in a way that is not counted */
export function readSites(folder: string): Sites {
  const found: Sites = new Map();
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    if (!file.endsWith(".ts") || file === OWN || file === "memory.ts") continue;
    const text = readFileSync(join(folder, file), "utf8");
    const why = evasion(text);
    if (why) throw new Error(`${file} ${why}: only ${OWN} may do that`);
    if (text.replace(COMMENTS, "").search(IMPORT) < 0) continue;
    let name = "";
    for (const line of text.split("\n")) {
      name = FUNCTION.exec(line)?.[1] ?? name;
      for (const [, kind] of line.matchAll(USE)) {
        const site = `${file} ${name} ${kind}`;
        found.set(site, (found.get(site) ?? 0) + 1);
      }
    }
  }
  return found;
}

/** How many there are in the final code, as PROOFS.md says: "In the final code: 3 decisions, 61 readings, 3 expectations." */
export function readCounts(text: string): number[] {
  const found = /In the final code: (\d+) decisions, (\d+) readings, (\d+) expectations\./.exec(text);
  if (!found) throw new Error("PROOFS.md does not say how many there are in the final code");
  return found.slice(1).map(Number);
}

/** Reads the rows `| file | function | kind | … |` of PROOFS.md, a number of uses behind the kind when there are several. */
export function readExplained(text: string): Sites {
  const found: Sites = new Map();
  for (const line of text.split("\n")) {
    const [, file, name, use] = line.split("|").map((cell) => cell.trim().replaceAll("`", ""));
    const kind = /^(declassify|reveal|publish|expectPublic)(?: × (\d+))?$/.exec(use ?? "");
    if (!kind) continue;
    const site = `${file} ${name} ${kind[1]}`;
    if (found.has(site)) throw new Error(`PROOFS.md explains ${site} twice`);
    found.set(site, Number(kind[2] ?? 1));
  }
  return found;
}

/** What is in one and not in the other. */
export function unexplained(sites: Sites, explained: Sites): string[] {
  const all = new Set([...sites.keys(), ...explained.keys()]);
  return [...all].sort().flatMap((site) => {
    const [there, told] = [sites.get(site) ?? 0, explained.get(site) ?? 0];
    return there === told ? [] : [`${site}: ${there} in the sources, ${told} in PROOFS.md`];
  });
}
