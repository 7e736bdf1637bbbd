/** The flash sequencer of the virtual board answers every sequence of renode/faci.json as it is written there. The one for Renode is held
 *  to the same list by renode/ek-ra6m5.robot. */
import { describe, expect, it } from "vitest";
import { tears } from "../../board/virtual/nor.js";
import { Probe } from "../board/probe/probe.js";
import { parseStep, readSequences, type Step } from "./sequences.js";

const COMMAND = 0x407e0000;
const FSTATR = 0x407fe080;
const FRDY = 0x8000;
const DATA_FLASH = 0x08000000;
const TEARS = { before: "before", half: tears.half, after: "after" } as const;

const { setup, cases } = readSequences();

function wait(probe: Probe): void {
  for (let turn = 0; turn < 2000; turn++) if ((probe.read32(FSTATR) & FRDY) !== 0) return;
  throw new Error("the sequencer does not get ready");
}

function take(probe: Probe, step: Step): void {
  const { board } = probe;
  switch (step.do) {
    case "write":
      ({ 8: probe.write8, 16: probe.write16, 32: probe.write32 })[step.width](step.place, step.value);
      break;
    case "read": {
      const answer = { 8: probe.read8, 16: probe.read16, 32: probe.read32 }[step.width](step.place);
      expect((answer & step.mask) >>> 0, JSON.stringify(step)).toBe(step.value);
      break;
    }
    case "halfwords":
      for (let i = 0; i < step.count; i++) probe.write16(COMMAND, step.first + i);
      break;
    case "wait":
      wait(probe);
      break;
    case "stick": {
      const data = step.place >= DATA_FLASH;
      (data ? board.data : board.code).stick(step.place - (data ? DATA_FLASH : 0), { [step.what]: true });
      break;
    }
    case "cut": {
      const tear = TEARS[step.how];
      board.cutPower({ operation: step.operation, tear, marginal: typeof tear !== "string" });
      break;
    }
    case "lose":
      probe.send(6, COMMAND, 0xd0);
      for (let turn = 0; turn < 2000 && board.powered; turn++) probe.send(1, FSTATR, 0);
      expect(board.powered, "power must fail in it").toBe(false);
      board.powerOn();
      board.run(1e6);
      for (const again of setup) take(probe, again);
  }
}

describe("the flash sequencer of the virtual board", () => {
  it.each(cases)("$name", ({ steps, faults, operations }) => {
    const probe = Probe.start();
    try {
      for (const step of [...setup, ...steps]) take(probe, step);
      expect(probe.faults).toEqual(faults);
      expect(probe.board.supply.operations).toBe(operations);
    } finally {
      probe.board.close();
    }
  });
});

describe("the list", () => {
  it("names each case once", () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  it("provokes every error flag that the models set, so that the driver's every answer to one has been asked for", () => {
    const seen = cases
      .flatMap(({ steps }) => steps)
      .reduce((flags, step) => (step.do === "read" && step.place === FSTATR ? flags | step.value : flags), 0);
    const ERRORS = { FLWEERR: 6, PRGERR: 12, ERSERR: 13, ILGLERR: 14, FESETERR: 22, ILGCOMERR: 23 };
    for (const [name, bit] of Object.entries(ERRORS)) expect(seen & (1 << bit), name).not.toBe(0);
  });

  it.each([
    ["write8 COMMAND 0x100", "more than 8 bits"],
    ["write8 NOWHERE 1", "NOWHERE is no number"],
    ["read8 COMMAND", "1 words follow"],
    ["write8 COMMAND 1 2", "3 words follow"],
    ["cut 0 sideways", "none of before, half, after"],
    ["dance", "no step has this name"],
  ])("refuses a step that cannot be read: %s", (step, why) => {
    expect(() => parseStep(step, { COMMAND: "0x407e0000" })).toThrow(why);
  });
});
