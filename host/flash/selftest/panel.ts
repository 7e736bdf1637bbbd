/** Lights and switches: what their pins say, and what a person says who stands at the board. */
import { SELFTEST_PANEL } from "../../../firmware/defs/selftest.js";
import { type Row, row, SOURCE, unchecked } from "./row.js";
import type { Bench } from "./runner.js";

/** Numbers of MBS_LIGHT_* and MBS_SWITCH_*. */
const LIGHTS = [
  ["blue", 1, "LED1, P006"],
  ["green", 2, "LED2, P007"],
  ["red", 4, "LED3, P008"],
] as const;
const SWITCHES = [
  ["S1", 1, "P005"],
  ["S2", 2, "P004"],
] as const;
const PRESS_MS = 30_000;

/** Somebody at the board. */
export interface Person {
  /** @returns whether the answer is yes */
  confirms(question: string): Promise<boolean>;
  /** Says what to do next. */
  told(what: string): void;
}

/** @param person undefined: nobody; `why` says so */
export async function checkPanel(bench: Bench, person: Person | undefined, why: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [colour, light, pin] of LIGHTS) {
    const [, pins = 0] = await bench.measure(SELFTEST_PANEL, light);
    const expected = `its pin alone is high (${pin})`;
    rows.push(
      row(`${colour} light: pins`, `0b${pins.toString(2).padStart(3, "0")}`, expected, SOURCE.board, pins === light),
    );
    rows.push(await seen(person, why, colour));
  }
  await bench.measure(SELFTEST_PANEL, 0);
  for (const [name, mask, pin] of SWITCHES) rows.push(await pressed(bench, person, why, name, mask, pin));
  return rows;
}

async function seen(person: Person | undefined, why: string, colour: string): Promise<Row> {
  const item = `${colour} light: seen`;
  if (person === undefined) return unchecked(item, why, "it alone is on", SOURCE.board);
  const yes = await person.confirms(`Is the ${colour} light on, and no other of the three?`);
  return row(item, yes ? "yes" : "no", "it alone is on", SOURCE.board, yes);
}

async function pressed(
  bench: Bench,
  person: Person | undefined,
  why: string,
  name: string,
  mask: number,
  pin: string,
): Promise<Row> {
  const expected = `low while it is pressed (${pin}), and it alone`;
  const [before = 0] = await bench.measure(SELFTEST_PANEL, 0);
  if (before !== 0) return row(name, "a switch is pressed, and nobody was asked to", expected, SOURCE.board, false);
  if (person === undefined) return unchecked(name, why, expected, SOURCE.board);
  person.told(`Press ${name} on the board, and let it go (within ${PRESS_MS / 1000} s).`);
  const end = performance.now() + PRESS_MS;
  let found = 0;
  while (performance.now() < end) {
    const [now = 0, , seen = 0] = await bench.measure(SELFTEST_PANEL, 0);
    found |= seen;
    if (found !== 0 && now === 0) break;
  }
  const value =
    found === 0 ? "not pressed" : found === mask ? "pressed" : `switches 0b${found.toString(2).padStart(2, "0")}`;
  return found === 0
    ? unchecked(name, value, expected, SOURCE.board)
    : row(name, value, expected, SOURCE.board, found === mask);
}
