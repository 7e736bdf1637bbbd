/** What secrets leave behind in linear memory: after each command of the running core, keys, vault and scratch are zero. */
import { describe, expect, it } from "vitest";
import { PART_HEADER, PartKind, POLICY_EXPORTABLE, Tier, Usage } from "../../firmware/defs/record.js";
import { QUIET_MS } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { region } from "../device/map.js";
import { Refusal, type Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import { ADMIN, ADMIN_KEY, QUICK, ready } from "../store/help.js";
import { hex } from "./core.js";

const PLAIN = Uint8Array.from({ length: 600 }, (_, i) => 0x30 + (i % 77));

/** One opaque part around `content`. */
function body(content: Uint8Array): Uint8Array {
  const part = Buffer.alloc(PART_HEADER);
  part[0] = PartKind.Opaque;
  part.writeUInt16LE(content.length, 2);
  return Buffer.concat([part, content]);
}

/** A V8 device with a provisioned store. */
function provisioned(): { device: V8Device; talk: Talk } {
  const { device, talk } = ready(QUICK, [{ units: 32, blocks: 3 }]);
  if (!(device instanceof V8Device)) throw new Error("the quick device is not V8");
  return { device, talk };
}

/** Regions that must be zero between commands, from one name to the next. TAG is not among them: it keeps the last MAC or hash, which
 *  the medium shows as well. */
const SECRET_REGIONS: [from: string, to: string, offset?: number][] = [
  ["VAULT", "KEYS"],
  ["KEYS", "CONTEXT"],
  ["OPERATOR", "CANDIDATES"],
  ["CANDIDATES", "SESSIONS"],
  ["NOISE_STATE", "EPHEMERAL"], // which may hold a pair: test/session/prepared.test.ts
  ["CHACHA", "STREAM"],
  ["STREAM", "SUBKEY"],
  ["SUBKEY", "POLY"],
  ["POLY", "TAG"],
  ["BLAKE", "DRBG"],
  ["DRBG", "NOISE", 32], // the output behind the key
];

function expectClean(device: V8Device, after: string): void {
  for (const [name, next, offset = 0] of SECRET_REGIONS) {
    const [from, to] = [region(name) + offset, region(next)];
    expect(hex(device.memory.subarray(from, to)), `${name} after ${after}`).toBe("00".repeat(to - from));
  }
}

describe("linear memory", () => {
  it("holds no key, key stream or hash state after any command, whether it was carried out or refused", () => {
    const { device, talk } = provisioned();
    expectClean(device, "provisioning");
    const token = (n: number, length = 16) => Uint8Array.from({ length }, () => n);
    const put = (n: number): [Key, number | Uint8Array][] => [
      [Key.Token, token(n)],
      [Key.Usage, Usage.Opaque],
      [Key.Tier, Tier.Private],
      [Key.Policy, POLICY_EXPORTABLE],
      [Key.Body, body(PLAIN)],
    ];
    const handle = talk.ask(Command.Put, put(1)).get(Key.Handle) as Uint8Array;
    expectClean(device, "Put");
    const { totalErases } = device.slots;
    device.wait(QUIET_MS + 100);
    expect(device.slots.totalErases).toBe(totalErases + 1);
    expectClean(device, "an erase in advance");
    const unknown = token(9);
    const commands: [Command, [Key, number | Uint8Array | boolean][]][] = [
      [Command.Put, put(1)],
      [Command.Put, [...put(1).slice(0, 4), [Key.Body, body(PLAIN.subarray(1))]]],
      [Command.Get, [[Key.Handle, handle]]],
      [Command.Get, [[Key.Handle, unknown]]],
      [Command.Show, [[Key.Handle, handle]]],
      [Command.List, []],
      [Command.Find, []],
      [Command.Info, []],
      [Command.Hello, []],
      [Command.OperatorList, []],
      [Command.Attest, [[Key.Challenge, token(4)]]],
      [
        Command.Generate,
        put(5)
          .slice(0, 4)
          .map(([key, value]) => [key, key === Key.Usage ? Usage.Raw : key === Key.Policy ? 0 : value]),
      ],
      [
        Command.Replace,
        [
          [Key.Handle, handle],
          [Key.Token, token(2)],
          [Key.Body, body(PLAIN.subarray(5))],
        ],
      ],
      [
        Command.Relabel,
        [
          [Key.Handle, handle],
          [Key.Token, token(3)],
        ],
      ],
      [Command.Epoch, [[Key.Epoch, 7]]],
      [Command.Accept, []],
      [
        Command.Evict,
        [
          [Key.Handle, handle],
          [Key.Destroy, true],
        ],
      ],
      [
        Command.Evict,
        [
          [Key.Handle, handle],
          [Key.Destroy, false],
        ],
      ],
    ];
    for (const [command, fields] of commands) {
      let end = "Ok";
      try {
        talk.ask(command, fields);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        end = error.message;
      }
      expectClean(device, `${Command[command]} (${end})`);
    }
    for (const key of [ADMIN_KEY, token(1, 32)]) {
      let end = "Ok";
      try {
        talk.handshake(ADMIN, key);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        end = error.message;
      }
      expectClean(device, `a handshake (${end})`);
    }
    device.boot();
    expectClean(device, "boot");
  });

  it("holds no plaintext after a put or a get: what stands in the message buffer is sealed", () => {
    const { device, talk } = provisioned();
    const part = Buffer.from(PLAIN.subarray(100, 116));
    const anywhere = () => Buffer.from(device.memory).includes(part);
    let atWork = false;
    device.data.changed = () => {
      atWork ||= anywhere();
    };
    const handle = talk
      .ask(Command.Put, [
        [Key.Token, new Uint8Array(16).fill(1)],
        [Key.Usage, Usage.Opaque],
        [Key.Tier, Tier.Private],
        [Key.Policy, POLICY_EXPORTABLE],
        [Key.Body, body(PLAIN)],
      ])
      .get(Key.Handle) as Uint8Array;
    expect(atWork, "the check can find plaintext at all").toBe(true);
    expect(anywhere()).toBe(false);
    talk.ask(Command.Get, [[Key.Handle, handle]]);
    expect(anywhere()).toBe(false);
  });
});
