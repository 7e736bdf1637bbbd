/** Derivation contexts of BLAKE3's derive_key: "mbs 2026 " and what the key is for. SPEC.md §3. The beginning stands in the module once. */
import { CONTEXT } from "../memory";
import { ascii } from "./bytes";

/** Writes the context of a purpose to CONTEXT. Returns its length. */
export function context(purpose: string): i32 {
  const length = ascii(CONTEXT, "mbs 2026 ");
  return length + ascii(CONTEXT + length, purpose);
}
