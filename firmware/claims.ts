/** Entry of claims.wasm, the second module without a heap: the rules of the claim cache for the host. No imports. SPEC.md §15. */
export { accept, check, effective, fallback, forward, hit, open, plan } from "./claim/cache";
