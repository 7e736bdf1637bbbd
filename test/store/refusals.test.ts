/** The order of refusals: of two faults in one request the first in SPEC.md §9 is told. */
import { afterAll, describe, expect, it } from "vitest";
import { UNIT } from "../../firmware/defs/medium.js";
import { PARTS_MAX, Usage } from "../../firmware/defs/record.js";
import { CONTEXT_MAX, SALT_MAX } from "../../firmware/defs/use.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { deviceTargets, targets } from "../targets.js";
import * as help from "./help.js";
import { raw, rawPut, uint } from "./raw.js";

const { begin, body, evict, handle, put, ready, relabel, replace, SMALL, says, token, unchanged, WHOLE } = help;
const { addOperator, generate, removeOperator, rotateOperator, setRole } = help;

const LONG = "x".repeat(49);
const TOO_LARGE = 63 * UNIT + 1; // for slots of SMALL
const BROKEN = Uint8Array.of(4, 0, 9, 0, 0, 0, 0, 0, 1);

describe.each(targets)("put on $name", (kind) => {
  it("refuses in the order of SPEC: BadLabel, BadArgument, BadRecord, state, token, TooLarge, full", () => {
    const target = kind.make();
    expect(says(put(target, { label: LONG, usage: 9, body: BROKEN }))).toBe("BadLabel");
    expect(says(put(target, { usage: 8, tier: 0, policy: 6, body: BROKEN }))).toBe(`BadArgument ${Key.Usage}`);
    expect(says(put(target, { tier: 0, policy: 6, body: BROKEN }))).toBe(`BadArgument ${Key.Tier}`);
    expect(says(put(target, { tier: 3, body: BROKEN }))).toBe(`BadArgument ${Key.Tier}`);
    expect(says(put(target, { policy: 6, body: BROKEN }))).toBe(`BadArgument ${Key.Policy}`);
    expect(says(put(target, { body: BROKEN }))).toBe("BadRecord");
    expect(says(put(target))).toBe("NotProvisioned");
    target.close();
  });

  it("refuses a used token before it looks at size and room, and size before room", () => {
    const target = ready(kind, SMALL);
    const used = token();
    put(target, { token: used });
    put(target);
    expect(unchanged(target, () => says(put(target, { token: used, body: body(TOO_LARGE) })))).toBe("TokenReused");
    put(target);
    expect(unchanged(target, () => says(put(target, { token: used })))).toBe("TokenReused");
    expect(unchanged(target, () => says(put(target, { body: body(TOO_LARGE) })))).toMatch(/^TooLarge/);
    expect(unchanged(target, () => says(put(target)))).toBe("StoreFull");
    target.close();
  });
});

describe.each(targets)("generate on $name", (kind) => {
  it("refuses in the order of put, without a body", () => {
    const target = kind.make();
    const asked = { usage: 9, tier: 0, policy: 6 };
    expect(says(generate(target, { ...asked, label: LONG }))).toBe("BadLabel");
    expect(says(generate(target, asked))).toBe(`BadArgument ${Key.Usage}`);
    expect(says(generate(target, { tier: 0, policy: 6 }))).toBe(`BadArgument ${Key.Tier}`);
    for (const policy of [6, 1, 3]) expect(says(generate(target, { policy }))).toBe(`BadArgument ${Key.Policy}`);
    expect(says(generate(target))).toBe("NotProvisioned");
    target.close();
  });

  it("refuses what holds no key with BadArgument, and makes every other", () => {
    const target = ready(kind, [{ units: 4, blocks: 4 }]);
    for (const usage of [Usage.Opaque, Usage.Attest, Usage.Certificate, 8, 256, 257])
      expect(unchanged(target, () => says(generate(target, { usage })))).toBe(`BadArgument ${Key.Usage}`);
    for (const usage of [Usage.Raw, Usage.SshSig, Usage.SshUserAuth, Usage.Note, Usage.Agree])
      expect(says(generate(target, { usage }))).toBe("Ok");
    expect(unchanged(target, () => says(generate(target, { slotClass: 1 })))).toBe(`BadArgument ${Key.Class}`);
    target.close();
  });
});

describe.each(targets)("operators on $name", (kind) => {
  const ids = ["", "elevenchars", "Upper", "sp ace", "a/b", "ключ", "a\u0000"];

  it("refuse arguments with BadArgument before they look at the state, role first, then id, then secret", () => {
    const target = kind.make();
    const zeros = new Uint8Array(32);
    for (const role of [0, 3, 5, 8, 15, 256 + 4]) {
      expect(says(addOperator(target, "", role, zeros))).toBe(`BadArgument ${Key.Role}`);
      expect(says(setRole(target, "", role))).toBe(`BadArgument ${Key.Role}`);
    }
    for (const id of ids) {
      expect(says(addOperator(target, id, 4, zeros)), id).toBe(`BadArgument ${Key.Operator}`);
      expect(says(rotateOperator(target, id, zeros)), id).toBe(`BadArgument ${Key.Operator}`);
      expect(says(setRole(target, id, 4)), id).toBe(`BadArgument ${Key.Operator}`);
      expect(says(removeOperator(target, id)), id).toBe(`BadArgument ${Key.Operator}`);
    }
    expect(says(addOperator(target, "a", 4, zeros))).toBe(`BadArgument ${Key.Secret}`);
    expect(says(rotateOperator(target, "a", zeros))).toBe(`BadArgument ${Key.Secret}`);
    expect(says(addOperator(target, "tenletters", 4, help.ADMIN_KEY))).toBe("NotProvisioned");
    target.close();
  });
});

describe.each(targets)("a body on $name", (kind) => {
  const target = ready(kind, SMALL);
  const made = handle(put(target));
  afterAll(() => target.close());

  it.each([
    ["no byte", new Uint8Array(0)],
    ["half a part header", Uint8Array.of(4, 0, 1, 0, 0, 0, 0)],
    ["a part without content", Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0)],
    ["a part that is longer than the body", BROKEN],
    ["a byte behind the last part", Buffer.concat([body(20), Uint8Array.of(0)])],
    ["a part of kind 0", Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0, 1)],
    ["a part of kind 5", Uint8Array.of(5, 0, 1, 0, 0, 0, 0, 0, 1)],
    ["a part with an unknown flag", Uint8Array.of(4, 2, 1, 0, 0, 0, 0, 0, 1)],
    ["17 parts", Buffer.concat(Array.from({ length: PARTS_MAX + 1 }, () => body(9)))],
  ])("of %s is BadRecord to put and replace", (_what, broken) => {
    expect(unchanged(target, () => says(put(target, { body: broken })))).toBe("BadRecord");
    expect(unchanged(target, () => says(replace(target, made, broken)))).toBe("BadRecord");
  });

  it("of 16 parts is taken", () => {
    expect(says(put(target, { body: Buffer.concat(Array.from({ length: PARTS_MAX }, () => body(9))) }))).toBe("Ok");
  });
});

describe.each(targets)("replace and relabel on $name", (kind) => {
  it("refuse an unknown handle before the token, and a used token before the size", () => {
    const target = ready(kind, SMALL);
    const used = token();
    const made = handle(put(target, { token: used }));
    const gone = handle(put(target));
    evict(target, gone);
    expect(unchanged(target, () => says(replace(target, gone, body(), used)))).toBe("NoSuchHandle");
    expect(unchanged(target, () => says(relabel(target, gone, "x", used)))).toBe("NoSuchHandle");
    expect(unchanged(target, () => says(replace(target, made, body(TOO_LARGE), used)))).toBe("TokenReused");
    expect(unchanged(target, () => says(relabel(target, made, LONG, used)))).toBe("BadLabel");
    target.close();
  });
});

describe.each(deviceTargets)("agree on $name", (kind) => {
  it("refuses a salt and a context that are too long, and takes the next request without them for what it is", () => {
    const target = ready(kind, SMALL);
    const made = handle(generate(target, { usage: Usage.Agree }));
    const derived = (salt: number, context: number) =>
      target.ask(Command.Agree, [
        [Key.Handle, made],
        [Key.Public, Buffer.alloc(32).fill(9, 0, 1)],
        [Key.Salt, new Uint8Array(salt)],
        [Key.Context, new Uint8Array(context)],
      ]);
    expect(says(derived(SALT_MAX + 1, 5))).toBe(`BadArgument ${Key.Salt}`);
    expect(says(help.agree(target, made))).toBe("Ok");
    expect(says(derived(5, CONTEXT_MAX + 1))).toBe(`BadArgument ${Key.Context}`);
    expect(says(help.agree(target, made))).toBe("Ok");
    expect(says(derived(SALT_MAX, CONTEXT_MAX))).toBe("Ok");
    target.close();
  });
});

describe.each(deviceTargets)("numbers on $name", (kind) => {
  it("of 32 bits are compared whole: usage, tier and policy beyond a byte are BadArgument", () => {
    const target = ready(kind, SMALL);
    expect(unchanged(target, () => raw(target, rawPut({ usage: uint(256) })))).toBe(`BadArgument ${Key.Usage}`);
    expect(unchanged(target, () => says(put(target, { tier: 257 })))).toBe(`BadArgument ${Key.Tier}`);
    expect(unchanged(target, () => says(put(target, { policy: 256 })))).toBe(`BadArgument ${Key.Policy}`);
    expect(unchanged(target, () => says(put(target, { slotClass: 256 })))).toBe(`BadArgument ${Key.Class}`);
    target.close();
  });

  it("of dump are bounded: length, region and offset", () => {
    const target = kind.make();
    const dump = (region: number, offset: number, length: number) =>
      says(
        target.ask(Command.Dump, [
          [Key.Length, length],
          [Key.Region, region],
          [Key.Offset, offset],
        ]),
      );
    expect(dump(0, 0, 1)).toBe("NotProvisioned");
    begin(target);
    expect(dump(0, 0, 0)).toBe(`BadArgument ${Key.Length}`);
    expect(dump(0, 0, 4097)).toBe(`BadArgument ${Key.Length}`);
    expect(dump(2, 0, 1)).toBe(`BadArgument ${Key.Region}`);
    expect(dump(3, 0, 1)).toBe(`BadArgument ${Key.Region}`);
    expect(dump(0, 0x100000, 1)).toBe(`BadArgument ${Key.Offset}`);
    expect(dump(0, 0xfffff, 2)).toBe(`BadArgument ${Key.Offset}`);
    expect(dump(1, 0xffffffff, 4096)).toBe(`BadArgument ${Key.Offset}`);
    expect(dump(0, 0xfffff, 1)).toBe("Ok");
    expect(dump(1, 4096, 4096)).toBe("Ok");
    target.close();
  });
});

describe.each(deviceTargets)("dump on $name", (kind) => {
  it("gives the bytes of the medium as they stand, and nothing of custody", () => {
    const target = ready(kind, WHOLE);
    put(target);
    const dump = (region: number, offset: number, length: number) =>
      target.ask(Command.Dump, [
        [Key.Length, length],
        [Key.Region, region],
        [Key.Offset, offset],
      ]);
    const { slots, data, slotsOffset } = target.device;
    for (let at = 0; at < 8192; at += 4096) {
      const told = unchanged(target, () => dump(0, at, 4096)).get(Key.Data) as Uint8Array;
      expect(Buffer.compare(told, slots.bytes.subarray(slotsOffset + at, slotsOffset + at + 4096))).toBe(0);
    }
    const journal = dump(1, 1536, 3072).get(Key.Data) as Uint8Array;
    expect(Buffer.compare(journal, data.bytes.subarray(1536, 4608))).toBe(0);
    for (const offset of [0, 1, 128, 255]) expect(says(dump(1, offset, 64))).toBe("Unreadable");
    target.close();
  });
});
