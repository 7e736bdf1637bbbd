/** How long a change may keep the device deaf, in milliseconds: what Busy announces. Upper bounds from the hard maxima of the flash
 *  sequencer at its slowest clock (FSP r_flash_hp.c): 15.8 ms a unit, 1,040 ms a block; data flash 3.8 ms a unit, 18 ms a block. */
import { BUSY_MAX } from "../defs/link";
import { DATA_BLOCK, DATA_SIZE } from "../defs/medium";
import { POINTER_PLACES } from "../defs/pointers";
import { CURRENT } from "../memory";
import * as geometry from "./geometry";
import * as journal from "./journal";
import * as space from "./space";
import * as state from "./state";

const RECORD: i32 = 240; // one journal place: 3 erases, 48 units
const TIDY: i32 = 760; // the other 14 places erased: the first change after power-up
const PROVISION: i32 = 16 * RECORD + 700; // every place, the announcements, and custody
const UNIT_TENTHS: i32 = 158; // tenths of a millisecond for one unit of the slot region
const ERASE: i32 = 1040; // one block of the slot region
const COPY: i32 = ERASE + 4050; // a block erased and another copied into it
const PLACE: i32 = 80; // one place of 64 bytes: an erase, 16 units
const ERASE_DATA: i32 = 18; // one block of the data flash
const CURVES: i32 = 1500; // up to some 50 million instructions: a signature over the longest message
const COMPUTE: i32 = 300; // the core's own work on the largest record, beside the flash

/** A change of the journal alone. */
export function change(): i32 {
  return RECORD + COMPUTE + (journal.isUntouched() ? TIDY : 0);
}

/** A signature over the longest message, a few multiples of points. */
export function curves(): i32 {
  return CURVES;
}

/** A change of the operators. */
export function operators(): i32 {
  return 2 * (change() + PLACE);
}

/** Handshakes that were refused, counted. */
export function refusals(): i32 {
  return PLACE;
}

/** Everything in the data flash erased. */
export function reset(): i32 {
  return 2 * change() + (DATA_SIZE / DATA_BLOCK) * ERASE_DATA;
}

export function provision(): i32 {
  return PROVISION + TIDY + COMPUTE;
}

/** A pointer of a filekey written: the first one since power-up is written twice, and all places may be erased before. */
export function pointers(): i32 {
  return COMPUTE + 2 * PLACE + POINTER_PLACES * ERASE_DATA;
}

/** A record written, with a block move or two if some class has no erased slot. */
export function write(): i32 {
  let units = 0;
  let moves = 0;
  for (let c = 0; c < geometry.classes(); c++) {
    units = max(units, geometry.units(c));
    if (!space.isReady(c)) moves = 2;
  }
  return change() + (units * UNIT_TENTHS) / 10 + moves * (COPY + RECORD);
}

/** An evict that erases every block which may hold the record, and moves a cold block into one of them. */
export function destroy(): i32 {
  let blocks = 1;
  for (let block = 0; block < geometry.blockCount(); block++) blocks += state.deadInBlock(CURRENT, block) > 0 ? 1 : 0;
  return min(change() + blocks * (COPY + ERASE + 2 * RECORD) + COPY + RECORD, BUSY_MAX);
}
