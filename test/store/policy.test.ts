/** Policies: which records let their content out. SPEC.md §9. */
import { afterAll, describe, expect, it } from "vitest";
import { POLICY_EXPORTABLE, POLICY_PRESENCE_SHIFT, Presence } from "../../firmware/defs/record.js";
import { Key } from "../../firmware/defs/wire.js";
import { targets } from "../targets.js";
import { body, get, handle, hex, list, put, ready, relabel, replace, says, show, unchanged } from "./help.js";

const EACH = Presence.Each << POLICY_PRESENCE_SHIFT;
const CACHED = Presence.Cached << POLICY_PRESENCE_SHIFT;
const secret = { secret: true };

describe.each(targets)("policies on $name", (kind) => {
  const target = ready(kind);
  afterAll(() => target.close());

  it("without export let no record out that has a secret part, whole", () => {
    for (const content of [body(80, secret), Buffer.concat([body(40), body(40, secret), body(40)])]) {
      const made = handle(put(target, { policy: 0, body: content }));
      expect(unchanged(target, () => says(get(target, made)))).toBe("NotExportable");
      expect(says(show(target, made))).toBe("Ok");
    }
  });

  it("without export let a record out whose parts are all public", () => {
    const content = Buffer.concat([body(40), body(60)]);
    expect(hex(get(target, handle(put(target, { policy: 0, body: content }))).get(Key.Body))).toBe(hex(content));
  });

  it("with export let a secret out", () => {
    const content = body(80, secret);
    const made = handle(put(target, { policy: POLICY_EXPORTABLE, body: content }));
    expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
  });

  it.each([
    ["cached", CACHED],
    ["each", EACH],
    ["cached, exportable", CACHED | POLICY_EXPORTABLE],
    ["each, exportable", EACH | POLICY_EXPORTABLE],
  ])("that ask for a touch (%s) answer PresenceRequired to get, and let list and show go on", (_what, policy) => {
    const made = handle(put(target, { policy, body: body(40) }));
    expect(unchanged(target, () => says(get(target, made)))).toBe("PresenceRequired");
    expect(show(target, made).get(Key.Policy)).toBe(policy);
    expect(list(target).some((entry) => hex(entry.get(Key.Handle)) === hex(made))).toBe(true);
  });

  it("stay under replace and relabel", () => {
    const made = handle(put(target, { policy: 0, body: body(80, secret) }));
    expect(says(replace(target, made, body(70, secret)))).toBe("Ok");
    expect(says(relabel(target, made, "renamed"))).toBe("Ok");
    expect(says(get(target, made))).toBe("NotExportable");
    expect(says(replace(target, made, body(70)))).toBe("Ok");
    expect(says(get(target, made))).toBe("Ok");
  });

  it.each([6, 7, 8, 255, 256, 0xffffffff])("of value %i do not exist: BadArgument", (policy) => {
    expect(unchanged(target, () => says(put(target, { policy })))).toBe(`BadArgument ${Key.Policy}`);
  });
});
