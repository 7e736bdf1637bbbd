/** List, and Find: an answer that is written as it leaves, so that the line carries the first entries while the headers of the next ones are
 *  verified. It is a sequence of maps, because how many there are is known last. SPEC.md §9. Opens no seal. */
import { reveal } from "../crypto/declassify";
import { PAYLOAD_MAX } from "../defs/link";
import { Status } from "../defs/status";
import { Key } from "../defs/wire";
import { MESSAGE, TAG } from "../memory";
import * as header from "../store/header";
import * as index from "../store/index";
import * as store from "../store/store";
import * as vault from "../store/vault";
import { accept } from "./answer";
import * as cbor from "./cbor";
import * as entry from "./entry";
import * as request from "./request";

let isUnderWay: bool = false;
let slot: i32 = 0; // looked at last
let corrupt: i32 = 0; // slots so far whose header does not verify
// what the index can rule out
let mask: u32 = 0;
let wanted: u32 = 0;
let labelled: bool = false;
let labelHash: u32 = 0;

/** Begins the answer, with as much of it as the first fragment takes, and the rest of its last block, which is sealed with it. Leaves the vault open. */
export function begin(): Status {
  let status = store.mayList();
  if (status == Status.Ok) status = vault.open();
  if (status != Status.Ok) return status;
  const usage = request.has(Key.Usage) ? index.USAGE : 0;
  const tier = request.has(Key.Tier) ? index.TIER : 0;
  const origin = request.has(Key.Origin) ? index.ORIGIN : 0;
  mask = usage | tier | origin;
  wanted = index.attributes(request.usage, request.tier, request.origin) & mask;
  labelled = request.has(Key.Label);
  if (labelled) header.hashLabel(request.LABEL_ARGUMENT, request.labelLength);
  labelHash = labelled ? load<u32>(reveal(TAG)) : 0;
  accept(1);
  isUnderWay = true;
  slot = -1;
  corrupt = 0;
  write(PAYLOAD_MAX + 63);
  return Status.Ok;
}

/** Writes on until there is more than `length` bytes of the answer, or all of it. A record that cannot be verified any more counts as corrupt. */
function write(length: i32): void {
  const isReadable = vault.open() == Status.Ok;
  while (isUnderWay && cbor.written() <= length) {
    slot = index.nextLike(slot + 1, mask, wanted, labelled, labelHash);
    if (slot < 0) {
      cbor.writeMap(1);
      cbor.pair(Key.Corrupt, corrupt);
      isUnderWay = false;
    } else if (!isReadable || !entry.look(slot)) {
      corrupt++;
    } else if (entry.passes()) {
      entry.writeEntry(slot);
    }
  }
}

/** Sees to it that what stands before `to` is written, and a byte behind it unless that is all. Returns whether it had to write. */
export function advance(to: usize): bool {
  if (!isUnderWay || MESSAGE + cbor.written() > to) return false;
  write(<i32>(to - MESSAGE));
  vault.close();
  return true;
}

/** Bytes of the answer so far. */
export function written(): i32 {
  return cbor.written();
}

/** Nobody wants the rest. */
export function forget(): void {
  isUnderWay = false;
}
