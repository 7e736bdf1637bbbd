/** Keys of operators that follow from a seed, for images that are marked INSECURE: the same each time, kept nowhere. */
import { blake3 } from "@noble/hashes/blake3.js";
import { PSK_SIZE } from "../../firmware/defs/session.js";
import type { OperatorKeys } from "../provision.js";

const CONTEXT = new TextEncoder().encode("mbs 2026 insecure operator key");

export function derivedKeys(seed: string): OperatorKeys {
  return {
    get: async () => undefined,
    waiting: async () => undefined,
    make: async (instance, id) =>
      blake3(Buffer.concat([instance, Buffer.from(`${id}:${seed}`)]), { context: CONTEXT, dkLen: PSK_SIZE }),
    settle: async () => {},
    knows: async () => false,
  };
}
