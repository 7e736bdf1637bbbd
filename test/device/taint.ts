/** The core with a mark on everything that comes from a secret (scripts/prove/taint.ts), over two strict media. */
import { type Random, seeded } from "../../board/virtual/prng.js";
import { Engine as EngineNumber } from "../../firmware/defs/binding.js";
import { readBuild } from "../../scripts/prove/built.js";
import { audit } from "../../scripts/prove/handlers.js";
import { type MemoryMap, policyFor } from "../../scripts/prove/policy.js";
import { type Cell, checkSecrets, type Finding, type Report } from "../../scripts/prove/secrets.js";
import { type TaintedCore, TaintRun, Trap } from "../../scripts/prove/taint.js";
import { decode } from "../../scripts/prove/wasm.js";
import { TrapError } from "./device.js";
import { type Core, Engine } from "./engine.js";

export const built = readBuild(new URL("../..", import.meta.url).pathname);
const { forbidden } = audit(built.disassembly, built.compiler);

/** @param named a core with the names of its functions */
export function runOf(named: Uint8Array, map: MemoryMap): { run: TaintRun; report: Report } {
  const module = decode(named);
  const policy = policyFor(module, map, forbidden);
  const report = checkSecrets(module, policy);
  return { run: new TaintRun(module, policy, report.accesses), report };
}

let shipped: TaintRun | undefined;

/** Of the core that was built. */
export function builtRun(): TaintRun {
  shipped ??= runOf(built.named, built.map).run;
  return shipped;
}

/** What runs found out, at once: what a device did wrong is an error where it did it. */
export class SecretError extends Error {
  override name = "SecretError";
  constructor(readonly findings: readonly Finding[]) {
    super(findings.map((one) => `${one.function} at byte ${one.at}: ${one.what}`).join("\n"));
  }
}

/** @throws SecretError from whatever makes it run */
export class TaintDevice extends Engine {
  readonly name = "taint";
  readonly #run: TaintRun;
  #core: TaintedCore | undefined;

  constructor(run: TaintRun, seed: number, random: Random = seeded(seed)) {
    super(random, EngineNumber.V8);
    this.#run = run;
  }

  protected load(): Core {
    const { read, program, erase, blank, entropy, presence, clock, diag, rate } = this.board;
    const imports = { read, program, erase, blank, entropy, presence, clock, diag, rate };
    const named = Object.fromEntries(Object.entries(imports).map(([name, call]) => [`board.${name}`, call]));
    const core = this.#run.instance(named);
    this.#core = core;
    const traps = (name: string, ...args: number[]): number => {
      try {
        return core.call(name, ...args);
      } catch (error) {
        if (error instanceof Trap) throw new TrapError(this.board.code, { cause: error });
        throw error;
      } finally {
        const found = this.#run.takeFindings();
        // biome-ignore lint/correctness/noUnsafeFinally: that power was cut does not undo it
        if (found.length > 0) throw new SecretError(found);
      }
    };
    return {
      memory: core.memory,
      start: (mode, trapCode) => traps("start", mode, trapCode),
      take: (n) => traps("take", n),
      give: () => traps("give"),
    };
  }

  /** What a debugger writes where secrets stand is secret: the keys of a session that tests plant. */
  override poke(offset: number, bytes: Uint8Array): void {
    super.poke(offset, bytes);
    this.#core?.markAsPlaced(offset, bytes.length);
  }

  /** Cells in which something secret stands now. */
  secretCells(): Cell[] {
    return this.#core?.secretCells() ?? [];
  }
}
