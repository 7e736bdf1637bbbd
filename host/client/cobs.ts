/** Consistent overhead byte stuffing (Cheshire and Baker, 1999) without the delimiter: the minimal encoding only. SPEC.md §8. */

const RUN = 254; // most bytes that one code byte covers

/** @returns `data` without zero bytes; at most one byte longer for each 254. A run that ends exactly at 254 bytes gets no empty block. */
export function cobsEncode(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + Math.floor(data.length / RUN) + 1);
  let code = 0; // where the code byte of the open block stands
  let end = 1;
  for (let i = 0; i < data.length; i++) {
    const byte = data[i]!;
    if (byte !== 0) out[end++] = byte;
    const full = end - code === RUN + 1;
    if (byte !== 0 && (!full || i === data.length - 1)) continue;
    out[code] = end - code;
    code = end++;
  }
  out[code] = end - code;
  return out.subarray(0, end);
}

/** @returns the bytes that `cobsEncode` was given, or undefined when `encoded` is no minimal encoding of anything. */
export function cobsDecode(encoded: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(encoded.length);
  let length = 0;
  let previous = 0;
  for (let at = 0; at < encoded.length; ) {
    const code = encoded[at]!;
    const next = at + code;
    if (code === 0 || next > encoded.length) return undefined;
    if (next === encoded.length && code === 1 && previous === RUN + 1) return undefined; // an empty block too many
    if (at > 0 && previous <= RUN) length++; // the zero between two blocks
    const run = encoded.subarray(at + 1, next);
    if (run.includes(0)) return undefined;
    out.set(run, length);
    length += run.length;
    previous = code;
    at = next;
  }
  return encoded.length === 0 ? undefined : out.subarray(0, length);
}
