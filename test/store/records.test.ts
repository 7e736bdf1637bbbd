/** Records: what is put is got, listed and shown; what is evicted is gone. SPEC.md §9. */
import { afterAll, describe, expect, it } from "vitest";
import { Custody } from "../../firmware/defs/custody.js";
import { ALG_ED25519, Origin, PartKind, Tier, Usage } from "../../firmware/defs/record.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import { targets } from "../targets.js";
import * as help from "./help.js";

const { body, evict, get, handle, handles, hex, info, list, put, ready, relabel, replace, says, show, unchanged } =
  help;

describe.each(targets)("records on $name", (kind) => {
  const target = ready(kind);
  afterAll(() => target.close());

  it("are got back equal, with every attribute that put named", () => {
    const content = body(777);
    const given = { label: "ключ 1", usage: Usage.Note, tier: Tier.Public, policy: 1, body: content };
    const made = put(target, given);
    expect(says(made)).toBe("Ok");
    const answer = get(target, handle(made));
    expect(Object.fromEntries([...answer].filter(([key]) => key !== Key.Handle && key !== Key.Body))).toEqual({
      [Key.Command]: 0,
      [Key.Label]: "ключ 1",
      [Key.Usage]: Usage.Note,
      [Key.Tier]: Tier.Public,
      [Key.Policy]: 1,
      [Key.Epoch]: info(target).get(Key.Epoch),
      [Key.Origin]: Origin.Imported,
      [Key.Class]: 0,
      [Key.Length]: 777,
      [Key.Sequence]: made.get(Key.Sequence),
      [Key.Parts]: 1,
      [Key.Custody]: Custody.Simulated,
      [Key.Created]: made.get(Key.Sequence),
    });
    expect(hex(answer.get(Key.Body))).toBe(hex(content));
    expect(hex(answer.get(Key.Handle))).toBe(hex(handle(made)));
  });

  it("are listed with what get tells, besides the body", () => {
    const made = handle(put(target, { label: "listed" }));
    const got = get(target, made);
    got.delete(Key.Command);
    got.delete(Key.Body);
    const entry = list(target).find((one) => hex(one.get(Key.Handle)) === hex(made));
    expect([...(entry as Message)]).toEqual([...got]);
  });

  it("are shown with kind, flags, algorithm and length of every part, and without content", () => {
    const parts = [
      { kind: PartKind.Signing, secret: true, algorithm: ALG_ED25519, content: help.randomBytes(32) },
      { kind: PartKind.Opaque, secret: false, algorithm: 0, content: help.randomBytes(5) },
    ];
    const answer = show(target, handle(put(target, { body: encodeParts(parts), policy: 0 })));
    const shown = (answer.get(Key.Parts) as Message[]).map((part) =>
      [Key.Kind, Key.Flags, Key.Algorithm, Key.Length].map((key) => part.get(key)),
    );
    expect(shown).toEqual([
      [PartKind.Signing, 1, ALG_ED25519, 32],
      [PartKind.Opaque, 0, 0, 5],
    ]);
    expect(answer.has(Key.Body)).toBe(false);
  });

  it("keep handle and attributes under replace, and take the new body and a higher sequence", () => {
    const made = put(target, { label: "rotated", usage: Usage.Raw, tier: Tier.Public });
    const content = body(1200);
    const renewed = replace(target, handle(made), content);
    expect(hex(handle(renewed))).toBe(hex(handle(made)));
    expect(renewed.get(Key.Sequence)).toBeGreaterThan(made.get(Key.Sequence) as number);
    const answer = get(target, handle(made));
    const told = [Key.Label, Key.Usage, Key.Tier, Key.Policy, Key.Class, Key.Created, Key.Length].map((key) =>
      answer.get(key),
    );
    expect(told).toEqual(["rotated", Usage.Raw, Tier.Public, 1, 0, made.get(Key.Sequence), 1200]);
    expect(hex(answer.get(Key.Body))).toBe(hex(content));
  });

  it("keep their body under relabel, which may also take the label away", () => {
    const content = body(300);
    const made = handle(put(target, { body: content }));
    expect(says(relabel(target, made, "now named"))).toBe("Ok");
    expect(get(target, made).get(Key.Label)).toBe("now named");
    expect(says(relabel(target, made))).toBe("Ok");
    const answer = get(target, made);
    expect(answer.has(Key.Label)).toBe(false);
    expect(hex(answer.get(Key.Body))).toBe(hex(content));
  });

  it("are gone after evict, for every command, and after a power cycle too", () => {
    const made = handle(put(target));
    expect(evict(target, made).get(Key.Destroyed)).toBe(false);
    for (const command of [get, show, evict, replace, relabel]) {
      expect(unchanged(target, () => says(command(target, made)))).toBe("NoSuchHandle");
    }
    expect(handles(list(target))).not.toContain(hex(made));
    target.boot();
    expect(says(get(target, made))).toBe("NoSuchHandle");
  });

  it("answer NoSuchHandle for handles that were never issued, zeros among them", () => {
    for (const unknown of [help.randomBytes(16), new Uint8Array(16)]) {
      expect(unchanged(target, () => says(get(target, unknown)))).toBe("NoSuchHandle");
      expect(unchanged(target, () => says(evict(target, unknown, true)))).toBe("NoSuchHandle");
    }
  });

  it("survive a power cycle, in the same order of creation", () => {
    const before = list(target).map((entry) => [...entry]);
    target.boot();
    expect(list(target).map((entry) => [...entry])).toEqual(before);
  });

  it("have handles that repeat neither each other nor an evicted one", () => {
    const first = Array.from({ length: 5 }, () => hex(handle(put(target))));
    for (const one of first) evict(target, Buffer.from(one, "hex"));
    const second = Array.from({ length: 5 }, () => hex(handle(put(target))));
    expect(new Set([...first, ...second]).size).toBe(10);
  });

  it("take bodies of 9, 10 and up to 100 bytes, and get them back equal", () => {
    const lengths = kind.share === 1 ? Array.from({ length: 92 }, (_, i) => 9 + i) : [9, 10, 63, 64, 65, 100];
    for (const length of lengths) {
      const content = body(length);
      const made = handle(put(target, { body: content, label: "n".repeat(length % 49) }));
      expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
      evict(target, made);
    }
  });

  it("are read without a flash operation", () => {
    const made = handle(put(target));
    unchanged(target, () => {
      for (const command of [Command.Hello, Command.Info, Command.List, Command.Find]) target.ask(command);
      get(target, made);
      show(target, made);
    });
  });
});
