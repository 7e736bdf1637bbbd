/** All proofs over one build, in order: what was compiled, its bounds, its secrets, its binding, and that the image holds these very bytes.
 *  Each step relies on the ones before it. */
import { createHash } from "node:crypto";
import type { Elf } from "../../board/elf.js";
import { ConstantTime } from "../../firmware/defs/binding.js";
import { decodeBinding, encodeBinding } from "../../host/binding.js";
import { bind } from "../bind/bind.js";
import { readCoeffects } from "../bind/section.js";
import { parseTarget } from "../bind/target.js";
import { type Bounds, bounds, type Limits } from "./bounds.js";
import { type Audit, audit, notAudited } from "./handlers.js";
import { readCounts, readExplained, readSites, unexplained } from "./markers.js";
import { type MemoryMap, policyFor } from "./policy.js";
import { checkSecrets, type Finding, type Report } from "./secrets.js";
import { decode, type Module } from "./wasm.js";

/** What is proven, and what it is proven with. */
export interface Built {
  /** core.wasm, and the same with names. */
  core: Uint8Array;
  named: Uint8Array;
  map: MemoryMap;
  elf: Elf;
  /** objdump -d of that ELF file. */
  disassembly: string;
  limits: Limits;
  /** The target that the ELF file is for: its target.json, and the name of that file. */
  manifest: Uint8Array;
  manifestFile: string;
  /** m3_compile.c. */
  compiler: string;
  /** firmware/ and the text of firmware/PROOFS.md. */
  sources: string;
  explanations: string;
}

export interface Step {
  name: string;
  /** What was found out, one line each. */
  says: string[];
  /** Why it is no proof; nothing when it is one. */
  problems: string[];
}

/** The engine whose handlers are audited. */
const ENGINE = "wasm3";

export interface Proof {
  core: { sha256: string; bytes: number };
  /** What it was shown of, when it was: for the binder. */
  shown: { core: string; engine: string; manifest: string };
  steps: Step[];
  bounds: Bounds;
  audit: Audit;
  secrets: Report;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const short = (name: string) => name.replaceAll("firmware/", "");

/** Proves what can be proven of a build. */
export function prove(built: Built): Proof {
  const core = { sha256: sha256(built.core), bytes: built.core.length };
  const module = decode(built.core);
  const named = decode(built.named);
  const limits = bounds(named, built.limits);
  const handlers = audit(built.disassembly, built.compiler);
  const secrets = checkSecrets(named, policyFor(named, built.map, handlers.forbidden));
  const before = [
    compiled(core, module, named),
    bounded(limits, built.limits),
    constantTime(named, handlers, secrets, built),
  ];
  const isShown = before.every(({ problems }) => problems.length === 0);
  const steps = [...before, boundTo(built, isShown), packaged(built)];
  const shown = { core: core.sha256, engine: ENGINE, manifest: sha256(built.manifest) };
  return { core, shown, steps, bounds: limits, audit: handlers, secrets };
}

/** The named module is the shipped one: what is shown of it is shown of the bytes that run. */
function compiled(core: Proof["core"], module: Module, named: Module): Step {
  const bare = (one: Module) =>
    JSON.stringify(
      { ...one, customs: [], functions: one.functions.map(({ body, type, locals }) => [hex(body), type, locals]) },
      bigints,
    );
  return {
    name: "asc",
    says: [
      `core.wasm ${core.bytes} bytes, SHA-256 ${core.sha256}`,
      `${module.functions.length} functions, ${module.functions.reduce((sum, one) => sum + one.code.length, 0)} operations`,
    ],
    problems:
      bare(module) === bare(named) ? [] : ["core.named.wasm has other code or data than core.wasm: npm run build"],
  };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);

function bounded({ violations, needs, staticEnd }: Bounds, limits: Limits): Step {
  const most = (of: (one: (typeof needs)[number]) => number) => Math.max(...needs.map(of));
  return {
    name: "bounds",
    says: [
      `no heap, one page of memory that cannot grow, static data up to ${staticEnd}; imports and exports as in board/contract.h`,
      `no recursion: at most ${most((one) => one.depth)} calls deep`,
      `interpreter stack at most ${most((one) => one.wasmStack)} of ${limits.wasmStack} bytes, C stack ${most((one) => one.cStack)} of ${limits.cStack} while the core runs`,
    ],
    problems: violations,
  };
}

const told = ({ function: name, at, what, path }: Finding) =>
  `${short(name)} at byte ${at}: ${what} (${path.map(short).join(" > ")})`;

function constantTime(named: Module, handlers: Audit, secrets: Report, built: Built): Step {
  const sites = readSites(built.sources);
  const count = [...sites.values()].reduce((sum, one) => sum + one, 0);
  return {
    name: "constant time",
    says: [
      `${handlers.operations.size} operations audited in the handlers of this ELF file; no secret may reach ${[...handlers.forbidden.keys()].join(", ")}`,
      `${secrets.functions} functions followed in ${secrets.contexts} kinds of calls: no branch, address or such operation depends on a secret`,
      "nothing secret is stored where public bytes stand, sent, programmed outside of custody, or given to an import, but by mistake at the 3 expectations, which npm test looks at",
      `made public in ${count} places of the sources, each explained in firmware/PROOFS.md (${secrets.declassified.length} decisions, ${secrets.revealed.length} readings, ${secrets.expected.length} expectations in the final code)`,
    ],
    problems: [
      ...notAudited(named, handlers),
      ...secrets.findings.map(told),
      ...unexplained(sites, readExplained(built.explanations)),
      ...uncounted(secrets, readCounts(built.explanations)),
    ],
  };
}

/** What the final code has more or less than PROOFS.md says: a use that is not in the sources by name is seen here. */
function uncounted({ declassified, revealed, expected }: Report, told: readonly number[]): string[] {
  const there = [declassified.length, revealed.length, expected.length];
  return there.some((count, i) => count !== told[i])
    ? [
        `PROOFS.md counts ${told.join(", ")} decisions, readings and expectations in the final code; there are ${there.join(", ")}`,
      ]
    : [];
}

/** The record in the image is what the binder makes of this core and this target, and claims no more than was shown. */
function boundTo({ core, manifest, manifestFile, elf }: Built, isShown: boolean): Step {
  const held = bytesOf(elf, "binding_record");
  if (held === undefined) return { name: "bind", says: [], problems: ["the ELF file holds no binding record"] };
  try {
    const claimed = decodeBinding(held)?.constantTime;
    if (claimed === undefined) throw new Error("the record in the ELF file is none");
    const target = parseTarget(Buffer.from(manifest).toString("utf8"), manifestFile);
    const coeffects = readCoeffects(core, "core.wasm");
    const { binding, choices } = bind({ core, coeffects, manifest, target, constantTime: claimed });
    const problems: string[] = [];
    if (Buffer.compare(encodeBinding(binding), held) !== 0)
      problems.push(`the ELF file is bound to something else than this core and ${manifestFile}: npm run build`);
    if (claimed === ConstantTime.Proven && !isShown) problems.push("its record says that constant time is proven");
    if (claimed === ConstantTime.Proven && target.engine !== ENGINE)
      problems.push(
        `its record says that constant time is proven under ${target.engine}, of which nothing was audited`,
      );
    return {
      name: "bind",
      says: [
        `${choices.length} demands of the core met by ${target.name} (npm run bind -- --target ${manifestFile} tells how)`,
        `constant time under ${target.engine}: ${claimed === ConstantTime.Proven ? "proven" : "unproven"}, says the record in the image`,
      ],
      problems,
    };
  } catch (error) {
    return { name: "bind", says: [], problems: [error instanceof Error ? error.message : String(error)] };
  }
}

/** What stands under a symbol. */
function bytesOf(elf: Elf, name: string): Uint8Array | undefined {
  const place = elf.symbol(name);
  if (place === undefined) return undefined;
  const { address, size } = place;
  const segment = elf.segments.find(
    (one) => address >= one.address && address + size <= one.address + one.bytes.length,
  );
  return segment?.bytes.subarray(address - segment.address, address - segment.address + size);
}

/** The image holds what was proven. */
function packaged({ core, elf }: Built): Step {
  const held = bytesOf(elf, "core_wasm");
  return {
    name: "package",
    says: ["the ELF file holds these bytes as core_wasm"],
    problems: held && Buffer.compare(held, core) === 0 ? [] : ["the ELF file holds another core.wasm: npm run build"],
  };
}

/** One page of text. */
export function page({ steps }: Proof): string {
  const lines = steps.flatMap(({ name, says, problems }) => [
    `${name}: ${problems.length === 0 ? "shown" : "NOT SHOWN"}`,
    ...(problems.length === 0 ? says : problems).map((line) => `  ${line}`),
  ]);
  return `${lines.join("\n")}\n`;
}
