/** The tables of the bench. */
import { ENGINES, type Engine, GROUPS, type Row } from "./cost.js";
import { flashTime, noOperations } from "./flash.js";
import { CAPACITY } from "./host.js";
import type { LineCost } from "./line.js";
import { BAUDS, CYCLES, computeMs, floorMs, MHZ, timesFloor } from "./model.js";
import { atFill, type ChurnCost, FILLS, ofSize, SIZES, WORST } from "./store.js";
import type { Target } from "./targets.js";

/** Rows under heads, columns aligned: the first to the left, numbers to the right. */
export function table(title: string, heads: string[], rows: (string | number | undefined)[][]): void {
  const text = rows.map((row) => row.map((cell) => (typeof cell === "number" ? number(cell) : (cell ?? ""))));
  const widths = heads.map((head, i) => Math.max(head.length, ...text.map((row) => row[i]!.length)));
  const line = (cells: string[]) =>
    `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ")}`;
  console.log(`\n${title}`);
  for (const cells of [heads, ...text]) console.log(line(cells).trimEnd());
}

const number = (value: number) =>
  value.toLocaleString("en-US", {
    maximumFractionDigits: Number.isInteger(value) ? 0 : 2,
    minimumFractionDigits: Number.isInteger(value) ? 0 : 2,
  });

const times = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : a / b;

const TITLES = {
  primitives: "Primitives, instructions per byte",
  curves: "Curves, instructions",
  sessions: "Sessions and keys, instructions from the first byte of the request to rest",
  claims: "Filekeys and claims, instructions from the first byte of the request to rest",
  commands: `Commands in a session, instructions from the first byte of the request to rest (4 KB slots, capacity ${CAPACITY})`,
  "boot and list": "Boot, list and reserve at fills, instructions",
};
/** Fill of the commands whose time is shown. */
const TIMED = 50;

/** All rows, engines side by side. */
export function printRows(rows: readonly Row[]): void {
  for (const group of GROUPS) {
    if (group === "commands") {
      printCommands(rows);
      continue;
    }
    const own = rows.filter((row) => row.group === group);
    const engines = ENGINES.filter((engine) => own.some((row) => row.instructions[engine] !== undefined));
    const ratios = engines.includes("native") ? (["wasm3", "aot"] as const) : [];
    table(
      TITLES[group],
      ["operation", ...engines, ...ratios.map((engine) => `${engine}/native`)],
      own.map(({ name, instructions, bytes }) => [
        name,
        ...engines.map((engine) => times(instructions[engine], bytes ?? 1)),
        ...ratios.map((engine) => times(instructions[engine], instructions.native)),
      ]),
    );
  }
}

const COMMANDS = ["put", "put, the first after power-up", "replace", "get", "find", "evict"];

function printCommands(rows: readonly Row[]): void {
  const of = (name: string, engine: Engine) => rows.find((row) => row.name === name)?.instructions[engine];
  const engines = (["wasm3", "aot"] as const).filter((engine) =>
    rows.some((row) => row.group === "commands" && row.instructions[engine]),
  );
  table(
    TITLES.commands,
    ["engine", "fill", "bytes", ...COMMANDS.map((name) => name.replace(", the first after power-up", ", first"))],
    engines.flatMap((engine) =>
      FILLS.flatMap((fill) =>
        SIZES.map((size) => [
          engine,
          `${fill} %`,
          size,
          ...COMMANDS.map((what) => of(ofSize(what, size, fill), engine)),
        ]),
      ),
    ),
  );
}

/** What the model makes of them. */
export function printTimes(rows: readonly Row[]): void {
  const names = [
    ...SIZES.flatMap((size) =>
      COMMANDS.filter((what) => !what.includes("first")).map((what) => ofSize(what, size, TIMED)),
    ),
    ...["list", "reserve"].map((what) => atFill(what, TIMED)),
    WORST,
  ];
  const engines = ["wasm3", "aot"] as const;
  const timed = names.flatMap((name) => rows.filter((row) => row.name === name));
  table(
    `Time in the model: ${MHZ} MHz, ${engines.map((engine) => `${CYCLES[engine]} cycles an instruction on ${engine}`).join(", ")}, flash at typical times. Floor: line and flash alone`,
    [
      ...["operation", "line bytes", "flash ms", ...engines.map((engine) => `${engine} ms`)],
      ...BAUDS.flatMap((baud) => [`floor ms at ${short(baud)}`, ...engines.map((engine) => `${engine} x`)]),
    ],
    timed.map((row) => [
      row.name,
      row.line!.request + row.line!.answer,
      flashTime(row.flash ?? noOperations(), "typical"),
      ...engines.map((engine) => computeMs(engine, row.instructions[engine] ?? Number.NaN)),
      ...BAUDS.flatMap((baud) => [floorMs(row, baud), ...engines.map((engine) => timesFloor(row, engine, baud))]),
    ]),
  );
}

/** Measured in virtual time. */
export function printLine(line: readonly LineCost[]): void {
  table(
    "Line and processor at the same time: virtual time, with the model's cycles",
    ["operation", "engine", "baud", "ms", "floor ms", "x", "% of line rate"],
    line.map(({ operation, engine, baud, ms, floorMs: floor, ofLineRate }) => [
      ...[operation, engine, Math.round(baud), ms, floor, ms / floor],
      ofLineRate === undefined ? undefined : 100 * ofLineRate,
    ]),
  );
}

export const short = (baud: number) => (baud >= 1e6 ? `${baud / 1e6} M` : baud.toLocaleString("en-US"));

export function printChurn(churn: readonly ChurnCost[], rows: readonly Row[]): void {
  table(
    "Evict one, put one, at random, at a constant fill",
    [
      "fill",
      "records",
      "bytes",
      "puts",
      "programmed per byte",
      "erases per put",
      "worst put, typical ms",
      "at most ms",
    ],
    churn.map((row) => [
      `${row.fill} %`,
      row.records,
      row.size,
      row.puts,
      row.programmedPerByte,
      row.erasesPerPut,
      row.worstTypicalMs,
      row.worstMostMs,
    ]),
  );
  const worst = rows.find((row) => row.name === WORST);
  if (worst === undefined) return;
  const flash = worst.flash!;
  table(
    "The worst put of these, right after power-up",
    ["what", "value"],
    [
      ...Object.entries(worst.instructions).map(([engine, value]) => [`instructions, ${engine}`, value]),
      ["code-flash units programmed", flash.slotPrograms],
      ["code-flash blocks erased", flash.slotErases],
      ["data-flash units programmed", flash.dataPrograms],
      ["data-flash blocks erased", flash.dataErases],
      ["flash time, typical ms", flashTime(flash, "typical")],
      ["flash time, at most ms", flashTime(flash, "most")],
    ],
  );
}

export function printTargets(met: readonly Target[]): void {
  table(
    "Targets",
    ["target", "of", "limit", "goal", "value", "", ""],
    met.map((one) => [
      one.name,
      one.engine,
      one.limit,
      one.goal,
      one.value,
      one.met ? "met" : "MISSED",
      one.reached === undefined ? "" : one.reached ? "goal reached" : "goal missed",
    ]),
  );
}
