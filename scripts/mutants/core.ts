/** core.wasm of changed sources: a copy of firmware/ that asc compiles as scripts/build.mjs does. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Change, plant } from "../../test/mutants/mutant.js";
import { runNode } from "./children.js";

const LIMIT_MS = 300_000;
/** As scripts/build.mjs has them. */
const CHECK = "scripts/coeffects.mjs"; // changes no code
const TRANSFORMS = ["scripts/inline.mjs", CHECK, "scripts/statics.mjs"];
/** What CHECK says to calls that are not as the decorators declare them. */
const UNDECLARED = /ERROR AS102: User-defined: .* declares /;

/** The calls of the changed sources are not what they declare: the build refuses them. */
export class Undeclared extends Error {
  override name = "Undeclared";
}

/** A folder with what asc needs. */
export class Workshop {
  /** @param root the project's folder @param folder that is made here */
  constructor(
    root: string,
    readonly folder: string,
  ) {
    mkdirSync(join(folder, "scripts"), { recursive: true });
    for (const part of ["firmware", "asconfig.json", ...TRANSFORMS])
      cpSync(join(root, part), join(folder, part), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  }

  /** As build, with what the proofs want: names in the module, whose code is the same, and where its static data stand. */
  async buildNamed(changes: readonly Change[]): Promise<{ wasm: Buffer; statics: Record<string, number> }> {
    const statics = join(this.folder, "statics.json");
    const wasm = await this.build(changes, ["--debug"], { ...process.env, MBS_STATICS: statics });
    return { wasm, statics: JSON.parse(readFileSync(statics, "utf8")) };
  }

  /** Compiles with these changes, and takes them back.
   *  @param flags of asc that the build has not
   *  @param isChecked false: as if nothing had been declared
   *  @throws Undeclared; Error when a text does not stand there once, or asc refuses */
  async build(
    changes: readonly Change[],
    flags: readonly string[] = [],
    env = process.env,
    isChecked = true,
  ): Promise<Buffer> {
    const before = new Map<string, string>();
    try {
      for (const change of changes) {
        const file = join(this.folder, change.file);
        const source = readFileSync(file, "utf8");
        if (!before.has(file)) before.set(file, source);
        writeFileSync(file, plant(source, change));
      }
      const asc = ["node_modules/assemblyscript/bin/asc.js", "firmware/core.ts", "--target", "release"];
      const wasm = join(this.folder, "build/core.wasm");
      rmSync(wasm, { force: true });
      const transforms = TRANSFORMS.filter((file) => isChecked || file !== CHECK);
      const { code, output } = await runNode(
        [...asc, ...transforms.flatMap((file) => ["--transform", `./${file}`]), ...flags],
        {
          cwd: this.folder,
          env,
          limitMs: LIMIT_MS,
        },
      );
      if (code !== 0 && UNDECLARED.test(output)) throw new Undeclared(output.trim());
      if (code !== 0) throw new Error(`asc refuses it (exit ${code}):\n${output.trim()}`);
      return readFileSync(wasm);
    } finally {
      for (const [file, source] of before) writeFileSync(file, source);
    }
  }
}

/** The same code in other bytes: with a custom section at the end (WebAssembly core specification §5.5.3), which engines ignore. */
export function withSection(wasm: Buffer, name: string): Buffer {
  const content = Buffer.concat([Buffer.of(name.length), Buffer.from(name, "ascii")]);
  return Buffer.concat([wasm, Buffer.of(0, content.length), content]);
}
