/** Images: requests that were sealed to this board's transport key and lie in the image region. Opened once, in order, after a start; nobody
 *  is answered meanwhile. SPEC.md §20; why: DESIGN.md §13. Relies on: command.ts for doing them, each of which may be repeated, so that after
 *  a cut all of them are done again. No request is carried out before the tags of all were seen. */
import * as board from "../board";
import * as command from "../command/command";
import * as request from "../command/request";
import { derive } from "../crypto/blake3";
import { equal, isZero, wipe } from "../crypto/bytes";
import { context } from "../crypto/context";
import { x25519 } from "../crypto/x25519";
import * as aead from "../crypto/xchacha20poly1305";
import { FACTS_OFF_UID, Region } from "../defs/boundary";
import {
  IMAGE_BLOCK,
  IMAGE_BLOCKS,
  IMAGE_HEADER,
  IMAGE_ITEM_HEAD,
  IMAGE_ITEMS_MAX,
  IMAGE_MAGIC,
  IMAGE_OFF_FORMAT,
  IMAGE_OFF_INSTANCE,
  IMAGE_OFF_ITEMS,
  IMAGE_OFF_MAGIC,
  IMAGE_OFF_PUBLIC,
  IMAGE_OFF_SIZE,
  IMAGE_OFF_UID,
  IMAGE_OFF_VERSION,
  IMAGE_VERSION,
  ImageState,
} from "../defs/image";
import { INNER_MAX } from "../defs/link";
import { NO_OPERATOR } from "../defs/operator";
import { Role } from "../defs/session";
import { FORMAT_VERSION } from "../defs/slot";
import { Status } from "../defs/status";
import { Command, State } from "../defs/wire";
import { CONTEXT, IMAGE_KEY, IMAGE_OPEN, IMAGE_SECRET, INSTANCE, MESSAGE, PAGE } from "../memory";
import * as caller from "../operator/caller";
import * as operators from "../operator/operators";
import * as records from "../store/store";
import * as vault from "../store/vault";
import * as standing from "./standing";
import { writePublic } from "./transport";

const HEADER: usize = IMAGE_OPEN + 32;
const NONCE: usize = PAGE + 32; // 24, beside the head of an item

let at: i32 = 0; // offset of the item in hand
let item: i32 = 0;
let checked: bool = false; // the tags of all items were seen
let blocks: i32 = 0; // that are still to be erased
let why: Status = Status.Ok; // nothing is opened

/** Looks whether there is something to open, or to erase. `trapCode`: the trap before this start; after one nothing is opened. */
export function look(trapCode: i32): void {
  vault.leaveSecond(false);
  records.nameInstance(0);
  why = Status.Ok;
  const found = find(trapCode);
  standing.set(found, 0, why);
  vault.close();
  wipe(IMAGE_SECRET, 32);
  if (found != ImageState.Opening) wipe(IMAGE_KEY, 32);
}

function find(trapCode: i32): ImageState {
  const read = board.read(Region.Image, 0, HEADER, IMAGE_HEADER) == Status.Ok;
  const isThere = read && load<u32>(HEADER, IMAGE_OFF_MAGIC) == IMAGE_MAGIC;
  const secret = vault.transportKey();
  if (secret == 0) return isThere ? ImageState.Unopened : ImageState.None;
  const life = records.lifeState();
  if (life == State.Ready) {
    vault.leaveSecond(true);
    blocks = isThere ? occupied() : 1; // the erase of the header may have been cut
    return ImageState.Erasing;
  }
  if (life != State.Blank && life != State.Provisioning) return ImageState.None;
  if (!isThere) return ImageState.Awaited;
  const isMine =
    board.read(Region.Facts, FACTS_OFF_UID, PAGE, 16) == Status.Ok && equal(PAGE, HEADER + IMAGE_OFF_UID, 16);
  if (!isMine) return ImageState.Foreign;
  if (!isWell() || !agree(secret)) return ImageState.Unopened;
  if (life == State.Provisioning && !equal(INSTANCE, HEADER + IMAGE_OFF_INSTANCE, 16)) {
    why = Status.OtherManifest;
    return ImageState.Stopped;
  }
  vault.leaveSecond(true);
  if (trapCode != 0) return ImageState.Stopped;
  records.nameInstance(HEADER + IMAGE_OFF_INSTANCE);
  checked = false;
  rewind();
  return ImageState.Opening;
}

/** Blocks that header and items take. */
function occupied(): i32 {
  const size = min<u32>(load<u32>(HEADER, IMAGE_OFF_SIZE), IMAGE_BLOCK * IMAGE_BLOCKS - IMAGE_HEADER);
  return (size + IMAGE_HEADER + IMAGE_BLOCK - 1) / IMAGE_BLOCK;
}

/** Whether the header says what this firmware understands. */
function isWell(): bool {
  const items = <i32>load<u16>(HEADER, IMAGE_OFF_ITEMS);
  return (
    load<u8>(HEADER, IMAGE_OFF_VERSION) == IMAGE_VERSION &&
    load<u8>(HEADER, IMAGE_OFF_FORMAT) == FORMAT_VERSION &&
    items > 0 &&
    items <= IMAGE_ITEMS_MAX &&
    load<u32>(HEADER, IMAGE_OFF_SIZE) <= <u32>(IMAGE_BLOCK * IMAGE_BLOCKS - IMAGE_HEADER) &&
    load<u32>(HEADER, IMAGE_OFF_SIZE + 4) == 0 &&
    !isZero(HEADER + IMAGE_OFF_INSTANCE, 16) &&
    isZero(HEADER + IMAGE_OFF_PUBLIC + 32, IMAGE_HEADER - IMAGE_OFF_PUBLIC - 32)
  );
}

/** The key of the items, from what was agreed, both public keys and the whole header: in another header no tag fits. */
function agree(secret: usize): bool {
  writePublic(secret, IMAGE_OPEN);
  const fits = x25519(IMAGE_SECRET, secret, HEADER + IMAGE_OFF_PUBLIC);
  derive(IMAGE_KEY, CONTEXT, context("image"), IMAGE_SECRET, 64 + IMAGE_HEADER);
  return fits;
}

function rewind(): void {
  at = IMAGE_HEADER;
  item = 0;
}

/** Does the next thing: looks at the tag of one item, carries one out, or erases one block. */
export function step(): void {
  if (standing.state() == ImageState.Erasing) eraseOne();
  else openOne();
  vault.close();
}

function openOne(): void {
  const length = openItem();
  if (length == 0) return stop(ImageState.Unopened, Status.Ok);
  const status = checked ? carryOut(length) : Status.Ok;
  wipe(MESSAGE, INNER_MAX);
  if (status != Status.Ok) return stop(ImageState.Stopped, status);
  at += IMAGE_ITEM_HEAD + length;
  if (++item < <i32>load<u16>(HEADER, IMAGE_OFF_ITEMS)) return standing.set(ImageState.Opening, item, Status.Ok);
  if (!checked) {
    if (at != end()) return stop(ImageState.Unopened, Status.Ok);
    checked = true;
    rewind();
  } else if (records.lifeState() == State.Ready) {
    blocks = occupied();
    wipe(IMAGE_KEY, 32);
    standing.set(ImageState.Erasing, 0, Status.Ok);
  } else {
    stop(ImageState.Stopped, Status.NoAdmin);
  }
}

function stop(state: ImageState, status: Status): void {
  wipe(IMAGE_KEY, 32);
  records.nameInstance(0);
  standing.set(state, item, status);
}

/** Where the last item ends. */
function end(): i32 {
  return IMAGE_HEADER + <i32>load<u32>(HEADER, IMAGE_OFF_SIZE); // isWell() saw to it
}

/** Brings the item in hand into MESSAGE, opened. Returns its bytes, 0 when it is not genuine. */
@sealed("image")
function openItem(): i32 {
  if (at + IMAGE_ITEM_HEAD > end() || board.read(Region.Image, at, PAGE, IMAGE_ITEM_HEAD) != Status.Ok) return 0;
  if (load<u32>(PAGE) > <u32>INNER_MAX) return 0; // with the zeros behind it
  const length = <i32>load<u32>(PAGE);
  if (at + IMAGE_ITEM_HEAD + length > end()) return 0;
  if (board.read(Region.Image, at + IMAGE_ITEM_HEAD, MESSAGE, length) != Status.Ok) return 0;
  memory.fill(NONCE, 0, 24);
  store<u32>(NONCE, item);
  return aead.open(IMAGE_KEY, NONCE, PAGE, IMAGE_ITEM_HEAD - 16, MESSAGE, length, PAGE + 4) ? length : 0;
}

/** What an image may ask for: a store, who may use it, and what is in it. No filekey: two boards would hand out its positions. */
function isAllowed(asked: u32): bool {
  switch (asked) {
    case Command.ProvisionBegin:
    case Command.OperatorAdd:
    case Command.Put:
    case Command.Generate:
    case Command.Epoch:
    case Command.ProvisionFinish:
      return true;
    default:
      return false;
  }
}

/** Carries out the request in MESSAGE. */
function carryOut(length: i32): Status {
  const asked = request.peek(MESSAGE, length);
  if (!isAllowed(asked)) return Status.UnknownCommand;
  if (asked == Command.ProvisionFinish) {
    // whoever made the image has the keys of its operators: nobody could open a session before
    const status = records.mayChange() == Status.Ok ? operators.activateAll() : Status.NotProvisioned;
    if (status != Status.Ok) return status;
  }
  caller.set(Role.Admin | Role.Setup, NO_OPERATOR);
  command.begin(length);
  command.work();
  caller.set(0, NO_OPERATOR);
  return command.outcome();
}

/** From the last block to the first, which holds the header: a cut in between leaves what says that it goes on. Then the transport key goes. */
function eraseOne(): void {
  if (blocks > 0) {
    blocks--;
    board.erase(Region.Image, blocks * IMAGE_BLOCK); // what fails holds nothing that opens without the key
    return;
  }
  vault.leaveSecond(false);
  if (vault.open() == Status.Ok) vault.mend();
  records.nameInstance(0);
  standing.set(ImageState.None, 0, Status.Ok);
}
