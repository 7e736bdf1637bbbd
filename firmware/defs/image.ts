/** What stands in the lower half of the code flash: the firmware with its descriptor, and behind it room for an image that waits until the
 *  board opened it. SPEC.md §20. Little-endian. */
export const FIRMWARE_SIZE: i32 = 0x40000; // from address 0

/** Descriptor: what a firmware is, for whoever flashes it. */
export const DESCRIPTOR_ADDRESS: i32 = 0x400;
export const DESCRIPTOR_MAGIC: u32 = 0x4653424d; // "MBSF"
export const DESCRIPTOR_VERSION: i32 = 1;
export const DESCRIPTOR_OFF_MAGIC: i32 = 0; // u32
export const DESCRIPTOR_OFF_VERSION: i32 = 4; // u8, DESCRIPTOR_VERSION
export const DESCRIPTOR_OFF_FORMAT: i32 = 5; // u8, FORMAT_VERSION
export const DESCRIPTOR_OFF_BOARD: i32 = 6; // u8, BOARD_*
export const DESCRIPTOR_OFF_ENGINE: i32 = 7; // u8, Engine
export const DESCRIPTOR_OFF_CORE: i32 = 8; // 32 bytes: SHA-256 of core.wasm
export const DESCRIPTOR_OFF_SETUP: i32 = 64; // 32 bytes: setup code, zeros = none
export const DESCRIPTOR_SIZE: i32 = 96;

/** Image region: a header, then items, one behind the other. Each is a request, sealed. */
export const IMAGE_ADDRESS: i32 = 0x40000;
export const IMAGE_BLOCK: i32 = 32768;
export const IMAGE_BLOCKS: i32 = 24;
export const IMAGE_MAGIC: u32 = 0x4953424d; // "MBSI"
export const IMAGE_VERSION: i32 = 1;
export const IMAGE_OFF_MAGIC: i32 = 0; // u32
export const IMAGE_OFF_VERSION: i32 = 4; // u8, IMAGE_VERSION
export const IMAGE_OFF_FORMAT: i32 = 5; // u8, FORMAT_VERSION of the store that it makes
export const IMAGE_OFF_ITEMS: i32 = 6; // u16, items
export const IMAGE_OFF_SIZE: i32 = 8; // u32, bytes of all items
export const IMAGE_OFF_UID: i32 = 16; // 16 bytes: unique id of the one board that it is for
export const IMAGE_OFF_INSTANCE: i32 = 32; // 16 bytes: instance that it makes
export const IMAGE_OFF_PUBLIC: i32 = 48; // 32 bytes: X25519 key of whoever sealed it, used once
export const IMAGE_HEADER: i32 = 128;
export const IMAGE_ITEM_HEAD: i32 = 20; // u16 bytes of the request, u16 zero, 16 bytes tag
export const IMAGE_ITEMS_MAX: i32 = 512;

/** The transport key, in the second custody place until the image is opened. The rest is as in custody. */
export const TRANSPORT_MAGIC: u32 = 0x5853424d; // "MBSX"

/** What info says of images: state, item, status. */
export enum ImageState {
  /** No transport key and no image. */
  None = 0,
  /** There is a transport key, and no image. */
  Awaited = 1,
  /** The image is for another board. */
  Foreign = 2,
  /** The image is damaged, of another format, or sealed to a transport key that is not here any more. */
  Unopened = 3,
  /** An item was refused; what came before it was done. */
  Stopped = 4,
  /** It is being opened. Nobody is answered meanwhile. */
  Opening = 5,
  /** It was opened, and is being erased. */
  Erasing = 6,
}
