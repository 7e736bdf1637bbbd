/** Instructions of X25519, Ed25519 and SHA-512 in the firmware's own interpreter: test/probe/curve.ts stands in the ELF in the place of
 *  core.wasm. Every operation runs with several secrets and must take the same count with all of them (verify
 *  sees one signature only: its time may depend on it). */
import { VirtualBoard } from "../../board/virtual/board.js";

export interface CurveCost {
  operation: string;
  instructions: number;
}

/** As test/probe/curve.ts numbers them; signatures and hashes are of 64 bytes. */
const OPERATIONS = { x25519: 1, x25519Base: 2, publicKey: 3, sign: 4, verify: 5, sha512: 6 } as const;
const NOTHING = 0;
const SECRETS = [0x00, 0x01, 0x5a, 0x80, 0xff];

/** @param elf firmware with curve.wasm. @throws Error when the count depends on a secret */
export function measureCurves(elf: Buffer): CurveCost[] {
  const board = VirtualBoard.create({ elf, seed: 1 });
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
  try {
    board.powerOn();
    board.run();
    const nothing = steady(NOTHING)[0]!;
    return Object.entries(OPERATIONS).map(([operation, number]) => {
      const counts = steady(number).map((count) => count - nothing);
      if (new Set(counts).size !== 1) throw new Error(`${operation} takes another time with another secret: ${counts}`);
      return { operation, instructions: counts[0]! };
    });
  } finally {
    board.close();
  }
}
