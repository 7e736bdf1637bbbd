/** The boundary between the core and a board: regions, windows, start modes. SPEC.md §1; board/contract.h says it for C. */

/** Numbered places that read/program/erase/blank take. Offsets count from the region's start. */
export enum Region {
  /** Slot region: NOR with SLOT_BLOCK erase blocks and UNIT program units. */
  Slots = 0,
  /** The whole data flash except custody: the board refuses offsets below CUSTODY_SIZE. */
  Data = 1,
  /** The two custody places: the first CUSTODY_SIZE bytes of the data flash, and nothing else. */
  Custody = 2,
  /** Read-only facts of the board, FACTS_SIZE bytes. */
  Facts = 3,
  /** The image region: read and erased in blocks of IMAGE_BLOCK; nothing here programs it. */
  Image = 4,
}

/** Switches that presence() returns. */
export const SWITCH_S1: i32 = 1;
export const SWITCH_S2: i32 = 2;
/** Lights that presence() shows. */
export const LIGHT_TOUCH: i32 = 1; // blue: a touch is awaited
export const LIGHT_READY: i32 = 2; // green: mounted
export const LIGHT_FAULT: i32 = 4; // red: degraded, damaged or rescue

/** start() modes. */
export const START_NORMAL: i32 = 0;
export const START_RESCUE: i32 = 1;

/** Windows in linear memory through which bytes cross. */
export const RX_OFFSET: i32 = 1024; // received bytes, at most RX_SIZE at a time
export const RX_SIZE: i32 = 256;
export const TX_OFFSET: i32 = 1280; // bytes to send, at most TX_SIZE at a time
export const TX_SIZE: i32 = 1088;

/** Numbers of boards. */
export const BOARD_EK_RA6M5: i32 = 1;

/** Facts region. */
export const FACTS_OFF_CORE: i32 = 0; // 32 bytes: SHA-256 of core.wasm
export const FACTS_OFF_UID: i32 = 32; // 16 bytes: unique id of the chip
export const FACTS_OFF_CUSTODY: i32 = 48; // u8: Custody kind that a root made here would have
export const FACTS_OFF_BOARD: i32 = 49; // u8, BOARD_*
export const FACTS_OFF_BOUND: i32 = 50; // u8: 1 = a root made here is for the board with this unique id alone
export const FACTS_OFF_SETUP: i32 = 64; // 32 bytes: setup code, zeros = none
export const FACTS_OFF_BINDING: i32 = 96; // 80 bytes: the binding record, defs/binding.ts
export const FACTS_SIZE: i32 = 176;
