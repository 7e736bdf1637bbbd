/** Instructions of X25519, Ed25519 and SHA-512 in the firmware's own interpreter: `node dist/scripts/bench/curve.js`. test/probe/curve.ts stands
 *  in the ELF in the place of core.wasm. Every operation runs with several secrets and must take the same count with all of them (verify
 *  sees one signature only: its time may depend on it). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VirtualBoard } from "../../board/virtual/board.js";
import { buildProbe } from "../../test/probe/build.js";
import { withModule } from "./crypto.js";

/** As test/probe/curve.ts numbers them; signatures and hashes are of 64 bytes. */
const OPERATIONS = { x25519: 1, x25519Base: 2, publicKey: 3, sign: 4, verify: 5, sha512: 6 } as const;
const NOTHING = 0;
const SECRETS = [0x00, 0x01, 0x5a, 0x80, 0xff];

const root = fileURLToPath(new URL("../../..", import.meta.url));
const built = (name: string) => readFileSync(join(root, "build", name));

await buildProbe(root, "curve");
const board = VirtualBoard.create({
  elf: withModule(built("ek-ra6m5.elf"), built("core.wasm"), built("curve.wasm")),
  seed: 1,
});
try {
  board.powerOn();
  board.run();
  const request = (operation: number, secret: number): number => {
    const before = board.instructions;
    const answer = board.exchange(Uint8Array.of(operation, secret));
    if (answer.length !== 1 || answer[0] !== 1)
      throw new Error(`operation ${operation} with the secret ${secret} answered ${answer.toString("hex")}`);
    return board.instructions - before;
  };
  /** The first request of a kind waits a little longer than the others in the firmware's loop. */
  const steady = (operation: number): number[] => {
    request(operation, SECRETS[0]!);
    return SECRETS.map((secret) => request(operation, secret));
  };
  const nothing = steady(NOTHING)[0]!;
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    const counts = steady(operation).map((count) => count - nothing);
    const same = counts.every((count) => count === counts[0]);
    console.log(`${name.padEnd(12)}${counts[0]!.toLocaleString("en-US").padStart(12)}`);
    if (same) continue;
    console.error(`curve: ${name} takes another time with another secret: ${counts}`);
    process.exitCode = 1;
  }
} finally {
  board.close();
}
