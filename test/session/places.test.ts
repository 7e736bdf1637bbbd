/** Places of operators: what was changed there opens no session, and after a change that was cut, whatever was begun there, the next key is
 *  written to erased cells. SPEC.md §11. */
import { describe, expect, it } from "vitest";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { OPERATORS_OFFSET } from "../../firmware/defs/medium.js";
import { OPERATOR_PLACE, OPERATOR_PLACES } from "../../firmware/defs/operator.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { changeData, flip } from "../store/damage.js";
import { addOperator, operationsAt, randomBytes, removeOperator, says } from "../store/help.js";
import { type Bench, engineTargets } from "../targets.js";
import { AUDITOR, staffed, USER } from "./help.js";

const KEY = randomBytes(32);

describe.each(engineTargets)("operators on $name", (kind) => {
  it("whose place was changed, in whatever byte, are not let in", () => {
    const target = staffed(kind);
    const { data } = target.device;
    const id = data.bytes.indexOf(`${USER.id}\0`, OPERATORS_OFFSET); // ids stand in clear
    const at = id - ((id - OPERATORS_OFFSET) % OPERATOR_PLACE);
    for (let byte = 0; byte < OPERATOR_PLACE; byte++) {
      changeData(target.device, at + byte, flip);
      target.boot();
      expect(target.admit(USER.id, USER.key), `byte ${byte}`).toBe(Status.HandshakeRefused);
      changeData(target.device, at + byte, flip);
    }
    target.boot();
    expect(target.admit(USER.id, USER.key)).toBe(Status.Ok);
    target.close();
  });

  it.each<[string, (target: Bench) => unknown]>([
    ["one is added", (target) => addOperator(target, "third", Role.User, KEY)],
    ["one is removed", (target) => removeOperator(target, AUDITOR.id)],
  ])("can be added after power was cut anywhere while %s, each with a key that works", (_what, change) => {
    const target = staffed(kind);
    const { data, supply } = target.device;
    const run = () => change(target);
    const operations = operationsAt(target, data, OPERATORS_OFFSET, OPERATOR_PLACES * OPERATOR_PLACE, run);
    const old = data.snapshot();
    for (const operation of operations)
      for (const how of [{ tear: tears.half }, { tear: tears.half, marginal: true }]) {
        data.restore(old);
        target.boot();
        supply.arm({ operation, ...how });
        expect(run).toThrow(PowerCut);
        target.boot();
        for (const id of ["new", "newer"]) {
          const where = `cut at operation ${operation}, ${id}`;
          expect(says(addOperator(target, id, Role.User, KEY)), where).toBe("Ok");
          expect(target.admit(id, KEY), where).toBe(Status.Ok);
        }
        expect(target.admit(USER.id, USER.key)).toBe(Status.Ok);
      }
    expect(operations.length).toBeGreaterThan(0);
    target.close();
  });
});
