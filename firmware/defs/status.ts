/** Statuses: every answer of the store, once, for firmware, host and (generated) C. SPEC.md §7.
 *  0 is success; a negative number is a refusal or a failure; numbers are never reused.
 *  −1… the caller, −16… the state of the store, −32… the medium, −48… integrity. */
export enum Status {
  /** Done; what was asked is durable. */
  Ok = 0,

  /** The message is not deterministic CBOR of this command's shape. Nothing changed. Mend the client. */
  Malformed = -1,
  /** No record has this handle, or it was evicted. Nothing changed. List or find again; retrying will not help. */
  NoSuchHandle = -2,
  /** The device does not know this command. Nothing changed. Compare the protocol versions in hello. */
  UnknownCommand = -3,
  /** The record is larger than any slot class (or than the named one); detail = the largest body that fits. Nothing changed. */
  TooLarge = -4,
  /** The label is longer than 48 bytes or is not UTF-8. Nothing changed. */
  BadLabel = -5,
  /** This token was already used for a different request. Nothing changed. Take a new token for a new request. */
  TokenReused = -6,
  /** A value is outside its range; detail = the message key. Nothing changed. */
  BadArgument = -7,
  /** The body is not a sequence of well-formed parts. Nothing changed. */
  BadRecord = -8,
  /** The record holds a secret part and its policy does not let it out. Nothing changed. Use it on the device. */
  NotExportable = -9,
  /** The slot classes do not fit the medium; detail = the index of the class. Nothing changed. */
  BadGeometry = -10,
  /** The creation epoch never goes back; detail = the present epoch. Nothing changed. */
  EpochBack = -11,
  /** The record's policy asks for a touch, and this firmware has no way to ask for one. Nothing changed. */
  PresenceRequired = -12,

  /** The record's slot class has no free slot. Nothing changed. Evict a record of that class. */
  ClassFull = -16,
  /** No slot class that is large enough has a free slot. Nothing changed. Evict a record. */
  StoreFull = -17,
  /** The live set is not the one the journal vouches for. Nothing changed. Look at list, then accept or restore. */
  Degraded = -18,
  /** The journal has no place left that may be written. Nothing changed. Reading works; dump and provision anew. */
  ReadOnly = -19,
  /** The device holds no root yet. Nothing changed. Provision it. */
  NotProvisioned = -20,
  /** The device already has a root and is past provisioning. Nothing changed. */
  AlreadyProvisioned = -21,
  /** Another manifest's provisioning is under way. Nothing changed. Resume with that manifest. */
  OtherManifest = -22,
  /** The entropy source has not given 256 bits that passed its health tests. Nothing changed. Try again in a second. */
  EntropyNotReady = -23,
  /** The device is in rescue mode after three traps; only hello, info and dump answer. */
  Rescue = -24,

  /** Programming or erasing failed and the store mounted itself again. Whether the change happened is what list shows now; repeat it with the same token. */
  MediumFailed = -32,
  /** The medium could not be read at that place (bus fault). Nothing changed. */
  Unreadable = -33,

  /** The record's header or seal does not verify. It was not given out and not changed. Restore it from where it came. */
  Corrupt = -48,
  /** Custody or the journal cannot be read; the root is not replaced. Nothing changed. Dump, then reset. */
  CustodyDamaged = -49,
  /** The medium holds another format version; detail = that version. Nothing changed. Use the firmware that wrote it. */
  WrongVersion = -50,
}
