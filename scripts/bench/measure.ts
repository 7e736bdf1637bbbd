/** Everything that one engine is asked. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { measureClaims } from "./claims.js";
import type { CoreEngine, Cost } from "./cost.js";
import { measureCrypto } from "./crypto.js";
import { measureCurves } from "./curve.js";
import { firmwareOf } from "./engines.js";
import { measureSessions } from "./session.js";
import { FILLS, fillStores, measureStore, measureWorst, type Stores, type Worst } from "./store.js";

type Progress = (what: string) => void;

/** What takes seconds. The probes bench and curve are built. */
function measureFast(root: string, engine: CoreEngine, progress: Progress): { elf: Buffer; costs: Cost[] } {
  const probe = (name: string) => readFileSync(join(root, `build/${name}.wasm`));
  const firmware = firmwareOf(root, engine);
  const { elf } = firmware;
  const step = <T>(what: string, work: () => T): T => {
    progress(`${engine}: ${what}`);
    return work();
  };
  const costs = [
    ...step("primitives", () => measureCrypto(firmware.with(probe("bench")))),
    ...step("curves", () => measureCurves(firmware.with(probe("curve")))),
    ...step("sessions", () => measureSessions(elf)),
    ...step("claims", () => measureClaims(elf)),
  ];
  return { elf, costs };
}

/** All rows. @param stores filled once for all engines */
export function measureCore(
  root: string,
  engine: CoreEngine,
  { stores, worst }: { stores: Stores; worst: Worst },
  progress: Progress,
): { elf: Buffer; costs: Cost[] } {
  const { elf, costs } = measureFast(root, engine, progress);
  costs.push(...measureStore(elf, stores, (what) => progress(`${engine}: ${what}`)), measureWorst(elf, worst));
  return { elf, costs };
}

/** The rows that take a minute for all engines: the store is nearly empty. */
export function measureQuick(root: string, engine: CoreEngine, progress: Progress): Cost[] {
  const { elf, costs } = measureFast(root, engine, progress);
  const fills = FILLS.slice(0, 1);
  costs.push(...measureStore(elf, fillStores(fills), (what) => progress(`${engine}: ${what}`), fills));
  return costs;
}
