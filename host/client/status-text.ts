/** One plain sentence and one piece of advice for each Status. What each means: firmware/defs/status.ts. */
import { Usage } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { rolesOf, roleText } from "./roles.js";

/** Ends the sentence of every refusal that changed nothing. */
export const UNCHANGED = "Nothing changed.";

/** [what happened and what changed, what to do next] */
export const STATUS_TEXT: Readonly<Record<Status, readonly [string, string]>> = {
  [Status.Ok]: ["Done.", ""],
  [Status.Malformed]: [
    `The device could not read the request. ${UNCHANGED}`,
    "Client and firmware do not fit together: compare `mbs --version` with `mbs info`.",
  ],
  [Status.NoSuchHandle]: [
    `There is no record with this handle. ${UNCHANGED}`,
    "Look at `mbs list`; it may have been evicted.",
  ],
  [Status.UnknownCommand]: [
    `The firmware does not know this command. ${UNCHANGED}`,
    "Flash a newer firmware, or use an older mbs.",
  ],
  [Status.TooLarge]: [
    `The record is larger than the slots. ${UNCHANGED}`,
    "Store less, or choose a class with larger slots (`mbs info` lists them).",
  ],
  [Status.BadLabel]: [`The label is longer than 48 bytes or not UTF-8. ${UNCHANGED}`, "Choose a shorter label."],
  [Status.TokenReused]: [
    `The token of this request was already used for a different one. ${UNCHANGED}`,
    "Use a new token for a new request.",
  ],
  [Status.BadArgument]: [
    `A value is outside its range. ${UNCHANGED}`,
    "Correct the value; firmware/defs/wire.ts lists the fields.",
  ],
  [Status.BadRecord]: [
    `The body is not a sequence of well-formed parts. ${UNCHANGED}`,
    "Put the file again with this mbs; SPEC.md §6 has the form.",
  ],
  [Status.NotExportable]: [
    `The record holds a secret that its policy keeps on the device. ${UNCHANGED}`,
    "Use it on the device with `mbs sign` or `mbs agree`; only what was put with --exportable can be read back.",
  ],
  [Status.BadGeometry]: [
    `The slot classes do not fit the medium. ${UNCHANGED}`,
    "Correct the [[class]] tables of the manifest.",
  ],
  [Status.EpochBack]: [`The creation epoch never goes back. ${UNCHANGED}`, "Name that epoch or a later one."],
  [Status.PresenceRequired]: [
    `The record asks for a touch, and this firmware cannot wait for one. ${UNCHANGED}`,
    "Flash a firmware that can, or put the record with --presence never.",
  ],
  [Status.ClassFull]: [`The slot class of the record has no free slot. ${UNCHANGED}`, "Evict a record of that class."],
  [Status.StoreFull]: [
    `No slot that is large enough is free. ${UNCHANGED}`,
    "Evict a record that is no longer needed.",
  ],
  [Status.Degraded]: [
    `The records are not the ones that the journal vouches for. ${UNCHANGED}`,
    "Compare `mbs list` with what should be there, then `mbs accept`, or restore.",
  ],
  [Status.ReadOnly]: [
    `The journal has no place left that may be written. ${UNCHANGED}`,
    "Reading works: get what can be got, then `mbs reset` and provision anew.",
  ],
  [Status.NotProvisioned]: [`The device holds no root key yet. ${UNCHANGED}`, "Run `mbs provision MANIFEST`."],
  [Status.AlreadyProvisioned]: [
    `The device is provisioned already. ${UNCHANGED}`,
    "Use put and evict to change what it holds.",
  ],
  [Status.OtherManifest]: [
    `Provisioning with another manifest is under way. ${UNCHANGED}`,
    "Run `mbs provision` with the manifest that it was begun with.",
  ],
  [Status.EntropyNotReady]: [
    `The noise source has not given enough tested bits yet. ${UNCHANGED}`,
    "Try again in a second.",
  ],
  [Status.Rescue]: [
    "The device is in rescue mode after three traps; the store is not mounted and was not changed.",
    "`mbs info` has the trap code; `mbs dump` reads the sealed regions.",
  ],
  [Status.MediumFailed]: [
    "Writing to the flash failed and the store mounted itself again; the change may have happened or not.",
    "`mbs list` shows which; then look at `mbs info`.",
  ],
  [Status.Unreadable]: [
    `The flash cannot be read at that place. ${UNCHANGED}`,
    "Look at `mbs info`; restore the record from where it came.",
  ],
  [Status.Corrupt]: [
    "The record does not verify; it was not given out and not changed.",
    "Restore it from where it came: `mbs replace` gives it new content, `mbs evict` removes it.",
  ],
  [Status.CustodyDamaged]: [
    `Custody or the journal cannot be read; the root key was not replaced. ${UNCHANGED}`,
    "Keep a `mbs dump`; only `mbs reset` makes the device usable again.",
  ],
  [Status.WrongVersion]: [
    `The flash was written in another format version. ${UNCHANGED}`,
    "Flash the firmware that wrote it.",
  ],
  [Status.OtherBoard]: [
    `The store in the flash was made for another board. ${UNCHANGED}`,
    "Flash the image that names this board (`mbs info` tells its unique id), or `mbs reset`.",
  ],
  [Status.HandshakeRefused]: [
    `The device refused a session and does not tell why. ${UNCHANGED}`,
    "Check the operator's id and key, and that this is the right device.",
  ],
  [Status.NoSession]: [
    `The session is over: it expired, another one replaced it, or the device restarted. ${UNCHANGED}`,
    "Run the command again; when it fails at once again, something on the line changes messages.",
  ],
  [Status.WrongRole]: [
    `The role of this operator may not do that. ${UNCHANGED}`,
    "Name an operator of another role with --operator; `mbs operator list` shows the roles.",
  ],
  [Status.PresenceDenied]: [
    `The person at the board pressed S2: no. ${UNCHANGED}`,
    "Ask them, and press S1 the next time if it is meant.",
  ],
  [Status.PresenceTimeout]: [
    `Nobody touched S1 in time. ${UNCHANGED}`,
    "Run the command again and press S1 while the blue light is on.",
  ],
  [Status.PresenceHeld]: [
    `S1 was held down before the request came. ${UNCHANGED}`,
    "Release S1, run the command again, and press S1 when the blue light is on.",
  ],
  [Status.LastAdmin]: [
    `No admin whose key was used would be left. ${UNCHANGED}`,
    "Add another admin (`mbs operator add`) and open a session with its key first.",
  ],
  [Status.OperatorsFull]: [
    `There is no room for another operator or rotated key. ${UNCHANGED}`,
    "Remove one with `mbs operator remove`, or open a session with each rotated key.",
  ],
  [Status.OperatorExists]: [
    `An operator with this id exists. ${UNCHANGED}`,
    "Take another id, or give it a new key with `mbs operator rotate`.",
  ],
  [Status.NoSuchOperator]: [`There is no operator with this id. ${UNCHANGED}`, "Look at `mbs operator list`."],
  [Status.NoAdmin]: [
    `Provisioning ends only when an admin has opened a session. ${UNCHANGED}`,
    "Open a session with the admin's key, then run `mbs provision` again.",
  ],
  [Status.WrongUsage]: [
    `The record is not for that. ${UNCHANGED}`,
    "Use a record of the right usage; `mbs list` shows it.",
  ],
  [Status.NoSuchKey]: [
    `The record holds no key that can do this. ${UNCHANGED}`,
    "`mbs show` tells what is in it: signing needs an Ed25519 key, agreeing an X25519 key.",
  ],
  [Status.ForeignMessage]: [
    `Messages of this kind are signed by keys of another usage. ${UNCHANGED}`,
    "Sign it with a record of that usage, so that no key signs for two purposes.",
  ],
  [Status.BadMessage]: [
    `The message is not of the kind that this record signs. ${UNCHANGED}`,
    "`mbs show` tells the record's usage; SPEC.md §12 has what each signs.",
  ],
  [Status.LowOrder]: [
    `The other side's public key is worthless: everybody would know the shared secret. ${UNCHANGED}`,
    "Get the right public key of the other side.",
  ],
  [Status.NotGenuine]: [
    `What was wrapped does not open with the agreed key; nothing was given out. ${UNCHANGED}`,
    "Check that it was wrapped for this key, with the same salt and context.",
  ],
  [Status.KeyMismatch]: [
    `The public key in the record is not that of its secret key. ${UNCHANGED}`,
    "Give the record the right key pair with `mbs replace`.",
  ],
  [Status.NotAuthority]: [
    `Another device hands out the positions of this filekey. ${UNCHANGED}`,
    "Connect the device that it was created on; `mbs filekey list` names it.",
  ],
  [Status.DeltaFull]: [
    `The newest Delta of the filekey has fewer positions left. ${UNCHANGED}`,
    "Renew the filekey with `mbs delta renew`, or ask for less.",
  ],
  [Status.Conflict]: [
    `The filekey has another newest Delta than was expected, or is on the device already. ${UNCHANGED}`,
    "Get its Deltas with `mbs delta pull`, then ask again.",
  ],
  [Status.RateLimited]: [
    `Positions were asked for too often. ${UNCHANGED}`,
    "Wait, and claim more at once: `mbs config set` has the sizes.",
  ],
  [Status.FilekeysFull]: [
    `The device hands out positions of as many filekeys as it can. ${UNCHANGED}`,
    "Delete one that is no longer needed (`mbs filekey delete`), or use another device.",
  ],
  [Status.PositionsLost]: [
    `The device no longer knows which position of this filekey was handed out last. ${UNCHANGED}`,
    "Renew the filekey with `mbs delta renew`: its new Delta has new positions.",
  ],
  [Status.Deleted]: [
    `The filekey was deleted. ${UNCHANGED}`,
    "Create another one with `mbs filekey create`; what was encrypted under this one needs a copy of it.",
  ],
};

const USAGE_TEXT: Readonly<Record<number, string>> = {
  [Usage.Opaque]: "opaque",
  [Usage.Raw]: "raw",
  [Usage.SshSig]: "sshsig",
  [Usage.SshUserAuth]: "ssh-userauth",
  [Usage.Note]: "note",
  [Usage.Attest]: "attest",
  [Usage.Agree]: "agree",
  [Usage.Certificate]: "certificate",
  [Usage.Filekey]: "filekey",
};

const usageText = (usage: number) => `usage ${USAGE_TEXT[usage] ?? usage}`;

const OF_FILEKEYS: readonly Command[] = [Command.FilekeyOpen, Command.FilekeyExport];

/** Advice that depends on what was asked. @returns undefined when the general advice is as good */
export function adviceFor(status: Status, command: Command): string | undefined {
  if (status === Status.NotExportable && OF_FILEKEYS.includes(command))
    return "It was created with --device-only: the board hands out its positions (`mbs claim reserve`), and nothing else.";
  if (status === Status.WrongUsage && command === Command.Evict)
    return "The board hands out its positions, so it is deleted instead: mbs filekey delete";
  if (status !== Status.WrongRole) return undefined;
  return `It takes ${roleText(rolesOf(command))}: name another operator with --operator.`;
}

/** What the number that comes with a status means, as an end of the sentence. */
export const DETAIL_TEXT: Readonly<Partial<Record<Status, (detail: number) => string>>> = {
  [Status.TooLarge]: (bytes) => `; the largest body that fits has ${bytes} bytes`,
  [Status.BadArgument]: (key) => ` (field ${Key[key] ?? key})`,
  [Status.BadGeometry]: (index) => ` (class ${index}, counted from 0)`,
  [Status.EpochBack]: (epoch) => `; the present epoch is ${epoch}`,
  [Status.WrongVersion]: (version) => ` (version ${version})`,
  [Status.WrongRole]: (role) => `; it is ${roleText(role) || role}`,
  [Status.WrongUsage]: (usage) => `: it has ${usageText(usage)}`,
  [Status.ForeignMessage]: (usage) => `: ${usageText(usage)}`,
  [Status.Conflict]: (sequence) => `; its newest Delta is ${sequence}`,
  [Status.RateLimited]: (seconds) => ` (wait ${seconds} s)`,
};
