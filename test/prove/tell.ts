/** What a person reads when two traces part: what the processor did, in which function of the core and which handler of the interpreter. Of
 *  ahead-of-time code, in which function of the firmware: they have the names of the core's. */

import { readElf } from "../../scripts/check-elf.mjs";
import { decode, type Module } from "../../scripts/prove/wasm.js";
import type { Event } from "./tracer.js";

const hex = (address: number): string => `0x${address.toString(16)}`;

/** Tells events of one ELF. */
export class Teller {
  readonly #module: Module;
  /** undefined: the core is not there as a module. */
  readonly #start: number | undefined;
  readonly #code: [string, number][];

  /** @param elf that ran @param core in it; with names when the report shall have them */
  constructor(elf: Uint8Array, core: Buffer) {
    this.#module = decode(Uint8Array.from(core)); // from its first byte on, so that offsets are those of the module
    const { symbols } = readElf(elf);
    this.#start = symbols.get("core_wasm");
    const isCode = (name: string) => (this.#start === undefined ? !name.startsWith("$") : name.startsWith("op_"));
    this.#code = [...symbols].filter(([name]) => isCode(name)).map(([name, at]) => [name, at & ~1]);
  }

  /** Names of the functions that were running, the innermost first. */
  functions(event: Event): string[] {
    const start = this.#start;
    if (start === undefined) return [this.#at(event.pc)];
    const own = this.#module.functions.filter((one) => one.import === undefined);
    return event.functions.map((at) => {
      const offset = at - start;
      return own.find(({ body }) => body.byteOffset + body.length > offset)?.name ?? hex(at);
    });
  }

  #at(pc: number): string {
    const before = this.#code.filter(([, at]) => at <= pc);
    return before.reduce((a, b) => (b[1] > a[1] ? b : a), ["no code", 0])[0];
  }

  tell(event: Event | undefined): string {
    if (event === undefined) return "has ended";
    const what = event.kind === "runs" ? "runs on" : `${event.kind} ${hex(event.address)}`;
    return `${what} at ${hex(event.pc)} (${this.#at(event.pc)}), in ${this.functions(event).join(" < ")}`;
  }
}
