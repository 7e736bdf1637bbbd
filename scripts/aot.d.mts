/** Types of what aot.mjs exports. */
export const RUNTIME_HEADERS: string;
export class OtherTranslator extends Error {}
export function atItsPlace(made: string): string;
export function translate(wasm: string, folder: string): string;
