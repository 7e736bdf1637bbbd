/** `npm run prove`: shows what firmware/PROOFS.md promises on the bytes that were built, and prints one page. Writes it to build/proofs.txt,
 *  and everything that was found to build/proofs.json. Exit code 1: something could not be shown. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { readBuild } from "./prove/built.js";
import { auditTable } from "./prove/handlers.js";
import { page, prove } from "./prove/proof.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

function main(): number {
  const options = new Command("npm run prove --")
    .description("Shows the properties of firmware/PROOFS.md on the bytes that were built.")
    .option("--json", "print everything that was found, as JSON")
    .option("--audit", "print which operations may see a secret under this build's interpreter, and why")
    .exitOverride()
    .parse()
    .opts<{ json?: boolean; audit?: boolean }>();
  const proof = prove(readBuild(root));
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
  if (options.json) console.log(JSON.stringify(all, null, 2));
  else console.log(options.audit ? auditTable(proof.audit) : page(proof).trimEnd());
  if (problems.length > 0)
    console.error(`prove: ${problems.length} could not be shown; firmware/PROOFS.md says what each means`);
  return problems.length > 0 ? 1 : 0;
}

try {
  process.exitCode = main();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    console.error(`prove: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
