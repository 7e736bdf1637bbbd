/** Writes firmware/defs/*.ts as a C header: `export const NAME` becomes MBS_NAME, an enum member MBS_ENUM_MEMBER
 *  (of Status only MBS_MEMBER). The files are read with the TypeScript compiler; what is not a plain number is
 *  refused. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** MediumFailed -> MEDIUM_FAILED */
const upper = (name) => name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();

/** The number that a literal or a negated literal stands for; throws on anything else. */
function numberOf(expression, where) {
  if (expression && ts.isNumericLiteral(expression)) return Number(expression.text);
  if (
    expression &&
    ts.isPrefixUnaryExpression(expression) &&
    expression.operator === ts.SyntaxKind.MinusToken &&
    ts.isNumericLiteral(expression.operand)
  )
    return -Number(expression.operand.text);
  throw new Error(`${where}: expected a number, came "${expression?.getText() ?? "nothing"}"; write the value out`);
}

/** Names and values of one definitions file, in order.
 *  @returns {{ name: string, value: number }[]} */
export function definitions(fileName, text) {
  const source = ts.createSourceFile(fileName, text, ts.ScriptTarget.ES2022, true);
  const found = [];
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) {
        const name = declaration.name.getText();
        found.push({ name, value: numberOf(declaration.initializer, `${fileName}: ${name}`) });
      }
    } else if (ts.isEnumDeclaration(statement)) {
      const prefix = statement.name.text === "Status" ? "" : `${upper(statement.name.text)}_`;
      for (const member of statement.members) {
        const name = prefix + upper(member.name.getText());
        found.push({ name, value: numberOf(member.initializer, `${fileName}: ${name}`) });
      }
    } else {
      throw new Error(`${fileName}: expected constants and enums only, came "${statement.getText().slice(0, 40)}"`);
    }
  }
  return found;
}

/** The whole header; throws when two definitions would get the same C name. */
export function header(files) {
  const lines = ["/* Generated from firmware/defs by scripts/gen-defs.mjs. */", "#pragma once"];
  const owner = new Map();
  for (const { fileName, text } of files) {
    lines.push("", `/* ${fileName} */`);
    for (const { name, value } of definitions(fileName, text)) {
      if (owner.has(name)) throw new Error(`${fileName}: MBS_${name} is already defined in ${owner.get(name)}`);
      owner.set(name, fileName);
      lines.push(`#define MBS_${name} ${value < 0 ? `(${value})` : value > 0x7fffffff ? `${value}u` : value}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** Reads firmware/defs, writes build/defs.h. */
export function genDefs() {
  const folder = join(root, "firmware/defs");
  const names = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
  const files = names.sort().map((name) => ({ fileName: name, text: readFileSync(join(folder, name), "utf8") }));
  mkdirSync(join(root, "build"), { recursive: true });
  writeFileSync(join(root, "build/defs.h"), header(files));
}

if (process.argv[1] && basename(process.argv[1]) === "gen-defs.mjs") genDefs();
