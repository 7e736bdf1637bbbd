/** Who may ask for what, and what needs a touch first. SPEC.md §11, §12: two tables. */
import { POLICY_PRESENCE_MASK, POLICY_PRESENCE_SHIFT, Presence } from "../defs/record";
import { Role } from "../defs/session";
import { HEADER_OFF_POLICY } from "../defs/slot";
import { Status } from "../defs/status";
import { Command, State } from "../defs/wire";
import { HEADER } from "../memory";
import * as caller from "../operator/caller";
import * as setup from "../operator/setup";
import * as touches from "../presence/touches";
import * as store from "../store/store";
import * as request from "./request";

const ALL: u32 = Role.Auditor | Role.User | Role.Admin | Role.Setup;
const READERS: u32 = Role.Auditor | Role.User | Role.Admin;

/** The roles that may give a command. */
function rolesFor(command: u32): u32 {
  switch (command) {
    case Command.Info:
    case Command.Close:
      return ALL;
    case Command.List:
    case Command.Find:
    case Command.Show:
    case Command.Public:
    case Command.FilekeyDeltas:
      return READERS;
    case Command.Get:
    case Command.Sign:
    case Command.Agree:
    case Command.Attest:
    case Command.FilekeyReserve:
    case Command.FilekeyRenew:
    case Command.FilekeyContainer:
    case Command.FilekeyOpen:
      return Role.User;
    case Command.OperatorAdd:
    case Command.OperatorList:
    case Command.Dump:
    case Command.Reset:
      return Role.Admin | Role.Setup;
    case Command.ProvisionBegin:
    case Command.TransportKey:
      return Role.Setup;
    case Command.Hello:
      return 0;
    default:
      return Role.Admin;
  }
}

/** Ok | WrongRole (detail: the caller's role). */
export function admits(command: u32): Status {
  if ((rolesFor(command) & caller.role()) != 0) return Status.Ok;
  store.setDetail(caller.role());
  return Status.WrongRole;
}

/** Whether the session holds the setup code of zero, which anybody knows, and nobody has touched the board yet. */
function isStranger(): bool {
  return caller.role() == Role.Setup && !touches.hasSetup() && !setup.isSet();
}

/** Whether a command, of which nothing else is wrong, needs a touch. What it is about stands in the request, its record's header in HEADER. */
export function needsTouch(command: u32): bool {
  if (isStranger()) return true;
  if (isUse(command)) return needsUse(command);
  switch (command) {
    case Command.Policy:
      return weakens(load<u8>(HEADER, HEADER_OFF_POLICY), request.policy);
    case Command.Accept:
      return store.lifeState() == State.Degraded;
    case Command.Reset:
    case Command.FilekeyExport:
      return true;
    default:
      return false;
  }
}

/** Whether a command takes something secret out of a record, or uses it. */
function isUse(command: u32): bool {
  return (
    command == Command.Get || command == Command.Sign || command == Command.Agree || command == Command.FilekeyOpen
  );
}

/** What the policy of the record in HEADER asks for. */
function presenceAsked(): u32 {
  return (load<u8>(HEADER, HEADER_OFF_POLICY) & POLICY_PRESENCE_MASK) >>> POLICY_PRESENCE_SHIFT;
}

function needsUse(command: u32): bool {
  const presence = presenceAsked();
  return presence == Presence.Each || (presence == Presence.Cached && !touches.has(request.HANDLE, command));
}

/** Whether a policy lets more out, or asks for less presence, than another. */
function weakens(before: u32, after: u32): bool {
  return (
    (after & ~before & ~POLICY_PRESENCE_MASK) != 0 || (after & POLICY_PRESENCE_MASK) < (before & POLICY_PRESENCE_MASK)
  );
}

/** The touch for a command was given. */
export function remember(command: u32): void {
  if (caller.role() == Role.Setup) touches.addSetup();
  if (isUse(command) && presenceAsked() == Presence.Cached) touches.add(request.HANDLE, command);
}
