/** firmware/claim/pointers.ts in V8 over a strict data flash, with filekeys whose records need not exist. */
import { readFileSync } from "node:fs";
import type { Random } from "../../../board/virtual/prng.js";
import { Engine } from "../../../firmware/defs/binding.js";
import { GEOMETRY_SIZE } from "../../../firmware/defs/custody.js";
import { BODY_OFF_LIVE } from "../../../firmware/defs/journal.js";
import { POINTER_OFF_LATEST, POINTER_OFF_REQUEST, POINTER_OFF_START } from "../../../firmware/defs/pointers.js";
import { HANDLE_SIZE } from "../../../firmware/defs/record.js";
import type { Status } from "../../../firmware/defs/status.js";
import { Board } from "../../device/imports.js";
import { media } from "../../device/media.js";
import type { Powered } from "../../torture/film.js";

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly CURRENT: { value: number };
  readonly HANDLES: { value: number };
  readonly PAGE: { value: number };
  readonly HEAP: { value: number };
  append(key: number, handle: number, latest: bigint, start: bigint, request: number): Status;
  find(key: number, handle: number): number;
  reset(): void;
  count(key: number): number;
  setGeometry(classes: number, count: number): number;
}

export interface Pointer {
  latest: bigint;
  start: bigint;
  request: string;
}

const wasm = readFileSync(new URL("../../../build/pointers.wasm", import.meta.url));
const compiled = new WebAssembly.Module(wasm);
const LIVE = 32; // filekeys at most

export class Pointers implements Powered {
  readonly board: Board;
  #core: Exports | undefined;
  #memory = new Uint8Array(0);
  readonly #live = new Set<number>();

  constructor(random: Random) {
    this.board = new Board(media(random), wasm, Engine.V8, random, () => this.#memory);
  }

  get slots() {
    return this.board.media.slots;
  }
  get data() {
    return this.board.media.data;
  }
  get supply() {
    return this.board.media.supply;
  }

  /** Power comes back. */
  boot(): void {
    this.supply.up();
    const { read, program, erase, blank, entropy, presence, clock, diag, rate } = this.board;
    const imports = { board: { read, program, erase, blank, entropy, presence, clock, diag, rate } };
    const core = new WebAssembly.Instance(compiled, imports).exports as unknown as Exports;
    this.#core = core;
    this.#memory = new Uint8Array(core.memory.buffer);
    const geometry = Buffer.alloc(GEOMETRY_SIZE);
    geometry.writeUInt16LE(32, 0);
    geometry[2] = 8;
    this.#memory.set(geometry, core.HEAP.value);
    if (core.setGeometry(core.HEAP.value, 1) >= 0) throw new Error("the geometry is refused");
    for (const key of this.#live) this.#bear(key);
    core.reset();
  }

  /** A filekey comes into being, or goes. */
  create(key: number): void {
    this.#live.add(key);
    if (this.#core !== undefined) this.#bear(key);
  }
  remove(key: number): void {
    this.#live.delete(key);
    const core = this.#core!;
    const [at, bit] = [core.CURRENT.value + BODY_OFF_LIVE + (key >> 3), 1 << (key & 7)];
    this.#memory[at]! &= ~bit;
  }

  find(key: number): Pointer | undefined {
    const core = this.#core!;
    const [secret, handle] = this.#arguments(key);
    if (core.find(secret, handle) === 0) return undefined;
    const view = Buffer.from(this.#memory.buffer, core.PAGE.value, 64);
    return {
      latest: view.readBigInt64LE(POINTER_OFF_LATEST),
      start: view.readBigInt64LE(POINTER_OFF_START),
      request: view.toString("hex", POINTER_OFF_REQUEST, POINTER_OFF_REQUEST + 8),
    };
  }

  append(key: number, latest: bigint, start: bigint, request = 0n): Status {
    const [secret, handle, room] = this.#arguments(key);
    Buffer.from(this.#memory.buffer, room, 8).writeBigUInt64LE(request);
    return this.#core!.append(secret, handle, latest, start, room);
  }

  get written(): number {
    return this.#core!.count(this.#arguments(0)[0]);
  }

  #arguments(key: number): [number, number, number] {
    const at = this.#core!.HEAP.value + 64;
    this.#memory.fill(0x5c, at, at + 32);
    this.#memory.set(handleOf(key), at + 32);
    return [at, at + 32, at + 48];
  }

  #bear(key: number): void {
    if (key >= LIVE) throw new RangeError(`filekey ${key}`);
    const core = this.#core!;
    this.#memory.set(handleOf(key), core.HANDLES.value + key * HANDLE_SIZE);
    this.#memory[core.CURRENT.value + BODY_OFF_LIVE + (key >> 3)]! |= 1 << (key & 7);
  }
}

function handleOf(key: number): Uint8Array {
  const handle = Buffer.alloc(HANDLE_SIZE, 0xa0 + key);
  handle.writeUInt32LE((key + 1) * 0x01010101, 0);
  return handle;
}
