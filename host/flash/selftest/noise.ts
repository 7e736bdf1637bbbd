/** The noise source: raw samples through the counters of SP 800-90B that the core applies to them, and an estimate. */
import { SELFTEST_ENTROPY, SELFTEST_SAMPLES_MAX } from "../../../firmware/defs/selftest.js";
import { type Row, row, SOURCE } from "./row.js";
import type { Bench } from "./runner.js";

const ICLK = 192_000_000;
/** As in firmware/store/entropy.ts, at a claimed half bit a sample. */
const REPETITION_LIMIT = 41;
const WINDOW = 512;
const PROPORTION_LIMIT = 410;
const CLAIMED = 0.5;
/** Quantile of SP 800-90B §6.3.1. */
const QUANTILE = 2.576;

/** The longest run of equal samples. SP 800-90B §4.4.1 */
export function longestRun(samples: Uint8Array): number {
  let longest = 0;
  let run = 0;
  samples.forEach((sample, i) => {
    run = i > 0 && sample === samples[i - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  });
  return longest;
}

/** How often the first sample of a window comes in it, at the most; a last window that is not full counts too. §4.4.2 */
export function largestProportion(samples: Uint8Array): number {
  let largest = 0;
  for (let at = 0; at < samples.length; at += WINDOW) {
    const window = samples.subarray(at, at + WINDOW);
    largest = Math.max(
      largest,
      window.reduce((count, sample) => count + (sample === window[0] ? 1 : 0), 0),
    );
  }
  return largest;
}

/** Min-entropy of a sample by the most common value, at 99 % confidence; says nothing about dependence. §6.3.1 */
export function mostCommonEstimate(samples: Uint8Array): number {
  if (samples.length < 2) return 0;
  const counts = new Uint32Array(256);
  for (const sample of samples) counts[sample]!++;
  const share = Math.max(...counts) / samples.length;
  const upper = Math.min(1, share + QUANTILE * Math.sqrt((share * (1 - share)) / (samples.length - 1)));
  return -Math.log2(upper) || 0;
}

/** From each sample to the next, modulo 256. The counter runs on between two of them, so that whoever knows the last one has to guess this
 *  difference, and no more. */
export function differences(samples: Uint8Array): Uint8Array {
  return samples.subarray(1).map((sample, i) => sample - samples[i]!);
}

export async function checkNoise(bench: Bench): Promise<Row[]> {
  const [got = 0, cycles = 0] = await bench.measure(SELFTEST_ENTROPY, SELFTEST_SAMPLES_MAX);
  const samples = await bench.samples(Math.min(got, SELFTEST_SAMPLES_MAX));
  const rate = cycles === 0 ? 0 : (got * ICLK) / cycles;
  const run = longestRun(samples);
  const proportion = largestProportion(samples);
  const estimates = [
    ["noise: min-entropy by the most common value", mostCommonEstimate(samples)],
    ["noise: min-entropy of the differences", mostCommonEstimate(differences(samples))],
  ] as const;
  const all = got === SELFTEST_SAMPLES_MAX;
  return [
    row(
      "noise: samples",
      `${got}, ${rate.toFixed(0)} a second`,
      `${SELFTEST_SAMPLES_MAX}`,
      "board/ek-ra6m5/entropy.c",
      all,
    ),
    row("noise: longest run", `${run}`, `less than ${REPETITION_LIMIT}`, SOURCE.core, all && run < REPETITION_LIMIT),
    row(
      `noise: same value in ${WINDOW} samples`,
      `${proportion}`,
      `less than ${PROPORTION_LIMIT}`,
      SOURCE.core,
      all && proportion < PROPORTION_LIMIT,
    ),
    ...estimates.map(([item, bits]) =>
      row(
        item,
        `${bits.toFixed(2)} bits a sample`,
        `at least the claimed ${CLAIMED}`,
        "SP 800-90B §6.3.1",
        bits >= CLAIMED,
      ),
    ),
  ];
}
