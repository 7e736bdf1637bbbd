/** host/binding.ts: the binding record as bytes and back, and as info shows it. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { BINDING_OFF_CORE, BINDING_SIZE } from "../../firmware/defs/binding.js";
import { type Binding, decodeBinding, encodeBinding } from "../../host/binding.js";
import { workDirectory } from "./keys.js";
import { Desk } from "./terminal.js";

const byte = fc.nat(255);
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const bindings: fc.Arbitrary<Binding> = fc.record({
  ...{
    target: byte,
    engine: byte,
    constantTime: byte,
    core: hash,
    manifest: hash,
    slots: byte,
    data: byte,
    atomic: byte,
  },
  ...{ unit: byte, sealing: byte, custody: byte, entropy: byte, presence: byte },
});

const desk = new Desk(workDirectory());
beforeEach(() => desk.ready());

describe("mbs info", () => {
  it("tells in words what the core was bound to", async () => {
    const text = await desk.ok(["info"]);
    for (const words of [
      "EK-RA6M5, run by wasm3, constant time proven",
      "slots in code flash; journal and logs in data flash, a change settled by a settled word in units of 4",
      "sealed by the core; root in data flash; entropy from clock jitter; presence by switches",
      `target.json ${"3f".repeat(32)}`,
    ])
      expect(text).toContain(words);
    expect(text).not.toContain("but that was core");
    expect((await desk.json(["info"])).binding).toEqual({
      ...{ target: "EK-RA6M5", engine: "wasm3", constantTime: "proven" },
      ...{ core: "cc".repeat(32), manifest: "3f".repeat(32) },
      ...{ slots: "code flash", data: "data flash", atomic: "settled word", unit: 4 },
      ...{ sealing: "core", custody: "data flash", entropy: "clock jitter", presence: "switches" },
    });
  });

  it("says so when it was another core, and when it knows no such record", async () => {
    desk.store.binding[BINDING_OFF_CORE]! ^= 1;
    expect(await desk.ok(["info"])).toContain(`but that was core cd${"cc".repeat(31)}`);
    desk.store.binding = new Uint8Array(100);
    expect(await desk.ok(["info"])).toContain("something that this version does not know");
    expect((await desk.json(["info"])).binding).toBeNull();
  });
});

describe("a binding record", () => {
  it("comes back as it went in, numbers that this host has no word for as well", () => {
    fc.assert(
      fc.property(bindings, (binding) => {
        const bytes = encodeBinding(binding);
        expect(bytes).toHaveLength(BINDING_SIZE);
        const read = decodeBinding(bytes)!;
        expect({ ...read, core: Uint8Array.from(read.core), manifest: Uint8Array.from(read.manifest) }).toEqual(
          binding,
        );
        expect(Buffer.from(encodeBinding(read))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it("is none with another magic, version or length", () => {
    const [binding] = fc.sample(bindings, 1);
    const bytes = encodeBinding(binding!);
    for (const at of [0, 1, 2, 3, 4])
      expect(decodeBinding(Uint8Array.from(bytes, (one, i) => (i === at ? one ^ 1 : one)))).toBeUndefined();
    expect(decodeBinding(bytes.subarray(1))).toBeUndefined();
    expect(decodeBinding(Buffer.concat([bytes, Buffer.of(0)]))).toBeUndefined();
  });
});
