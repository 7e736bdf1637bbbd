/** The Deltas of a filekey: which ones the authority has, whether ours are the same, and getting those that are missing. All or none of
 *  a pull counts. Relies on state.ts for what is kept. Seed: Delta pulling semantics. */
import { ProtocolError } from "../client/errors.js";
import { type Authority, AuthorityError, type Delta } from "./authority.js";
import type { Core } from "./core.js";
import { ClaimError } from "./errors.js";
import { CONTAINER_MOST, checkDeltas, type Filekey, type LocalDelta, nameOf, SECRET_SIZE } from "./state.js";

/** What a sealed Delta says of itself in clear. */
export interface DeltaHead {
  readonly key: Uint8Array;
  readonly sequence: number;
  readonly id: Uint8Array;
  readonly start: bigint;
  readonly end: bigint;
}

/** Reads the clear begin of a sealed Delta. @throws MbsError when it is none */
export type ReadHead = (container: Uint8Array) => DeltaHead;

/** What all of this file works with. */
export interface Means {
  readonly core: Core;
  readonly readHead: ReadHead;
}

/** All Deltas that an authority has, by sequence, ours compared with them.
 *  @throws ClaimError Conflict; ProtocolError when its answer makes no sense */
export async function compare(filekey: Filekey, authority: Authority): Promise<readonly Delta[]> {
  const remote = await authority.deltas(filekey.id);
  try {
    checkDeltas(remote);
    for (const { sequence, start, end, latest } of remote)
      if (latest < start - 1n || latest > end) throw new Error(`the pointer of Delta ${sequence} is outside of it`);
    if (remote.length === 0) throw new Error("there is none");
  } catch (cause) {
    throw new ProtocolError(
      `${authority.name} has no sound list of the Deltas of ${nameOf(filekey.id)}: ${(cause as Error).message}. Nothing was claimed.`,
      "Compare the versions of mbs and of the authority; use nothing of it until they agree.",
    );
  }
  for (const local of filekey.deltas) checkSame(local, remote[local.sequence - 1], authority.name, filekey);
  return remote;
}

/** Gets the Deltas that are missing here, up to and including `most`. @returns the sequences that were added */
export async function pull(
  filekey: Filekey,
  authority: Authority,
  remote: readonly Delta[],
  means: Means,
  most = remote.length,
): Promise<number[]> {
  const fresh: LocalDelta[] = [];
  try {
    for (const delta of remote.slice(filekey.deltas.length, most)) {
      const container = await authority.container(filekey.id, delta.sequence);
      fresh.push(await opened(filekey, authority, container, delta, means));
    }
  } catch (error) {
    for (const { secret } of fresh) secret.fill(0);
    throw error;
  }
  filekey.deltas = [...filekey.deltas, ...fresh];
  return fresh.map(({ sequence }) => sequence);
}

/** Adds a sealed Delta that somebody has as a file; the authority's list is not asked for.
 *  @param authority opens it: any device that has the Alpha. @returns the Delta, and whether it is new here
 *  @throws ClaimError Behind: a Delta before it is missing; Conflict */
export async function importDelta(
  filekey: Filekey,
  authority: Pick<Authority, "name" | "open">,
  container: Uint8Array,
  means: Means,
): Promise<{ delta: LocalDelta; isNew: boolean }> {
  const head = means.readHead(container);
  const here = filekey.deltas.at(-1);
  const present = filekey.deltas[head.sequence - 1];
  if (present !== undefined) {
    checkSame(present, head, "the file", filekey);
    return { delta: present, isNew: false };
  }
  if (head.sequence !== filekey.deltas.length + 1)
    throw new ClaimError(
      "Behind",
      `The file has Delta ${head.sequence}, and the newest one here is ${filekey.deltas.length}. Nothing was imported.`,
      `Import Delta ${filekey.deltas.length + 1} first, or pull them: mbs delta pull.`,
    );
  if (here !== undefined && head.start <= here.entry.end)
    throw wrongContainer(head.sequence, "the file", "its positions are another Delta's");
  const delta = await opened(filekey, authority, container, head, means);
  filekey.deltas = [...filekey.deltas, delta];
  return { delta, isNew: true };
}

/** The Delta among these that has a position. */
export function deltaAt<D extends { start: bigint; end: bigint }>(
  deltas: readonly D[],
  position: bigint,
): D | undefined {
  return deltas.find(({ start, end }) => start <= position && position <= end);
}

/** Opens a container that is to be a certain Delta. */
async function opened(
  filekey: Filekey,
  authority: Pick<Authority, "name" | "open">,
  container: Uint8Array,
  expected: Omit<DeltaHead, "key">,
  { core, readHead }: Means,
): Promise<LocalDelta> {
  const { sequence, id, start, end } = expected;
  if (container.length > CONTAINER_MOST) throw wrongContainer(sequence, authority.name, "it is too long");
  const head = readHead(container);
  if (!isSameId(head.key, filekey.id)) throw wrongContainer(sequence, authority.name, "it is of another filekey");
  if (head.sequence !== sequence || !isSameId(head.id, id) || head.start !== start || head.end !== end)
    throw wrongContainer(sequence, authority.name, "it is another one");
  const entry = core.open({ start, end });
  if (entry === undefined || !Number.isSafeInteger(sequence) || sequence < 1)
    throw wrongContainer(sequence, authority.name, "no such Delta can be");
  const secret = Uint8Array.from(await authority.open(filekey.id, container));
  if (secret.length !== SECRET_SIZE) {
    secret.fill(0);
    throw wrongContainer(sequence, authority.name, "its secret has another length");
  }
  return { sequence, id: Uint8Array.from(id), container: Uint8Array.from(container), secret, entry };
}

function wrongContainer(sequence: number, from: string, what: string): AuthorityError {
  return new AuthorityError(
    "NotGenuine",
    `The container of Delta ${sequence} from ${from} is not used: ${what}. Nothing was kept.`,
    "Get it from the authority itself.",
  );
}

function checkSame(
  local: LocalDelta,
  other: Omit<DeltaHead, "key"> | undefined,
  where: string,
  filekey: Filekey,
): void {
  const { sequence, id, entry } = local;
  if (other !== undefined && isSameId(other.id, id) && other.start === entry.start && other.end === entry.end) return;
  const found = other === undefined ? "none" : isSameId(other.id, id) ? "one with other positions" : nameOf(other.id);
  const key = nameOf(filekey.id);
  throw new ClaimError(
    "Conflict",
    `Delta ${sequence} of ${key} is ${nameOf(id)} here, and ${where} has ${found}. Nothing was claimed or changed.`,
    `What is encrypted under the Delta here can be read with nothing else: export it first (mbs delta export ${key} ${sequence}). ` +
      "The authority decides: then delete the filekey on this computer and import it again. Never delete it at the authority.",
  );
}

function isSameId(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
