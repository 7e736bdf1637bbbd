/** Everything random in this process from one seed, the ephemeral keys of handshakes too, so that a soak can be repeated byte for byte.
 *  For the soak's own process and its tests alone. */
import { type Random, seeded } from "../../board/virtual/prng.js";

/** @returns what undoes it */
export function seedKeys(seed: number): () => void {
  const random: Random = seeded(seed);
  const fill = <T extends ArrayBufferView | null>(into: T): T => {
    if (into !== null) {
      const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
      for (let i = 0; i < bytes.length; i++) bytes[i] = random() >>> 24;
    }
    return into;
  };
  Object.defineProperty(globalThis.crypto, "getRandomValues", { value: fill, configurable: true });
  return () => {
    Reflect.deleteProperty(globalThis.crypto, "getRandomValues");
  };
}
