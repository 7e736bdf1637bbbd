/** Random bytes: health-tested noise, conditioned with BLAKE3, behind a DRBG that erases its key with each use.
 *  Tests: NIST SP 800-90B §4.4 (repetition count, adaptive proportion) at a claimed half bit per sample, first over
 *  START_SAMPLES at start-up, then over every sample. The claim is to be measured on the board: DESIGN.md §6. */

import * as board from "../board";
import { keyed } from "../crypto/blake3";
import { wipe } from "../crypto/bytes";
import { declassify, reveal } from "../crypto/declassify";
import { Status } from "../defs/status";
import { DRBG, NOISE } from "../memory";

const ROUND: i32 = 64; // samples conditioned at a time
const START_SAMPLES: i32 = 1024; // SP 800-90B §4.3: at least 1,024; at half a bit each they credit 512 bits
const ATTEMPTS: i32 = 4096; // empty answers of the source before giving up
const REPETITION_LIMIT: i32 = 41; // 1 + ⌈20 / 0.5⌉: false alarm 2^-20
const WINDOW: i32 = 512;
const PROPORTION_LIMIT: i32 = 410; // 1 + critical value of binomial(512, 2^-0.5) at 1 − 2^-20

let tested: i32 = 0; // samples that passed since start or since the last failure
let last: u32 = 256; // last sample; 256 = none
let repeats: i32 = 0;
let reference: u32 = 256;
let matches: i32 = 0;
let seen: i32 = 0; // samples in the present window

/** Forgets everything: the next request runs the start-up test again. */
export function reset(): void {
  wipe(DRBG, 64);
  forget();
}

function forget(): void {
  tested = 0;
  last = 256;
  repeats = 0;
  seen = 0;
}

/** Both health tests over one sample; false on failure. Without a branch on what the sample is. */
function healthy(sample: u32): bool {
  repeats = select(repeats + 1, 1, sample == last);
  last = sample;
  if (seen == 0) {
    reference = sample;
    matches = 0;
  }
  matches += <i32>(sample == reference);
  seen++;
  if (seen == WINDOW) seen = 0;
  return declassify(<bool>(<i32>(repeats < REPETITION_LIMIT) & <i32>(matches < PROPORTION_LIMIT)));
}

/** Gathers one round of samples into the key. False when the source is silent or fails its tests. */
function gather(): bool {
  let have = 0;
  for (let attempt = 0; have < ROUND && attempt < ATTEMPTS; attempt++) {
    const got = board.entropy(NOISE + have, ROUND - have);
    if (got > 0) have += min(got, ROUND - have);
  }
  if (have < ROUND) return false;
  for (let i = 0; i < ROUND; i++) {
    if (!healthy(load<u8>(NOISE + i))) {
      forget();
      wipe(NOISE, ROUND);
      return false;
    }
  }
  keyed(DRBG + 32, DRBG, NOISE, ROUND);
  memory.copy(DRBG, DRBG + 32, 32);
  wipe(NOISE, ROUND);
  tested = min(tested + ROUND, START_SAMPLES);
  return true;
}

/** Makes sure that 256 bits are credited. Ok | EntropyNotReady. */
@entropy
export function ready(): Status {
  while (tested < START_SAMPLES) if (!gather()) return Status.EntropyNotReady;
  return Status.Ok;
}

/** Writes up to 32 random bytes, with a fresh round of noise mixed in first. Ok | EntropyNotReady (nothing written). */
export function random(out: usize, length: i32): Status {
  return draw(out, DRBG + 32, length);
}

/** Writes random bytes that everybody may see: nonces, challenges, ids. As random. */
export function nonce(out: usize, length: i32): Status {
  return draw(out, reveal(DRBG + 32), length);
}

/** @param from DRBG + 32, as what it is to count */
@entropy
function draw(out: usize, from: usize, length: i32): Status {
  if (ready() != Status.Ok || !gather()) return Status.EntropyNotReady;
  store<u64>(NOISE, 1); // 1: output, 2: next key
  keyed(DRBG + 32, DRBG, NOISE, 8);
  memory.copy(out, from, length);
  store<u64>(NOISE, 2);
  keyed(DRBG + 32, DRBG, NOISE, 8);
  memory.copy(DRBG, DRBG + 32, 32);
  wipe(DRBG + 32, 32);
  return Status.Ok;
}
