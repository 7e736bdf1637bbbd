/** The few calls of libunicorn that the engine needs, bound with koffi, and the calibration of its instruction counter.
 *  Unicorn 2.0 API: unicorn/unicorn.h and arm.h. Needs Debian's libunicorn2. */
import koffi from "koffi";

/** What keeps libunicorn from working here; the message says what to do. */
export class EngineMissing extends Error {
  override name = "EngineMissing";
}

/** Register numbers of unicorn/arm.h. */
export const REG = {
  LR: 10,
  PC: 11,
  SP: 12,
  R0: 66,
  R12: 78,
  IPSR: 114,
  MSP: 115,
  PSP: 116,
  CONTROL: 117,
  XPSR: 120,
  BASEPRI: 121,
  FAULTMASK: 122,
  PRIMASK: 123,
} as const;

const ARCH_ARM = 1;
const MODE_THUMB_MCLASS = 0x30;
const CPU_CORTEX_M33 = 11;
const CTL_CPU_MODEL = 7;
const CTL_REMOVE_CACHE = 9;
export const HOOK_INTR = 1;
export const HOOK_CODE = 1 << 2;
/** Reads and writes of data that succeed. */
export const HOOK_MEM = (1 << 10) | (1 << 11);
export const HOOK_INSN_INVALID = 1 << 14;
/** Unmapped and protected reads, writes and fetches. */
export const HOOK_MEM_INVALID = 0x3f << 4;
export const NO_END = 0xfffffffe;
const SLED_BYTES = 4096;
const SEARCHED_BYTES = 4096;
const NOP = 0xbf00;

export type Handle = bigint;
export type MmioRead = (offset: number, size: number) => number;
export type MmioWrite = (offset: number, size: number, value: number) => void;
export type IntrHook = (number: number) => void;
/** Told of an access that is refused; `type` is uc_mem_type. */
export type InvalidHook = (type: number, address: number) => void;

/** A function in a shared library that libunicorn calls itself: uc_hook_type, and where it stands. */
export interface NativeHook {
  type: number;
  callback: bigint;
}

type Library = ReturnType<typeof koffi.load>;
// pointers to the engine are plain `void *`: named koffi types live for the whole process and may be declared only once
const protos = {
  read: koffi.proto("uint64_t", ["void *", "uint64_t", "unsigned int", "uint64_t"]),
  write: koffi.proto("void", ["void *", "uint64_t", "unsigned int", "uint64_t", "uint64_t"]),
  intr: koffi.proto("void", ["void *", "uint32_t", "void *"]),
  insn: koffi.proto("bool", ["void *", "void *"]),
  invalid: koffi.proto("bool", ["void *", "int", "uint64_t", "int", "int64_t", "void *"]),
};

function bind(lib: Library) {
  return {
    version: lib.func("unsigned int uc_version(void *major, void *minor)"),
    open: lib.func("int uc_open(int arch, int mode, _Out_ void **uc)"),
    close: lib.func("int uc_close(void *uc)"),
    strerror: lib.func("const char *uc_strerror(int code)"),
    ctl: lib.func("int uc_ctl(void *uc, unsigned int control, ...)"),
    map: lib.func("int uc_mem_map_ptr(void *uc, uint64_t addr, size_t size, uint32_t perms, void *ptr)"),
    unmap: lib.func("int uc_mem_unmap(void *uc, uint64_t addr, size_t size)"),
    protect: lib.func("int uc_mem_protect(void *uc, uint64_t addr, size_t size, uint32_t perms)"),
    // a number in the place of the two `void *user_data`: what is added to the offsets
    mmio: lib.func(
      "int uc_mmio_map(void *uc, uint64_t addr, size_t size, void *rd, uint64_t from, void *wr, uint64_t from2)",
    ),
    hook: lib.func(
      "int uc_hook_add(void *uc, _Out_ size_t *hh, int type, void *cb, void *user, uint64_t begin, uint64_t end)",
    ),
    regRead: lib.func("int uc_reg_read(void *uc, int reg, void *val)"),
    regWrite: lib.func("int uc_reg_write(void *uc, int reg, const void *val)"),
    start: lib.func("int uc_emu_start(void *uc, uint64_t begin, uint64_t until, uint64_t timeout, size_t count)"),
    stop: lib.func("int uc_emu_stop(void *uc)"),
    contextAlloc: lib.func("int uc_context_alloc(void *uc, _Out_ void **context)"),
    contextSave: lib.func("int uc_context_save(void *uc, void *context)"),
    contextRestore: lib.func("int uc_context_restore(void *uc, void *context)"),
    contextFree: lib.func("int uc_context_free(void *context)"),
  };
}

let bound: ReturnType<typeof bind> | undefined;
let counterOffset: bigint | undefined;

function library(): ReturnType<typeof bind> {
  if (bound !== undefined) return bound;
  try {
    bound = bind(koffi.load("libunicorn.so.2"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EngineMissing(
      `the virtual board needs libunicorn.so.2: install the Debian package libunicorn2 (${reason})`,
    );
  }
  return bound;
}

/** Version of libunicorn as it says itself, such as "2.0.1". @throws EngineMissing */
export function engineVersion(): string {
  const packed = library().version(null, null) as number;
  return [24, 16, 8].map((shift) => (packed >>> shift) & 0xff).join(".");
}

/** One raw Unicorn engine for a Cortex-M33. Every buffer that was mapped must outlive it: `engine.ts` sees to that. */
export class Unicorn {
  readonly #lib = library();
  readonly #handle: Handle;
  readonly #callbacks: bigint[] = [];
  readonly #contexts: Handle[] = [];
  readonly #word = new Uint32Array(1);
  #closed = false;

  constructor() {
    const out: [Handle | null] = [null];
    const error = this.#lib.open(ARCH_ARM, MODE_THUMB_MCLASS, out) as number;
    if (error !== 0 || out[0] === null)
      throw new EngineMissing(`libunicorn does not open an Arm engine: ${this.reason(error)}`);
    this.#handle = out[0];
    this.check("CPU model", this.#lib.ctl(this.#handle, control(CTL_CPU_MODEL, 1), "int", CPU_CORTEX_M33) as number);
  }

  reason(error: number): string {
    return `${this.#lib.strerror(error)} (${error})`;
  }

  check(what: string, error: number): void {
    if (error !== 0) throw new Error(`libunicorn: ${what}: ${this.reason(error)}`);
  }

  /** Maps `memory` zero-copy. Permissions: 1 read, 2 write, 4 execute. */
  map(address: number, memory: Uint8Array, permissions: number): void {
    this.check("map", this.#lib.map(this.#handle, address, memory.length, permissions, memory) as number);
  }

  /** Whole pages of 4 KB, between runs only. */
  protect(address: number, size: number, permissions: number): void {
    this.check("protect", this.#lib.protect(this.#handle, address, size, permissions) as number);
  }

  /** Whole pages of 4 KB that are mapped, between runs only. */
  unmap(address: number, size: number): void {
    this.check("unmap", this.#lib.unmap(this.#handle, address, size) as number);
  }

  /** @returns what maps pages, of which these answer reads and writes; offsets count from `from` on. */
  device(read: MmioRead, write: MmioWrite): (address: number, size: number, from: number) => void {
    const rd = this.#register(
      (_uc: unknown, offset: number, width: number, from: number) => read(from + offset, width),
      protos.read,
    );
    const wr = this.#register(
      (_uc: unknown, offset: number, width: number, value: number | bigint, from: number) =>
        write(from + offset, width, Number(value) >>> 0),
      protos.write,
    );
    return (address, size, from) => {
      this.check("mmio", this.#lib.mmio(this.#handle, address, size, rd, from, wr, from) as number);
    };
  }

  onInterrupt(hook: IntrHook): void {
    this.#hook(
      HOOK_INTR,
      this.#register((_uc: unknown, n: number) => hook(n), protos.intr),
    );
  }

  onInvalidInstruction(hook: () => boolean): void {
    this.#hook(
      HOOK_INSN_INVALID,
      this.#register(() => hook(), protos.insn),
    );
  }

  onInvalidAccess(hook: InvalidHook): void {
    const callback = (_uc: unknown, type: number, address: number | bigint): boolean => {
      hook(type, Number(address));
      return false;
    };
    this.#hook(HOOK_MEM_INVALID, this.#register(callback, protos.invalid));
  }

  /** Adds a hook that is compiled code. Before anything runs: what is translated by then is not hooked. */
  onNative({ type, callback }: NativeHook): void {
    this.#hook(type, callback);
  }

  reg(register: number): number {
    this.#word[0] = 0;
    this.#lib.regRead(this.#handle, register, this.#word);
    return this.#word[0]!;
  }

  setReg(register: number, value: number): void {
    this.#word[0] = value >>> 0;
    this.#lib.regWrite(this.#handle, register, this.#word);
  }

  /** Runs `count` > 0 instructions from `pc`, but none at `until`; 0 or an error number. Always counted: an engine that ever ran
   *  uncounted is spoilt. `until` is compiled into the translations of its page: remove them before and after. */
  start(pc: number, count: number, until = NO_END): number {
    return this.#lib.start(this.#handle, pc | 1, until, 0, count) as number;
  }

  /** Room for all registers, those without a number too (FPU, stack limits), until the engine is closed. */
  newContext(): Handle {
    const out: [Handle | null] = [null];
    this.check("context", this.#lib.contextAlloc(this.#handle, out) as number);
    const context = out[0];
    if (context === null) throw new Error("libunicorn: no memory for a context");
    this.#contexts.push(context);
    return context;
  }

  /** Between runs, or inside an MMIO callback: as they were before the instruction. */
  saveContext(context: Handle): void {
    this.check("context", this.#lib.contextSave(this.#handle, context) as number);
  }

  /** Between runs only. */
  restoreContext(context: Handle): void {
    this.check("context", this.#lib.contextRestore(this.#handle, context) as number);
  }

  /** Only inside the interrupt and invalid-instruction hooks; inside an MMIO callback the instruction would run twice. */
  stop(): void {
    this.#lib.stop(this.#handle);
  }

  /** Forgets translated code of a range; safe inside callbacks. */
  removeCache(from: number, to: number): void {
    this.#lib.ctl(this.#handle, control(CTL_REMOVE_CACHE, 2), "uint64_t", from, "uint64_t", to);
  }

  /** emu_counter (words 0–1) and emu_count (words 2–3) of the running engine. */
  counters(): Uint32Array {
    counterOffset = counterOffset ?? locateCounter(() => new Unicorn());
    return new Uint32Array(koffi.view(this.#handle + counterOffset, 16));
  }

  /** The engine's own memory, for calibration only. */
  raw(bytes: number): ArrayBuffer {
    return koffi.view(this.#handle, bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const context of this.#contexts) this.#lib.contextFree(context);
    this.#lib.close(this.#handle);
    for (const callback of this.#callbacks) koffi.unregister(callback);
  }

  #hook(type: number, callback: bigint): void {
    // begin > end means everywhere
    this.check("hook", this.#lib.hook(this.#handle, [0], type, callback, null, 1, 0) as number);
  }

  // biome-ignore lint/complexity/noBannedTypes: koffi takes any function whose shape the prototype describes
  #register(callback: Function, proto: ReturnType<typeof koffi.proto>): bigint {
    const registered = koffi.register(callback, koffi.pointer(proto));
    this.#callbacks.push(registered);
    return registered;
  }
}

/** Offset of emu_counter in uc_struct: the only pair of words that reads (n + 1, n) after runs of n instructions.
 *  The layout is not part of Unicorn's API, so it is looked for at each start and refused when it is not clear. */
export function locateCounter(make: () => Unicorn): bigint {
  const probe = make();
  try {
    const sled = Buffer.alloc(SLED_BYTES);
    for (let i = 0; i < sled.length; i += 2) sled.writeUInt16LE(NOP, i);
    probe.map(0, sled, 5);
    let candidates: number[] | undefined;
    for (const count of [1237, 911, 1553]) {
      probe.check("calibration", probe.start(0, count));
      const words = new BigUint64Array(probe.raw(SEARCHED_BYTES));
      const fits = (i: number): boolean => words[i] === BigInt(count + 1) && words[i + 1] === BigInt(count);
      candidates = (candidates ?? [...words.keys()]).filter(fits);
    }
    const [found, ...more] = candidates ?? [];
    if (found === undefined || more.length > 0) {
      throw new EngineMissing(
        `this build of libunicorn keeps no instruction counter where it can be found (${candidates?.length ?? 0} candidates); ` +
          "the virtual board was made for libunicorn2 2.0.1 of Debian",
      );
    }
    return BigInt(found * 8);
  } finally {
    probe.close();
  }
}

function control(type: number, count: number): number {
  return (type | (count << 26) | (1 << 30)) >>> 0;
}
