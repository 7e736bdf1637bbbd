/** The strict NOR medium: manners, power cuts, marginal cells. */
import { describe, expect, it } from "vitest";
import { BadManners, Nor, type NorOptions, PowerCut, Supply, tears, UnitState } from "../../board/virtual/nor.js";
import { seeded } from "../../board/virtual/prng.js";

const small = (options: Partial<NorOptions> = {}): Nor =>
  new Nor({ size: 256, unit: 4, blocks: 64, erasedReads: "ff", random: seeded(1), ...options });
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("Nor", () => {
  it("reads erased cells as 0xFF, or as noise that differs after each power-up", () => {
    expect(small().read(0, 4)).toEqual(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    const noisy = small({ erasedReads: "noise" });
    const before = noisy.read(0, 256);
    noisy.supply.down();
    noisy.supply.up();
    expect(noisy.read(0, 256)).not.toEqual(before);
    expect(noisy.blank(0, 256)).toBe(true);
  });

  it("keeps what was programmed and counts it", () => {
    const nor = small();
    expect(nor.program(8, bytes(1, 2, 3, 4, 5, 6, 7, 8))).toBe(true);
    expect(nor.read(8, 8)).toEqual(Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]));
    expect(nor.wear[0]).toEqual({ offset: 0, size: 64, erases: 0, programs: 2 });
    expect(nor.erase(0)).toBe(true);
    expect(nor.wear[0]).toEqual({ offset: 0, size: 64, erases: 1, programs: 2 });
    expect(nor.supply.operations).toBe(3);
  });

  it("refuses to program a unit twice, even with the same bytes", () => {
    const nor = small();
    nor.program(0, bytes(0xff, 0xff, 0xff, 0xff));
    expect(() => nor.program(0, bytes(0xff, 0xff, 0xff, 0xff))).toThrow(BadManners);
    nor.erase(0);
    expect(nor.program(0, bytes(1, 2, 3, 4))).toBe(true);
  });

  it("refuses misaligned and outside accesses", () => {
    const nor = small();
    expect(() => nor.program(2, bytes(1, 2, 3, 4))).toThrow(BadManners);
    expect(() => nor.program(0, bytes(1, 2, 3))).toThrow(BadManners);
    expect(() => nor.program(256, bytes(1, 2, 3, 4))).toThrow(BadManners);
    expect(() => nor.erase(32)).toThrow(BadManners);
    expect(() => nor.blank(1, 4)).toThrow(BadManners);
    expect(() => nor.read(250, 10)).toThrow(BadManners);
    expect(() => nor.read(-4, 4)).toThrow(BadManners);
  });

  it("knows runs of blocks of different sizes", () => {
    const nor = small({
      size: 512,
      blocks: [
        { size: 64, count: 4 },
        { size: 256, count: 1 },
      ],
    });
    expect(nor.blockAt(130)).toEqual({ offset: 128, size: 64 });
    expect(nor.blockAt(511)).toEqual({ offset: 256, size: 256 });
    nor.program(300, bytes(0, 0, 0, 0));
    nor.erase(256);
    expect(nor.read(300, 4)).toEqual(Buffer.from([255, 255, 255, 255]));
  });

  it("answers an error instead of throwing at a stuck block, and believes its units no longer", () => {
    const nor = small();
    nor.stick(64, { program: true, erase: true });
    expect(nor.program(64, bytes(0, 0, 0, 0))).toBe(false);
    expect(nor.stateAt(64)).not.toBe(UnitState.Erased);
    expect(nor.erase(64)).toBe(false);
    expect(nor.program(0, bytes(0, 0, 0, 0))).toBe(true);
    nor.stick(64, {});
    expect(nor.erase(64)).toBe(true);
    expect(nor.certainlyErased(64, 64)).toBe(true);
  });
});

describe("power cuts", () => {
  const cut = (nor: Nor, run: () => void): void => {
    expect(run).toThrow(PowerCut);
    expect(() => nor.read(0, 4)).toThrow(BadManners); // nobody may go on without power
    nor.supply.up();
  };

  it("cut before an operation changes nothing, after it everything", () => {
    const nor = small();
    nor.supply.arm({ operation: 1, tear: "before" });
    cut(nor, () => nor.program(0, bytes(1, 2, 3, 4, 5, 6, 7, 8)));
    expect(nor.read(0, 8)).toEqual(Buffer.from([1, 2, 3, 4, 255, 255, 255, 255]));
    expect(nor.certainlyErased(4, 4)).toBe(true);
    nor.supply.arm({ operation: 0, tear: "after" });
    cut(nor, () => nor.program(4, bytes(5, 6, 7, 8)));
    expect(nor.read(4, 4)).toEqual(Buffer.from([5, 6, 7, 8]));
    nor.supply.arm({ operation: 0, tear: "after" });
    cut(nor, () => nor.erase(0));
    expect(nor.certainlyErased(0, 64)).toBe(true);
  });

  it("changes exactly the chosen bits of a torn program and refuses the unit until it is erased", () => {
    const nor = small();
    nor.supply.arm({ operation: 0, tear: tears.first });
    cut(nor, () => nor.program(0, bytes(0, 0, 0, 0)));
    expect(nor.read(0, 4)).toEqual(Buffer.from([0xfe, 0xff, 0xff, 0xff]));
    expect(nor.blank(0, 4)).toBe(false);
    expect(() => nor.program(0, bytes(0, 0, 0, 0))).toThrow(BadManners);
    nor.erase(0);
    expect(nor.program(0, bytes(0, 0, 0, 0))).toBe(true);
  });

  it("lets a torn program that changed no bit look blank, and refuses it all the same", () => {
    const nor = small();
    nor.supply.arm({ operation: 0, tear: tears.none });
    cut(nor, () => nor.program(0, bytes(0, 0, 0, 0)));
    expect(nor.blank(0, 4)).toBe(true);
    expect(() => nor.program(0, bytes(0, 0, 0, 0))).toThrow(BadManners);
  });

  it("leaves a whole block in doubt after an interrupted erase", () => {
    const nor = small();
    nor.program(0, bytes(0, 0, 0, 0));
    nor.supply.arm({ operation: 0, tear: tears.all });
    cut(nor, () => nor.erase(0));
    expect(nor.read(0, 4)).toEqual(Buffer.from([255, 255, 255, 255]));
    expect(nor.blank(0, 64)).toBe(true);
    for (const at of [0, 32, 60]) expect(() => nor.program(at, bytes(0, 0, 0, 0))).toThrow(BadManners);
  });

  it("shows marginal cells as before, as after and mixed, and blank checks of them either way, until they are erased", () => {
    for (const erasedReads of ["ff", "noise"] as const) {
      const nor = small({ erasedReads });
      nor.program(0, bytes(0x11, 0x22, 0x33, 0x44));
      nor.supply.arm({ operation: 0, tear: tears.half, marginal: true });
      cut(nor, () => nor.erase(0));
      const looks = new Set<string>();
      const blanks = new Set<boolean>();
      for (let i = 0; i < 64; i++) {
        looks.add(nor.read(0, 4)!.toString("hex"));
        blanks.add(nor.blank(0, 4));
      }
      expect(looks.has("11223344")).toBe(true);
      expect(looks.size).toBeGreaterThan(8);
      expect(blanks.size).toBe(2);
      nor.erase(0);
      nor.program(0, bytes(1, 2, 3, 4));
      for (let i = 0; i < 16; i++) expect(nor.read(0, 4)).toEqual(Buffer.from([1, 2, 3, 4]));
      expect(nor.blank(0, 4)).toBe(false);
    }
  });

  it("answers a bus fault for unreadable cells until they are erased", () => {
    const nor = small();
    nor.supply.arm({ operation: 0, tear: tears.half, unreadable: true });
    cut(nor, () => nor.program(4, bytes(0, 0, 0, 0)));
    expect(nor.read(0, 8)).toBeUndefined();
    expect(nor.read(0, 4)).toBeDefined();
    nor.erase(0);
    expect(nor.read(0, 8)).toBeDefined();
  });

  it("leaves power on when the plan says so: that one operation reports an error, torn as planned", () => {
    const nor = small();
    for (const [tear, left] of [
      ["before", 0xff],
      [tears.all, 0],
      ["after", 0],
    ] as const) {
      nor.supply.arm({ operation: 1, tear, powered: true });
      expect(nor.program(0, new Uint8Array(12))).toBe(false);
      expect(nor.read(0, 12)).toEqual(
        Buffer.concat([Buffer.alloc(4, 0), Buffer.alloc(4, left), Buffer.alloc(4, 0xff)]),
      );
      nor.supply.arm({ operation: 0, tear, powered: true });
      expect(nor.erase(0)).toBe(false);
      expect(nor.certainlyErased(0, 64)).toBe(tear === "after");
      expect([nor.erase(0), nor.supply.on]).toEqual([true, true]);
    }
  });

  it("counts the operations of all media on one supply together", () => {
    const supply = new Supply();
    const a = small({ supply });
    const b = small({ supply });
    supply.arm({ operation: 2, tear: "before" });
    a.program(0, bytes(0, 0, 0, 0));
    b.program(0, bytes(0, 0, 0, 0));
    expect(() => a.erase(0)).toThrow(PowerCut);
    expect(() => b.read(0, 4)).toThrow(BadManners);
  });

  it("tears bytes that fly together in one operation", () => {
    const nor = small();
    nor.supply.arm({ operation: 0, tear: tears.half });
    cut(nor, () => nor.program(0, new Uint8Array(16), 16));
    expect(nor.read(0, 16)!.subarray(0, 8)).toEqual(Buffer.alloc(8, 0));
    expect(nor.read(0, 16)!.subarray(8)).toEqual(Buffer.alloc(8, 0xff));
    for (const at of [0, 12]) expect(nor.certainlyErased(at, 4)).toBe(false);
  });
});

describe("snapshots and images", () => {
  it("goes back to a snapshot byte for byte, with states, counts and marginal cells", () => {
    const nor = small();
    nor.program(0, bytes(1, 2, 3, 4));
    const snapshot = nor.snapshot();
    nor.supply.arm({ operation: 0, tear: tears.half, marginal: true });
    expect(() => nor.erase(0)).toThrow(PowerCut);
    nor.supply.up();
    const torn = nor.snapshot();
    nor.restore(snapshot);
    expect(nor.read(0, 4)).toEqual(Buffer.from([1, 2, 3, 4]));
    expect(nor.totalErases).toBe(0);
    nor.restore(torn);
    expect(nor.stateAt(0)).toBe(UnitState.Marginal);
    nor.restore(snapshot);
    expect(nor.stateAt(0)).toBe(UnitState.Programmed);
    expect(nor.read(0, 64)!.subarray(0, 4)).toEqual(Buffer.from([1, 2, 3, 4]));
  });

  it("loads the image of a part of another medium", () => {
    const a = small();
    a.program(64, bytes(9, 8, 7, 6));
    a.erase(128);
    const b = small();
    b.load(64, a.image(64, 192));
    expect(b.read(64, 4)).toEqual(Buffer.from([9, 8, 7, 6]));
    expect(b.wear.map((w) => w.erases)).toEqual([0, 0, 1, 0]);
    expect(() => b.program(64, bytes(0, 0, 0, 0))).toThrow(BadManners);
  });

  it("is deterministic with a seeded generator", () => {
    const run = (): string => {
      const nor = small({ erasedReads: "noise", random: seeded(7) });
      nor.supply.arm({ operation: 0, tear: tears.random(seeded(8)), marginal: true });
      expect(() => nor.program(0, bytes(1, 2, 3, 4))).toThrow(PowerCut);
      nor.supply.up();
      return nor.read(0, 256)!.toString("hex");
    };
    expect(run()).toBe(run());
  });
});
