/** Beginnings of responses that commands share. */

import { INNER_MAX } from "../defs/link";
import { HANDLE_SIZE } from "../defs/record";
import { HEADER_OFF_HANDLE, HEADER_OFF_SEQUENCE } from "../defs/slot";
import { Status } from "../defs/status";
import { Key } from "../defs/wire";
import { FRESH, MESSAGE } from "../memory";
import * as store from "../store/store";
import * as cbor from "./cbor";

/** Starts a successful response of `pairs` pairs, the status among them. */
export function accept(pairs: i32): void {
  cbor.writeTo(MESSAGE, INNER_MAX);
  cbor.writeMap(pairs);
  cbor.pair(Key.Command, Status.Ok);
}

/** The answer to what has nothing to tell. */
export function done(status: Status): Status {
  if (status == Status.Ok) accept(1);
  return status;
}

/** Starts the answer to what made a version, its handle and sequence from FRESH, with `more` pairs to come. */
export function version(status: Status, more: i32): Status {
  if (status != Status.Ok) return status;
  accept(3 + more);
  cbor.pairBytes(Key.Handle, FRESH + HEADER_OFF_HANDLE, HANDLE_SIZE);
  cbor.pair(Key.Sequence, load<u32>(FRESH, HEADER_OFF_SEQUENCE));
  return Status.Ok;
}

export function badArgument(key: Key): Status {
  store.setDetail(key);
  return Status.BadArgument;
}

/** The answer to what took a record away. */
export function destroyed(status: Status, destroy: bool): Status {
  if (status != Status.Ok) return status;
  accept(2);
  cbor.writeUint(Key.Destroyed);
  cbor.writeBool(destroy);
  return Status.Ok;
}
