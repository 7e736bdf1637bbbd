/** A picture of how evenly blocks wore: one bar a block, from zero up to the rated cycles. Plain SVG with its own background, which follows
 *  the reader's colour scheme; no fonts, no scripts. */
import type { Life } from "./life.js";

const [WIDTH, HEIGHT] = [760, 300];
const LEFT = 64;
const RIGHT = 20;
const TOP = 64;
const BOTTOM = 48;
const GAP = 3; // between bars
const HEADROOM = 1.08; // so that the line of the rated cycles stands free
const STEPS = 4; // lines between zero and the rated cycles

const STYLE = `
  .ground { fill: #ffffff; stroke: #d0d7de }
  .bar { fill: #0969da }
  .line { stroke: #d0d7de }
  .rated { stroke: #cf222e; stroke-dasharray: 6 4 }
  text { font: 13px sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .small { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d }
    .bar { fill: #4493f8 }
    .line { stroke: #3d444d }
    .rated { stroke: #f85149 }
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
  }`;

const number = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 0 });
const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** @param rated erases that a block is good for. @returns the file's text */
export function picture(title: string, { changes, erases, worn }: Life, rated: number): string {
  const top = HEADROOM * Math.max(rated, erases.most);
  const [width, height] = [WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM];
  const y = (value: number): number => round(TOP + height * (1 - value / top));
  const step = width / erases.each.length;
  const text = (x: number, at: number, what: string, more = ""): string =>
    `<text x="${x}" y="${at}"${more}>${escaped(what)}</text>`;
  const end = ' text-anchor="end"';
  const middle = ' text-anchor="middle"';
  const summary =
    `${number(changes)} changes${worn ? " to the end of life" : ""}; erases of a block: ` +
    `least ${number(erases.least)}, mean ${number(erases.mean)}, most ${number(erases.most)}`;
  const line = (value: number, name: string): string =>
    `<line class="${name}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/>`;
  const lines = Array.from({ length: STEPS + 1 }, (_, i) => (rated * i) / STEPS).flatMap((value) => [
    line(value, "line"),
    text(LEFT - 8, round(y(value) + 4), number(value), `${end} class="small"`),
  ]);
  const bars = erases.each.map((value, block) => {
    const at = `x="${round(LEFT + block * step + GAP / 2)}" y="${y(value)}"`;
    const size = `width="${round(step - GAP)}" height="${round(TOP + height - y(value))}"`;
    return `<rect class="bar" ${at} ${size}><title>block ${block}: ${number(value)} erases</title></rect>`;
  });
  const numbers = erases.each.flatMap((_, block) =>
    block % 4 === 0
      ? [text(round(LEFT + (block + 0.5) * step), HEIGHT - BOTTOM + 16, String(block), `${middle} class="small"`)]
      : [],
  );
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">`,
    `<title>${escaped(`${title}: ${summary}`)}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="6"/>`,
    text(LEFT, 26, `Erases of each block: ${title}`, ' class="title"'),
    text(LEFT, 46, summary, ' class="small"'),
    ...lines,
    ...bars,
    line(rated, "rated"),
    ...numbers,
    text(
      round(LEFT + width / 2),
      HEIGHT - 12,
      `erase block (32 KB); dashed: the rated ${number(rated)} cycles`,
      middle,
    ),
    "</svg>",
  ].join("\n")}\n`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
