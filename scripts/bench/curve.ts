/** Instructions of X25519 and Ed25519 in the firmware's own interpreter: test/probe/curve.ts stands in the ELF in the place of
 *  core.wasm. Every operation runs with several secrets and must take the same count with all of them (of verify
 *  the first secret's count stands: what it sees is public). */
import { VirtualBoard } from "../../board/virtual/board.js";
import { Calls } from "./calls.js";
import type { Cost } from "./cost.js";

/** As test/probe/curve.ts numbers them; signatures are of 64 bytes. */
const OPERATIONS = {
  x25519: 1,
  "x25519, base point": 2,
  "ed25519 public key": 3,
  "ed25519 sign": 4,
  "ed25519 verify": 5,
} as const;
/** Sees what is public, and may take as long as it likes. */
const VERIFY = "ed25519 verify";
const VEIL = 0xa5; // no request has a zero, which the board would hand over alone: slices of virtual time would lie elsewhere
const NOTHING = 0;
/** Bytes that a secret is made of. */
const SECRETS = [0x00, 0x01, 0x5a, 0x80, 0xff];

/** @param elf firmware with curve.wasm. @throws Error when the count depends on a secret */
export function measureCurves(elf: Buffer): Cost[] {
  const counts = SECRETS.map((secret) => allWith(elf, secret));
  return Object.keys(OPERATIONS).map((name, i): Cost => {
    const own = counts.map((one) => one[i]!);
    if (name !== VERIFY && new Set(own).size !== 1)
      throw new Error(`${name} takes another time with another secret: ${own}`);
    return { group: "curves", name, instructions: own[0]! };
  });
}

/** All operations with one secret, on a board of its own: what time it is does not depend on the secrets before. */
function allWith(elf: Buffer, secret: number): number[] {
  const board = VirtualBoard.create({ elf, seed: 1 });
  const calls = new Calls(board);
  const request = (operation: number): number => {
    const { instructions, answer } = calls.ask(Uint8Array.of(operation, secret ^ VEIL));
    if (answer.length !== 1 || answer[0] !== 1)
      throw new Error(`operation ${operation} with the secret ${secret} answered ${answer.toString("hex")}`);
    return instructions;
  };
  try {
    board.powerOn();
    board.run();
    const nothing = request(NOTHING); // filling memory with the secret has a cost of its own
    return Object.values(OPERATIONS).map((operation) => {
      request(operation); // the interpreter puts the calls of functions in order when they are first run
      return request(operation) - nothing;
    });
  } finally {
    board.close();
  }
}
