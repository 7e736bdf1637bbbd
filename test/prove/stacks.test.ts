/** scripts/prove/stack.ts and frames.ts against what happens: both stacks of the firmware are painted, and the commands that need most are asked
 *  of it on the virtual board. The bounds must hold, and must not be loose. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Tier } from "../../firmware/defs/record.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { CAPACITY, Host, imageOf } from "../../scripts/bench/host.js";
import { useEverything } from "../../scripts/bench/session.js";
import { bounds } from "../../scripts/prove/bounds.js";
import { limitsOf } from "../../scripts/prove/limits.js";
import { disassemble } from "../../scripts/prove/listing.js";
import { demand } from "../../scripts/prove/stack.js";
import { decode } from "../../scripts/prove/wasm.js";
import { builtPath } from "../device/built.js";
import { Painted } from "./paint.js";

/** How far a bound may lie above what was seen. */
const LOOSE = 1.5;
/** wasm3 needs most of the C stack while it compiles; what may be left of it. */
const SPARE = 1 / 4;
const SPARE_SLOTS = 24; // of 248: room for two more keys and a filekey

const elf = builtPath("ek-ra6m5.elf");
const module = decode(readFileSync(builtPath("core.wasm")));
const markers = module.exports.filter(({ kind }) => kind === "global").map(({ name }) => name);
const limits = limitsOf(elf, disassemble(elf), "board/ek-ra6m5/wasm3_glue.c", markers);

/** A store that is nearly full, made in V8: a put into it must win slots back. */
function nearlyFull() {
  const { host, device } = Host.provisioned();
  const records = CAPACITY - SPARE_SLOTS;
  const handles = Array.from({ length: records }, () => host.put(64));
  return { media: imageOf(device), records, handles };
}

/** Evicts and puts until a block was erased for it. */
function reclaim(host: Host, handles: Uint8Array[]): void {
  const { slots } = host.device;
  const before = slots.totalErases;
  for (const handle of handles.slice(0, 2 * SPARE_SLOTS)) {
    host.talk.ask(Command.Evict, [
      [Key.Handle, handle],
      [Key.Destroy, true],
    ]);
    host.put(3900);
    if (slots.totalErases > before) return;
  }
  throw new Error("no put had to win a slot back");
}

/** Every use of keys, then what a change of the store may need. */
function work({ host }: Painted, more: () => void): void {
  useEverything(host, (_operation, count) => count());
  host.openAs("admin");
  host.talk.ask(Command.Info);
  more();
  host.talk.ask(Command.FilekeyCreate, [
    [Key.Token, host.token()],
    [Key.Label, host.label()],
    [Key.Tier, Tier.Private],
    [Key.Policy, 0],
    [Key.Data, Buffer.from("000010a5d4e80000", "hex")],
  ]);
}

describe("the stacks of the firmware, painted", () => {
  let painted: Painted;
  let used: { c: number; wasm: number };
  beforeAll(() => {
    const { media, records, handles } = nearlyFull();
    const full = new Painted(media, records);
    work(full, () => reclaim(full.host, handles));
    painted = new Painted(imageOf(Host.provisioned().device), 0);
    work(painted, () => painted.host.put(3900));
    used = {
      c: Math.max(full.cUsed(), painted.cUsed()),
      wasm: Math.max(full.wasmUsed(), painted.wasmUsed()),
    };
    full.close();
  });
  afterAll(() => painted.close());
  const needs = bounds(module, limits).needs;
  const most = (which: "wasmStack" | "cStack"): number => Math.max(...needs.map((one) => one[which]));

  it("have the sizes that the bounds are compared with", () => {
    expect(painted.wasmStack.to - painted.wasmStack.from).toBe(limits.wasmStack);
    expect(painted.cStack.to - painted.cStack.from).toBe(limits.cStack);
  });

  it("use no more of the interpreter's stack than its bound, and no less than two thirds of that", () => {
    expect(used.wasm).toBeLessThanOrEqual(most("wasmStack"));
    expect(used.wasm * LOOSE).toBeGreaterThanOrEqual(most("wasmStack"));
  });

  it("use no more of the C stack than its bound while the core runs, and no less than two thirds of that", () => {
    expect(used.c).toBeLessThanOrEqual(most("cStack"));
    expect(used.c * LOOSE).toBeGreaterThanOrEqual(most("cStack"));
  });

  it("show that a model without the frames of calls, or without locals and constants, is too small", () => {
    const calls = { ...limits, frames: { ...limits.frames, call: 0 } };
    expect(Math.max(...bounds(module, calls).needs.map((one) => one.cStack))).toBeLessThan(used.c);
    const bare = module.functions.map((one) => ({ ...one, locals: one.type.params, body: new Uint8Array() }));
    const { needs: small } = bounds({ ...module, functions: bare }, limits);
    expect(Math.max(...small.map((one) => one.wasmStack))).toBeLessThan(used.wasm);
  });

  it("show for each function of the core a frame that is no larger than the model's", () => {
    const own = module.functions.filter((one) => one.import === undefined);
    const frames = painted.frames();
    expect(frames).toHaveLength(own.length);
    const over = own
      .map((one, i) => ({ name: one.name, model: demand(module, one).slots, wasm3: frames[i]! }))
      .filter(({ model, wasm3 }) => wasm3 > model);
    expect(over).toEqual([]);
  });

  it("leave a quarter of the C stack untouched while wasm3 compiles, which no bound covers", () => {
    const compiling = painted.compiling();
    expect(compiling).toBeGreaterThan(most("cStack"));
    expect(compiling).toBeLessThan(limits.cStack * (1 - SPARE));
  });
});
