/** The pointers of filekeys for tests, as AssemblyScript: never part of an ELF of the product. build.ts makes build/pointers.wasm of it. */

export { append, count, find, reset } from "../../firmware/claim/pointers";
export { CURRENT, HANDLES, MEMORY_USED, PAGE, STATIC_BASE } from "../../firmware/memory";
export { set as setGeometry } from "../../firmware/store/geometry";

/** Where static data end. */
export const HEAP: usize = __heap_base;
