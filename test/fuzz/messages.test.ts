/** Maps of all shapes: what the host writes the core reads, what neither may read both refuse, and a request that is refused at once changes
 *  no byte. The host's decoder is the other opinion. SPEC.md §9, RFC 8949 §4.2. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { ProtocolError } from "../../host/client/errors.js";
import { decodeAnswer, decodeMessage, encodeMessage, type Message, type Value } from "../../host/client/message.js";
import { people } from "../device/person.js";
import { hex, state } from "../store/help.js";
import { bytes, holds } from "./property.js";
import { requests } from "./seeds.js";
import { fuzzStore } from "./store.js";

const { bench } = fuzzStore();
bench.talk.person = people.denies; // nothing that needs a touch is done

/** Requests that change nothing, so that the device may be asked thousands of times. */
const READING = [
  Command.Info,
  Command.Get,
  Command.List,
  Command.Find,
  Command.Show,
  Command.Dump,
  Command.Sign,
  Command.Agree,
  Command.Public,
  Command.Attest,
];

const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.nat(300),
  fc.nat(0xffffffff),
  fc.boolean(),
  fc.string({ unit: "binary", maxLength: 70 }),
  bytes(0, 70),
  bytes(16, 16),
);
const pairs = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 72 }), leaf), {
  selector: ([key]) => key,
  maxLength: 6,
});
const shape: fc.Arbitrary<Message> = fc
  .tuple(fc.oneof(fc.constantFrom(...READING), fc.nat(40)), pairs)
  .map(
    ([command, more]) =>
      new Map<number, Value>(
        [[Key.Command, command], ...more].sort(([a], [b]) => Number(a) - Number(b)) as [number, Value][],
      ),
  );

/** Asks in a session with every role. @returns the status; an answer that is no message throws */
function ask(request: Uint8Array): Status {
  return decodeAnswer(bench.talk.sealed(request)).get(Key.Command) as Status;
}

function isMessage(encoded: Uint8Array): boolean {
  try {
    decodeMessage(encoded);
    return true;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return false;
  }
}

const AT_ONCE = [Status.Malformed, Status.UnknownCommand, Status.WrongRole];

describe("a request", () => {
  it("of any keys and values is answered, and changes nothing when it is refused at once", () => {
    holds(
      fc.property(shape, (map) => {
        const before = bench.device.supply.operations;
        const status = ask(encodeMessage(map));
        expect(Status[status]).toBeDefined();
        if (AT_ONCE.includes(status)) expect(bench.device.supply.operations).toBe(before);
        const command = map.get(Key.Command) as number;
        if (command > Command.TransportKey) expect(Status[status]).toBe("UnknownCommand");
        if (command === 0 || (map.size > 1 && command === Command.List)) expect(Status[status]).toBe("Malformed");
      }),
      1500,
    );
    expect(state(bench)).toBe(State.Ready);
  });

  it("that the host's decoder refuses is refused by the core as well", () => {
    const changed = fc.tuple(
      fc.constantFrom(...requests),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      fc.option(fc.nat()),
    );
    holds(
      fc.property(changed, ([request, edits, cut]) => {
        const bytes = Uint8Array.from(request);
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        const sent = cut === null ? bytes : bytes.subarray(0, cut % bytes.length);
        if (isMessage(sent)) return;
        const before = bench.device.supply.operations;
        const status = ask(sent);
        // of an unknown command nothing but its number is read, and a text that is no UTF-8 is a bad label or no operator's id to the core
        const isOperators = (sent[2] ?? 0) >= Command.OperatorAdd && (sent[2] ?? 0) <= Command.OperatorRemove;
        const refusals = [
          "Malformed",
          "UnknownCommand",
          "BadLabel",
          ...(isOperators ? ["BadArgument", "NoSuchOperator"] : []),
        ];
        expect(refusals).toContain(Status[status]);
        expect(bench.device.supply.operations).toBe(before);
      }),
      1500,
    );
    expect(state(bench)).toBe(State.Ready);
  });
});

/** The same bytes but for one head, which says in more bytes what it said. Where no head with a short argument stands: undefined. */
function longer(encoded: Uint8Array, at: number, size: 1 | 2 | 4): Uint8Array | undefined {
  const first = encoded[at]!;
  const wide = Buffer.alloc(1 + size);
  wide[0] = (first & 0xe0) | { 1: 24, 2: 25, 4: 26 }[size];
  wide.writeUIntBE(first & 31, 1, size);
  return (first & 31) < 24 ? Buffer.concat([encoded.subarray(0, at), wide, encoded.subarray(at + 1)]) : undefined;
}

describe("a head in a longer form than it needs", () => {
  it("is Malformed, whether of the map, of a key or of a value, to the core and to the host", () => {
    // the map's head, the command's key, the command; the next key, and its value's head
    const heads = [0, 1, 2, 3, 4];
    const small = requests.filter((one) => one.length > 5 && one[2]! < 24);
    holds(
      fc.property(
        fc.constantFrom(...small),
        fc.constantFrom(...heads),
        fc.constantFrom(1 as const, 2 as const, 4 as const),
        (request, at, size) => {
          const wrong = longer(request, at, size);
          if (wrong === undefined) return;
          expect(isMessage(wrong)).toBe(false);
          expect(Status[ask(wrong)]).toBe("Malformed");
        },
      ),
      300,
    );
  });
});

describe("the host's decoder", () => {
  it("reads what its encoder wrote, whatever the map", () => {
    holds(
      fc.property(shape, (map) => {
        const encoded = encodeMessage(map);
        expect(hex(encodeMessage(decodeMessage(encoded)))).toBe(hex(encoded));
      }),
      1000,
    );
  });

  it("refuses any other bytes with a ProtocolError that repeats none of them", () => {
    holds(
      fc.property(shape, fc.nat(), fc.nat(255), bytes(0, 40), (map, at, value, behind) => {
        const encoded = Buffer.concat([encodeMessage(map), behind]);
        encoded[at % encoded.length] = value;
        if (isMessage(encoded)) expect(hex(encodeMessage(decodeMessage(encoded)))).toBe(hex(encoded));
      }),
      2000,
    );
  });
});
