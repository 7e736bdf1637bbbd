/** What secrets leave behind in linear memory: after each command of the running core, keys, vault and scratch are zero. */
import { describe, expect, it } from "vitest";
import { MESSAGE_MAX } from "../../firmware/defs/link.js";
import { PART_HEADER, PartKind, POLICY_EXPORTABLE, Tier, Usage } from "../../firmware/defs/record.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { Refusal, Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import { core, hex } from "./core.js";

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
  const device = new V8Device(7);
  device.boot();
  const talk = new Talk(device);
  const classes = [
    new Map([
      [Key.SlotUnits, 32],
      [Key.Blocks, 3],
    ]),
  ];
  talk.ask(Command.ProvisionBegin, [
    [Key.Manifest, new Uint8Array(16)],
    [Key.Classes, classes],
  ]);
  talk.ask(Command.ProvisionFinish);
  return { device, talk };
}

/** Regions that must be zero between commands. TAG is not among them: it keeps the last MAC or hash, which the medium shows as well. */
function secretRegions(): [string, number, number][] {
  const at = (
    name: "BLAKE" | "CHACHA" | "CONTEXT" | "DRBG" | "KEYS" | "NOISE" | "POLY" | "STREAM" | "SUBKEY" | "TAG" | "VAULT",
  ) => core[name].value;
  return [
    ["VAULT", at("VAULT"), at("KEYS")],
    ["KEYS", at("KEYS"), at("CONTEXT")],
    ["CHACHA", at("CHACHA"), at("STREAM")],
    ["STREAM", at("STREAM"), at("SUBKEY")],
    ["SUBKEY", at("SUBKEY"), at("POLY")],
    ["POLY", at("POLY"), at("TAG")],
    ["BLAKE", at("BLAKE"), at("DRBG")],
    ["output of the DRBG", at("DRBG") + 32, at("NOISE")],
  ];
}

function expectClean(device: V8Device, after: string): void {
  for (const [name, from, to] of secretRegions()) {
    expect(hex(device.memory.subarray(from, to)), `${name} after ${after}`).toBe("00".repeat(to - from));
  }
}

describe("linear memory", () => {
  it("holds no key, key stream or hash state after any command, whether it was carried out or refused", () => {
    const { device, talk } = provisioned();
    expectClean(device, "provisioning");
    const token = (n: number) => Uint8Array.from({ length: 16 }, () => n);
    const put = (n: number): [Key, number | Uint8Array][] => [
      [Key.Token, token(n)],
      [Key.Usage, Usage.Opaque],
      [Key.Tier, Tier.Private],
      [Key.Policy, POLICY_EXPORTABLE],
      [Key.Body, body(PLAIN)],
    ];
    const handle = talk.ask(Command.Put, put(1)).get(Key.Handle) as Uint8Array;
    expectClean(device, "Put");
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
    device.boot();
    expectClean(device, "boot");
  });

  it("holds no plaintext outside the message buffer after a put or a get", () => {
    const { device, talk } = provisioned();
    const part = Buffer.from(PLAIN.subarray(100, 116));
    const outside = () => {
      const message = core.MESSAGE.value;
      const link = Buffer.from(device.memory.subarray(0, message)); // RX, TX and FRAME carry what the wire carries
      const rest = Buffer.from(device.memory.subarray(message + MESSAGE_MAX));
      return { link: link.includes(part), rest: rest.includes(part) };
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
    expect(outside().rest).toBe(false);
    talk.ask(Command.Get, [[Key.Handle, handle]]);
    expect(outside().link, "the check can find plaintext at all").toBe(true);
    expect(outside().rest).toBe(false);
  });
});
