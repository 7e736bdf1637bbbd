/** Plants leaks in a copy of firmware/ and asks the check of secrets about each core: it must refuse what leaks, in the right function, and accept
 *  what is written with care. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Leak } from "../../test/prove/leaks.js";
import { Workshop } from "../mutants/core.js";
import { policyFor } from "./policy.js";
import { checkSecrets, type Finding } from "./secrets.js";
import { decode } from "./wasm.js";

export class Planter {
  readonly #folder = mkdtempSync(join(tmpdir(), "mbs-prove-"));
  readonly #workshop: Workshop;

  /** @param root the project's folder @param memory build/memory.json @param forbidden of the interpreter's audit */
  constructor(
    root: string,
    readonly memory: Readonly<Record<string, number>>,
    readonly forbidden: ReadonlyMap<string, string>,
  ) {
    this.#workshop = new Workshop(root, join(this.#folder, "firmware"));
  }

  /** What the check finds in a core with these leaks. @throws Error when one cannot be planted */
  async findings(leaks: readonly Leak[]): Promise<Finding[]> {
    const { wasm, statics } = await this.#workshop.buildNamed(leaks);
    const module = decode(wasm);
    return checkSecrets(module, policyFor(module, { memory: this.memory, statics }, this.forbidden)).findings;
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What is wrong with the check's answer about a core with this leak; undefined: nothing. */
export function mistake({ told }: Leak, findings: readonly Finding[]): string | undefined {
  const [first] = findings;
  if (told.length === 0) return first && `it does not leak and is refused: ${first.function}: ${first.what}`;
  if (first === undefined) return "it leaks and is accepted";
  if (findings.some((one) => told.some((name) => one.function.endsWith(`/${name}`)))) return undefined;
  return `it leaks in ${told.join(" or ")} and is refused for ${first.function}: ${first.what}`;
}

/** Tries each of them alone, the unchanged core before all.
 *  @param say is told each answer, with what is wrong with it @returns how many were wrong */
export async function tryEach(
  planter: Planter,
  leaks: readonly Leak[],
  say: (leak: Leak, findings: readonly Finding[], wrong: string | undefined) => void,
): Promise<number> {
  const [own] = await planter.findings([]);
  if (own) throw new Error(`the unchanged core is refused: ${own.function}: ${own.what}`);
  let wrong = 0;
  for (const leak of leaks) {
    const findings = await planter.findings([leak]);
    const answer = mistake(leak, findings);
    if (answer !== undefined) wrong++;
    say(leak, findings, answer);
  }
  return wrong;
}
