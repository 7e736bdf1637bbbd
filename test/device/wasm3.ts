/** core.wasm in wasm3 on the host: the interpreter and the glue of the board without its chip, over two strict media.
 *  Relies on build/wasm3-host.so, declared in board/host/wasm3_host.h. */
import koffi from "koffi";
import { type Random, seeded } from "../../board/virtual/prng.js";
import { Engine as EngineNumber } from "../../firmware/defs/binding.js";
import { builtPath } from "./built.js";
import { TrapError } from "./device.js";
import { CORE, type Core, Engine } from "./engine.js";

const STOP = -0x80000000; // MBS_HOST_STOP
const PAGE = 65536;
const u32 = "uint32_t";

const library = koffi.load(builtPath("wasm3-host.so"));
const host = {
  create: library.func("void *mbs_host_new(const uint8_t *wasm, uint32_t length, const void *board)"),
  trap: library.func("const char *mbs_host_trap(void *host)"),
  start: library.func("int32_t mbs_host_start(void *host, int32_t mode, int32_t trap_code)"),
  take: library.func("int32_t mbs_host_take(void *host, int32_t count)"),
  give: library.func("int32_t mbs_host_give(void *host)"),
  memory: library.func("void *mbs_host_memory(void *host)"),
  free: library.func("void mbs_host_free(void *host)"),
};
// in the order of struct mbs_host_board; pointers into linear memory arrive as addresses
const callbacks = {
  read: koffi.proto("int32_t", [u32, u32, "uintptr_t", u32]),
  program: koffi.proto("int32_t", [u32, u32, "uintptr_t", u32]),
  erase: koffi.proto("int32_t", [u32, u32]),
  blank: koffi.proto("int32_t", [u32, u32, u32]),
  entropy: koffi.proto("int32_t", ["uintptr_t", u32]),
  presence: koffi.proto("int32_t", [u32]),
  clock: koffi.proto("uint64_t", []),
  diag: koffi.proto("void", [u32]),
  rate: koffi.proto("int32_t", [u32]),
};

export class Wasm3Device extends Engine {
  readonly name = "wasm3";

  constructor(seed: number, random: Random = seeded(seed)) {
    super(random, EngineNumber.Wasm3);
  }

  protected load(): Core {
    const board = this.board;
    let thrown: unknown; // what a callback threw: it may not pass through C
    let base = 0n;
    const inside = (address: number | bigint): number => Number(BigInt(address) - base);
    const guard = <A extends unknown[], R>(call: (...args: A) => R, stopped: R) => {
      return (...args: A): R => {
        try {
          return call(...args);
        } catch (error) {
          thrown ??= error;
          return stopped;
        }
      };
    };
    const functions = {
      read: guard(
        (region: number, offset: number, out: bigint, length: number) =>
          board.read(region, offset, inside(out), length) as number,
        STOP,
      ),
      program: guard(
        (region: number, offset: number, data: bigint, length: number) =>
          board.program(region, offset, inside(data), length) as number,
        STOP,
      ),
      erase: guard((region: number, offset: number) => board.erase(region, offset) as number, STOP),
      blank: guard(board.blank, STOP),
      entropy: guard((out: bigint, length: number) => board.entropy(inside(out), length), STOP),
      presence: guard(board.presence, STOP),
      clock: guard(board.clock, 0n),
      diag: guard(board.diag, undefined),
      rate: guard((bits: number) => board.rate(bits) as number, STOP),
    };
    const registered = Object.entries(callbacks).map(([name, proto]) =>
      koffi.register(functions[name as keyof typeof functions], koffi.pointer(proto)),
    );
    const instance = host.create(CORE, CORE.length, new BigUint64Array(registered));
    const check = (): void => {
      const why = host.trap(instance) as string | null;
      if (thrown !== undefined) throw thrown;
      if (why !== null) throw new TrapError(board.code, { cause: new Error(why) });
    };
    check();
    const address = koffi.address(host.memory(instance));
    base = address;
    const memory = new Uint8Array(koffi.view(address, PAGE));
    const run = (call: () => number): number => {
      const answer = call();
      check();
      return answer;
    };
    return {
      memory,
      start: (mode, trapCode) => run(() => host.start(instance, mode, trapCode)),
      take: (n) => run(() => host.take(instance, n)),
      give: () => run(() => host.give(instance)),
      free: () => {
        host.free(instance);
        for (const callback of registered) koffi.unregister(callback);
      },
    };
  }
}
