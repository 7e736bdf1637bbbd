/** Types of what size.mjs exports. */
export type Sizes = Record<"core.wasm" | "flash" | "RAM" | "arena" | "linear memory" | "C stack", number>;
export type AotSizes = Record<"aot image" | "aot RAM" | "aot arena" | "aot C stack", number>;
export const BUDGETS: Sizes;
export const AOT_BUDGETS: AotSizes;
export function linearMemory(wasm: Uint8Array): number;
export function measure(wasm: Uint8Array, elf: Uint8Array): Sizes;
export function measureAot(elf: Uint8Array): AotSizes;
export function overBudget(sizes: Record<string, number>, budgets?: Record<string, number>): string[];
