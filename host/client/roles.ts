/** Which role may do what: the table of SPEC.md §11 for messages and checks on the host. The device decides by its own. */
import { Role } from "../../firmware/defs/session.js";
import { Command } from "../../firmware/defs/wire.js";

const ALL = Role.Auditor | Role.User | Role.Admin | Role.Setup;
const READERS = Role.Auditor | Role.User | Role.Admin;
const KEEPERS = Role.Admin | Role.Setup;

const ROLES: Readonly<Record<Command, number>> = {
  [Command.Hello]: ALL,
  [Command.Info]: ALL,
  [Command.Close]: ALL,
  [Command.List]: READERS,
  [Command.Find]: READERS,
  [Command.Show]: READERS,
  [Command.Public]: READERS,
  [Command.Get]: Role.User,
  [Command.Sign]: Role.User,
  [Command.Agree]: Role.User,
  [Command.Attest]: Role.User,
  [Command.Put]: Role.Admin,
  [Command.Replace]: Role.Admin,
  [Command.Relabel]: Role.Admin,
  [Command.Policy]: Role.Admin,
  [Command.Generate]: Role.Admin,
  [Command.Evict]: Role.Admin,
  [Command.Epoch]: Role.Admin,
  [Command.Accept]: Role.Admin,
  [Command.ProvisionFinish]: Role.Admin,
  [Command.OperatorRotate]: Role.Admin,
  [Command.OperatorRole]: Role.Admin,
  [Command.OperatorRemove]: Role.Admin,
  [Command.OperatorAdd]: KEEPERS,
  [Command.OperatorList]: KEEPERS,
  [Command.Dump]: KEEPERS,
  [Command.Reset]: KEEPERS,
  [Command.ProvisionBegin]: Role.Setup,
  [Command.TransportKey]: Role.Setup,
  [Command.FilekeyCreate]: Role.Admin,
  [Command.FilekeyDeltas]: READERS,
  [Command.FilekeyReserve]: Role.User,
  [Command.FilekeyRenew]: Role.User,
  [Command.FilekeyContainer]: Role.User,
  [Command.FilekeyOpen]: Role.User,
  [Command.FilekeyExport]: Role.Admin,
  [Command.FilekeyImport]: Role.Admin,
  [Command.FilekeyDelete]: Role.Admin,
};

/** @returns the roles that may give a command, as bits */
export function rolesOf(command: Command): number {
  return ROLES[command];
}

/** @returns the words of a set of roles, such as "admin or the setup code"; a bit that is no role is left out */
export function roleText(roles: number): string {
  return [Role.Auditor, Role.User, Role.Admin, Role.Setup]
    .filter((role) => (roles & role) !== 0)
    .map((role) => (role === Role.Setup ? "the setup code" : Role[role]!.toLowerCase()))
    .join(" or ");
}
