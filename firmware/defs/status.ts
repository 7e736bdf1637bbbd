/** Statuses: every answer of the store, once, for firmware, host and (generated) C. SPEC.md §7.
 *  0 is success; a negative number is a refusal or a failure; numbers are never reused.
 *  −1… the caller, −16… the state of the store, −32… the medium, −48… integrity, −64… who asks, −80… using keys,
 *  −96… filekeys. */
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
  /** Given by firmware without touches only: the record's policy asks for one. Nothing changed. */
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
  /** The store on the medium was made for another board. Nothing changed. Put it back on that one, or reset. */
  OtherBoard = -25,

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

  /** No session: unknown operator, wrong key, used or missing challenge, or another protocol. Which of them is not told. Nothing changed. Check operator and key; say hello again. */
  HandshakeRefused = -64,
  /** The message belongs to no running session: it expired, was replaced or the device restarted, or the message is not genuine. Nothing changed. Make a new session. */
  NoSession = -65,
  /** The operator's role may not do this; detail = its role. Nothing changed. Ask with an operator of another role. */
  WrongRole = -66,
  /** S2 was pressed: the person at the board said no. Nothing changed. */
  PresenceDenied = -67,
  /** Nobody touched S1 in time. Nothing changed. Ask again with somebody at the board. */
  PresenceTimeout = -68,
  /** S1 was pressed before the request came and was not released in time. Nothing changed. Release it, ask again, then press. */
  PresenceHeld = -69,
  /** No admin with a used key would be left. Nothing changed. Add another admin and let them open a session first. */
  LastAdmin = -70,
  /** There is no room for another operator or rotated key. Nothing changed. Remove one, or let a rotated key be used. */
  OperatorsFull = -71,
  /** An operator has this id. Nothing changed. Rotate its key, or take another id. */
  OperatorExists = -72,
  /** No operator has this id. Nothing changed. List the operators. */
  NoSuchOperator = -73,
  /** Provisioning needs an admin who has opened a session. Nothing changed. Open one with the admin's key, then finish. */
  NoAdmin = -74,

  /** The record's usage class does not do this; detail = its usage. Nothing changed. */
  WrongUsage = -80,
  /** The record holds no key of the kind that this needs. Nothing changed. */
  NoSuchKey = -81,
  /** A key of another usage class signs such messages; detail = that usage. Nothing was signed. */
  ForeignMessage = -82,
  /** The message is not of the kind that this usage class signs. Nothing was signed. */
  BadMessage = -83,
  /** The other side's public key is of low order: the secret would be known to everybody. Nothing was computed. */
  LowOrder = -84,
  /** What was wrapped does not open under the agreed key. Nothing was given out. */
  NotGenuine = -85,
  /** The public key in the record is not that of its secret key. Nothing was signed. Replace the record. */
  KeyMismatch = -86,

  /** Another device hands out the positions of this filekey. Nothing changed. Ask that one. */
  NotAuthority = -96,
  /** The newest Delta has fewer positions left. Nothing was handed out. Renew the filekey. */
  DeltaFull = -97,
  /** The filekey has another newest Delta than the request names; detail = its sequence. Nothing changed. Read its Deltas, then ask again. Of an import: the device has the filekey. */
  Conflict = -98,
  /** Too many positions were asked for; detail = seconds until the next request is served. Nothing changed. Wait. */
  RateLimited = -99,
  /** The device is the authority of as many filekeys as it can be. Nothing changed. Delete one. */
  FilekeysFull = -100,
  /** Which position was handed out last is not known any more. Nothing was handed out. Renew the filekey: a new Delta has new positions. */
  PositionsLost = -101,
  /** The filekey was deleted; its id and its positions are not used again. Nothing changed. */
  Deleted = -102,
}
