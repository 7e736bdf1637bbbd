/** How fast entries of pointers may be written, so that no operator can wear out the data flash: a bucket that fills with time. It is full
 *  again after power-up. SPEC.md §17. */
import * as board from "../board";
import { BUCKET, REFILL_S } from "../defs/filekey";

const REFILL: i64 = <i64>REFILL_S * 1_000_000;

let level: i32 = BUCKET;
let since: i64 = 0; // microseconds: from when on the bucket fills

/** At every start. */
export function reset(): void {
  level = BUCKET;
  since = board.clock();
}

function fill(): void {
  const now = board.clock();
  const drops = (now - since) / REFILL;
  since += drops * REFILL;
  level = <i32>min<i64>(BUCKET, level + drops);
  if (level == BUCKET) since = now;
}

/** Seconds until an entry may be written: 0, at once. */
export function wait(): i32 {
  fill();
  return level > 0 ? 0 : <i32>((since + REFILL - board.clock() + 999_999) / 1_000_000);
}

/** An entry is about to be written. */
export function spend(): void {
  level--;
}
