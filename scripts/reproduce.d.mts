/** Types of what reproduce.mjs exports; it is plain JavaScript because it runs before TypeScript is compiled. */
export function outputs(folder: string): string[];
export function differences(one: string, other: string): string[];
export function buildTwice<T>(look: (one: string, other: string) => T): Promise<T>;
