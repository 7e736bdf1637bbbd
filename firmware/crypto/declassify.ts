/** Where something that depends on a secret becomes public. Each use is explained in PROOFS.md. The check of the final bytes knows them by the
 *  addresses: what is stored there and loaded again at once is public, or points to what counts as public. */
import { DECLASSIFIED, EXPECTED, REVEALED } from "../memory";

/** A decision that the outcome tells anyway. */
export function declassify(decision: bool): bool {
  store<bool>(DECLASSIFIED, decision);
  return load<bool>(DECLASSIFIED);
}

/** The same address; what is read through it, or through what is computed from it, counts as public. */
export function reveal(at: usize): usize {
  store<usize>(REVEALED, at);
  return load<usize>(REVEALED);
}

/** The same address; what is read through it is public already, because it was sealed or published, though it stands where secrets stand too.
 *  The check of the final bytes believes this; the taint run does not, and looks. */
export function expectPublic(at: usize): usize {
  store<usize>(EXPECTED, at);
  return load<usize>(EXPECTED);
}

/** Copies bytes that count as public, out of where secrets stand; in place as well. */
export function publish(to: usize, from: usize, length: i32): void {
  memory.copy(to, reveal(from), length);
}
