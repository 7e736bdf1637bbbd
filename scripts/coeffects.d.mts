/** Types of what coeffects.mjs exports. */
export const SECTION: string;
export const SECTION_VERSION: number;
export const EFFECTS: Readonly<Record<string, readonly string[]>>;
/** For each import either its one effect, or the effects by region: null where it does not take that region. */
export const IMPORTS: Readonly<Record<string, readonly (string | readonly string[] | null)[]>>;
export const SEALING: readonly string[];
export function encode(needs: { root: string; ways: Map<string, string[]> }[]): Uint8Array;
/** The transform. */
declare const Coeffects: new () => object;
export default Coeffects;
