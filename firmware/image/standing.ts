/** How it stands with an image: what info tells. */
import { ImageState } from "../defs/image";
import { Status } from "../defs/status";

let what: ImageState = ImageState.None;
let at: i32 = 0;
let why: Status = Status.Ok;

/** `item`: the one in hand, counted from 0; `status`: why it was refused. */
export function set(state: ImageState, item: i32, status: Status): void {
  what = state;
  at = item;
  why = status;
}

export function state(): ImageState {
  return what;
}
export function item(): i32 {
  return at;
}
export function status(): Status {
  return why;
}

/** Whether an image is being opened, or erased: nobody is answered meanwhile. */
export function isBusy(): bool {
  return what == ImageState.Opening || what == ImageState.Erasing;
}
