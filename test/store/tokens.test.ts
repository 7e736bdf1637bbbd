/** Tokens: a request that is repeated happens once. SPEC.md §9. */
import { afterAll, describe, expect, it } from "vitest";
import { Usage } from "../../firmware/defs/record.js";
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
  list,
  put,
  randomBytes,
  ready,
  relabel,
  replace,
  says,
  token,
  unchanged,
} = help;

describe.each(targets)("tokens on $name", (kind) => {
  const target = ready(kind);
  afterAll(() => target.close());

  it("give the first result to the same put, before and after a power cycle, and change nothing", () => {
    const request = { token: token(), label: "once", body: body(500) };
    const made = put(target, request);
    const count = list(target).length;
    expect([...unchanged(target, () => put(target, request))]).toEqual([...made]);
    target.boot();
    expect([...unchanged(target, () => put(target, request))]).toEqual([...made]);
    expect(list(target)).toHaveLength(count);
  });

  it("refuse another put with TokenReused: other body, length, label, usage, tier or policy", () => {
    const request = { token: token(), label: "once", body: body(500) };
    put(target, request);
    const other = Uint8Array.from(request.body);
    other[499]! ^= 1;
    for (const change of [
      { body: other },
      { body: body(501) },
      { label: "twice" },
      { label: undefined },
      { usage: Usage.Raw },
      { tier: 2 },
      { policy: 0 },
    ]) {
      expect(unchanged(target, () => says(put(target, { ...request, ...change })))).toBe("TokenReused");
    }
  });

  it("give the first result to the same replace, and refuse another body or another record", () => {
    const made = handle(put(target));
    const other = handle(put(target));
    const [by, content] = [token(), body(200)];
    const renewed = replace(target, made, content, by);
    expect([...unchanged(target, () => replace(target, made, content, by))]).toEqual([...renewed]);
    expect(unchanged(target, () => says(replace(target, made, body(200), by)))).toBe("TokenReused");
    expect(unchanged(target, () => says(replace(target, other, content, by)))).toBe("TokenReused");
    expect(unchanged(target, () => says(put(target, { token: by, body: content })))).toBe("TokenReused");
  });

  it("give the first result to the same relabel, and refuse another label", () => {
    const made = handle(put(target));
    const by = token();
    const renewed = relabel(target, made, "new", by);
    expect([...unchanged(target, () => relabel(target, made, "new", by))]).toEqual([...renewed]);
    expect(unchanged(target, () => says(relabel(target, made, "newer", by)))).toBe("TokenReused");
    expect(unchanged(target, () => says(relabel(target, made, undefined, by)))).toBe("TokenReused");
  });

  it("of a put that was replaced since still give its handle, with the present sequence", () => {
    const request = { token: token(), body: body(90) };
    const made = put(target, request);
    const renewed = replace(target, handle(made));
    const again = unchanged(target, () => put(target, request));
    expect(hex(handle(again))).toBe(hex(handle(made)));
    expect(again.get(Key.Sequence)).toBe(renewed.get(Key.Sequence));
  });

  it("of a replace are forgotten when the record has a newer version", () => {
    const made = handle(put(target));
    const [by, content] = [token(), body(40)];
    replace(target, made, content, by);
    replace(target, made);
    const again = replace(target, made, content, by);
    expect(says(again)).toBe("Ok");
    expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
  });

  it("of a put that changed since do not let generate tell its key as one that was made here: TokenReused", () => {
    for (const change of [replace, relabel]) {
      const request = { token: token(), usage: Usage.Raw, policy: 0 };
      const made = handle(put(target, request));
      expect(unchanged(target, () => says(generate(target, request)))).toBe("TokenReused");
      change(target, made);
      expect(unchanged(target, () => says(generate(target, request)))).toBe("TokenReused");
    }
  });

  it("are forgotten with their record: the same put makes a new one", () => {
    const request = { token: token(), body: body(90) };
    const made = handle(put(target, request));
    evict(target, made);
    expect(hex(handle(put(target, request)))).not.toBe(hex(made));
  });

  it("that differ in the last byte only are different tokens", () => {
    const first = token();
    const second = Uint8Array.from(first);
    second[15]! ^= 1;
    const content = body(70);
    const made = handle(put(target, { token: first, body: content }));
    const other = handle(put(target, { token: second, body: body(70) }));
    expect(hex(other)).not.toBe(hex(made));
    expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
  });

  it("that differ behind the eighth byte only are different tokens, also of a record that was replaced since", () => {
    const first = token();
    const made = handle(put(target, { token: first, body: body(50) }));
    replace(target, made);
    const count = list(target).length;
    const other = put(target, { token: Uint8Array.from([...first.subarray(0, 8), ...randomBytes(8)]), body: body(70) });
    expect(hex(handle(other))).not.toBe(hex(made));
    expect(list(target)).toHaveLength(count + 1);
  });
});
