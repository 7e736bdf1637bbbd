/** board selftest: measures a board through its debug probe, and says what is as expected. host/flash/selftest does it. */
import type { Command } from "commander";
import type { FlashBoard } from "../flash/board.js";
import { FlashError } from "../flash/errors.js";
import { PROBE_KINDS } from "../flash/probe.js";
import { checkClocks, checkCodeFlash, checkDataFlash, checkPart, checkUart } from "../flash/selftest/checks.js";
import { checkNoise } from "../flash/selftest/noise.js";
import { checkPanel, type Person } from "../flash/selftest/panel.js";
import { type Row, row } from "../flash/selftest/row.js";
import { SelfTest } from "../flash/selftest/runner.js";
import type { Context } from "./context.js";
import { withBoard } from "./flash.js";
import { ask } from "./prompt.js";
import { table } from "./table.js";

interface Options {
  probe: string;
  probeSerial?: string;
  touch: boolean;
}

const TOUCHES =
  "The self-test runs a program in RAM in place of the firmware. It erases and programs code flash 0x000f8000 … 0x000fffff (the last block " +
  "of the image region) and data flash 0x08001f00 … 0x08001f3f (unused), each only if it is blank, and leaves them blank. It sends bytes on the UART.";
const KEPT =
  "Firmware and store are as they were; a block that was being measured may be left programmed, and is not measured again then.";

export function addSelftest(board: Command, context: () => Context): void {
  board
    .command("selftest")
    .option("--probe <KIND>", `${PROBE_KINDS.join(", ")} or virtual:SOCKET`, "jlink")
    .option("--probe-serial <NUMBER>", "which of several probes")
    .option("--no-touch", "ask nobody to look at lights and to press switches")
    .description("measure a board through its debug probe: clocks, flash, noise, panel, UART")
    .addHelpText("after", HELP)
    .action((options: Options) => selftest(context(), options));
}

async function selftest(context: Context, options: Options): Promise<void> {
  await context.confirm(`${TOUCHES} Go on?`);
  await withBoard(context, options, async (board) => {
    context.kept = KEPT;
    const { identity } = board;
    const rows = await run(context, board, options.touch);
    const count = (verdict: string): number => rows.filter((row) => row.verdict === verdict).length;
    const [ok, differ, unchecked] = [count("ok"), count("differs"), count("not checked")];
    context.result({ ...identity, items: rows, ok, differ, notChecked: unchecked }, [
      ...table(
        ["VERDICT", "ITEM", "VALUE", "EXPECTED", "SOURCE"],
        rows.map((row) => [row.verdict, row.item, row.value, row.expected, row.source]),
      ),
      "",
      `${identity.part}, unique id ${identity.uniqueId}: ${ok} as expected, ${differ} differ, ${unchecked} not checked`,
    ]);
    if (differ > 0) context.exitCode = 1;
  });
}

async function run(context: Context, board: FlashBoard, touch: boolean): Promise<Row[]> {
  let test = await SelfTest.start(board);
  const person = touch && context.io.stdin.isTTY ? personAt(context) : undefined;
  const why = touch ? "nobody is at a terminal" : "--no-touch";
  const parts: [string, () => Promise<Row[]>][] = [
    ["part", () => checkPart(test, board.identity)],
    ["clocks", () => checkClocks(test)],
    ["code flash", () => checkCodeFlash(test)],
    ["data flash", () => checkDataFlash(test)],
    ["noise", () => checkNoise(test)],
    ["UART", () => checkUart(test)],
    ["lights and switches", () => checkPanel(test, person, why)],
  ];
  const rows: Row[] = [];
  for (const [name, check] of parts) {
    context.progress(`${name} …`);
    try {
      rows.push(...(await check()));
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      rows.push(row(name, error.message, "a measurement that ends", "board/ek-ra6m5/selftest", false));
      await board.resetHalted();
      test = await SelfTest.start(board);
    }
  }
  return rows;
}

function personAt({ io }: Context): Person {
  return {
    confirms: async (question) => /^y(es)?$/i.test((await ask(io, `${question} [y/N] `, false)).trim()),
    told: (what) => void io.stderr.write(`${what}\n`),
  };
}

const HELP = `
Each line says what was measured, what was expected and where that comes from. "differs" makes the exit code 1; "not checked" does not.
The firmware starts again afterwards. board/ek-ra6m5/BRINGUP.md says which line settles what.

Examples:
  mbs board selftest
  mbs board selftest --probe virtual --no-touch --yes --json`;
