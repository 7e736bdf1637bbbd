/** What an operation of the core's cryptography is made of: how often each handler of the interpreter runs, and with how many instructions.
 *  A callback counts every instruction, which is slow: some seconds for 4 KB. Relies on nm of the cross compiler. */
import { execFileSync } from "node:child_process";
import koffi from "koffi";
import { VirtualBoard } from "../../board/virtual/board.js";
import { HOOK_CODE } from "../../board/virtual/unicorn.js";
import { type CryptoOperation, requests } from "./crypto.js";

/** Bytes of flash in which code stands. */
const CODE = 0x40000;

export interface HandlerCost {
  handler: string;
  calls: number;
  instructions: number;
}

/** @param elf firmware with bench.wasm. @param named path of the same firmware, for its names. @returns the costliest first; the request is
 *  among it */
export function profileCrypto(elf: Buffer, named: string, operation: CryptoOperation, length: number): HandlerCost[] {
  const counts = new Uint32Array(CODE / 2);
  let counting = false;
  const see = koffi.register(
    (_uc: unknown, address: number | bigint) => {
      const at = Number(address) >> 1;
      if (counting && at < counts.length) counts[at]!++;
    },
    koffi.pointer(koffi.proto("void", ["void *", "uint64_t", "uint32_t", "void *"])),
  );
  const board = VirtualBoard.create({ elf, seed: 1, hooks: [{ type: HOOK_CODE, callback: see }] });
  try {
    board.powerOn();
    board.run();
    const request = requests(board);
    request(operation, length);
    counting = true;
    request(operation, length);
    counting = false;
  } finally {
    board.close();
    koffi.unregister(see);
  }
  return byHandler(counts, named);
}

/** The counts of the halfwords of flash under the name that stands before them. */
function byHandler(counts: Uint32Array, named: string): HandlerCost[] {
  const starts = new Map<number, string>();
  const listing = execFileSync("arm-none-eabi-nm", [named], { encoding: "utf8" });
  for (const [, address, name] of listing.matchAll(/^([0-9a-f]+) [tTW] (\w+)$/gm))
    starts.set(Number.parseInt(address!, 16) >> 1, name!);
  const costs: HandlerCost[] = [];
  for (const [at, count] of counts.entries()) {
    const handler = starts.get(at);
    if (handler !== undefined) costs.push({ handler, calls: count, instructions: 0 });
    if (costs.length > 0) costs.at(-1)!.instructions += count;
  }
  return costs.filter((one) => one.instructions > 0).sort((a, b) => b.instructions - a.instructions);
}
