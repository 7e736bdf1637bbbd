/** Touches that a session remembers: for one record and one command each; forgotten with the session. */
import { equal, wipe } from "../crypto/bytes";
import { HANDLE_SIZE } from "../defs/record";
import { TOUCHES_KEPT } from "../defs/session";
import { TOUCH_ENTRY, TOUCHES } from "../memory";

let isSetup: bool = false; // the setup session was touched
let next: i32 = 0; // entry that the next touch takes: the oldest

/** Whether this session has a touch for a command on a record. */
export function has(handle: usize, command: u32): bool {
  for (let entry = TOUCHES; entry < TOUCHES + TOUCHES_KEPT * TOUCH_ENTRY; entry += TOUCH_ENTRY) {
    if (load<u32>(entry, HANDLE_SIZE) == command && equal(entry, handle, HANDLE_SIZE)) return true;
  }
  return false;
}

/** Remembers one. */
export function add(handle: usize, command: u32): void {
  const entry = TOUCHES + next * TOUCH_ENTRY;
  memory.copy(entry, handle, HANDLE_SIZE);
  store<u32>(entry, command, HANDLE_SIZE);
  next = (next + 1) % TOUCHES_KEPT;
}

export function clear(): void {
  wipe(TOUCHES, TOUCHES_KEPT * TOUCH_ENTRY);
  next = 0;
  isSetup = false;
}

/** A session with a setup code of zero needs one touch. */
export function hasSetup(): bool {
  return isSetup;
}
export function addSetup(): void {
  isSetup = true;
}
