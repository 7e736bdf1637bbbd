/** Policies: which records let their content out, and how a policy changes. SPEC.md §9, §12. Touches: test/presence. */
import { afterAll, describe, expect, it } from "vitest";
import {
  Origin,
  POLICY_EXPORTABLE,
  POLICY_MAX,
  POLICY_PRESENCE_SHIFT,
  Presence,
  Usage,
} from "../../firmware/defs/record.js";
import { Key } from "../../firmware/defs/wire.js";
import { targets } from "../targets.js";
import * as help from "./help.js";

const {
  body,
  evict,
  generate,
  get,
  handle,
  hex,
  put,
  ready,
  relabel,
  replace,
  says,
  setPolicy,
  show,
  token,
  unchanged,
} = help;

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
    const made = handle(put(target));
    expect(unchanged(target, () => says(setPolicy(target, made, policy)))).toBe(`BadArgument ${Key.Policy}`);
  });

  it("are changed to any value and back, and nothing else is, over power cycles too", () => {
    const content = body(120, secret);
    const made = handle(put(target, { policy: 0, label: "kept", usage: Usage.Note, body: content }));
    const before = show(target, made);
    for (const policy of [...Array.from({ length: POLICY_MAX + 1 }, (_, i) => i), 0, POLICY_EXPORTABLE]) {
      const changed = setPolicy(target, made, policy);
      expect(says(changed)).toBe("Ok");
      if (policy === EACH) target.boot();
      const after = show(target, made);
      expect([after.get(Key.Policy), after.get(Key.Sequence)]).toEqual([policy, changed.get(Key.Sequence)]);
      for (const [key, value] of before)
        if (key !== Key.Policy && key !== Key.Sequence) expect(after.get(key), Key[key]).toEqual(value);
    }
    expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
  });

  it("are changed once for a token, and TokenReused tells another request under it", () => {
    const made = handle(put(target, { policy: CACHED }));
    const by = token();
    const changed = setPolicy(target, made, EACH, by);
    expect([...unchanged(target, () => setPolicy(target, made, EACH, by))]).toEqual([...changed]);
    expect(unchanged(target, () => says(setPolicy(target, made, 0, by)))).toBe("TokenReused");
    expect(unchanged(target, () => says(relabel(target, made, "other", by)))).toBe("TokenReused");
  });

  it("of no record are not changed: NoSuchHandle", () => {
    const gone = handle(put(target));
    evict(target, gone);
    for (const policy of [0, POLICY_EXPORTABLE])
      expect(unchanged(target, () => says(setPolicy(target, gone, policy)))).toBe("NoSuchHandle");
  });

  it("never let a generated key out: NotExportable, and BadArgument for a generate that asks for it", () => {
    const made = handle(generate(target, { policy: EACH }));
    for (const policy of [POLICY_EXPORTABLE, CACHED | POLICY_EXPORTABLE, EACH | POLICY_EXPORTABLE])
      expect(unchanged(target, () => says(setPolicy(target, made, policy)))).toBe("NotExportable");
    expect(says(setPolicy(target, made, CACHED))).toBe("Ok");
    expect(unchanged(target, () => says(get(target, made)))).toBe("NotExportable");
    expect(unchanged(target, () => says(generate(target, { policy: POLICY_EXPORTABLE })))).toBe(
      `BadArgument ${Key.Policy}`,
    );
  });

  it("may let out what took the place of a generated key", () => {
    const made = handle(generate(target));
    const content = body(70, secret);
    expect(says(replace(target, made, content))).toBe("Ok");
    expect(show(target, made).get(Key.Origin)).toBe(Origin.Imported);
    expect(says(setPolicy(target, made, POLICY_EXPORTABLE))).toBe("Ok");
    expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
  });
});
