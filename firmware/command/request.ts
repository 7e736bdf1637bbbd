/** A request, parsed whole before anything is done: which keys it has, and their values. SPEC.md §9.
 *  What must outlive the request's bytes (the response is written over them) is copied; `body` stays where it arrived. */

import { wipe } from "../crypto/bytes";
import { publish, reveal } from "../crypto/declassify";
import { GEOMETRY_SIZE } from "../defs/custody";
import { CLASSES_MAX, HANDLE_SIZE, LABEL_MAX, TOKEN_SIZE } from "../defs/record";
import { OPERATOR_ID, PSK_SIZE } from "../defs/session";
import { CHALLENGE_MAX, KEY_SIZE } from "../defs/use";
import { Key } from "../defs/wire";
import { ARGUMENTS, ARGUMENTS_SIZE, FILTER, SECRET_ARGUMENT } from "../memory";
import * as cbor from "./cbor";

export const HANDLE: usize = ARGUMENTS;
export const TOKEN: usize = ARGUMENTS + HANDLE_SIZE;
export const DIGEST: usize = ARGUMENTS + 32; // 16: manifest digest
export const GEOMETRY: usize = ARGUMENTS + 48; // CLASSES_MAX × GEOMETRY_SIZE
export const OPERATOR_ARGUMENT: usize = ARGUMENTS + 64; // OPERATOR_ID, and room up to 16
export const PUBLIC: usize = ARGUMENTS + 80; // 32: the other side's public key
export const CHALLENGE_ARGUMENT: usize = ARGUMENTS + 112; // CHALLENGE_MAX
export const SECRET: usize = SECRET_ARGUMENT; // 32: an operator's key
export const LABEL_ARGUMENT: usize = FILTER;
export const PREFIX: usize = FILTER + LABEL_MAX;

let keys: u64 = 0;
let labels: bool = true; // every label is short enough and UTF-8

export let command: u32 = 0;
export let labelLength: i32 = 0;
export let prefixLength: i32 = 0;
export let usage: u32 = 0;
export let tier: u32 = 0;
export let policy: u32 = 0;
export let epoch: u32 = 0;
export let origin: u32 = 0;
export let slotClass: u32 = 0;
export let body: usize = 0;
export let bodyLength: i32 = 0;
export let length: u32 = 0;
export let sequence: u32 = 0;
export let epochMin: u32 = 0;
export let epochMax: u32 = 0;
export let destroy: bool = false;
export let classes: i32 = 0;
export let region: u32 = 0;
export let offset: u32 = 0;
export let role: u32 = 0;
export let keep: bool = false;
export let challengeLength: i32 = 0;
// what is used before the response is written over it stays where it arrived; 0 = not there
export let data: usize = 0;
export let dataLength: i32 = 0;
export let namespace: usize = 0;
export let namespaceLength: i32 = 0;
export let salt: usize = 0;
export let saltLength: i32 = 0;
export let context: usize = 0;
export let contextLength: i32 = 0;
export let wrapped: usize = 0;
export let wrappedLength: i32 = 0;

/** Whether the request has a key. */
export function has(key: Key): bool {
  return ((keys >>> key) & 1) != 0;
}
/** Says the usage of a request that does not name one. */
export function setUsage(value: u32): void {
  usage = value;
}
/** Whether every label in the request is UTF-8 and short enough. */
export function hasGoodLabels(): bool {
  return labels;
}

/** Whether the keys besides the command are just the required ones and some of the optional ones. Bit n = key n. */
export function hasOnly(required: u64, optional: u64): bool {
  return (keys & required) == required && (keys & ~(required | optional | 1)) == 0;
}

/** The command of a request, without reading the rest; 0 when there is none. */
export function peek(at: usize, size: i32): u32 {
  cbor.readFrom(at, size);
  if (cbor.readMap() < 1 || cbor.readKey(-1) != Key.Command) return 0;
  const found = cbor.readUint();
  return cbor.isFit() ? found : 0;
}

/** Parses a request. False when it is not a deterministic map of known keys with the right types. */
export function parse(at: usize, size: i32): bool {
  keys = 0;
  labels = true;
  keep = false;
  data = namespace = salt = context = wrapped = 0;
  namespaceLength = saltLength = contextLength = 0;
  cbor.readFrom(at, size);
  const pairs = cbor.readMap();
  let key = -1;
  for (let i = 0; i < pairs && cbor.isFit(); i++) {
    key = cbor.readKey(key);
    if (!readValue(key)) return false;
    keys |= (<u64>1) << key;
  }
  return cbor.isDone() && has(Key.Command);
}

function readFixed(to: usize, size: i32): bool {
  if (cbor.readBytes() != size || !cbor.isFit()) return false;
  if (to == SECRET) memory.copy(to, cbor.stringAt(), size);
  else publish(to, cbor.stringAt(), size);
  return true;
}

function readLabel(to: usize): i32 {
  const size = cbor.readText();
  if (!cbor.isFit()) return 0;
  if (size > LABEL_MAX || !cbor.isUtf8(reveal(cbor.stringAt()), size)) {
    labels = false;
    return 0;
  }
  publish(to, cbor.stringAt(), size);
  return size;
}

/** Forgets what was copied: handle and token are not secret, keys are. */
export function forget(): void {
  wipe(ARGUMENTS, ARGUMENTS_SIZE);
  wipe(SECRET, PSK_SIZE);
}

/** A string that stays where it arrived; its length. */
function readString(isText: bool): i32 {
  const size = isText ? cbor.readText() : cbor.readBytes();
  if (isText && cbor.isFit() && !cbor.isUtf8(reveal(cbor.stringAt()), size)) labels = false;
  return size;
}

/** An operator id into OPERATOR_ARGUMENT; what is too long becomes no id at all. */
function readOperator(): bool {
  wipe(OPERATOR_ARGUMENT, OPERATOR_ID);
  const size = cbor.readText();
  if (!cbor.isFit()) return false;
  const ends = size > 0 && load<u8>(reveal(cbor.stringAt()) + size - 1) == 0; // in zeros, like what is filled up: two spellings of one id
  if (size <= OPERATOR_ID && !ends) publish(OPERATOR_ARGUMENT, cbor.stringAt(), size);
  return true;
}

function readChallenge(): bool {
  challengeLength = cbor.readBytes();
  if (!cbor.isFit() || challengeLength > CHALLENGE_MAX) return cbor.isFit();
  publish(CHALLENGE_ARGUMENT, cbor.stringAt(), challengeLength);
  return true;
}

/** Classes: an array of maps with just SlotUnits and Blocks, into GEOMETRY. */
function readClasses(): bool {
  classes = cbor.readArray();
  if (classes > CLASSES_MAX) return false;
  for (let c = 0; c < classes; c++) {
    if (cbor.readMap() != 2 || cbor.readKey(-1) != Key.SlotUnits) return false;
    const units = cbor.readUint();
    if (cbor.readKey(Key.SlotUnits) != Key.Blocks) return false;
    const blocks = cbor.readUint();
    const at = GEOMETRY + c * GEOMETRY_SIZE;
    store<u16>(at, min<u32>(units, 0xffff)); // what is cut off here is refused by the geometry anyway
    store<u8>(at, min<u32>(blocks, 0xff), 2);
    store<u8>(at, 0, 3);
  }
  return cbor.isFit();
}

function readValue(key: i32): bool {
  switch (key) {
    case Key.Command:
      command = cbor.readUint();
      break;
    case Key.Handle:
      return readFixed(HANDLE, HANDLE_SIZE);
    case Key.Token:
      return readFixed(TOKEN, TOKEN_SIZE);
    case Key.Label:
      labelLength = readLabel(LABEL_ARGUMENT);
      break;
    case Key.Usage:
      usage = cbor.readUint();
      break;
    case Key.Tier:
      tier = cbor.readUint();
      break;
    case Key.Policy:
      policy = cbor.readUint();
      break;
    case Key.Epoch:
      epoch = cbor.readUint();
      break;
    case Key.Origin:
      origin = cbor.readUint();
      break;
    case Key.Class:
      slotClass = cbor.readUint();
      break;
    case Key.Body:
      bodyLength = cbor.readBytes();
      body = cbor.stringAt();
      break;
    case Key.Length:
      length = cbor.readUint();
      break;
    case Key.Sequence:
      sequence = cbor.readUint();
      break;
    case Key.LabelPrefix:
      prefixLength = readLabel(PREFIX);
      break;
    case Key.EpochMin:
      epochMin = cbor.readUint();
      break;
    case Key.EpochMax:
      epochMax = cbor.readUint();
      break;
    case Key.Destroy:
      destroy = cbor.readBool();
      break;
    case Key.Manifest:
      return readFixed(DIGEST, 16);
    case Key.Classes:
      return readClasses();
    case Key.Region:
      region = cbor.readUint();
      break;
    case Key.Offset:
      offset = cbor.readUint();
      break;
    case Key.Role:
      role = cbor.readUint();
      break;
    case Key.Operator:
      return readOperator();
    case Key.Secret:
      return readFixed(SECRET, PSK_SIZE);
    case Key.Keep:
      keep = cbor.readBool();
      break;
    case Key.Public:
      return readFixed(PUBLIC, KEY_SIZE);
    case Key.Data:
      dataLength = readString(false);
      data = cbor.stringAt();
      break;
    case Key.Namespace:
      namespaceLength = readString(true);
      namespace = cbor.stringAt();
      break;
    case Key.Salt:
      saltLength = readString(false);
      salt = cbor.stringAt();
      break;
    case Key.Context:
      contextLength = readString(false);
      context = cbor.stringAt();
      break;
    case Key.Wrapped:
      wrappedLength = readString(false);
      wrapped = cbor.stringAt();
      break;
    case Key.Challenge:
      return readChallenge();
    default:
      return false;
  }
  return cbor.isFit();
}
