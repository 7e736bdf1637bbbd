/** Types of what size.mjs exports. */
export type Sizes = Record<"core.wasm" | "flash" | "RAM" | "arena" | "linear memory" | "C stack", number>;
export const BUDGETS: Sizes;
export function linearMemory(wasm: Uint8Array): number;
export function measure(wasm: Uint8Array, elf: Uint8Array): Sizes;
export function overBudget(sizes: Sizes): string[];
