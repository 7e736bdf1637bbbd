/** claim reserve, status, fast-forward: positions by hand, and what is in the cache. Encrypting claims by itself. */
import type { Command } from "commander";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { nameOf } from "../claims/state.js";
import { UsageError } from "../client/errors.js";
import { parseSize, sizeText } from "../file/size.js";
import { readPolicy } from "../names.js";
import {
  askBoard,
  called,
  choose,
  type Found,
  isMeant,
  knownFilekey,
  merge,
  noteBoard,
  offlineError,
  readSettings,
  type Told,
  withClaims,
} from "./claims.js";
import type { Context } from "./context.js";
import { authorityStatus, bothDeltas, claimsJson, deltaJson, poolText } from "./present-filekey.js";
import { pairs } from "./table.js";

export function addClaim(program: Command, context: () => Context): void {
  const claim = program.command("claim").description("positions of filekeys: reserved once, never given again");
  claim
    .command("reserve")
    .argument("<key>", "id, its first 8 or more digits, name, or label on the board")
    .argument("<size>", "how many positions, such as 2000000, 1.5GB or 64MiB")
    .description("claim positions as encrypting would, and print first and last")
    .addHelpText("after", RESERVE_HELP)
    .action((key: string, size: string) => reserve(context(), key, parseSize("size", size)));
  claim
    .command("status")
    .argument("[key]", "id, its first 8 or more digits, or name (default: all)")
    .description("what is claimed here, and how far the board is")
    .addHelpText("after", "\nExamples:\n  mbs claim status\n  mbs claim status archive --json")
    .action((key: string | undefined) => status(context(), key));
  claim
    .command("fast-forward")
    .argument("<key>", "id, its first 8 or more digits, or name")
    .argument("<size>", "by how many positions")
    .description("recovery: move the board's pointer on, so that positions below it are never handed out")
    .addHelpText("after", FORWARD_HELP)
    .action((key: string, size: string) => forward(context(), key, parseSize("size", size)));
}

async function reserve(context: Context, key: string, size: bigint): Promise<void> {
  if (size < 1n) throw new UsageError("size: expected at least 1; got 0.");
  await withClaims(context, async (claims) => {
    const { filekeys, claimant, sizes, offlineMode } = claims;
    const isKnown = merge(await filekeys.all(), []).some((one) => isMeant(one, key));
    if (!isKnown && !offlineMode && (await reserveOnBoard(context, key, size))) return;
    const { id } = await knownFilekey(claims, key);
    const { range, secret, sequence, from } = await claimant.claim({ key: id, size, sizes, offlineMode });
    secret.fill(0);
    tell(context, id, sequence, range, from);
  });
}

/** A device-only filekey is known to its board alone. @returns false when it is none */
async function reserveOnBoard(context: Context, key: string, size: bigint): Promise<boolean> {
  const told = await askBoard(context);
  if (told.why !== undefined) throw told.why;
  const found = choose(merge([], told.filekeys), key);
  const { entry, info, state } = found.board!;
  if (info === undefined || state !== "authority" || readPolicy(entry.policy).exportable) return false;
  const { sequence } = info.deltas.at(-1)!;
  const range = await context.withClient({ commands: [DeviceCommand.FilekeyReserve] }, (client) =>
    client.filekeyReserve(entry.handle, sequence, size),
  );
  tell(context, info.id, sequence, range, "authority");
  return true;
}

function tell(
  context: Context,
  id: Uint8Array,
  sequence: number,
  { start, end }: { start: bigint; end: bigint },
  from: string,
): void {
  context.result({ filekey: nameOf(id), sequence, start: String(start), end: String(end), from }, [`${start} ${end}`]);
}

async function status(context: Context, key: string | undefined): Promise<void> {
  const told = await askBoard(context);
  const { sizes, offlineMode } = await readSettings(context);
  await withClaims(context, async ({ filekeys, core }) => {
    const all = merge(await filekeys.all(), told.filekeys).filter((one) => one.known !== undefined);
    const chosen = key === undefined ? all : [choose(all, key)];
    noteBoard(context, told);
    if (chosen.length === 0) context.note("No filekey is known here.");
    const json = chosen.map((one) => ({
      id: nameOf(one.id!),
      name: one.known!.name,
      authority: one.known!.authority,
      authorityStatus: authorityStatus(one, told),
      latestDelta: bothDeltas(one).map(deltaJson).at(-1) ?? null,
      claims: claimsJson(one.known!, core, sizes),
    }));
    context.result(
      {
        offlineMode,
        offlineTarget: String(sizes.offline),
        performanceTarget: String(sizes.performance),
        filekeys: json,
      },
      chosen.flatMap((one, i) => [...(i === 0 ? [] : [""]), ...facts(one, told)]),
    );
  });
}

function facts(found: Found, told: Told): string[] {
  const newest = found.known!.deltas.at(-1);
  const there = bothDeltas(found).at(-1)?.there;
  return pairs([
    ["filekey", called(found)],
    ["authority", `${found.known!.authority}, ${authorityStatus(found, told)}`],
    ...(there === undefined
      ? []
      : ([
          ["pointer", `${there.latest} in Delta ${there.sequence}, ${sizeText(there.end - there.latest)} left`],
        ] as const)),
    ...(newest === undefined
      ? ([["here", "no Deltas"]] as const)
      : ([
          ["floor", `${newest.entry.floor} in Delta ${newest.sequence}`],
          ["performance", poolText(newest.entry.performance)],
          ["offline", poolText(newest.entry.offline)],
        ] as const)),
  ]);
}

async function forward(context: Context, key: string, size: bigint): Promise<void> {
  if ((await readSettings(context)).offlineMode) throw offlineError();
  await withClaims(context, async (claims) => {
    const { id, name } = await knownFilekey(claims, key);
    await context.confirm(
      `${name || nameOf(id)}: ${size} positions that nobody has will never be handed out. Move its pointer on?`,
    );
    const { sequence, latest, remaining } = await claims.claimant.forward(id, size);
    context.result({ filekey: nameOf(id), sequence, latest: String(latest), remaining: String(remaining) }, [
      `Delta ${sequence}: pointer ${latest}, ${remaining} positions left`,
    ]);
  });
}

const RESERVE_HELP = `
Prints first and last position, both included. They are this computer's alone and are never given again, used or not. A device-only filekey
is asked for at the board itself; nothing of it is kept here.

Examples:
  mbs claim reserve archive 64MiB
  mbs claim reserve archive 5000000 --json`;

const FORWARD_HELP = `
For a board whose flash was set back to an older state: moved above the floor that \`mbs claim status\` shows, it hands out nothing twice.
What is claimed here is not touched.

Example:
  mbs claim fast-forward archive 20GB`;
