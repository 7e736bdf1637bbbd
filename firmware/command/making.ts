/** New records: what put and generate check and do alike. SPEC.md §9 has the order of refusals. */
import { Origin, POLICY_MAX, Tier } from "../defs/record";
import { Status } from "../defs/status";
import { Key } from "../defs/wire";
import * as geometry from "../store/geometry";
import * as store from "../store/store";
import { badArgument } from "./answer";
import * as request from "./request";

/** Ok | BadArgument. */
export function checkAttributes(): Status {
  if (request.tier != Tier.Private && request.tier != Tier.Public) return badArgument(Key.Tier);
  return request.policy > <u32>POLICY_MAX ? badArgument(Key.Policy) : Status.Ok;
}

/** Ok | what the state calls for | BadArgument for a class that there is not. */
export function checkPlace(): Status {
  const status = store.mayChange();
  if (status != Status.Ok) return status;
  const isWrong = request.has(Key.Class) && request.slotClass >= <u32>geometry.classes();
  return isWrong ? badArgument(Key.Class) : Status.Ok;
}

/** Stores a body under the request's attributes; it is used up. As store.put. */
export function make(origin: Origin, body: usize, length: i32): Status {
  store.describe(request.TOKEN, request.usage, request.tier, request.policy, origin);
  return store.put(
    request.TOKEN,
    request.has(Key.Class) ? request.slotClass : -1,
    request.LABEL_ARGUMENT,
    request.has(Key.Label) ? request.labelLength : 0,
    body,
    length,
  );
}
