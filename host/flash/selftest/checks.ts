/** What the self-test measures and expects, item by item: the list of what is unverified on silicon (board/ek-ra6m5/BRINGUP.md). */

import {
  SELFTEST_CLOCKS,
  SELFTEST_CODE,
  SELFTEST_CRYSTAL,
  SELFTEST_DATA,
  SELFTEST_LOCO,
  SELFTEST_PART,
  SELFTEST_UART,
} from "../../../firmware/defs/selftest.js";
import type { Identity } from "../board.js";
import { type Row, row, SOURCE, unchecked } from "./row.js";
import type { Bench } from "./runner.js";

const ICLK_MHZ = 192;
const WATCH_HZ = 32768;
const PCLKA = 96_000_000;
const SWRF = 1 << 2;
const OSCSF_READY = 0x28; // crystal, PLL
const MODEL = "VIRTUAL";
/** Program unit and erase block of code flash, block of data flash, bytes. */
const BLOCK = 32768;
const DATA_BLOCK = 64;
const UNITS = 8;

const hex = (value: number, digits = 8): string => `0x${value.toString(16).padStart(digits, "0")}`;
const ms = (cycles: number): number => cycles / ICLK_MHZ / 1000;
const percent = (ratio: number): string => `${ratio < 0 ? "" : "+"}${(100 * ratio).toFixed(2)} %`;

export async function checkPart(bench: Bench, { part, uniqueId, lifecycle }: Identity): Promise<Row[]> {
  const words = await bench.measure(SELFTEST_PART);
  const [, codeA, codeB, data, ramA, ramB, reset0, reset1, reset2] = words.map((word) => word >>> 0);
  const number = "R7FA6M5…";
  const bounds = [codeA, codeB, data, ramA, ramB].map((word) => hex(word ?? 0)).join(" ");
  const resets = [reset0 ?? 0, reset1 ?? 0, reset2 ?? 0];
  return [
    part.startsWith(MODEL)
      ? unchecked("part number", `${part}: a model`, number, SOURCE.header)
      : row("part number", part, number, SOURCE.header, part.startsWith("R7FA6M5")),
    row("unique id", uniqueId, "16 bytes that are not all the same", SOURCE.header, !/^(..)\1{15}$/.test(uniqueId)),
    row(
      "life cycle",
      `${lifecycle}, DLMMON ${hex(words[0]!)}`,
      "SSD, as delivered",
      SOURCE.header,
      lifecycle === "SSD",
    ),
    unchecked("TrustZone boundaries", bounds, "none: a bare program owns all", SOURCE.recorded),
    row(
      "reset by the debugger",
      `RSTSR0, 1, 2 ${resets.map((word) => hex(word, 2)).join(" ")}`,
      "SWRF, bit 2 of RSTSR1",
      SOURCE.header,
      (resets[1]! & SWRF) !== 0,
    ),
  ];
}

export async function checkClocks(bench: Bench): Promise<Row[]> {
  const [dividers = 0, selected = 0, pll = 0, stable = 0, mode = 0, wait = 0, ramWait = 0, flashClock = 0, cache = 0] =
    await bench.measure(SELFTEST_CLOCKS);
  const registers = (item: string, value: number, expected: number, digits = 2): Row =>
    row(item, hex(value, digits), hex(expected, digits), SOURCE.clock, value === expected);
  const rows = [
    registers("SCKDIVCR", dividers, 0x20011221, 8),
    registers("SCKSCR, the PLL", selected, 5),
    registers("PLLCCR, crystal / 3 * 24", pll, 0x2f02, 4),
    registers("OSCSF, crystal and PLL stable", stable & OSCSF_READY, OSCSF_READY),
    registers("OPCCR, high speed", mode, 0),
    registers("FLWT, wait states of the ROM", wait, 3),
    registers("SRAMWTSC, wait state of the RAM", ramWait, 1),
    registers("FPCKAR, the flash clock in MHz", flashClock, 0x30),
    unchecked("CCALCF, cache line size", hex(cache), "its reset value", SOURCE.recorded),
  ];
  const [counts = 0, cycles = 0] = await bench.measure(SELFTEST_CRYSTAL);
  const iclk = (cycles * WATCH_HZ) / counts / 1e6;
  const expected = `${ICLK_MHZ} MHz within 0.05 %`;
  rows.push(
    cycles === 0
      ? row("ICLK by the sub-clock crystal", "the crystal does not count", expected, SOURCE.board, false)
      : row(
          "ICLK by the sub-clock crystal",
          `${iclk.toFixed(4)} MHz, ${percent(iclk / ICLK_MHZ - 1)}`,
          expected,
          SOURCE.board,
          Math.abs(iclk / ICLK_MHZ - 1) < 0.0005,
        ),
  );
  const [ticks = 0, took = 0] = await bench.measure(SELFTEST_LOCO);
  const loco = took === 0 ? 0 : (ticks * ICLK_MHZ * 1e6) / took;
  rows.push(
    row(
      "LOCO by the cycle counter",
      took === 0 ? "it does not count" : `${(loco / 1000).toFixed(3)} kHz, ${percent(loco / WATCH_HZ - 1)}`,
      "32.768 kHz within 15 %",
      SOURCE.loco,
      Math.abs(loco / WATCH_HZ - 1) < 0.15,
    ),
  );
  return rows;
}

/** @param most limit in ms */
function time(item: string, cycles: number, typical: string, most: number, source: string): Row {
  const value = ms(cycles);
  const text = cycles === 0 ? "failed" : `${value.toFixed(3)} ms`;
  const expected = `${typical === "" ? "" : `${typical} ms, `}at most ${most} ms`;
  return row(item, text, expected, source, cycles > 0 && value <= most);
}

function range(item: string, least: number, most: number, typical: string, limit: number): Row {
  const value = `${ms(least).toFixed(3)} to ${ms(most).toFixed(3)} ms`;
  return row(item, value, `${typical} ms, at most ${limit} ms`, SOURCE.flashTimes, ms(most) <= limit);
}

const held = (item: string, units: number): Row =>
  row(item, `${units} of ${UNITS}`, `${UNITS} of ${UNITS}`, SOURCE.flashDriver, units === UNITS);

/** The last block of the image region. */
export async function checkCodeFlash(bench: Bench): Promise<Row[]> {
  const words = await bench.measure(SELFTEST_CODE);
  const [blank = 0, erase = 0, units = 0, least = 0, most = 0, twice = 0, holds = 0, again = 0, ones = 0] = words;
  if (blank === 0)
    return [unchecked("code flash", "0x000f8000 … 0x000fffff is not blank", "a blank block", SOURCE.flashTimes)];
  return [
    time("code flash: erase 32 KB, blank", erase, "189", 576, SOURCE.flashTimes),
    range("code flash: program 128 bytes", least, most, "0.41", 7.2),
    held("code flash: units that hold what was programmed", units),
    row(
      "code flash: program a programmed unit",
      `${twice === 0 ? "refused" : "accepted"}, the unit ${holds === 1 ? "is as it was" : "changed"}`,
      "refused, the unit is as it was",
      "RV40 flash in general: PRGERR",
      twice === 0 && holds === 1,
    ),
    time("code flash: erase 32 KB, programmed", again, "189", 576, SOURCE.flashTimes),
    row(
      "code flash: erased bytes that read 0xFF",
      `${ones} of ${BLOCK}`,
      `${BLOCK} of ${BLOCK}`,
      "RV40 flash in general",
      ones === BLOCK,
    ),
  ];
}

/** The last block of the ledger area. */
export async function checkDataFlash(bench: Bench): Promise<Row[]> {
  const words = await bench.measure(SELFTEST_DATA);
  const [blank = 0, erase = 0, units = 0, least = 0, most = 0, check = 0, right = 0, holds = 0, again = 0] = words;
  const [ones = 0, blankAgain = 0] = words.slice(9);
  if (blank === 0)
    return [unchecked("data flash", "0x08001f00 … 0x08001f3f is not blank", "a blank block", SOURCE.flashTimes)];
  return [
    time("data flash: erase 64 bytes, blank", erase, "1.7", 10, SOURCE.flashTimes),
    range("data flash: program 4 bytes", least, most, "0.16", 1.7),
    held("data flash: units that hold what was programmed", holds === 1 ? units : 0),
    time("data flash: blank check of 4 bytes", check, "", 0.084, SOURCE.flashDriver),
    row(
      "data flash: blank check tells blank from programmed",
      right === 1 && blankAgain === 1 ? "yes" : "no",
      "yes",
      SOURCE.flashDriver,
      right === 1 && blankAgain === 1,
    ),
    time("data flash: erase 64 bytes, programmed", again, "1.7", 10, SOURCE.flashTimes),
    row(
      "data flash: erased bytes that read 0xFF",
      `${ones} of ${DATA_BLOCK}`,
      "any number: they are undefined",
      SOURCE.flashDriver,
      true,
    ),
  ];
}

/** Nominal rate and BRR, with BGDM and ABCS set. */
const RATES = [
  [115_200, 103],
  [230_400, 51],
  [460_800, 25],
  [921_600, 12],
  [1_000_000, 11],
  [2_000_000, 5],
  [3_000_000, 3],
] as const;

export async function checkUart(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [rate, brr] of RATES) {
    const [bits = 0, cycles = 0] = await bench.measure(SELFTEST_UART, brr);
    const modelled = PCLKA / (8 * (brr + 1));
    const found = cycles === 0 ? 0 : (bits * ICLK_MHZ * 1e6) / cycles;
    rows.push(
      row(
        `UART at ${rate}, BRR ${brr}`,
        cycles === 0 ? "nothing was sent" : `${found.toFixed(0)}, ${percent(found / rate - 1)}`,
        `${modelled.toFixed(0)}, ${percent(modelled / rate - 1)}`,
        SOURCE.uart,
        Math.abs(found / modelled - 1) < 0.002,
      ),
    );
  }
  return rows;
}
