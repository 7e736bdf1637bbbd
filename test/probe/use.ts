/** What keys sign and agree on, for tests, as AssemblyScript: never part of an ELF of the product. build.ts makes build/use.wasm of it. */

export { HEADER, INSTANCE, MEMORY_USED, MESSAGE, STATIC_BASE } from "../../firmware/memory";
export { count } from "../../firmware/store/parts";
export { clearDetail, refusalDetail } from "../../firmware/store/store";
export { close as closeVault, open as openVault } from "../../firmware/store/vault";
export { check as agreeCheck, run as agree } from "../../firmware/use/agree";
export { STATEMENT_MAX, sign as attestSign, write as attestWrite } from "../../firmware/use/attest";
export { firstSecret, GENERATED_SIZE, generate, keepPublic, publicOf } from "../../firmware/use/keys";
export { isNote } from "../../firmware/use/note";
export { check as signCheck, run as sign } from "../../firmware/use/sign";
export { build as sshsigBuild, SSHSIG_MAX } from "../../firmware/use/sshsig";
export { beginsAsRequest, keyOf } from "../../firmware/use/userauth";

/** Where static data end. */
export const HEAP: usize = __heap_base;
