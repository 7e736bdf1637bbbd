/** A picture of what engines cost: for each of some operations a bar an engine, as long as its instructions are many beside those of native C. The
 *  scale is logarithmic. Plain SVG with its own background, which follows the reader's colour scheme; no fonts, no scripts. */
import { ENGINES, type Row } from "./cost.js";
import { primitive } from "./crypto.js";

const [WIDTH, LEFT, RIGHT, TOP, FOOT] = [760, 150, 70, 56, 20] as const;
const [BAR, GAP] = [13, 14] as const;
const LINES = [1, 2, 5, 10, 20];

const SHOWN = [
  ...(["seal", "blake3", "sha256", "sha512"] as const).map((operation) => primitive(operation, 3900)),
  ...["x25519", "ed25519 sign", "ed25519 verify"],
];

const STYLE = `
  .ground { fill: #ffffff; stroke: #d0d7de }
  .line { stroke: #d0d7de }
  .stock { fill: #8c959f }
  .wasm3 { fill: #0969da }
  .aot { fill: #1a7f37 }
  .native { fill: #bf8700 }
  text { font: 13px sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d }
    .line { stroke: #3d444d }
    .stock { fill: #767e89 }
    .wasm3 { fill: #4493f8 }
    .aot { fill: #3fb950 }
    .native { fill: #d29922 }
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
  }`;

const NAMES = {
  stock: "wasm3 as its package has it",
  wasm3: "wasm3 of the firmware",
  aot: "ahead of time",
  native: "native C",
};

/** @returns the file's text; rows without a figure of native C are left out */
export function picture(rows: readonly Row[]): string {
  const shown = SHOWN.flatMap((name) =>
    rows.filter((row) => row.name === name && row.instructions.native !== undefined),
  );
  const group = ENGINES.length * BAR + GAP;
  const height = TOP + shown.length * group + FOOT;
  const most = Math.max(...LINES, ...shown.flatMap((row) => ENGINES.map((engine) => ratio(row, engine) ?? 0)));
  const x = (times: number): number =>
    round(LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(times / LEAST)) / Math.log(most / LEAST));
  const text = (at: number, y: number, what: string, more = ""): string =>
    `<text x="${at}" y="${round(y)}"${more}>${what}</text>`;
  const lines = LINES.flatMap((times) => [
    `<line class="line" x1="${x(times)}" x2="${x(times)}" y1="${TOP}" y2="${height - FOOT}"/>`,
    text(x(times), height - 6, `${times} x`, ' text-anchor="middle" class="small"'),
  ]);
  const bars = shown.flatMap((row, i) => {
    const top = TOP + i * group + GAP / 2;
    const own = ENGINES.flatMap((engine, j) => {
      const times = ratio(row, engine);
      if (times === undefined) return [];
      const instructions = row.instructions[engine]!.toLocaleString("en-US");
      const at = `x="${LEFT}" y="${top + j * BAR}" width="${round(Math.max(1, x(times) - LEFT))}" height="${BAR - 2}"`;
      return [
        `<rect class="${engine}" ${at}><title>${row.name}, ${NAMES[engine]}: ${instructions} instructions</title></rect>`,
        text(
          round(Math.max(LEFT, x(times)) + 5),
          top + j * BAR + 9,
          `${times.toFixed(times < 10 ? 2 : 1)} x`,
          ' class="small"',
        ),
      ];
    });
    return [text(LEFT - 8, top + (group - GAP) / 2 + 4, row.name, ' text-anchor="end"'), ...own];
  });
  let left = LEFT;
  const legend = ENGINES.flatMap((engine) => {
    const at = left;
    left += 22 + NAMES[engine].length * 6.4;
    return [
      `<rect class="${engine}" x="${round(at)}" y="36" width="10" height="10"/>`,
      text(round(at + 14), 45, NAMES[engine], ' class="small"'),
    ];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    "<title>Instructions of each engine beside those of native C</title>",
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="6"/>`,
    text(LEFT, 24, "Instructions beside those of native C (logarithmic)", ' class="title"'),
    ...legend,
    ...lines,
    ...bars,
    "</svg>",
  ].join("\n")}\n`;
}

/** Where the bars begin: ahead-of-time code may need fewer instructions than C. */
const LEAST = 0.5;

const ratio = ({ instructions }: Row, engine: (typeof ENGINES)[number]): number | undefined =>
  instructions[engine] === undefined ? undefined : instructions[engine] / instructions.native!;

const round = (value: number): number => Math.round(value * 10) / 10;
