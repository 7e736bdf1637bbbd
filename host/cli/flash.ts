/** flash write, verify, read: a board through its debug probe. host/flash does it. */
import type { Command } from "commander";
import { DeclinedError, UsageError } from "../client/errors.js";
import { ProgressLine } from "../file/progress.js";
import { FlashBoard } from "../flash/board.js";
import { type FlashFile, readFlashFile } from "../flash/file.js";
import { IMAGE, within } from "../flash/map.js";
import { type Holding, type Plan, planWrite, type Store, storeOf } from "../flash/plan.js";
import { PROBE_KINDS, type Probe, parseProbe } from "../flash/probe.js";
import { checkFolder, readParts, TOTAL } from "../flash/read.js";
import { keepSetupCode, withoutSetupCode, withSetupCode } from "../flash/setup-code.js";
import { type Advanced, look, perform, verify } from "../flash/write.js";
import { ENGINES } from "../names.js";
import type { Context } from "./context.js";
import { Interrupted } from "./io.js";
import { ask } from "./prompt.js";
import { readSetupCodeFile } from "./setup-code.js";

interface ProbeOptions {
  probe: string;
  probeSerial?: string;
}

interface WriteOptions extends ProbeOptions {
  eraseStore?: boolean;
  loader: boolean;
  setupCodeFile?: string;
}

const UNCHANGED = "The board was not changed, and starts again.";
const HALF =
  "The board is flashed in part, and does not start until it is whole. Run the same command again, which repairs it from any moment on.";
/** Digits of an instance id that are enough to mean it. */
const INSTANCE_LEAST = 8;

export function addFlash(program: Command, context: () => Context): void {
  const flash = program
    .command("flash")
    .description("a board through its debug probe: write firmware and images, verify, read")
    .addHelpText("after", HELP);
  const withProbe = (command: Command): Command =>
    command
      .option("--probe <KIND>", `${PROBE_KINDS.join(", ")} or virtual:SOCKET`, "jlink")
      .option("--probe-serial <NUMBER>", "which of several probes");

  withProbe(flash.command("write"))
    .argument("<file>", "Intel HEX of `mbs image build`, or the ELF of a firmware")
    .option("--erase-store", "let the file replace the store on the board, with all its records")
    .option(
      "--setup-code-file <FILE>",
      "setup code to flash with the firmware: 64 hex digits (default: the board keeps its own)",
    )
    .option("--no-loader", "do not run a program on the board; slow, and needs nothing of it but the debug port")
    .description("program a board and verify it; slots and data flash stay unless the file holds a store")
    .action((path: string, options: WriteOptions) => write(context(), path, options));

  withProbe(flash.command("verify"))
    .argument("<file>", "what should be on the board")
    .description("compare a board with a file; nothing is changed")
    .action(async (path: string, options: ProbeOptions) => {
      const file = await readFlashFile(path);
      await withBoard(context(), options, async (board) => {
        const opened = isOpened(file, await look(board));
        const segments = withoutSetupCode(file.segments).filter(({ address }) => !opened || !within(IMAGE, address));
        const bytes = segments.reduce((sum, one) => sum + one.bytes.length, 0);
        await progress(context(), "verifying", bytes, (advanced) => verify(board, segments, advanced));
        await board.start();
        context().result({ ...about(file), ...board.identity, opened, verified: true }, [
          `${path}: ${bytes} bytes are on the board as the file has them.`,
          ...(opened ? ["The board opened its image and erased it; the store is the one that the image names."] : []),
        ]);
      });
    });

  withProbe(flash.command("read"))
    .requiredOption("-o, --output <DIRECTORY>", "where firmware.bin, image.bin, slots.bin and data.bin go")
    .option("--force", "replace files that are there")
    .description("read all flash of a board into files; data.bin holds its root key")
    .action(async ({ output, force = false, ...options }: ProbeOptions & { output: string; force?: boolean }) => {
      await checkFolder(output, force);
      await withBoard(context(), options, async (board) => {
        const parts = await progress(context(), "reading", TOTAL, (advanced) =>
          readParts(board, output, force, advanced),
        );
        await board.start();
        const unreadable = parts.flatMap((part) => part.unreadable);
        if (unreadable.length > 0)
          context().warn(`${unreadable.length} places could not be read, and stand as ones in the files.`);
        context().result(
          {
            ...board.identity,
            files: parts.map(({ path, bytes, range, what }) => ({ path, bytes, address: range.start, what })),
            unreadable,
          },
          parts.map(({ path, bytes, what }) => `${path}: ${bytes} bytes, ${what}`),
        );
      });
    });
}

/** Whether the store on the board is what the image in a file became. */
function isOpened(file: FlashFile, holding: Holding): boolean {
  return file.image !== undefined && instanceOf(storeOf(holding)) === file.image.instance;
}

async function write(context: Context, path: string, options: WriteOptions): Promise<void> {
  const { eraseStore, loader, setupCodeFile } = options;
  const given = await readFlashFile(path);
  const read =
    setupCodeFile === undefined ? given : withSetupCode(given, await readSetupCodeFile(context, setupCodeFile));
  await withBoard(context, options, async (board, dangerous) => {
    const holding = await look(board);
    const setup = await keepSetupCode(read, board, holding, context.configDirectory());
    const { file } = setup;
    const plan = planWrite(file, holding, { eraseStore });
    tellPlan(context, file, holding, plan);
    if (plan.loses !== undefined) await confirmLoss(context, plan.loses);
    await setup.remember();
    dangerous();
    const by = await progress(context, "flashing", plan.bytes, (advanced) => perform(board, plan, loader, advanced));
    if (loader && by !== "RAM loader")
      context.note("The RAM loader does not run on this board; the debugger wrote everything itself.");
    const engine = ENGINES.word(file.descriptor.engine);
    const engineBefore = holding.firmware && ENGINES.word(holding.firmware.engine);
    const bytes = file.segments.reduce((sum, one) => sum + one.bytes.length, 0);
    await progress(context, "verifying", bytes, (advanced) => verify(board, file.segments, advanced));
    await setup.forget();
    await board.start();
    context.result(
      {
        ...about(file),
        ...board.identity,
        before: {
          core: holding.firmware?.core ?? null,
          engine: engineBefore ?? null,
          store: instanceOf(storeOf(holding)),
        },
        lost: instanceOf(plan.loses),
        kept: instanceOf(plan.keeps),
        setupCode: setup.from,
        erasedBlocks: plan.blocks,
        programmedBytes: plan.bytes,
        by,
        verified: true,
      },
      [
        `${path}: ${plan.bytes} bytes programmed in ${plan.blocks} blocks, and verified. The board starts.`,
        ...(engineBefore === undefined || engineBefore === engine
          ? []
          : [`The core is run by ${engine} now, and was by ${engineBefore}.`]),
        ...(setup.from === "board" ? ["The setup code of the board was kept."] : []),
        ...(plan.keeps === undefined ? [] : [`Store ${instanceText(plan.keeps)} was kept.`]),
        ...(plan.loses === undefined ? [] : [`Store ${instanceText(plan.loses)} is gone.`]),
      ],
    );
  });
}

/** Runs with a board, which starts again afterwards whatever happened, unless it is flashed in part.
 *  @param run is given what says that from now on the flash changes */
export async function withBoard(
  context: Context,
  { probe: kind, probeSerial }: ProbeOptions,
  run: (board: FlashBoard, dangerous: () => void) => Promise<void>,
): Promise<void> {
  const probe: Probe = parseProbe(kind, probeSerial, context.configDirectory());
  const board = await FlashBoard.connect(probe);
  let changing = false;
  context.connected = true;
  context.kept = UNCHANGED;
  const unwatch = context.io.onInterrupt(() => board.abort(new Interrupted(context.kept)));
  try {
    await run(board, () => {
      changing = true;
      context.kept = HALF;
    });
    changing = false;
  } catch (error) {
    throw await board.explain(error);
  } finally {
    unwatch();
    if (!changing) await board.start().catch(() => {}); // of a board that does not answer nothing can be asked
    await board.close();
  }
}

function about({ path, kind, descriptor }: FlashFile): Record<string, unknown> {
  const { core, engine, format } = descriptor;
  return { file: path, kind, core, engine: ENGINES.word(engine), format };
}

const instanceOf = (store: Store | undefined): string | null =>
  store === undefined ? null : (store.instance ?? "unreadable");
const instanceText = (store: Store): string => store.instance ?? "(its custody cannot be read)";

function tellPlan(context: Context, file: FlashFile, holding: Holding, plan: Plan): void {
  const store = storeOf(holding);
  const was =
    holding.firmware === undefined ? "no firmware of mbs" : `firmware with core ${holding.firmware.core.slice(0, 16)}…`;
  const kept = plan.keeps === undefined ? "" : ", which stays";
  context.progress(
    `The board holds ${was} and ${store === undefined ? "no store" : `store ${instanceText(store)}${kept}`}.`,
  );
  context.progress(`${file.path}: ${plan.bytes} bytes into ${plan.blocks} blocks.`);
}

/** @throws DeclinedError, UsageError when nobody can be asked */
async function confirmLoss(context: Context, store: Store): Promise<void> {
  if (context.globals.yes) return;
  const question = `Store ${instanceText(store)} will be lost with all its records.`;
  if (!context.io.stdin.isTTY)
    throw new UsageError(`${question} Nobody is there to answer.`, "Say --yes to do it without asking.");
  const word = store.instance ?? "erase";
  const what = store.instance === undefined ? 'the word "erase"' : "its instance id, or the first 8 digits of it,";
  const typed = (await ask(context.io, `${question}\nType ${what} to go on: `, false)).trim().toLowerCase();
  const means =
    store.instance === undefined ? typed === word : typed.length >= INSTANCE_LEAST && word.startsWith(typed);
  if (!means) throw new DeclinedError("That is not it. Nothing was changed.");
}

async function progress<T>(
  context: Context,
  verb: string,
  total: number,
  run: (advanced: Advanced) => Promise<T>,
): Promise<T> {
  const line = new ProgressLine(context.io.stderr.isTTY && !context.json ? context.io.stderr : undefined, verb);
  try {
    return await run((bytes) => line.update(BigInt(bytes), BigInt(total)));
  } finally {
    line.end();
  }
}

const HELP = `
Probes: jlink (the board's own at J10, or another J-Link), cmsis-dap, and virtual, that of \`mbs board run --probe\`.
OpenOCD 0.12 or newer, which must be on PATH, does the talking.
A file with firmware alone never touches slots and data flash. Whatever ends a write (Ctrl-C, power, the cable), the same command
again repairs the board. Option-setting memory is never written.

Examples:
  mbs flash write build/ek-ra6m5.elf
  mbs flash write device.hex --probe virtual --erase-store
  mbs flash read -o forensics`;
