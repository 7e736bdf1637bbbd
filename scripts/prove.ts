/** `npm run prove`: shows what firmware/PROOFS.md promises on the bytes that were built, and prints one page. Writes it to build/proofs.txt,
 *  and everything that was found to build/proofs.json. Exit code 1: something could not be shown. */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { readBuild } from "./prove/built.js";
import { auditTable } from "./prove/handlers.js";
import { page, prove } from "./prove/proof.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Options {
  json?: boolean;
  audit?: boolean;
  elf: string;
  write?: string;
}

/** @returns exit code */
export function main(args: readonly string[], print: (text: string) => void, complain: (text: string) => void): number {
  try {
    const options = new Command("npm run prove --")
      .description("Shows the properties of firmware/PROOFS.md on the bytes that were built.")
      .option("--json", "print everything that was found, as JSON")
      .option("--audit", "print which operations may see a secret under this build's interpreter, and why")
      .option("--elf <file>", "the firmware", "build/ek-ra6m5.elf")
      .option("--write <file>", "write what the binder wants to see, when everything is shown")
      .exitOverride()
      .parse(args, { from: "user" })
      .opts<Options>();
    const proof = prove(readBuild(root, options.elf));
    const problems = proof.steps.flatMap((step) => step.problems);
    const all = {
      schemaVersion: 1,
      isShown: problems.length === 0,
      core: proof.core,
      steps: proof.steps,
      needs: proof.bounds.needs,
      declassified: proof.secrets.declassified,
      revealed: proof.secrets.revealed,
      expected: proof.secrets.expected,
      audit: Object.fromEntries(proof.audit.operations),
    };
    writeFileSync(join(root, "build/proofs.txt"), page(proof));
    writeFileSync(join(root, "build/proofs.json"), `${JSON.stringify(all, null, 2)}\n`);
    if (options.json) print(JSON.stringify(all, null, 2));
    else print(options.audit ? auditTable(proof.audit) : page(proof).trimEnd());
    if (problems.length > 0) {
      complain(`prove: ${problems.length} could not be shown; firmware/PROOFS.md says what each means`);
      return 1;
    }
    if (options.write) writeFileSync(options.write, `${JSON.stringify({ schemaVersion: 1, ...proof.shown })}\n`);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    complain(`prove: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

if (basename(process.argv[1] ?? "") === "prove.js")
  process.exitCode = main(process.argv.slice(2), console.log, console.error);
