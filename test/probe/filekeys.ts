/** Filekeys and sealed Deltas for tests, as AssemblyScript: never part of an ELF of the product. build.ts makes build/filekeys.wasm of it. */

export { open, seal } from "../../firmware/claim/delta";
export { add, bury, delta, deltas, isAuthority, isDeleted, isSound, make } from "../../firmware/claim/filekey";
export { CONTEXT, MEMORY_USED, MESSAGE, STATIC_BASE } from "../../firmware/memory";
export { reset as forgetEntropy } from "../../firmware/store/entropy";

/** Where static data end. */
export const HEAP: usize = __heap_base;
