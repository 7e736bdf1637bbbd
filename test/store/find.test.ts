/** Find: all conditions that are named must hold. SPEC.md §9. */
import { afterAll, describe, expect, it } from "vitest";
import { Origin, Tier, Usage } from "../../firmware/defs/record.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Value } from "../../host/client/message.js";
import { targets } from "../targets.js";
import { find, put, ready, says } from "./help.js";

describe.each(targets)("find on $name", (kind) => {
  const target = ready(kind);
  afterAll(() => target.close());
  // epoch 3, then 7
  target.ask(Command.Epoch, [[Key.Epoch, 3]]);
  put(target, { label: "web", usage: Usage.Raw });
  put(target, { label: "web server", usage: Usage.Certificate, tier: Tier.Public });
  put(target, { label: "ключ", usage: Usage.Raw });
  put(target, { usage: Usage.Agree });
  target.ask(Command.Epoch, [[Key.Epoch, 7]]);
  put(target, { label: "web", usage: Usage.Note });
  put(target, { label: "wéb", usage: Usage.Opaque });

  const cases: [what: string, fields: [Key, Value][], found: number][] = [
    ["everything when nothing is named", [], 6],
    ["equal labels, several of them", [[Key.Label, "web"]], 2],
    ["no label that is only equal at the start", [[Key.Label, "we"]], 0],
    ["records without label under the empty label", [[Key.Label, ""]], 1],
    ["labels by prefix", [[Key.LabelPrefix, "web"]], 3],
    ["labels by a prefix outside ASCII", [[Key.LabelPrefix, "кл"]], 1],
    ["every label, also none, by the empty prefix", [[Key.LabelPrefix, ""]], 6],
    ["nothing by a prefix longer than every label", [[Key.LabelPrefix, "w".repeat(48)]], 0],
    ["usages", [[Key.Usage, Usage.Raw]], 2],
    ["usage 0, which is no wildcard", [[Key.Usage, Usage.Opaque]], 1],
    ["nothing for a usage beyond one byte", [[Key.Usage, 256]], 0],
    ["tiers", [[Key.Tier, Tier.Public]], 1],
    ["nothing for a tier beyond one byte", [[Key.Tier, 0x102]], 0],
    ["origins", [[Key.Origin, Origin.Imported]], 6],
    ["nothing of another origin", [[Key.Origin, Origin.Generated]], 0],
    ["epochs from a bound", [[Key.EpochMin, 4]], 2],
    ["epochs up to a bound, it included", [[Key.EpochMax, 3]], 4],
    [
      "epochs between two bounds",
      [
        [Key.EpochMin, 7],
        [Key.EpochMax, 7],
      ],
      2,
    ],
    [
      "nothing between bounds that cross",
      [
        [Key.EpochMin, 8],
        [Key.EpochMax, 0xffffffff],
      ],
      0,
    ],
    [
      "only what all conditions hold for",
      [
        [Key.Usage, Usage.Note],
        [Key.LabelPrefix, "w"],
        [Key.EpochMin, 7],
      ],
      1,
    ],
    [
      "nothing when one of them does not hold",
      [
        [Key.Label, "web"],
        [Key.Usage, Usage.Agree],
      ],
      0,
    ],
  ]; // prettier-ignore

  it.each(cases)("gives %s", (_what, fields, found) => {
    const sorted = [...fields].sort(([a], [b]) => a - b);
    expect(find(target, sorted)).toHaveLength(found);
  });

  it("refuses a label or a prefix of 49 bytes with BadLabel", () => {
    for (const key of [Key.Label, Key.LabelPrefix]) {
      expect(says(target.ask(Command.Find, [[key, "x".repeat(49)]]))).toBe("BadLabel");
    }
  });
});
