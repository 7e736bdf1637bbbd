/** Types of what gen-defs.mjs exports. */
export function definitions(fileName: string, text: string): { name: string; value: number }[];
export function header(files: { fileName: string; text: string }[]): string;
export function genDefs(): void;
