/** A key as people copy and type it: "mbs1", then 56 letters and digits in groups of eight, which end in a checksum.
 *  Base32 (RFC 4648 §6, lower case) of the key's 32 bytes and the first 3 of a BLAKE3 hash of it: a mistyped key is noticed,
 *  except for one in 16 million. The text is as secret as the key, so no error repeats any of it. */
import { blake3 } from "@noble/hashes/blake3.js";
import { PSK_SIZE } from "../../firmware/defs/session.js";
import { FileError } from "../client/errors.js";

const PREFIX = "mbs1";
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const CHECK = 3; // bytes
const LETTERS = ((PSK_SIZE + CHECK) * 8) / 5;
const CONTEXT = Buffer.from("mbs 2026 operator key text");

/** @param key PSK_SIZE bytes */
export function formatKey(key: Uint8Array): string {
  if (key.length !== PSK_SIZE) throw new FileError(`A key has ${PSK_SIZE} bytes; this one has ${key.length}.`);
  const bytes = Buffer.concat([key, check(key)]);
  let letters = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) letters += ALPHABET[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  bytes.fill(0);
  return [PREFIX, ...letters.match(/.{8}/g)!].join("-");
}

/** The reverse of `formatKey`; upper case, spaces and other grouping do not matter.
 *  @param where the text came from, for errors. @throws FileError that repeats nothing of the text */
export function parseKey(text: string, where: string): Uint8Array {
  const plain = text.toLowerCase().replace(/[\s-]/g, "");
  const refuse = (what: string) => new FileError(`${where}: this is no operator key: ${what}.`, "Copy the key again.");
  if (!plain.startsWith(PREFIX)) throw refuse(`it does not begin with ${PREFIX}`);
  const letters = plain.slice(PREFIX.length);
  if (letters.length !== LETTERS)
    throw refuse(`${LETTERS} letters and digits should follow ${PREFIX}, and it has ${letters.length}`);
  const bytes = new Uint8Array(PSK_SIZE + CHECK);
  let at = 0;
  let bits = 0;
  let held = 0;
  for (const letter of letters) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) throw refuse("a key has only the letters a to z and the digits 2 to 7");
    held = (held << 5) | value;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = held >> bits;
    held &= (1 << bits) - 1;
  }
  const key = bytes.slice(0, PSK_SIZE);
  const fits = Buffer.compare(check(key), bytes.subarray(PSK_SIZE)) === 0;
  bytes.fill(0);
  if (fits) return key;
  key.fill(0);
  throw refuse("its checksum does not fit, so that at least one character is wrong");
}

function check(key: Uint8Array): Uint8Array {
  return blake3(key, { context: CONTEXT, dkLen: CHECK });
}

/** Takes keys out of a text that repeats what somebody typed in the wrong place. */
export function withoutKeys(text: string): string {
  return text.replace(/mbs1(?:[\s-]*[a-z2-7]){40,}/gi, "(a key)");
}
