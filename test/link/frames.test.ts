/** Frames of the device: byte for byte what the host's encoder makes, and nothing but good frames is answered. SPEC.md §8.
 *  What a sealed answer carries is ciphertext; a dump can be made to carry chosen bytes, because flash and session are the test's. */
import { describe, expect, it } from "vitest";
import { FRAME_MAX, FrameType, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { cobsEncode } from "../../host/client/cobs.js";
import { decodeFrame, encodeFrame, type Frame } from "../../host/client/frame.js";
import { encodeMessage, message } from "../../host/client/message.js";
import type { Device } from "../device/device.js";
import { changeSlots } from "../store/damage.js";
import { body, get, handle, hex, put, randomBytes, ready, SMALL, state, unchanged, WHOLE } from "../store/help.js";
import { Bench, deviceTargets } from "../targets.js";
import { framesIn } from "./wire.js";

/** Lets every byte that the device sends through, if it is made of frames in the one form that the host makes. */
function inspected(device: Device): Bench {
  const exchange = (sent: Uint8Array): Uint8Array => {
    const received = device.exchange(sent);
    for (const bytes of framesIn(received)) {
      const frame = decodeFrame(bytes.subarray(0, -1));
      if (bytes.at(-1) !== 0 || frame === undefined) throw new Error(`no frame: ${hex(bytes)}`);
      if (hex(encodeFrame(frame)) !== hex(bytes)) throw new Error(`another form of a frame: ${hex(bytes)}`);
    }
    return received;
  };
  const proxy: Device = new Proxy(device, {
    get: (of, name) => (name === "exchange" ? exchange : bound(of, name)),
  });
  return new Bench(proxy);
}

/** A member of a device, which works behind a proxy too. */
function bound(of: Device, name: string | symbol): unknown {
  const member: unknown = Reflect.get(of, name, of);
  return typeof member === "function" ? member.bind(of) : member;
}

const DUMPED = 100; // offset in the slot region

/** Has a dump answered whose payload on the line is `wanted`, behind envelope and CBOR: flash holds its XOR with the key stream. */
function carry(target: Bench, wanted: Uint8Array): void {
  const session = target.talk.session ?? target.talk.plant().session!;
  const head = encodeMessage(dumped(wanted)).length - wanted.length;
  const stream = session.stream(head + wanted.length).subarray(head);
  const plain = wanted.map((byte, i) => byte ^ stream[i]!);
  changeSlots(target.device, DUMPED, (bytes) => bytes.set(plain), wanted.length);
  const answer = target.ask(Command.Dump, [
    [Key.Length, wanted.length],
    [Key.Region, 0],
    [Key.Offset, DUMPED],
  ]);
  expect(hex(answer.get(Key.Data))).toBe(hex(plain));
}

const dumped = (data: Uint8Array) =>
  message([
    [Key.Command, 0],
    [Key.Data, data],
  ]);

describe.each(deviceTargets)("frames of $name", (kind) => {
  const lengths = (from: number, to: number): number[] => {
    const step = kind.slow ? 67 : 1;
    return Array.from({ length: Math.ceil((to - from + 1) / step) }, (_, i) => from + i * step);
  };

  it("carry content of 1…600 non-zero bytes in the host's own form", () => {
    const { device } = ready(kind, WHOLE);
    const target = inspected(device);
    for (const length of lengths(1, 600)) carry(target, Buffer.alloc(length, 0xaa));
    device.close();
  });

  it("carry runs of 252…256 and 506…510 non-zero bytes between zeros, at the start, the end and inside", () => {
    const { device } = ready(kind, WHOLE);
    const target = inspected(device);
    for (const run of [252, 253, 254, 255, 256, 506, 507, 508, 509, 510]) {
      const content = Buffer.alloc(30 + 2 * run)
        .fill(0x31, 10, 10 + run)
        .fill(0x32, 11 + run, 11 + 2 * run);
      for (const from of [0, 9, 10, 11])
        for (const to of lengths(10 + run - 3, 10 + run + 3).concat(12 + 2 * run))
          carry(target, content.subarray(from, to));
    }
    device.close();
  });

  it("bring bodies of 9…600 bytes there and back", () => {
    const { device } = ready(kind, SMALL);
    const target = inspected(device);
    for (const length of lengths(9, 600)) {
      const content = body(length).fill(length & 0xff || 1, 8);
      const made = handle(put(target, { body: content }));
      expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
      target.ask(Command.Evict, [
        [Key.Handle, made],
        [Key.Destroy, false],
      ]);
    }
    device.close();
  });

  it("are found to be in another form when they are: the check can fail", () => {
    const { device } = ready(kind, SMALL);
    const longer = new Proxy(device, {
      get: (of, name) =>
        name === "exchange"
          ? (sent: Uint8Array) => Buffer.concat([Uint8Array.of(1), of.exchange(sent)])
          : bound(of, name),
    });
    expect(() => inspected(longer).ask(Command.Hello)).toThrow("no frame");
    device.close();
  });
});

describe.each(deviceTargets)("a frame to $name", (kind) => {
  const open: Frame = {
    type: FrameType.Open,
    more: false,
    link: 7,
    sequence: 0,
    index: 0,
    payload: Uint8Array.of(PROTOCOL_VERSION),
  };
  const good = encodeFrame(open);
  const body = cobsBody(open);
  const corrupt = (at: number): Uint8Array => cobsFrame(body.map((byte, i) => (i === at ? byte ^ 1 : byte)));

  const silent: [string, Uint8Array[]][] = [
    ["is empty", [Uint8Array.of(0), new Uint8Array(100)]],
    ["is noise", [...Array.from({ length: 20 }, () => Buffer.concat([randomBytes(60), Uint8Array.of(0)]))]],
    ["has one byte changed, any of them", Array.from(body, (_, at) => corrupt(at))],
    [
      "is cut short, anywhere",
      Array.from({ length: good.length - 1 }, (_, end) => Buffer.concat([good.subarray(0, end), Uint8Array.of(0)])),
    ],
    [
      "has a byte more",
      [Buffer.concat([good.subarray(0, -1), Uint8Array.of(1, 0)]), Buffer.concat([Uint8Array.of(2), good])],
    ],
    ["is shorter than header and CRC", Array.from({ length: 10 }, (_, n) => cobsFrame(new Uint8Array(n)))],
    [
      "is longer than the longest",
      [
        cobsFrame(new Uint8Array(FRAME_MAX + 1)),
        cobsFrame(randomBytes(5000)),
        Buffer.concat([randomBytes(3000).map((b) => b || 1), Uint8Array.of(0)]),
      ],
    ],
    ["names a group that goes beyond its end", [Uint8Array.of(5, 1, 2, 0), Uint8Array.of(255, 1, 0)]],
  ];

  it.each(silent)("that %s is dropped in silence; the next good one is answered", (_what, frames) => {
    const { device } = ready(kind, SMALL);
    const target = new Bench(device);
    unchanged(target, () => {
      for (const frame of frames) expect(device.exchange(frame), hex(frame)).toHaveLength(0);
      expect(device.exchange(good).length).toBeGreaterThan(0);
    });
    expect(state(target)).toBe(State.Ready);
    target.close();
  });

  it("is found behind any noise that a zero ends, and in any pieces", () => {
    const { device } = ready(kind, SMALL);
    for (let round = 0; round < 30 * Math.max(kind.share, 0.1); round++) {
      const noise = Buffer.concat([randomBytes(round * 20), Uint8Array.of(0)]);
      const sent = Buffer.concat([noise, good]);
      const received: Uint8Array[] = [];
      for (let at = 0; at < sent.length; ) {
        const to = at + 1 + (randomBytes(1)[0] ?? 0);
        received.push(device.exchange(sent.subarray(at, to)));
        at = to;
      }
      const answers = framesIn(Buffer.concat(received)).map((bytes) => decodeFrame(bytes.subarray(0, -1)));
      expect(answers.at(-1)?.type).toBe(FrameType.Opened);
    }
    device.close();
  });

  it("answers what it answers when a frame that is dropped follows in the same piece", () => {
    const { device } = ready(kind, SMALL);
    const opened = device.exchange(encodeFrame({ ...open, link: 8 }));
    const id = decodeFrame(opened.subarray(0, -1))!.payload;
    const link = id[0]! | (id[1]! << 8);
    const payload = Uint8Array.of(0, 0xa1, 0, 1);
    const hello = encodeFrame({ ...open, type: FrameType.Data, link, sequence: 1, payload });
    const dropped = encodeFrame({ ...open, type: FrameType.Data, link, sequence: 9 });
    const answers = framesIn(device.exchange(Buffer.concat([hello, dropped])));
    expect(answers.map((bytes) => decodeFrame(bytes.subarray(0, -1))?.type)).toEqual([FrameType.Data]);
    device.close();
  });
});

/** Header, payload and CRC of a frame, before COBS. */
function cobsBody(frame: Frame): Uint8Array {
  const encoded = encodeFrame(frame).subarray(0, -1);
  const out: number[] = [];
  for (let at = 0; at < encoded.length; ) {
    const code = encoded[at]!;
    out.push(...encoded.subarray(at + 1, at + code));
    at += code;
    if (at < encoded.length && code < 255) out.push(0);
  }
  return Uint8Array.from(out);
}

function cobsFrame(content: Uint8Array): Uint8Array {
  return Buffer.concat([cobsEncode(content), Uint8Array.of(0)]);
}
