/** The file of an exported filekey: what goes in comes out under its password alone, and nothing else is taken for one. */
import { createHash } from "node:crypto";
import { encode } from "cborg";
import { describe, expect, it } from "vitest";
import { FILEKEY_HEAD, FILEKEY_OFF_ID } from "../../firmware/defs/filekey.js";
import { Kind, seal } from "../../host/claims/container.js";
import { idOf, openFilekey, sealFilekey } from "../../host/claims/exported.js";
import type { Stretch } from "../../host/claims/password.js";
import { quick } from "./rig.js";

const head = Uint8Array.from({ length: FILEKEY_HEAD }, (_, i) => i);
const exported = { head, name: "archive", authority: "board:00" };
const password = (text: string) => Buffer.from(text);
const open = (bytes: Uint8Array, text = "right") => openFilekey(bytes, password(text), quick, "FILE");
const holding = (content: unknown, kind = Kind.Filekey) =>
  seal(kind, encode(content), new Uint8Array(16), (salt) => quick(password("right"), salt));

describe("an exported filekey", () => {
  it("comes back whole, with its id, under its password alone", async () => {
    const bytes = await sealFilekey(exported, password("right"), quick);
    const back = await open(bytes);
    expect({ ...back, head: Uint8Array.from(back.head) }).toEqual(exported);
    expect(idOf(back)).toEqual(head.slice(FILEKEY_OFF_ID, FILEKEY_OFF_ID + 16));
    await expect(open(bytes, "wrong")).rejects.toMatchObject({ reason: "password", hint: expect.stringMatching(/./) });
    expect(Buffer.from(bytes).includes("archive")).toBe(false);
    expect(Buffer.from(bytes).includes(Buffer.from(head))).toBe(false);
  });

  it("is never the same bytes twice, and leaves nothing of the derived key behind", async () => {
    const derived: Uint8Array[] = [];
    const spy: Stretch = async (text, salt) => {
      derived.push(createHash("sha256").update(salt).update(text).digest());
      return derived.at(-1)!;
    };
    const all = [
      await sealFilekey(exported, password("right"), spy),
      await sealFilekey(exported, password("right"), spy),
    ];
    expect(Buffer.compare(all[0]!, all[1]!)).not.toBe(0);
    await openFilekey(all[0]!, password("right"), spy, "FILE");
    expect(derived.map((key) => key.every((byte) => byte === 0))).toEqual([true, true, true]);
  });

  it("is nothing else: no claim cache, no other content, no later version", async () => {
    for (const content of [
      [],
      "text",
      [1, head.slice(1), "a", "b"],
      [1, head, "a"],
      [1, head, "a", "b", 0],
      [0, head, "a", "b"],
    ])
      await expect(open(await holding(content)), JSON.stringify(content)).rejects.toMatchObject({
        code: "file",
        hint: expect.stringMatching(/./),
      });
    await expect(open(await holding([2, head, "a", "b"]))).rejects.toMatchObject({ reason: "version" });
    await expect(open(await holding([1, head, "a", "b"], Kind.ClaimCache))).rejects.toMatchObject({
      reason: "damaged",
    });
    const bytes = await holding([1, head, "a", "b"]);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      await expect(open(changed), `byte ${at}`).rejects.toMatchObject({ code: "file" });
    }
  });
});
