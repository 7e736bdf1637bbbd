/** Instructions of the core's cryptography, counted while the firmware's own interpreter runs it. test/probe/bench.ts stands in the ELF
 *  in the place of core.wasm, everything else is the firmware as built. Relies on the virtual board's instruction counter. */
import { VirtualBoard } from "../../board/virtual/board.js";

/** As test/probe/bench.ts numbers them. */
const OPERATIONS = { nothing: 0, seal: 1, open: 2, blake3: 3 } as const;
export type CryptoOperation = Exclude<keyof typeof OPERATIONS, "nothing">;
const LENGTHS = [64, 512, 4096];

export interface CryptoCost {
  operation: CryptoOperation;
  /** Bytes of data; a seal covers 96 bytes of associated data besides. */
  length: number;
  /** Instructions of the whole operation: of the request that asks for it, less those of a request for nothing. */
  instructions: number;
  perByte: number;
}

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

export function measureCrypto(elf: Buffer): CryptoCost[] {
  const board = VirtualBoard.create({ elf, seed: 1 });
  try {
    board.powerOn();
    board.run();
    const request = (operation: keyof typeof OPERATIONS, length: number): number => {
      const before = board.instructions;
      const answer = board.exchange(Uint8Array.of(OPERATIONS[operation], length & 0xff, length >> 8));
      if (answer.length !== 1 || answer[0] !== 1)
        throw new Error(`${operation} of ${length} bytes answered ${answer.toString("hex")}`);
      return board.instructions - before;
    };
    request("nothing", 0);
    const nothing = request("nothing", 0);
    const costs: CryptoCost[] = [];
    for (const operation of ["seal", "open", "blake3"] as const) {
      for (const length of LENGTHS) {
        if (operation === "open") request("seal", length); // in place, so that there is something to open
        const instructions = request(operation, length) - nothing;
        costs.push({ operation, length, instructions, perByte: instructions / length });
      }
    }
    return costs;
  } finally {
    board.close();
  }
}
