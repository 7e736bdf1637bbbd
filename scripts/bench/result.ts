/** bench/results/VERSION.json, as bench/README.md has it. */
import type { CoreEngine, Engine, Row } from "./cost.js";
import type { LineCost } from "./line.js";
import type { NativeCost } from "./native.js";
import type { ChurnCost } from "./store.js";
import type { Target } from "./targets.js";

export const SCHEMA_VERSION = 3;

/** A file by its hash. */
interface Identity {
  sha256: string;
  bytes: number;
}

export interface Result {
  schemaVersion: typeof SCHEMA_VERSION;
  core: Identity;
  firmware: Record<CoreEngine, Identity>;
  model: { mhz: number; cycles: Record<Engine, number> };
  rows: Row[];
  line: LineCost[];
  churn: ChurnCost[];
  /** All libraries; the quickest of each operation stands in the rows. */
  native: { libraries: { package: string; sha256: string }[]; costs: NativeCost[] };
  targets: Target[];
}
