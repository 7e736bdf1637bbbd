/** The binding record: what one core.wasm was bound to when an image was built. SPEC.md §19. Little-endian. Made by scripts/bind, kept in
 *  the image beside the core, told by info. Its version goes up when an offset or a number moves. */
export const BINDING_MAGIC: u32 = 0x4253424d; // "MBSB"
export const BINDING_VERSION: i32 = 1;
export const BINDING_OFF_MAGIC: i32 = 0; // u32
export const BINDING_OFF_VERSION: i32 = 4; // u8, BINDING_VERSION
export const BINDING_OFF_TARGET: i32 = 5; // u8, Target
export const BINDING_OFF_ENGINE: i32 = 6; // u8, Engine
export const BINDING_OFF_CONSTANT_TIME: i32 = 7; // u8, ConstantTime
export const BINDING_OFF_CORE: i32 = 8; // 32 bytes: SHA-256 of core.wasm
export const BINDING_OFF_MANIFEST: i32 = 40; // 32 bytes: SHA-256 of target.json
export const BINDING_OFF_SLOTS: i32 = 72; // u8, BoundMedium of `durable slots`
export const BINDING_OFF_DATA: i32 = 73; // u8, BoundMedium of `durable data`
export const BINDING_OFF_ATOMIC: i32 = 74; // u8, Atomic
export const BINDING_OFF_UNIT: i32 = 75; // u8, bytes of the program unit behind it
export const BINDING_OFF_SEALING: i32 = 76; // u8, Sealing
export const BINDING_OFF_CUSTODY: i32 = 77; // u8, RootPlace
export const BINDING_OFF_ENTROPY: i32 = 78; // u8, EntropySource
export const BINDING_OFF_PRESENCE: i32 = 79; // u8, PresenceSource
export const BINDING_SIZE: i32 = 80;

export enum Target {
  EkRa6m5 = 1,
  Virtual = 2,
  Renode = 3,
  Host = 4,
}

/** What runs the core. */
export enum Engine {
  Wasm3 = 1,
  AheadOfTime = 2,
  V8 = 3,
}

/** What is known about the time that the core takes: Proven when the check passed on these very bytes. */
export enum ConstantTime {
  Unproven = 0,
  Proven = 1,
}

/** What a medium is. None here and below: the core does not need it, and the target has it not. */
export enum BoundMedium {
  None = 0,
  CodeFlash = 1,
  DataFlash = 2,
  SimulatedFlash = 3,
}

/** What makes a change happen wholly or not at all. */
export enum Atomic {
  SettledWord = 1,
}

/** Who seals. */
export enum Sealing {
  Core = 1,
}

/** Where the root key stands. */
export enum RootPlace {
  None = 0,
  DataFlash = 1,
  Simulated = 2,
}

export enum EntropySource {
  None = 0,
  ClockJitter = 1,
  Simulated = 2,
}

export enum PresenceSource {
  None = 0,
  Switches = 1,
  Simulated = 2,
}
