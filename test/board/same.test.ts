/** core.wasm gives the same answers, byte for byte, however it is run: in V8, in the interpreter of the firmware and as C made of it ahead of
 *  time, from the same store and with the same random numbers. */
import { afterAll, describe, expect, it } from "vitest";
import { FrameType } from "../../firmware/defs/link.js";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { Deframer } from "../../host/client/frame.js";
import { readElf } from "../../scripts/check-elf.mjs";
import { built } from "../device/built.js";
import type { Device } from "../device/device.js";
import { repeatSessions } from "../device/session.js";
import { repeatNonces, Talk } from "../device/talk.js";
import { V8Device } from "../device/v8.js";
import { VirtualDevice } from "../device/virtual.js";
import { begin, transplant } from "../store/help.js";
import { agreementPair, opaque, signingPair } from "../use/messages.js";

const SEED = 21;
const NO_CODE = new Uint8Array(32);
const ADMIN = new Uint8Array(32).fill(4);
const PEER = new Uint8Array(32).fill(9);

/** A store with an operator, made in V8. */
function made(): V8Device {
  const device = new V8Device(SEED);
  device.boot();
  const talk = new Talk(device);
  talk.handshake("", NO_CODE);
  begin({ ask: (command, fields) => talk.ask(command, fields) } as Parameters<typeof begin>[0]);
  talk.ask(Command.OperatorAdd, [
    [Key.Role, Role.Admin],
    [Key.Operator, "admin"],
    [Key.Secret, ADMIN],
  ]);
  talk.handshake("admin", ADMIN);
  talk.ask(Command.ProvisionFinish);
  return device;
}

/** The payloads of all answers of a device, in fragments. How long it will be busy is another matter. */
function answers(device: Device, store: Device): string[] {
  repeatNonces();
  repeatSessions();
  transplant(store, device);
  device.boot();
  const sent: Uint8Array[] = [];
  const heard = new Proxy(device, {
    get(of, name) {
      const value = Reflect.get(of, name, of);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        const result = value.apply(of, args);
        if (name === "exchange" || name === "wait") sent.push(result);
        return result;
      };
    },
  });
  const talk = new Talk(heard);
  let n = 0;
  const ask = (command: Command, fields: Parameters<Talk["ask"]>[1] = []) => talk.ask(command, fields);
  const put = (usage: Usage, body: Uint8Array) =>
    ask(Command.Put, [
      [Key.Token, new Uint8Array(16).fill(++n)],
      [Key.Label, `record-${n}`],
      [Key.Usage, usage],
      [Key.Tier, Tier.Private],
      [Key.Policy, 1],
      [Key.Body, body],
    ]).get(Key.Handle) as Uint8Array;
  ask(Command.Hello);
  const content = put(Usage.Opaque, opaque(new Uint8Array(3000).fill(0xa7)));
  const signer = put(Usage.Raw, signingPair(new Uint8Array(32).fill(3)));
  const agrees = put(Usage.Agree, agreementPair(new Uint8Array(32).fill(6)));
  ask(Command.Generate, [
    [Key.Token, new Uint8Array(16).fill(++n)],
    [Key.Label, "made"],
    [Key.Usage, Usage.Raw],
    [Key.Tier, Tier.Private],
    [Key.Policy, 0],
  ]);
  ask(Command.List);
  ask(Command.Get, [[Key.Handle, content]]);
  ask(Command.Sign, [
    [Key.Handle, signer],
    [Key.Data, new Uint8Array(100)],
  ]);
  ask(Command.Agree, [
    [Key.Handle, agrees],
    [Key.Public, PEER],
  ]);
  ask(Command.Evict, [
    [Key.Handle, content],
    [Key.Destroy, false],
  ]);
  const data: string[] = [];
  new Deframer().push(Buffer.concat(sent), ({ type, payload }) => {
    if (type === FrameType.Data) data.push(Buffer.from(payload).toString("hex"));
  });
  return data;
}

/** Machine code of a noise source that counts: what V8 is given below. */
const COUNTS = [0x2200, 0x428a, 0xd202, 0x5482, 0x3201, 0xe7fa, 0x4608, 0x4770]; // for (r2 = 0; r2 < r1; r2++) r0[r2] = r2; return r1

/** Firmware with that noise source. */
function counting(name: string): Uint8Array {
  const elf = Uint8Array.from(built(name));
  const { symbols, sections } = readElf(elf);
  const at = symbols.get("board_entropy")! & ~1;
  const section = sections.find((one) => one.address <= at && at < one.address + one.size)!;
  const view = new DataView(elf.buffer, section.offset + at - section.address);
  for (const [i, half] of COUNTS.entries()) view.setUint16(2 * i, half, true);
  return elf;
}

describe("the same core", () => {
  const store = made();
  const inV8 = new V8Device(SEED);
  inV8.board.entropy = (pointer, length) => {
    for (let i = 0; i < length; i++) inV8.memory[pointer + i] = i;
    return length;
  };
  const boards = ["ek-ra6m5.elf", "ek-ra6m5-aot.elf"].map((name) => new VirtualDevice(SEED, { elf: counting(name) }));
  afterAll(() => {
    for (const device of [store, inV8, ...boards]) device.close();
  });

  it("answers hello, put, generate, list, get, sign, agree and evict with the same bytes in all engines", () => {
    const expected = answers(inV8, store);
    expect(expected.length).toBeGreaterThan(12);
    for (const board of boards) expect(answers(board, store)).toEqual(expected);
  });
});
