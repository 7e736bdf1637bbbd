/** One plain sentence and one piece of advice for each Status. What each means: firmware/defs/status.ts. */
import { Status } from "../../firmware/defs/status.js";
import { Key } from "../../firmware/defs/wire.js";

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
    "Use it on the device; only a record that was put with --exportable can be read back.",
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
    "Reading works: get what can be got, then provision anew.",
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
    "Keep a `mbs dump`; only a reset makes the device usable again.",
  ],
  [Status.WrongVersion]: [
    `The flash was written in another format version. ${UNCHANGED}`,
    "Flash the firmware that wrote it.",
  ],
};

/** What the number that comes with a status means, as an end of the sentence. */
export const DETAIL_TEXT: Readonly<Partial<Record<Status, (detail: number) => string>>> = {
  [Status.TooLarge]: (bytes) => `; the largest body that fits has ${bytes} bytes`,
  [Status.BadArgument]: (key) => ` (field ${Key[key] ?? key})`,
  [Status.BadGeometry]: (index) => ` (class ${index}, counted from 0)`,
  [Status.EpochBack]: (epoch) => `; the present epoch is ${epoch}`,
  [Status.WrongVersion]: (version) => ` (version ${version})`,
};
