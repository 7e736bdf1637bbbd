/** Checks the formatting of the sources whose functions have decorators. AssemblyScript has them, TypeScript and biome do not: biome.json
 *  leaves these files out, and here biome sees them with each decorator as a comment. `--write` formats them. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const DECORATOR = /^@(?=\w)/gm;
const MARK = "// @";
const BIOME = "node_modules/@biomejs/biome/bin/biome";

function format(text) {
  const args = [BIOME, "format", "--stdin-file-path=firmware/decorated.ts"];
  const options = { input: text.replace(DECORATOR, MARK), encoding: "utf8", stdio: ["pipe", "pipe", "inherit"] };
  return execFileSync(process.execPath, args, options).replaceAll(MARK, "@");
}

const decorated = readdirSync("firmware", { recursive: true, encoding: "utf8" })
  .map((name) => `firmware/${name}`)
  .filter((name) => name.endsWith(".ts") && readFileSync(name, "utf8").search(DECORATOR) >= 0)
  .sort();
const complaints = [];
const { files } = JSON.parse(readFileSync("biome.json", "utf8"));
const left = files.includes.filter((one) => one.startsWith("!firmware/")).map((one) => one.slice(1));
for (const name of decorated)
  if (!left.includes(name)) complaints.push(`${name} has decorators; add "!${name}" to files.includes of biome.json`);
for (const name of left)
  if (!decorated.includes(name))
    complaints.push(`${name} has no decorators; take it out of files.includes of biome.json`);
for (const name of decorated) {
  const text = readFileSync(name, "utf8");
  const formatted = format(text);
  if (formatted === text) continue;
  if (process.argv.includes("--write")) writeFileSync(name, formatted);
  else complaints.push(`${name} is not formatted; run: node scripts/decorated.mjs --write`);
}
for (const line of complaints) console.error(`check: ${line}`);
process.exitCode = complaints.length > 0 ? 1 : 0;
