/** The session layer: between the link and the commands, and known to neither. It has no handshake yet: requests arrive in clear,
 *  and whoever holds the cable may ask. Here a request will be authenticated and opened, and its response sealed. */
import * as command from "../command/command";

/** Milliseconds that the request in MESSAGE may keep the device deaf, 0 = none. */
export function busyFor(length: i32): i32 {
  return command.busyFor(length);
}

/** Turns the request in MESSAGE into its response, in place. Returns the response's bytes. */
export function respond(length: i32): i32 {
  return command.respond(length);
}
