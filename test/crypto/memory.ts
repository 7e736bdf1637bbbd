/** Linear memory of a probe module, looked at as a whole: what the harnesses of this folder and of test/use share. */
import { region } from "../device/map.js";

/** What passes through crypto/declassify.ts stays where it passed: it is public. */
const MARKERS = { from: region("DECLASSIFIED"), to: region("EXPECTED") + 4 };

export function watch(memory: Uint8Array) {
  return {
    /** Puts bytes at an address. @returns the address */
    place(at: number, content: Uint8Array): number {
      memory.set(content, at);
      return at;
    },
    taken: (at: number, length: number) => memory.slice(at, at + length),

    /** Runs `work` and makes sure that no byte of memory changed outside the [address, length] pairs of `results`. As scratch is zero
     *  when it begins, this also says that scratch is wiped when it ends. */
    only<T>(results: readonly (readonly [number, number])[], work: () => T): T {
      const before = Buffer.from(memory);
      const result = work();
      const after = Buffer.from(memory);
      after.copy(before, MARKERS.from, MARKERS.from, MARKERS.to);
      for (const [at, length] of results) after.copy(before, at, at, at + length);
      if (!after.equals(before)) {
        const at = after.findIndex((byte, i) => byte !== before[i]);
        throw new Error(
          `byte ${at} of linear memory was ${before[at]} and is ${after[at]}; it is neither result nor wiped scratch`,
        );
      }
      return result;
    },
  };
}
