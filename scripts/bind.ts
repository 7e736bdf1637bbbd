/** `npm run bind -- --target board/ek-ra6m5/target.json`: binds core.wasm to a target and prints to what. Only with `--write` a record is
 *  written: as C for an image when the file ends in .c, otherwise as bytes. SPEC.md §18, §19. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { ConstantTime } from "../firmware/defs/binding.js";
import { encodeBinding } from "../host/binding.js";
import { type Bound, bind, CapabilityError } from "./bind/bind.js";
import { JsonObject, ManifestError } from "./bind/json.js";
import { readCoeffects, SectionError } from "./bind/section.js";
import { parseTarget, type Target } from "./bind/target.js";

const USAGE = `usage: npm run bind -- --target <target.json> [--core <core.wasm>] [--proof <FILE>] [--write <FILE>] [--json]
  --proof  what the check of constant time wrote for this core; without it the record says that nothing is proven`;

interface Read {
  file: string;
  bytes: Buffer;
}

/** @returns exit code */
export function main(args: string[], print: (line: string) => void, complain: (line: string) => void): number {
  try {
    const { values } = parseArgs({
      args,
      options: {
        target: { type: "string" },
        core: { type: "string", default: "build/core.wasm" },
        proof: { type: "string" },
        write: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    if (values.target === undefined) throw new TypeError("--target is missing");
    const core = read(values.core);
    const manifest = read(values.target);
    const target = parseTarget(manifest.bytes.toString("utf8"), manifest.file);
    const constantTime =
      values.proof !== undefined && proves(read(values.proof), core, target, manifest)
        ? ConstantTime.Proven
        : ConstantTime.Unproven;
    const coeffects = readCoeffects(core.bytes, core.file);
    const bound = bind({ core: core.bytes, coeffects, manifest: manifest.bytes, target, constantTime });
    for (const line of values.json
      ? [JSON.stringify(asJson(target, bound), null, 2)]
      : asText(target, bound, core, manifest))
      print(line);
    if (values.write !== undefined) {
      const record = encodeBinding(bound.binding);
      writeFileSync(values.write, values.write.endsWith(".c") ? asC(record, manifest) : record);
    }
    return 0;
  } catch (error) {
    if (error instanceof TypeError) complain(`bind: ${error.message}\n${USAGE}`);
    else if (error instanceof CapabilityError) for (const line of error.failures) complain(line);
    else if (error instanceof ManifestError || error instanceof SectionError || isFileError(error))
      complain(`bind: ${error.message}`);
    else throw error;
    return error instanceof TypeError ? 2 : 1;
  }
}

function read(file: string): Read {
  return { file, bytes: readFileSync(file) };
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Whether the check of constant time passed on this core, under this engine, in an image for this target. */
function proves(proof: Read, core: Read, target: Target, manifest: Read): boolean {
  const object = JsonObject.parse(proof.bytes.toString("utf8"), proof.file);
  const version = object.integer("schemaVersion", 1);
  const [proven, engine, bound] = ["core", "engine", "manifest"].map((key) => object.text(key));
  object.end();
  return version === 1 && proven === sha256(core.bytes) && engine === target.engine && bound === sha256(manifest.bytes);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function asJson(target: Target, { binding, choices }: Bound): unknown {
  return {
    schemaVersion: 1,
    target: target.name,
    engine: target.engine,
    constantTime: binding.constantTime === ConstantTime.Proven ? "proven" : "unproven",
    core: hex(binding.core),
    manifest: hex(binding.manifest),
    choices,
    record: hex(encodeBinding(binding)),
  };
}

function asText(target: Target, { binding, choices }: Bound, core: Read, manifest: Read): string[] {
  const proven = binding.constantTime === ConstantTime.Proven;
  return [
    `core           ${core.file}, SHA-256 ${hex(binding.core)}`,
    `target         ${target.name}: ${manifest.file}, SHA-256 ${hex(binding.manifest)}`,
    `engine         ${target.engine}`,
    `constant time  ${proven ? "proven for this core" : "unproven"}`,
    ...choices.flatMap(({ effect, to, cost, needed }) => [
      "",
      `${effect}`,
      `  bound to   ${to}`,
      ...(cost === undefined ? [] : [`  to verify  ${cost}`]),
      ...needed.map(({ export: name, way }) => `  ${name.padEnd(9)}  ${way.join(" -> ")}`),
    ]),
  ];
}

function asC(record: Uint8Array, manifest: Read): string {
  const bytes = hex(record)
    .replace(/../g, "0x$&,")
    .replace(/(.{80})/g, "$1\n");
  return `/* Generated from core.wasm and ${manifest.file} by scripts/bind.ts. */
#include "binding.h"
__attribute__((section(".binding"), used)) const uint8_t binding_record[MBS_BINDING_SIZE] = {
${bytes}};
`;
}

if (basename(process.argv[1] ?? "") === "bind.js")
  process.exitCode = main(process.argv.slice(2), console.log, console.error);
