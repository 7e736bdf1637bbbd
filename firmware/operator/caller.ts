/** Who asks: what the session says about the request in hand, for commands. */
import { NO_OPERATOR } from "../defs/operator";

let roles: u32 = 0;
let place: i32 = NO_OPERATOR;
let over: bool = false;
let changed: bool = false;

/** Set by the session before a request is looked at. */
export function set(role: u32, operator: i32): void {
  roles = role;
  place = operator;
  over = false;
  changed = false;
}

/** The caller's role. */
export function role(): u32 {
  return roles;
}
/** The caller's operator place, NO_OPERATOR for the setup code. */
export function operator(): i32 {
  return place;
}

/** The session ends when this request is answered. */
export function end(): void {
  over = true;
}
export function isOver(): bool {
  return over;
}

/** The request changes the operators: nobody else's session may outlive that. */
export function changeOperators(): void {
  changed = true;
}
export function hasChangedOperators(): bool {
  return changed;
}
