/** SPEC.md against the code: its worked examples, and a reader written from it alone on a medium that the core wrote. */
import { readFileSync } from "node:fs";
import { blake3 } from "@noble/hashes/blake3.js";
import { describe, expect, it } from "vitest";
import { FrameType, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Envelope, Role } from "../../firmware/defs/session.js";
import { FORMAT_VERSION } from "../../firmware/defs/slot.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { encodeFrame } from "../../host/client/frame.js";
import { encodeMessage, message } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import * as help from "../store/help.js";
import { engineTargets } from "../targets.js";
import { handleOf, keysOf, readMedium } from "./reader.js";

const { body, evict, handle, hex, put, ready, relabel, replace } = help;

const spec = readFileSync(new URL("../../firmware/SPEC.md", import.meta.url), "utf8");
/** The hexadecimal string that §10 shows under a name. */
function example(name: string): string {
  const found = new RegExp(`^\\| ${name} \\| \`([0-9a-f ]+)\``, "m").exec(spec);
  if (found === null) throw new Error(`SPEC.md §10 has no example called ${name}`);
  return found[1]!.replaceAll(" ", "");
}

const root = Uint8Array.from({ length: 32 }, (_, i) => i);
const instance = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
const clear = (message: Uint8Array) => Buffer.concat([Uint8Array.of(Envelope.Clear), message]);
const frame = (type: FrameType, link: number, sequence: number, payload: Uint8Array) =>
  hex(encodeFrame({ type, more: false, link, sequence, index: 0, payload }));
const secret = encodeParts([{ kind: 4, secret: true, algorithm: 0, content: Buffer.from("hello") }]);

it("SPEC.md and README.md name the versions that the code has", () => {
  expect(spec).toContain(`Format version ${FORMAT_VERSION}, protocol version ${PROTOCOL_VERSION}.`);
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  expect(readme).toContain(`The format on the medium is version ${FORMAT_VERSION}:`);
  expect(readme).toContain(`The protocol is version ${PROTOCOL_VERSION};`);
});

describe("the worked examples of SPEC.md", () => {
  const keys = keysOf(root);
  const hello = encodeMessage(message([[Key.Command, Command.Hello]]));
  const putRequest = encodeMessage(
    message([
      [Key.Command, Command.Put],
      [Key.Token, Uint8Array.from({ length: 16 }, (_, i) => i)],
      [Key.Label, "a"],
      [Key.Usage, 0],
      [Key.Tier, 1],
      [Key.Policy, 1],
      [Key.Body, secret],
    ]),
  );
  it.each([
    ["custody key", hex(keys.custody)],
    ["seal key", hex(keys.seal)],
    ["header key", hex(keys.header)],
    ["journal key", hex(keys.journal)],
    ["handle key", hex(keys.handle)],
    ["operator key", hex(keys.operator)],
    ["refusals key", hex(keys.refusals)],
    ["identity key", hex(keys.identity)],
    ["handle of created sequence 18", hex(handleOf(keys, 18, instance))],
    ["label hash of `ssh/deploy`", hex(blake3(Buffer.from("ssh/deploy")).subarray(0, 16))],
    ["body with one opaque part", hex(secret)],
    ["Open frame", frame(FrameType.Open, 0x1234, 0, Uint8Array.of(PROTOCOL_VERSION))],
    ["Hello message", hex(hello)],
    ["Hello frame, envelope included", frame(FrameType.Data, 0x0042, 1, clear(hello))],
    ["Put message", hex(putRequest)],
    ["refusal StoreFull", hex(encodeMessage(message([[Key.Command, -17]])))],
  ])("show the %s as the code makes it", (name, expected) => {
    expect(example(name)).toBe(expected);
  });
});

describe.each(engineTargets)("a medium that the core wrote on $name", (kind) => {
  it("can be read by the document alone: custody, journal, digest, headers, seals", () => {
    const target = ready(kind, [
      { units: 32, blocks: 3 },
      { units: 86, blocks: 3 },
    ]);
    const [first, long] = [body(100), body(9000)];
    const made = handle(put(target, { body: first, label: "first" }));
    put(target, { body: long });
    const gone = handle(put(target, { body: body(50) }));
    relabel(target, made, "renamed");
    const second = body(70);
    const other = handle(put(target, { body: body(60), label: "other" }));
    replace(target, other, second);
    evict(target, gone);
    const { slots, data } = target.device;
    const read = readMedium(slots.bytes, data.bytes);
    const found = read.records.map((one) => `${one.label}:${hex(one.body)}`).sort();
    expect(found).toEqual([`:${hex(long)}`, `other:${hex(second)}`, `renamed:${hex(first)}`].sort());
    expect(read.records.map((one) => hex(one.handle))).toContain(hex(made));
    expect(read.classes).toEqual([
      { units: 32, blocks: 3 },
      { units: 86, blocks: 3 },
    ]);
    expect(read.operators.map(({ id, role, key, pending }) => [id, role, hex(key), pending])).toEqual([
      [help.ADMIN, Role.Admin, hex(help.ADMIN_KEY), false],
    ]);
    for (let at = 0; at < slots.size; at += 4096) slots.bytes[at + 140]! ^= 1; // the check can fail: a bit of each body
    expect(() => readMedium(slots.bytes, data.bytes)).toThrow();
    target.close();
  });

  it("tells operators and refusals: keys, roles, which are pending, how many handshakes were refused and for whom", () => {
    const target = ready(kind, help.SMALL);
    const keys = [1, 2, 3].map(() => Buffer.from(help.randomBytes(32))) as [Buffer, Buffer, Buffer];
    help.addOperator(target, "user.one", Role.User, keys[0]);
    help.addOperator(target, "auditor", Role.Auditor, keys[1]);
    target.admit("user.one", keys[0]);
    help.rotateOperator(target, "user.one", keys[2]);
    expect(target.admit("auditor", keys[0])).toBe(Status.HandshakeRefused);
    const { slots, data } = target.device;
    const { operators, refusals } = readMedium(slots.bytes, data.bytes);
    const told = operators.map(({ id, role, key, pending }) => [id, role, hex(key), pending]);
    expect(told).toHaveLength(4);
    expect(told).toEqual(
      expect.arrayContaining([
        [help.ADMIN, Role.Admin, hex(help.ADMIN_KEY), false],
        ["user.one", Role.User, hex(keys[0]), false],
        ["user.one", Role.User, hex(keys[2]), true],
        ["auditor", Role.Auditor, hex(keys[1]), true],
      ]),
    );
    const refused = operators.find(({ id }) => id === "auditor")!.place;
    expect([refusals.total, refusals.counts[refused]]).toEqual([1, 1]);
    expect(refusals.counts.reduce((a, b) => a + b)).toBe(1);
    data.bytes[256 + 64 * refused + 20]! ^= 1; // the check can fail
    expect(() => readMedium(slots.bytes, data.bytes)).toThrow();
    target.close();
  });
});
