/** The store that inputs start from: small classes of three kinds, a record of every usage, an operator of every role and one whose key
 *  is pending. Made over the real link, by the real core. */
import { UnitState } from "../../board/virtual/nor.js";
import { seeded } from "../../board/virtual/prng.js";
import { DATA_UNIT, UNIT } from "../../firmware/defs/medium.js";
import { Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import type { EngineDevice } from "../device/device.js";
import { V8Device } from "../device/v8.js";
import { ADMIN, ADMIN_KEY, addOperator, generate, handle, provisioned, put, says } from "../store/help.js";
import { Bench } from "../targets.js";
import { CAPTURED, opaque, signingPair } from "../use/messages.js";

/** Two units, half a block, a whole block: few slots, so that requests meet full classes and reclaiming soon. */
const CLASSES = [
  { units: 4, blocks: 2 },
  { units: 128, blocks: 3 },
  { units: 256, blocks: 3 },
];
const SEED = 20261;

export const USER = { id: "user", key: Uint8Array.from({ length: 32 }, (_, i) => i + 1) };
export const AUDITOR = { id: "auditor", key: Uint8Array.from({ length: 32 }, (_, i) => i + 101) };
export { ADMIN, ADMIN_KEY };

export interface FuzzStore {
  bench: Bench<EngineDevice>;
  handles: Uint8Array[];
}

/** Tokens are the same in every run, and so is all that stands in the media. */
const token = (n: number) => new Uint8Array(16).fill(0xe0 + n);

export function fuzzStore(): FuzzStore {
  const bench = provisioned(
    {
      name: "v8",
      share: 1,
      make: () => {
        const made = new Bench(new V8Device(SEED, seeded(SEED)));
        made.boot();
        return made;
      },
    },
    CLASSES,
  );
  const handles = [
    put(bench, { token: token(0), label: "opaque", policy: 1, body: opaque(Buffer.from("hello"), false) }),
    put(bench, { token: token(1), policy: 0, body: opaque(Buffer.alloc(700, 0x73)) }),
    put(bench, { token: token(2), label: "touch", policy: 5, body: opaque(Buffer.alloc(9000, 0x74)) }),
    generate(bench, { token: token(3), label: "raw", usage: Usage.Raw }),
    generate(bench, { token: token(4), label: "sshsig", usage: Usage.SshSig }),
    put(bench, { token: token(5), usage: Usage.SshUserAuth, policy: 0, body: signingPair(CAPTURED.seed) }),
    generate(bench, { token: token(6), label: "note", usage: Usage.Note, tier: 2 }),
    generate(bench, { token: token(7), usage: Usage.Agree, policy: 2 }),
    put(bench, {
      token: token(8),
      label: "imported",
      usage: Usage.Raw,
      policy: 3,
      body: signingPair(new Uint8Array(32).fill(0x65)),
    }),
  ].map(handle);
  for (const [who, role] of [
    [USER, Role.User],
    [AUDITOR, Role.Auditor],
  ] as const) {
    must(says(addOperator(bench, who.id, role, who.key)), "Ok");
    must(Status[bench.admit(who.id, who.key)] ?? "", "Ok");
  }
  must(says(addOperator(bench, "pending", Role.User, AUDITOR.key)), "Ok");
  bench.boot();
  return { bench, handles };
}

function must(got: string, wanted: string): void {
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

/** The media as the harness reads them (native/device.c): bytes and programmed units of both, facts, handles. */
export function image({ bench: { device }, handles }: FuzzStore): Uint8Array {
  const programmed = (states: Uint8Array) => states.map((state) => Number(state !== UnitState.Erased));
  const parts: Uint8Array[] = [];
  for (const [nor, unit] of [
    [device.slots, UNIT],
    [device.data, DATA_UNIT],
  ] as const) {
    const { bytes, states } = nor.image();
    if (states.length !== bytes.length / unit) throw new Error(`${nor.name} has ${states.length} units`);
    parts.push(bytes, programmed(states));
  }
  return Buffer.concat([...parts, device.board.facts, ...handles]);
}
