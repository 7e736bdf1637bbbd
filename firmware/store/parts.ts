/** Parts: the framing inside a record body. SPEC.md §6. The core checks it and reads it; it never rewrites it. */
import { reveal } from "../crypto/declassify";
import {
  PART_HEADER,
  PART_OFF_ALGORITHM,
  PART_OFF_FLAGS,
  PART_OFF_KIND,
  PART_OFF_LENGTH,
  PART_SECRET,
  PARTS_MAX,
  PartKind,
} from "../defs/record";

export function contentLength(part: usize): i32 {
  return load<u16>(reveal(part), PART_OFF_LENGTH);
}
export function kind(part: usize): i32 {
  return load<u8>(reveal(part), PART_OFF_KIND);
}
export function flags(part: usize): i32 {
  return load<u8>(reveal(part), PART_OFF_FLAGS);
}
export function algorithm(part: usize): i32 {
  return load<i32>(reveal(part), PART_OFF_ALGORITHM);
}
/** The part behind this one. */
export function next(part: usize): usize {
  return part + PART_HEADER + contentLength(part);
}

/** Number of parts of a well-formed body, 0 when it is not one. */
export function count(body: usize, length: i32): i32 {
  const end = body + length;
  let at = body;
  let n = 0;
  while (at < end) {
    if (end - at < <usize>PART_HEADER || n == PARTS_MAX) return 0;
    if (kind(at) < PartKind.Signing || kind(at) > PartKind.Opaque || (flags(at) & ~PART_SECRET) != 0) return 0;
    if (contentLength(at) == 0 || <usize>contentLength(at) > end - at - PART_HEADER) return 0;
    at = next(at);
    n++;
  }
  return n;
}

/** Moves the key parts of a well-formed body to its front. Returns their length; what stands behind them is of no use. */
export function keepKeys(body: usize, length: i32): i32 {
  let kept = 0;
  for (let at = body; at < body + length; ) {
    const from = at;
    at = next(at);
    if (kind(from) != PartKind.Signing && kind(from) != PartKind.Agreement) continue;
    memory.copy(body + kept, from, at - from);
    kept += <i32>(at - from);
  }
  return kept;
}

/** Whether a well-formed body holds no key and nothing secret. */
export function isPlain(body: usize, length: i32): bool {
  for (let at = body; at < body + length; at = next(at)) {
    if ((flags(at) & PART_SECRET) != 0 || kind(at) == PartKind.Signing || kind(at) == PartKind.Agreement) return false;
  }
  return true;
}

/** Whether a well-formed body holds a secret part. */
export function hasSecret(body: usize, length: i32): bool {
  for (let at = body; at < body + length; at = next(at)) if ((flags(at) & PART_SECRET) != 0) return true;
  return false;
}
