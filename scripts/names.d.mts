export function withoutNames(wasm: Buffer): Buffer;
