/** Note texts, as C2SP signed-note has them: UTF-8 without characters below 0x20 but LF, with LF at the end. What a note key signs. */
import { isUtf8 } from "../command/cbor";

const LF: u32 = 0x0a;

/** Whether `length` bytes are a note text. */
export function isNote(data: usize, length: i32): bool {
  const end = data + length;
  if (length == 0 || load<u8>(end - 1) != LF) return false;
  for (let at = data; at < end; at++) {
    const byte: u32 = load<u8>(at);
    if (byte < 0x20 && byte != LF) return false;
  }
  return isUtf8(data, length);
}
