/** What a person reads when two traces part: what the processor did, in which function of the core and which handler of the interpreter. */

import { readElf } from "../../scripts/check-elf.mjs";
import { decode, type Module } from "../../scripts/prove/wasm.js";
import type { Event } from "./tracer.js";

const hex = (address: number): string => `0x${address.toString(16)}`;

/** Tells events of one ELF. */
export class Teller {
  readonly #module: Module;
  readonly #start: number;
  readonly #handlers: [string, number][];

  /** @param elf that ran @param core in it; with names when the report shall have them */
  constructor(elf: Uint8Array, core: Buffer) {
    this.#module = decode(Uint8Array.from(core)); // from its first byte on, so that offsets are those of the module
    const { symbols } = readElf(elf);
    this.#start = symbols.get("core_wasm")!;
    this.#handlers = [...symbols].filter(([name]) => name.startsWith("op_")).map(([name, at]) => [name, at & ~1]);
  }

  /** Names of the functions that were running, the innermost first. */
  functions(event: Event): string[] {
    const own = this.#module.functions.filter((one) => one.import === undefined);
    return event.functions.map((at) => {
      const offset = at - this.#start;
      return own.find(({ body }) => body.byteOffset + body.length > offset)?.name ?? hex(at);
    });
  }

  #handler(pc: number): string {
    const before = this.#handlers.filter(([, at]) => at <= pc);
    return before.reduce((a, b) => (b[1] > a[1] ? b : a), ["no handler", 0])[0];
  }

  tell(event: Event | undefined): string {
    if (event === undefined) return "has ended";
    const what = event.kind === "runs" ? "runs on" : `${event.kind} ${hex(event.address)}`;
    return `${what} at ${hex(event.pc)} (${this.#handler(event.pc)}), in ${this.functions(event).join(" < ")}`;
  }
}
