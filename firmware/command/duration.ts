/** How long a command may take, for Busy. */
import { Command } from "../defs/wire";
import * as time from "../store/time";

/** Milliseconds that a command may take besides waiting; 0 when it is quick. `destroy`: evict's argument. */
export function atMost(command: u32, destroy: bool): i32 {
  switch (command) {
    case Command.Put:
    case Command.Replace:
    case Command.Relabel:
    case Command.Policy:
      return time.write();
    case Command.FilekeyCreate:
    case Command.FilekeyImport:
    case Command.FilekeyRenew:
      return time.write() + time.pointers();
    case Command.FilekeyReserve:
      return time.pointers();
    case Command.FilekeyDelete:
      return time.write() + (destroy ? time.destroy() : 0);
    case Command.Generate:
      return time.write() + time.curves();
    case Command.Sign:
    case Command.Agree:
    case Command.Public:
    case Command.Attest:
      return time.curves();
    case Command.Evict:
      return destroy ? time.destroy() : time.change();
    case Command.Epoch:
    case Command.Accept:
    case Command.ProvisionFinish:
      return time.change();
    case Command.OperatorAdd:
    case Command.OperatorRotate:
    case Command.OperatorRole:
    case Command.OperatorRemove:
      return time.operators();
    case Command.TransportKey:
      return time.curves() + time.operators();
    case Command.ProvisionBegin:
      return time.provision();
    case Command.Reset:
      return time.reset();
    default:
      return 0;
  }
}
