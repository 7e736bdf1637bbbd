/** Published test vectors from the folder that MBS_VECTORS names. They are read, never copied into the project. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";

interface WycheproofTest {
  tcId: number;
  comment: string;
  key: string;
  iv: string;
  aad: string;
  msg: string;
  ct: string;
  tag: string;
  result: "valid" | "invalid" | "acceptable";
}

/** AEAD vectors of C2SP Wycheproof, testvectors_v1. */
export interface WycheproofAead {
  numberOfTests: number;
  testGroups: { ivSize: number; keySize: number; tagSize: number; tests: WycheproofTest[] }[];
}

/** test_vectors.json of the BLAKE3 reference implementation. Outputs are extended; their first 32 bytes count here. */
export interface Blake3Vectors {
  key: string;
  context_string: string;
  cases: { input_len: number; hash: string; keyed_hash: string; derive_key: string }[];
}

/** Declares tests over one file of vectors; without MBS_VECTORS they count as one skipped test. */
export function describeVectors<T>(file: string, declare: (vectors: T) => void): void {
  const folder = process.env.MBS_VECTORS;
  if (!folder) {
    it.skip(`${file}: skipped, because MBS_VECTORS does not name the folder that holds it`, () => {});
    return;
  }
  describe(file, () => declare(JSON.parse(readFileSync(join(folder, file), "utf8")) as T));
}
