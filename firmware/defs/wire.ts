/** Messages: deterministic CBOR maps (RFC 8949 §4.2) with these small integers as keys. SPEC.md §9. */
export enum Command {
  Hello = 1,
  Info = 2,
  Put = 3,
  Get = 4,
  List = 5,
  Find = 6,
  Show = 7,
  Evict = 8,
  Replace = 9,
  Relabel = 10,
  Epoch = 11,
  Accept = 12,
  ProvisionBegin = 13,
  ProvisionFinish = 14,
  Dump = 15,
  Close = 16,
  OperatorAdd = 17,
  OperatorRotate = 18,
  OperatorRole = 19,
  OperatorRemove = 20,
  OperatorList = 21,
  Policy = 22,
  Generate = 23,
  Sign = 24,
  Agree = 25,
  Public = 26,
  Attest = 27,
  Reset = 28,
  FilekeyCreate = 29,
  FilekeyDeltas = 30,
  FilekeyReserve = 31,
  FilekeyRenew = 32,
  FilekeyContainer = 33,
  FilekeyOpen = 34,
  FilekeyExport = 35,
  FilekeyImport = 36,
  FilekeyDelete = 37,
  TransportKey = 38,
}

/** Keys, the same in every message. A request's key 0 is its command, an answer's its status. */
export enum Key {
  Command = 0,
  Handle = 1, // bytes, HANDLE_SIZE
  Token = 2, // bytes, TOKEN_SIZE
  Label = 3, // text, ≤ LABEL_MAX
  Usage = 4, // Usage
  Tier = 5, // Tier
  Policy = 6, // POLICY_…
  Epoch = 7, // u32
  Origin = 8, // Origin
  Class = 9, // index of a slot class
  Body = 10, // bytes, parts
  Length = 11, // bytes of body
  Sequence = 12, // u32, journal sequence of this version
  Parts = 13, // count in an entry; array in show
  Entries = 14, // array of entries
  LabelPrefix = 15, // text
  EpochMin = 16,
  EpochMax = 17,
  Destroy = 18, // bool
  Detail = 19, // uint, its meaning stands with the status
  Protocol = 20, // PROTOCOL_VERSION
  Format = 21, // FORMAT_VERSION
  Instance = 22, // bytes 16, zeros when blank
  State = 23, // State
  Custody = 24, // Custody
  Manifest = 25, // bytes 16
  Classes = 26, // array of class maps
  SlotUnits = 27, // units of one slot, header included
  Blocks = 28, // erase blocks of a class
  Capacity = 29, // records a class can hold
  Live = 30, // records it holds
  Dirty = 31, // slots that await an erase
  EraseMin = 32, // of the class's blocks
  EraseMax = 33,
  EraseTotal = 34,
  CoreHash = 35, // bytes 32, SHA-256 of core.wasm
  UniqueId = 36, // bytes 16
  CustodyCopies = 37, // custody places that verify, 0…2
  ChangesLeft = 38, // changes until the data flash's rated cycles
  Residue = 39, // array of handles evicted but not yet erased
  TrapCode = 40, // uint, 0 = none
  Accepted = 41, // degraded sets accepted
  EpochSet = 42, // bool: an admin sets the epoch
  Kind = 43, // PartKind
  Flags = 44, // PART_SECRET
  Algorithm = 45, // COSE number
  Region = 46, // Region
  Offset = 47, // bytes
  Data = 48, // bytes
  Board = 49, // 1 = EK-RA6M5
  Created = 50, // u32, journal sequence of the first version
  PutsLeft = 51, // puts until a block of this class reaches its rated cycles, at the least
  Corrupt = 52, // live slots whose header does not verify
  Destroyed = 53, // bool: the ciphertext was erased
  Role = 54, // Role
  Operator = 55, // text, 1…OPERATOR_ID bytes
  Secret = 56, // bytes PSK_SIZE: an operator's key
  Keep = 57, // bool: replace keeps the record's keys
  Public = 58, // bytes KEY_SIZE: public key; in agree the other side's
  Namespace = 59, // text, ≤ NAMESPACE_MAX
  Salt = 60, // bytes, ≤ SALT_MAX
  Context = 61, // bytes, ≤ CONTEXT_MAX
  Wrapped = 62, // bytes, ≤ WRAPPED_MAX
  Challenge = 63, // bytes: CHALLENGE_SIZE in hello, CHALLENGE_MIN…CHALLENGE_MAX in attest
  Pending = 64, // bool: the key was not used yet. From here on keys stand in answers only
  Refusals = 65, // refused handshakes
  SetupCode = 66, // bool: the setup code is not zero
  Signature = 67, // bytes ED25519_SIGNATURE
  Statement = 68, // bytes, what an attestation signs
  Identity = 69, // bytes KEY_SIZE: the device's identity key
  Operators = 70, // array of operators
  Filekey = 71, // bytes 16: id of a filekey
  Pointer = 72, // bytes 8: i64, the last position that was handed out
  Deltas = 73, // bytes, LISTED_DELTA for each Delta by sequence
  ReservesLeft = 74, // pointers that may be written until the data flash's rated cycles
  Binding = 75, // bytes BINDING_SIZE: the binding record
  Image = 76, // array of ImageState, item, status
}

/** Life of the store, as hello tells it. */
export enum State {
  Blank = 0,
  Provisioning = 1,
  Ready = 2,
  Degraded = 3,
  ReadOnly = 4,
  CustodyDamaged = 5,
  WrongVersion = 6,
  Rescue = 7,
  OtherBoard = 8,
}
