/** The link under frames of all kinds: the core never traps, answers each piece with one frame at most, and a good exchange works right
 *  afterwards. SPEC.md §8. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FRAME_MAX, FrameType, MESSAGE_MAX, PAYLOAD_MAX, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Envelope } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { decodeFrame, ENCODED_MAX, encodeFrame, type Frame } from "../../host/client/frame.js";
import { Talk } from "../device/talk.js";
import { framesIn } from "../link/wire.js";
import { bytes, holds } from "./property.js";
import { fuzzStore } from "./store.js";

const { bench } = fuzzStore();
const { device } = bench;
const HELLO = Uint8Array.of(Envelope.Clear, 0xa1, 0, Command.Hello);
const TO_HOSTS = [
  FrameType.Opened,
  FrameType.Data,
  FrameType.Ack,
  FrameType.Busy,
  FrameType.Closed,
  FrameType.Overflow,
  FrameType.Rated,
];

/** What the device sent for one piece, as frames that devices may send. */
function answers(piece: Uint8Array): Frame[] {
  return framesIn(device.exchange(piece)).map((encoded) => {
    const frame = encoded.at(-1) === 0 ? decodeFrame(encoded.subarray(0, -1)) : undefined;
    if (frame === undefined || !TO_HOSTS.includes(frame.type))
      throw new Error("the device sent no frame of a device's");
    return frame;
  });
}

/** A host that begins anew gets its answer at once. */
function works(): void {
  device.exchange(Uint8Array.of(0)); // whatever stood on the line is over
  const hello = new Talk(device).ask(Command.Hello);
  expect(hello.get(Key.State)).toBe(State.Ready);
}

/** Cuts a stream into pieces; each mark is where one ends. */
function pieces(stream: Uint8Array, marks: readonly number[]): Uint8Array[] {
  const at = [...new Set(marks.map((mark) => mark % (stream.length + 1)))].sort((a, b) => a - b);
  return [...at, stream.length].map((end, i) => stream.subarray(at[i - 1] ?? 0, end));
}

const frame: fc.Arbitrary<Frame> = fc.record({
  type: fc.oneof(fc.constantFrom(FrameType.Open, FrameType.Data, FrameType.Next, FrameType.Rate), fc.nat(127)),
  more: fc.boolean(),
  link: fc.oneof(fc.nat(3), fc.nat(0xffff)),
  sequence: fc.oneof(fc.nat(3), fc.nat(0xffff)),
  index: fc.oneof(fc.nat(3), fc.nat(0xffff)),
  payload: fc.oneof(fc.constant(Uint8Array.of(PROTOCOL_VERSION)), fc.constant(HELLO), bytes(0, 80), bytes(1000, 1100)),
});

/** A frame as it goes over the line, and what noise makes of it. */
const onTheLine = fc.oneof(
  { weight: 4, arbitrary: frame.map(encodeFrame) },
  { weight: 1, arbitrary: bytes(0, 300) },
  {
    weight: 2,
    arbitrary: fc.tuple(frame.map(encodeFrame), fc.nat(), fc.nat(255)).map(([encoded, at, value]) => {
      encoded[at % encoded.length] = value;
      return encoded;
    }),
  },
  { weight: 1, arbitrary: fc.nat(1200).map((length) => new Uint8Array(length).fill(0x41)) },
);

/** Lengths of fragments: any, and those that fill a message to the last byte or a little more. */
const full: number[] = new Array(Math.floor(MESSAGE_MAX / PAYLOAD_MAX)).fill(PAYLOAD_MAX);
const sizes = fc.oneof(
  fc.array(fc.nat(PAYLOAD_MAX), { maxLength: 40 }),
  fc.integer({ min: -3, max: 3 }).map((more) => [...full, (MESSAGE_MAX % PAYLOAD_MAX) + more]),
);

describe("the core's link", () => {
  it("answers any bytes in any pieces with whole frames of a device, and hello right afterwards", () => {
    holds(
      fc.property(fc.array(onTheLine, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 12 }), (parts, marks) => {
        for (const piece of pieces(Buffer.concat(parts), marks)) answers(piece);
        works();
      }),
      400,
    );
  });

  it("answers each frame that is sent alone with one frame at most, or the fragments of one answer, with Busy before them or not", () => {
    holds(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 20 }), (frames) => {
        for (const one of frames) {
          const got = answers(encodeFrame(one));
          const [first] = got;
          const parts = first?.type === FrameType.Busy ? got.slice(1) : got;
          if (parts.length > 1)
            expect(parts.map(({ type, sequence, index, more }) => [type, sequence, index, more])).toEqual(
              parts.map((_, i) => [FrameType.Data, one.sequence, i, i + 1 < parts.length]),
            );
          if (one.type === FrameType.Open && !one.more && one.payload.length === 1)
            expect(first).toMatchObject({ type: FrameType.Opened, link: one.link });
        }
        works();
      }),
      300,
    );
  });

  it("takes a message in fragments of any length, in order alone, and answers the whole", () => {
    holds(
      fc.property(fc.nat(0xffff), sizes, fc.nat(0xffff), (nonce, sizes, wrong) => {
        const open = {
          type: FrameType.Open,
          more: false,
          link: nonce,
          sequence: 0,
          index: 0,
          payload: Uint8Array.of(PROTOCOL_VERSION),
        };
        const [opened] = answers(encodeFrame(open));
        const link = Buffer.from(opened!.payload).readUInt16LE(0);
        let sent = 0;
        let sequence = 0;
        const send = (payload: Uint8Array, more: boolean, number = ++sequence) =>
          answers(encodeFrame({ type: FrameType.Data, more, link, sequence: number, index: 0, payload })).at(-1);
        for (const size of sizes) {
          expect(send(new Uint8Array(size), true)?.type).toBe(FrameType.Ack);
          sent += size;
          const elsewhere = (sequence + 2 + (wrong % 0xfffe)) & 0xffff; // neither this one nor the next
          expect(send(new Uint8Array(3), true, elsewhere)).toBeUndefined();
          expect(send(new Uint8Array(5), true, sequence)?.type).toBe(FrameType.Ack);
        }
        const last = send(sent === 0 ? HELLO : new Uint8Array(0), false);
        expect(last?.type).toBe(sent > MESSAGE_MAX ? FrameType.Overflow : FrameType.Data);
        expect(last?.sequence).toBe(sequence);
        works();
      }),
      60,
    );
  });
});

describe("the host's frames", () => {
  it("come out as they went in, at every length", () => {
    holds(
      fc.property(frame, (one) => {
        const encoded = encodeFrame(one);
        const fits = one.payload.length <= FRAME_MAX - 11;
        expect(encoded.indexOf(0)).toBe(encoded.length - 1);
        expect(decodeFrame(encoded.subarray(0, -1))).toEqual(fits ? one : undefined);
      }),
      1000,
    );
  });

  it("are none when any byte was changed", () => {
    holds(
      fc.property(frame, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, by) => {
        const encoded = encodeFrame(one).subarray(0, -1);
        encoded[at % encoded.length]! ^= by;
        expect(decodeFrame(encoded)).toBeUndefined();
      }),
      1000,
    );
  });

  it("are looked for in any bytes without an error", () => {
    holds(
      fc.property(bytes(0, ENCODED_MAX + 3), (noise) => {
        expect(decodeFrame(noise)).toBeUndefined();
      }),
      500,
    );
  });
});
