/** Filekeys, Deltas and claims as JSON and as rows of tables. Positions are decimal strings in JSON, so that no reader rounds them. */
import type { Delta } from "../claims/authority.js";
import { type BoardFilekey, deltasOf } from "../claims/board.js";
import type { Claim, Core, Entry, Sizes } from "../claims/core.js";
import type { DeltaStatus, FilekeyStatus } from "../claims/filekeys.js";
import { nameOf } from "../claims/state.js";
import { handleText } from "../client/client.js";
import { sizeText } from "../file/size.js";
import { PRESENCES, readPolicy } from "../names.js";
import type { Found, Told } from "./claims.js";

/** A Delta on either side, or both. */
export interface BothDeltas {
  readonly sequence: number;
  readonly here: DeltaStatus | undefined;
  readonly there: Delta | undefined;
}

export function bothDeltas({ known, board }: Found): BothDeltas[] {
  const here = known?.deltas ?? [];
  const there = board?.info === undefined ? [] : deltasOf(board.info);
  return Array.from({ length: Math.max(here.length, there.length) }, (_, i) => ({
    sequence: i + 1,
    here: here[i],
    there: there[i],
  }));
}

/** Both sides have a Delta of this sequence, and not the same one. */
export function isConflict({ here, there }: BothDeltas): boolean {
  return here !== undefined && there !== undefined && nameOf(here.id) !== nameOf(there.id);
}

export function deltaJson(delta: BothDeltas): Record<string, unknown> {
  const { sequence, here, there } = delta;
  const { start, end } = there ?? here!.entry;
  return {
    sequence,
    id: nameOf((there ?? here!).id),
    start: String(start),
    end: String(end),
    known: here !== undefined,
    latest: there === undefined ? null : String(there.latest),
    capacityLeft: there === undefined ? null : leftJson(there.end - there.latest, there.end - there.start + 1n),
    conflict: isConflict(delta),
  };
}

export const DELTA_HEADINGS = ["DELTA", "ID", "START", "END", "LEFT", "HERE"];
export const DELTA_ALIGN = "rlrrrl";

export function deltaRow(delta: BothDeltas): string[] {
  const { sequence, here, there } = delta;
  const { start, end } = there ?? here!.entry;
  const left = there === undefined ? "?" : sizeText(there.end - there.latest);
  const where = isConflict(delta) ? `ANOTHER: ${nameOf(here!.id)}` : here === undefined ? "no" : "yes";
  return [String(sequence), nameOf((there ?? here!).id), String(start), String(end), left, where];
}

/** Fields of a filekey that JSON has everywhere. */
export function filekeyJson(found: Found, told: Told): Record<string, unknown> {
  const { id, known, board } = found;
  const newest = bothDeltas(found).at(-1);
  return {
    id: id === undefined ? null : nameOf(id),
    name: known?.name ?? board?.entry.label ?? null,
    authority: authorityOf(found, told) ?? null,
    authorityStatus: authorityStatus(found, told),
    known: known !== undefined,
    latestDelta: newest === undefined ? null : deltaJson(newest),
    board: board === undefined ? null : boardJson(board),
  };
}

export function authorityOf({ known, board }: Found, { name }: Told): string | undefined {
  return known?.authority ?? (board?.state === "authority" ? name : undefined);
}

/** Whether its authority was asked: "not connected" says that another board answered. */
export function authorityStatus(found: Found, { name, status }: Told): string {
  if (status !== "available") return status;
  const authority = authorityOf(found, { name } as Told);
  if (authority !== name) return "not connected";
  return found.board?.state === "authority" ? "available" : "does not have it";
}

function boardJson({ entry, state }: BoardFilekey): Record<string, unknown> {
  const { exportable, presence } = readPolicy(entry.policy);
  return {
    handle: handleText(entry.handle),
    label: entry.label ?? null,
    state,
    deviceOnly: !exportable,
    presence: PRESENCES.word(presence),
  };
}

/** Claims of the newest Delta that is known here. */
export function claimsJson({ deltas }: FilekeyStatus, core: Core, sizes: Sizes): Record<string, unknown> | null {
  const newest = deltas.at(-1);
  if (newest === undefined) return null;
  const { entry } = newest;
  return {
    sequence: newest.sequence,
    delta: nameOf(newest.id),
    floor: String(entry.floor),
    performance: poolJson(entry.performance, core.effective(entry, sizes.performance)),
    offline: poolJson(entry.offline, core.effective(entry, sizes.offline)),
  };
}

function poolJson(claims: readonly Claim[], target: bigint): Record<string, unknown> {
  const total = claims.reduce((sum, { start, end }) => sum + end - start + 1n, 0n);
  return {
    target: String(target),
    capacityLeft: claims.length === 0 ? null : leftJson(leftOf(claims), total),
    claims: claims.map(({ start, end, latest }) => ({
      start: String(start),
      end: String(end),
      latest: String(latest),
      remaining: String(end - latest),
    })),
  };
}

/** Positions that are left of claims. */
export function leftOf(claims: Entry["offline"]): bigint {
  return claims.reduce((sum, { end, latest }) => sum + end - latest, 0n);
}

function leftJson(remaining: bigint, total: bigint): Record<string, unknown> {
  return {
    remaining: String(remaining),
    total: String(total),
    percentRemaining: Number((remaining * 1000n) / total) / 10,
  };
}

/** "3 claims, 12.0 GB left". */
export function poolText(claims: readonly Claim[]): string {
  if (claims.length === 0) return "none";
  return `${claims.length} ${claims.length === 1 ? "claim" : "claims"}, ${sizeText(leftOf(claims))} left`;
}
