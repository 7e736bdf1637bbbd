/** Traces of the ELF that is flashed: what it does with secrets leaves the same sequence of program counters and data addresses whatever the
 *  secrets are: not even a conditional instruction differs. What the static check claims of the module, seen on the machine code of the interpreter,
 *  and on what gcc made of the core ahead of time.
 *  A division leaves no trace here, whatever it divides. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { withModule } from "../../scripts/bench/crypto.js";
import { Workshop } from "../../scripts/mutants/core.js";
import { withoutNames } from "../../scripts/names.mjs";
import { built } from "../device/built.js";
import type { Change } from "../mutants/mutant.js";
import { aotWith } from "../probe/aot.js";
import { CHOICE, COMB } from "./leaks.js";
import { Teller } from "./tell.js";
import { type Event, firstDifference, type Part, parting, type Stretch, trace } from "./tracer.js";
import { OPERATIONS, type Operation, World } from "./worlds.js";

const WORLDS = 8;
const HANDSHAKES = 8; // two scalar multiplications each
const root = new URL("../..", import.meta.url).pathname;
const elf = built("ek-ra6m5.elf");
/** What each engine does, in events, at the least. */
const ENGINES = [
  { name: "interpreter", elf, events: 500e6 },
  { name: "ahead-of-time code", elf: built("ek-ra6m5-aot.elf"), events: 40e6 },
];

/** Traces operations in one world, one after the other. */
function traces<O extends Operation>(number: number, flashed: Buffer, operations: readonly O[]): Map<O, Stretch[]> {
  const world = new World(number, flashed);
  try {
    return new Map(operations.map((one) => [one, trace(world.device, flashed, () => world.do(one)).stretches]));
  } finally {
    world.close();
  }
}

/** The events in which two worlds part that begin with this operation; none when they do not. */
function difference(flashed: Buffer, operation: Operation, worlds: readonly [number, number]): (Event | undefined)[] {
  const run = (number: number, part?: Part) => {
    const world = new World(number, flashed);
    try {
      return trace(world.device, flashed, () => world.do(operation), part);
    } finally {
      world.close();
    }
  };
  const [one, other] = worlds;
  const parts = parting(run(one).stretches, run(other).stretches);
  return parts === undefined ? [] : firstDifference(run(one, parts).log, run(other, parts).log);
}

describe.each(ENGINES)("the firmware with its $name on the virtual board", ({ elf, events: least }) => {
  it(`runs the same instructions and touches the same addresses with ${WORLDS} different secrets`, () => {
    const first = traces(0, elf, OPERATIONS);
    let events = [...first.values()].flat().reduce((sum, one) => sum + one.events, 0);
    for (let world = 1; world < WORLDS; world++) {
      const operations = OPERATIONS.filter((one) => one !== "handshake" || world < HANDSHAKES);
      for (const [operation, stretches] of traces(world, elf, operations)) {
        events += stretches.reduce((sum, one) => sum + one.events, 0);
        if (parting(first.get(operation)!, stretches) === undefined) continue;
        const teller = new Teller(elf, built("core.wasm"));
        const told = difference(elf, operation, [0, world]).map((event) => teller.tell(event));
        expect.fail(`${operation}: worlds 0 and ${world} part. One ${told[0]}; the other ${told[1]}`);
      }
    }
    console.log(`${events} events compared, ${[...first].map(([one, all]) => `${one} ${all.length}`)}`);
    expect(events).toBeGreaterThan(least);
  });
});

describe("a core that leaks (positive control)", () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-prove-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const LEAKS: Change[] = [
    {
      file: "firmware/crypto/x25519.ts",
      from: CHOICE,
      to: "  if (mask != 0) store<u64>(A + at, load<u64>(C + at));\n",
    },
    {
      file: "firmware/crypto/multiples25519.ts",
      from: COMB,
      to: "    const word = load<u64>(COMB + at + <usize>index * 96);\n",
    },
  ];

  it("is found, and the function told: a branch in X25519, a table's address in the comb", async () => {
    const { wasm: named } = await new Workshop(root, join(folder, "firmware")).buildNamed(LEAKS);
    for (const leaky of [withModule(elf, built("core.wasm"), withoutNames(named)), aotWith(root, named)]) {
      const teller = new Teller(leaky, named);
      const where = (operation: Operation): [string | undefined, string] => {
        const [one, other] = difference(leaky, operation, [0, 2]);
        expect(one ?? other, `${operation}: no difference is found`).toBeDefined();
        const event = (one ?? other)!;
        return [teller.functions(event)[0], `${teller.tell(one)}; ${teller.tell(other)}`];
      };
      const [branch, branchTold] = where("agree");
      expect(branch, branchTold).toMatch(/x25519/);
      const [table, tableTold] = where("generate");
      expect(table, tableTold).toMatch(/multiples25519/);
    }
  });
});
