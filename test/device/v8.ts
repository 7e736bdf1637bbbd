/** core.wasm in V8 over two strict media: the fastest of the real targets. */
import { type Random, seeded } from "../../board/virtual/prng.js";
import { Engine as EngineNumber } from "../../firmware/defs/binding.js";
import { TrapError } from "./device.js";
import { CORE, type Core, Engine } from "./engine.js";

const compiled = new WebAssembly.Module(CORE);

export class V8Device extends Engine {
  readonly name = "v8";

  constructor(seed: number, random: Random = seeded(seed)) {
    super(random, EngineNumber.V8);
  }

  protected load(): Core {
    const { read, program, erase, blank, entropy, presence, clock, diag, rate } = this.board;
    const imports = { board: { read, program, erase, blank, entropy, presence, clock, diag, rate } };
    const instance = new WebAssembly.Instance(compiled, imports).exports as unknown as Core & {
      memory: WebAssembly.Memory;
    };
    const traps = (call: () => number): number => {
      try {
        return call();
      } catch (error) {
        if (error instanceof WebAssembly.RuntimeError) throw new TrapError(this.board.code, { cause: error });
        throw error;
      }
    };
    return {
      memory: new Uint8Array(instance.memory.buffer),
      start: (mode, trapCode) => traps(() => instance.start(mode, trapCode)),
      take: (n) => traps(() => instance.take(n)),
      give: () => traps(() => instance.give()),
    };
  }
}
