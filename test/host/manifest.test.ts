/** Manifests: what they say, and what they are refused for, by line and field. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Presence, Tier, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { FileError } from "../../host/client/errors.js";
import { capacity, parseManifest } from "../../host/manifest.js";

const INSTANCE = '[instance]\nname = "test"\n';
const parse = (text: string) => parseManifest(INSTANCE + text, "m.toml");

describe("parseManifest", () => {
  it("reads the example that shows every field", () => {
    const path = new URL("../../host/example.toml", import.meta.url);
    const manifest = parseManifest(readFileSync(path, "utf8"), "example.toml");
    expect(manifest.name).toBe("web-1");
    expect(manifest.classes).toEqual([
      { slotSize: 4096, blocks: 24 },
      { slotSize: 8192, blocks: 7 },
    ]);
    expect(manifest.credentials).toMatchObject([
      {
        name: "deploy@web-1",
        label: "deploy@web-1",
        files: ["id_ed25519"],
        usage: Usage.SshUserAuth,
        exportable: false,
        revision: 1,
      },
      { name: "tls/web-1", files: ["leaf.key", "chain.pem"], format: "auto", tier: Tier.Private, exportable: true },
      { name: "release/sign", files: [], generate: true, usage: Usage.SshSig, exportable: false },
      { name: "backup", files: ["backup.key"], passphraseFile: "backup.pass", presence: Presence.Never },
    ]);
  });

  it("makes an admin and a user when no operator is named, and otherwise those that are", () => {
    expect(parse("").operators).toEqual([
      { id: "admin", role: Role.Admin },
      { id: "user", role: Role.User },
    ]);
    expect(parse('[[operator]]\nid = "ops"\nrole = "admin"\n').operators).toEqual([{ id: "ops", role: Role.Admin }]);
  });

  it("takes slots of 4096 bytes on all blocks when no class is named", () => {
    expect(parse("").classes).toEqual([{ slotSize: 4096, blocks: 32 }]);
    expect(capacity({ slotSize: 4096, blocks: 32 })).toBe(247);
  });

  it("rounds slots up to whole blocks and one spare, so that at least so many records fit and a block less would not do", () => {
    for (const size of [256, 384, 4096, 8192, 32768]) {
      for (let slots = 1; slots <= 20; slots++) {
        const [chosen] = parse(
          `[[class]]\nsize = ${size}\nslots = ${slots}\n`.replace("slots = 0", "slots = 1"),
        ).classes;
        expect(capacity(chosen!)).toBeGreaterThanOrEqual(slots);
        if (chosen!.blocks > 2) expect(capacity({ ...chosen!, blocks: chosen!.blocks - 1 })).toBeLessThan(slots);
      }
    }
  });

  it.each([
    ["no TOML", "[[class]\n", "m.toml, line 3, column"],
    [
      "an unknown field",
      "[[class]]\nsize = 4096\nblocks = 4\ncolour = 1\n",
      "m.toml, line 6: [class] colour is no field that belongs here",
    ],
    ["an unknown table", "[other]\n", "line 3: other is no field"],
    ["an unknown field at the top", "", "line 1: x is no field"],
    [
      "a size that is no multiple of the unit",
      "[[class]]\nblocks = 4\nsize = 4000\n",
      "line 5: [class] size is 4000 bytes; it should be a multiple of 128",
    ],
    ["a size that is no size", '[[class]]\nsize = "4 K"\nblocks = 4\n', "line 4: [class] size should be bytes"],
    ["one block", "[[class]]\nsize = 4096\nblocks = 1\n", "line 5: [class] blocks should be an integer from 2 to 32"],
    [
      "blocks and slots",
      "[[class]]\nsize = 4096\nblocks = 2\nslots = 2\n",
      "line 3: [class] needs either `blocks` or `slots`",
    ],
    [
      "more blocks than there are",
      '[[class]]\nsize = "4K"\nblocks = 20\n[[class]]\nsize = "8K"\nblocks = 20\n',
      "take 40 blocks, spare ones included; the device has 32",
    ],
    [
      "more slots than there are",
      "[[class]]\nsize = 256\nblocks = 3\n",
      "make 384 slots, spare ones included; the device keeps track of 256",
    ],
    ["five classes", "[[class]]\nsize = 32768\nblocks = 2\n".repeat(5), "stands there 5 times; at most 4"],
    [
      "a second line of a second table",
      '[[credential]]\nlabel = "a"\nfile = "a"\n[[credential]]\nlabel = "b"\nfile = "b"\ntier = "secret"\n',
      "line 9: [credential] tier should be one of private, public",
    ],
    ["tier temp", '[[credential]]\nlabel = "a"\nfile = "a"\ntier = "temp"\n', "tier should be one of private, public"],
    [
      "an unknown usage",
      '[[credential]]\nlabel = "a"\nfile = "a"\nusage = "sign"\n',
      "line 6: [credential] usage should be one of opaque, raw",
    ],
    ["an unknown format", '[[credential]]\nlabel = "a"\nfile = "a"\nformat = "pem"\n', "format should be one of auto"],
    [
      "a text for true",
      '[[credential]]\nlabel = "a"\nfile = "a"\nexportable = "yes"\n',
      "exportable should be true or false",
    ],
    [
      "no file",
      '[[credential]]\nlabel = "a"\n',
      "line 3: [credential] needs either `file`, `files` or `generate = true`",
    ],
    [
      "a file for a key that the device makes",
      '[[credential]]\nlabel = "a"\nfile = "a"\ngenerate = true\nusage = "raw"\n',
      "needs either `file`, `files` or `generate = true`",
    ],
    [
      "a generated key without a usage",
      '[[credential]]\nlabel = "a"\ngenerate = true\n',
      "usage should be one of raw, sshsig, ssh-userauth, note, agree for a key that the device makes",
    ],
    [
      "a generated key that may leave",
      '[[credential]]\nlabel = "a"\ngenerate = true\nusage = "raw"\nexportable = true\n',
      "line 7: [credential] exportable cannot be true",
    ],
    ["operators without an admin", '[[operator]]\nid = "u"\nrole = "user"\n', "line 3: operator names no admin"],
    [
      "an operator's name that is none",
      '[[operator]]\nid = "Ops"\nrole = "admin"\n',
      "line 4: [operator] id should be 1 to 10",
    ],
    [
      "an operator twice",
      '[[operator]]\nid = "a"\nrole = "admin"\n'.repeat(2),
      'line 7: [operator] id is the second operator "a"',
    ],
    ["an unknown role", '[[operator]]\nid = "a"\nrole = "root"\n', "role should be one of auditor, user, admin"],
    [
      "17 operators",
      Array.from({ length: 17 }, (_, i) => `[[operator]]\nid = "o${i}"\nrole = "admin"\n`).join(""),
      "at most 16",
    ],
    ["neither label nor name", '[[credential]]\nfile = "a"\n', "needs a `label` or a `name`"],
    [
      "a label that is too long",
      `[[credential]]\nfile = "a"\nlabel = "${"ü".repeat(25)}"\n`,
      "line 5: [credential] label is longer than 48 bytes",
    ],
    [
      "the same name twice",
      '[[credential]]\nlabel = "a"\nfile = "a"\n[[credential]]\nname = "a"\nfile = "b"\n',
      'line 6: [credential] is the second one called "a"',
    ],
  ])("refuses %s", (what, text, message) => {
    const whole = what === "an unknown field at the top" ? `x = 1\n${INSTANCE}` : INSTANCE + text;
    expect(() => parseManifest(whole, "m.toml")).toThrow(FileError);
    expect(() => parseManifest(whole, "m.toml")).toThrow(message);
  });

  it("refuses a manifest without a name", () => {
    expect(() => parseManifest("", "m.toml")).toThrow("[instance] name is missing");
  });
});
