/** Instructions of the core's cryptography, counted while the firmware's own interpreter runs it. test/probe/bench.ts stands in the ELF
 *  in the place of core.wasm, everything else is the firmware as built. Relies on the virtual board's instruction counter. */
import { VirtualBoard } from "../../board/virtual/board.js";
import { Calls } from "./calls.js";
import type { Cost } from "./cost.js";

/** As test/probe/bench.ts numbers them. */
const OPERATIONS = { nothing: 0, seal: 1, open: 2, blake3: 3, sha256: 4, sha512: 5 } as const;
export type CryptoOperation = Exclude<keyof typeof OPERATIONS, "nothing">;
export const CRYPTO_OPERATIONS = ["seal", "open", "blake3", "sha256", "sha512"] as const satisfies CryptoOperation[];
/** A small message, a part, the longest body of a record in a slot of 4 KB, and what shows the cost of a byte alone. */
export const LENGTHS = [64, 512, 3900, 32768];

/** A seal covers 96 bytes of associated data besides. */
export const primitive = (operation: CryptoOperation, length: number) =>
  `${operation}, ${length.toLocaleString("en-US")} bytes`;

/** A module of exactly `length` bytes: a custom section, which engines skip, fills it up. */
function padded(module: Uint8Array, length: number): Buffer {
  const head = 7; // section id 0, its size in five bytes, an empty name
  const rest = length - module.length - head;
  if (rest < 0) throw new Error(`bench.wasm has ${module.length} bytes; it must fit where core.wasm has ${length}`);
  const section = Buffer.alloc(head + rest);
  for (let i = 0, size = rest + 1; i < 5; i++, size >>>= 7) section[1 + i] = (size & 0x7f) | (i < 4 ? 0x80 : 0);
  return Buffer.concat([module, section]);
}

/** The firmware with another module in the place of core.wasm. @throws Error when the ELF was built from another core.wasm */
export function withModule(elf: Buffer, core: Buffer, module: Uint8Array): Buffer {
  const at = elf.indexOf(core);
  if (at < 0) throw new Error("build/ek-ra6m5.elf does not hold build/core.wasm; run: npm run build");
  const changed = Buffer.from(elf);
  padded(module, core.length).copy(changed, at);
  return changed;
}

/** Asks bench.wasm for operations. @returns what a request costs, in instructions */
export function requests(board: VirtualBoard): (operation: keyof typeof OPERATIONS, length: number) => number {
  const calls = new Calls(board);
  return (operation, length) => {
    const { instructions, answer } = calls.ask(Uint8Array.of(OPERATIONS[operation], length & 0xff, length >> 8));
    if (answer.length !== 1 || answer[0] !== 1)
      throw new Error(`${operation} of ${length} bytes answered ${answer.toString("hex")}`);
    return instructions;
  };
}

/** Of each operation the request that asks for it, less a request for nothing. */
export function measureCrypto(elf: Buffer): Cost[] {
  const board = VirtualBoard.create({ elf, seed: 1 });
  try {
    board.powerOn();
    board.run();
    const request = requests(board);
    const nothing = request("nothing", 0);
    const costs: Cost[] = [];
    for (const operation of CRYPTO_OPERATIONS) {
      request(operation === "open" ? "seal" : operation, 0); // the interpreter puts the calls of functions in order when they are first run
      for (const length of LENGTHS) {
        if (operation === "open") request("seal", length); // in place, so that there is something to open
        const instructions = request(operation, length) - nothing;
        costs.push({ group: "primitives", name: primitive(operation, length), instructions, bytes: length });
      }
    }
    return costs;
  } finally {
    board.close();
  }
}
