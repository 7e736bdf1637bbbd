/** The built core while it follows secrets byte by byte (scripts/prove/taint.ts), through every command and much that goes wrong; and cores
 *  that let something out, which the check of the final bytes alone believes. firmware/PROOFS.md §4.3, §5. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { FACTS_OFF_SETUP } from "../../firmware/defs/boundary.js";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { Workshop } from "../../scripts/mutants/core.js";
import type { TaintRun } from "../../scripts/prove/taint.js";
import { decode } from "../../scripts/prove/wasm.js";
import { built, builtRun, runOf, SecretError, TaintDevice } from "../device/taint.js";
import * as image from "../image/help.js";
import type { Change } from "../mutants/mutant.js";
import { USER } from "../session/help.js";
import { CODE, life } from "../session/life.js";
import * as help from "../store/help.js";
import { Bench, repeat, seed } from "../targets.js";
import { as, requests, smallest, staff } from "./requests.js";

const root = new URL("../..", import.meta.url).pathname;

/** A blank board with CODE that was switched on. */
function blank(run: TaintRun): Bench<TaintDevice> {
  const device = new TaintDevice(run, seed);
  device.board.facts.set(CODE, FACTS_OFF_SETUP);
  const target = new Bench(device);
  target.boot();
  return target;
}

console.log(`taint: ${repeat}`);

describe("the built core", () => {
  const run = builtRun();

  it("decides nothing by a secret, lets none out, and stays in its regions, through the life of a board", () => {
    const target = blank(run);
    const left = new Map<string, Set<string>>();
    const ask = target.ask.bind(target);
    target.ask = (command, fields) => {
      const answer = ask(command, fields);
      for (const { name } of target.device.secretCells())
        left.set(name, (left.get(name) ?? new Set()).add(String(command)));
      return answer;
    };
    life(target);
    // between two requests: keys of sessions, and the state of the generator
    expect([...left.keys()].sort()).toEqual(["DRBG", "SESSIONS"]);
  });

  it("does so through every usage of keys, refusals, repeated requests, cuts, damage and the rescue", () => {
    requests(blank(run));
    smallest(blank(run));
  });

  it("does so while it opens an image, begins again after a cut, erases it, and stops at what it refuses", () => {
    const target = blank(run);
    const secret = image.put("one", help.body(300, { secret: true }));
    const make: image.Request = [
      Command.Generate,
      [
        [Key.Token, help.token()],
        [Key.Usage, Usage.Raw],
        [Key.Tier, Tier.Private],
        [Key.Policy, 0],
      ],
    ];
    target.talk.handshake("", CODE);
    image.flashed(target, image.requests([secret, make]));
    target.device.supply.arm({ operation: 400, tear: tears.half });
    expect(() => image.open(target)).toThrow(PowerCut);
    target.device.supply.disarm();
    image.open(target);
    as(target, { id: help.ADMIN, key: help.ADMIN_KEY });
    expect(image.standing(target)).toEqual(image.DONE);
    const stopped = blank(run);
    stopped.talk.handshake("", CODE);
    const [begin] = image.requests([]);
    image.flashed(stopped, [begin!, [Command.List, []]]);
    image.open(stopped);
    stopped.talk.handshake("", CODE);
    expect(image.standing(stopped)).toMatchObject({ image: "Stopped", status: "UnknownCommand" });
  });

  it("has sent and written much that was expected to be public, and run every one of its functions", () => {
    expect(run.expected).toBeGreaterThan(50_000);
    const own = decode(built.named).functions.filter((one) => one.import === undefined);
    const not = own.map(({ name }) => name).filter((name) => !run.reached.has(name));
    expect(not).toEqual([]);
  });
});

interface Planted {
  readonly name: string;
  readonly changes: readonly Change[];
  readonly found: RegExp;
}

const planted: readonly Planted[] = [
  {
    name: "a session that does not seal large pieces of an answer",
    changes: [
      {
        file: "firmware/session/outgoing.ts",
        from: "  aead.more(next, <i32>size);",
        to: "  if (size < 512) aead.more(next, <i32>size);",
      },
    ],
    found: /bytes of ENVELOPE that should be public are secret/,
  },
  {
    name: "a store that does not seal the body of a long record",
    changes: [
      {
        file: "firmware/store/store.ts",
        from: "  aead.seal(seal, PAGE, FRESH, HEADER_OFF_TAG, body, length, FRESH + HEADER_OFF_TAG);\n  header.authenticate(FRESH);",
        to: "  if (length < 512) aead.seal(seal, PAGE, FRESH, HEADER_OFF_TAG, body, length, FRESH + HEADER_OFF_TAG);\n  header.authenticate(FRESH);",
      },
    ],
    found: /bytes of ENVELOPE that should be public are secret/,
  },
  {
    name: "an operator's key that is opened again before it is written",
    changes: [
      {
        file: "firmware/operator/operators.ts",
        from: "  publish(OPERATOR + OPERATOR_OFF_KEY, OPERATOR + OPERATOR_OFF_KEY, PSK_SIZE);\n",
        to: "  cross();\n",
      },
    ],
    found: /bytes of OPERATOR that should be public are secret/,
  },
  {
    name: "a fragment that is longer than a frame may be",
    changes: [
      {
        file: "firmware/link/link.ts",
        from: "const size = min(response - from, PAYLOAD_MAX);",
        to: "const size = min(response - from, PAYLOAD_MAX + 100);",
      },
    ],
    found: /an access to FRAME, which was not foreseen/,
  },
];

describe("a core with a planted bug", () => {
  const folder = mkdtempSync(join(tmpdir(), "mbs-taint-"));
  let workshop: Workshop;
  beforeAll(() => {
    workshop = new Workshop(root, join(folder, "firmware"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What the first finding is in a few requests about a record with a secret. */
  function found(run: TaintRun): string {
    const target = blank(run);
    try {
      staff(target);
      const body = help.body(2500, { secret: true });
      const handle = help.handle(help.put(target, { body, policy: 1 }));
      as(target, USER);
      help.get(target, handle);
      return "nothing";
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      return error.message;
    }
  }

  it.each(planted.map((one) => [one.name, one] as const))("is told: %s", async (_, { changes, found: expected }) => {
    const { wasm, statics } = await workshop.buildNamed(changes);
    const { run, report } = runOf(wasm, { memory: built.map.memory, statics });
    expect(report.findings).toEqual([]);
    expect(found(run)).toMatch(expected);
  });

  it("is told no more of than of one without (positive control)", () => {
    expect(found(builtRun())).toBe("nothing");
  });
});
