/** One line of the self-test's report, and how a measurement is judged. */

export type Verdict = "ok" | "differs" | "not checked";

export interface Row {
  item: string;
  value: string;
  expected: string;
  /** Where the expectation comes from. */
  source: string;
  verdict: Verdict;
}

/** Sources: what was at hand when this was written. */
export const SOURCE = {
  header: "FSP R7FA6M5BH.h",
  /** Longest times at FCLK 4 MHz, which the firmware waits for at the most. */
  flashDriver: "FSP r_flash_hp.c",
  /** The figures that scripts/bench/flash.ts counts with. */
  flashTimes: "data sheet, flash at FCLK 20 to 50 MHz (RA6M3)",
  clock: "board/ek-ra6m5/clock.c",
  loco: "data sheet, LOCO (from memory)",
  board: "Zephyr ek_ra6m5.dts",
  uart: "PCLKA 96 MHz / (8 * (BRR + 1))",
  core: "firmware/store/entropy.ts",
  recorded: "unknown; recorded",
} as const;

export function row(item: string, value: string, expected: string, source: string, ok: boolean): Row {
  return { item, value, expected, source, verdict: ok ? "ok" : "differs" };
}

export function unchecked(item: string, why: string, expected: string, source: string): Row {
  return { item, value: why, expected, source, verdict: "not checked" };
}
