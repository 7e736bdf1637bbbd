/** The counts of refused handshakes are written beside the ones before: a cut loses no more than the last. SPEC.md §11. */
import { describe, expect, it } from "vitest";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { REFUSAL_PLACE } from "../../firmware/defs/operator.js";
import { randomBytes } from "../store/help.js";
import { engineTargets } from "../targets.js";
import { open, outcome, refusals, staffed, USER } from "./help.js";

describe.each(engineTargets)("the counts of refused handshakes on $name", (kind) => {
  it("are the ones before or the ones after, wherever power is cut while they are written", () => {
    const target = staffed(kind);
    const { talk, device } = target;
    const fail = () => outcome(() => open(talk, { id: USER.id, key: randomBytes(32) }));
    const seen = new Set<number>();
    let before = 0;
    for (let operation = 0; operation < 1 + REFUSAL_PLACE / 4; operation++)
      for (const how of [{ tear: tears.none }, { tear: tears.half }, { tear: tears.half, marginal: true }]) {
        device.supply.arm({ operation, ...how }); // the first refusal after power-up is written
        expect(fail).toThrow(PowerCut);
        target.boot();
        const now = refusals(talk);
        expect([before, before + 1], `cut at operation ${operation}`).toContain(now);
        seen.add(now - before);
        fail(); // written whole
        target.boot();
        before = refusals(talk);
        expect(before).toBe(now + 1);
      }
    expect(seen).toContain(0);
    target.close();
  });
});
