/** The link of the device: each message once and in order, whatever frames come. SPEC.md §8. */
import { describe, expect, it } from "vitest";
import { BusyReason, FrameType, MESSAGE_MAX, PAYLOAD_MAX, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Envelope } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { decodeFrame, encodeFrame, type Frame } from "../../host/client/frame.js";
import { decodeMessage, encodeMessage, type Message, message, type Value } from "../../host/client/message.js";
import { region } from "../device/map.js";
import { plant, type Session } from "../device/session.js";
import { body, handle, hex, list, put, ready, SMALL, says, state, token, unchanged } from "../store/help.js";
import { type Bench, deviceTargets } from "../targets.js";
import { framesIn } from "./wire.js";

const HELLO = Buffer.concat([Uint8Array.of(Envelope.Clear), encodeMessage(message([[Key.Command, Command.Hello]]))]);
const INFO = encodeMessage(message([[Key.Command, Command.Info]]));
const EMPTY: Frame = { type: FrameType.Data, more: false, link: 0, sequence: 0, index: 0, payload: new Uint8Array(0) };

/** Frames by hand on one device, on which a session runs. */
class Line {
  readonly session: Session;

  constructor(readonly target: Bench) {
    this.session = plant(target.device);
  }

  send(...frames: Partial<Frame>[]): Frame[] {
    const bytes = Buffer.concat(frames.map((frame) => encodeFrame({ ...EMPTY, ...frame })));
    return framesIn(this.target.device.exchange(bytes)).map((one) => decodeFrame(one.subarray(0, -1))!);
  }
  /** @returns the link id that the device names */
  open(nonce: number): number {
    const [opened] = this.send({ type: FrameType.Open, link: nonce, payload: Uint8Array.of(PROTOCOL_VERSION) });
    expect([opened?.type, opened?.link]).toEqual([FrameType.Opened, nonce]);
    return Buffer.from(opened!.payload).readUInt16LE(0);
  }
}

const types = (frames: Frame[]): string[] => frames.map((frame) => FrameType[frame.type]!);

describe.each(deviceTargets)("the link of $name", (kind) => {
  const line = () => new Line(ready(kind, SMALL));

  it("answers Open with id, largest payload and version, and the same nonce with the same until that link is used", () => {
    const it = line();
    const open = { type: FrameType.Open, link: 0x1234, payload: Uint8Array.of(PROTOCOL_VERSION) };
    const [first] = it.send(open);
    expect(Buffer.from(first!.payload).readUInt16LE(2)).toBe(PAYLOAD_MAX);
    expect(first!.payload[4]).toBe(PROTOCOL_VERSION);
    expect(it.send(open)).toEqual([first]);
    const link = Buffer.from(first!.payload).readUInt16LE(0);
    it.send({ link, sequence: 1, payload: HELLO });
    const [again] = it.send(open);
    expect(Buffer.from(again!.payload).readUInt16LE(0)).not.toBe(link);
    expect(types(it.send({ link, sequence: 2, payload: HELLO }))).toEqual(["Data"]);
    it.target.close();
  });

  it("is not disturbed by a stale Open: the link in use goes on until the new one is used", () => {
    const it = line();
    const link = it.open(1);
    expect(types(it.send({ link, sequence: 1, payload: HELLO }))).toEqual(["Data"]);
    const other = it.open(2);
    expect(types(it.send({ link, sequence: 2, payload: HELLO }))).toEqual(["Data"]);
    expect(types(it.send({ link: other, sequence: 2, payload: HELLO }))).toEqual(["Closed"]);
    expect(types(it.send({ link: other, sequence: 1, payload: HELLO }))).toEqual(["Data"]);
    expect(types(it.send({ link, sequence: 3, payload: HELLO }))).toEqual(["Closed"]);
    it.target.close();
  });

  it("answers Closed, with the id asked for, to ids that are not open, also after a power cycle", () => {
    const it = line();
    const link = it.open(1);
    it.send({ link, sequence: 1, payload: HELLO });
    const wrong = link ^ 0x8000;
    for (const frame of [
      { link: wrong, sequence: 1, payload: HELLO },
      { type: FrameType.Next, link: wrong, sequence: 1, index: 1 },
    ]) {
      const [closed] = it.send(frame);
      expect([closed?.type, closed?.link]).toEqual([FrameType.Closed, wrong]);
    }
    it.target.boot();
    expect(types(it.send({ link, sequence: 2, payload: HELLO }))).toEqual(["Closed"]);
    it.target.close();
  });

  it("sends the stored answer again for a doubled frame, and does not ask the store again", () => {
    const it = line();
    const link = it.open(1);
    const made = encodeMessage(
      message([
        [Key.Command, Command.Put],
        [Key.Token, token()],
        [Key.Usage, 0],
        [Key.Tier, 1],
        [Key.Policy, 1],
        [Key.Body, body(100)],
      ]),
    );
    const frame = { link, sequence: 1, payload: it.session.seal(made) };
    const [busy, answer] = it.send(frame);
    expect(types([busy!, answer!])).toEqual(["Busy", "Data"]);
    expect(Buffer.from(busy!.payload).readUInt32LE(0)).toBeGreaterThan(0);
    expect([...busy!.payload.subarray(4)]).toEqual([BusyReason.Work]);
    unchanged(it.target, () => expect(it.send(frame)).toEqual([answer]));
    it.target.talk.reset();
    expect(list(it.target)).toHaveLength(1);
    it.target.close();
  });

  it("drops frames out of order, and frames that nobody defines", () => {
    const it = line();
    const link = it.open(1);
    it.send({ link, sequence: 1, payload: HELLO });
    unchanged(it.target, () => {
      for (const sequence of [0, 3, 0xffff]) expect(it.send({ link, sequence, payload: HELLO })).toEqual([]);
      for (const type of [0, 2, 4, 6, 7, 8, 9, 0x7f]) expect(it.send({ type, link, sequence: 2 })).toEqual([]);
      expect(it.send({ type: FrameType.Next, link, sequence: 1, index: 1 })).toEqual([]);
      expect(it.send({ type: FrameType.Open, link: 3 })).toEqual([]);
    });
    expect(types(it.send({ link, sequence: 2, payload: HELLO }))).toEqual(["Data"]);
    it.target.close();
  });

  // 65,538 requests: only where that is quick
  if (kind.share === 1)
    it("numbers frames modulo 2^16", () => {
      const it = line();
      const link = it.open(1);
      for (let i = 1; i <= 0x10002; i++) {
        const [answer] = it.send({ link, sequence: i & 0xffff, payload: HELLO });
        if (answer?.sequence !== (i & 0xffff)) throw new Error(`frame ${i} was not answered`);
      }
      it.target.close();
    });

  it("sends all fragments of an answer, any one again when it is asked for, and all when the request comes again", () => {
    const it = line();
    const target = it.target;
    const content = body(2500);
    const made = handle(put(target, { body: content }));
    const session = plant(target.device);
    const link = it.open(9);
    const payload = session.seal(
      encodeMessage(
        message([
          [Key.Command, Command.Get],
          [Key.Handle, made],
        ]),
      ),
    );
    const next = (index: number) => it.send({ type: FrameType.Next, link, sequence: 1, index });
    const all = it.send({ link, sequence: 1, payload });
    expect(all.map(({ index, more }) => [index, more])).toEqual([
      [0, true],
      [1, true],
      [2, false],
    ]);
    expect(all.map(({ payload }) => payload.length).slice(0, 2)).toEqual([PAYLOAD_MAX, PAYLOAD_MAX]);
    for (const index of [1, 0, 2, 2, 0]) expect(next(index)).toEqual(all.slice(index));
    for (const index of [3, 33, 0xffff]) expect(next(index)).toEqual([]);
    expect(it.send({ link, sequence: 1, payload })).toEqual(all);
    const whole = Buffer.concat(all.map((frame) => frame.payload));
    expect(Buffer.from(session.open(whole)).includes(Buffer.from(content))).toBe(true);
    expect(it.send({ type: FrameType.Next, link, sequence: 2, index: 0 })).toEqual([]);
    target.close();
  });

  it("sends a record that is decrypted and sealed as it leaves, whatever its length, and leaves neither plaintext nor a key stream behind", () => {
    const it = line();
    const { device } = it.target;
    const made = handle(put(it.target));
    const session = plant(device);
    const link = it.open(3);
    let sequence = 0;
    const ask = (command: Command, ...fields: [Key, Value][]): Message => {
      const asked = session.seal(encodeMessage(message([[Key.Command, command], [Key.Handle, made], ...fields])));
      const fragments = Array.from({ length: Math.ceil(asked.length / PAYLOAD_MAX) }, (_, i) =>
        asked.slice(i * PAYLOAD_MAX, (i + 1) * PAYLOAD_MAX),
      );
      const sent = fragments.map((payload, i) => ({
        link,
        sequence: ++sequence,
        more: i < fragments.length - 1,
        payload,
      }));
      const data = it.send(...sent).filter(({ type }) => type === FrameType.Data);
      return decodeMessage(session.open(Buffer.concat(data.map(({ payload }) => payload))));
    };
    // where blocks of 64 bytes begin and end in a fragment differs with each length, and with each label, which stands before the body
    const around = (length: number) => Array.from({ length: 140 }, (_, i) => length - 100 + i);
    const lengths = kind.slow ? [63, 64, 65, 960, 985, 1024] : [...around(120), ...around(1024), ...around(2048)];
    for (const length of lengths) {
      const content = body(length);
      expect(says(ask(Command.Relabel, [Key.Token, token()], [Key.Label, "x".repeat(1 + (length % 40))]))).toBe("Ok");
      expect(says(ask(Command.Replace, [Key.Token, token()], [Key.Body, content]))).toBe("Ok");
      expect(hex(ask(Command.Get).get(Key.Body) as Uint8Array), `${length} bytes`).toBe(hex(content));
      const ram = Buffer.from(device.ram());
      expect(ram.includes(Buffer.from(content.slice(8, 40))), `${length} bytes`).toBe(false);
      for (const name of ["OUTGOING_STREAM", "BODY_STREAM"])
        expect(hex(device.peek(region(name), 48)), name).toBe("00".repeat(48));
    }
    it.target.close();
  });

  it("answers requests that come in one piece, each whole, one after the other", () => {
    const it = line();
    const made = handle(put(it.target, { body: body(2500) }));
    const session = plant(it.target.device);
    const link = it.open(2);
    const get = encodeMessage(
      message([
        [Key.Command, Command.Get],
        [Key.Handle, made],
      ]),
    );
    const requests = [get, INFO, get].map((plain) => session.seal(plain));
    const frames = it.send(...requests.map((payload, i) => ({ link, sequence: i + 1, payload })));
    const answers = requests.map((_, i) => frames.filter(({ sequence }) => sequence === i + 1));
    expect(answers.map((one) => one.map(({ index }) => index))).toEqual([[0, 1, 2], [0], [0, 1, 2]]);
    const [first, info, second] = answers.map((one) => session.open(Buffer.concat(one.map(({ payload }) => payload))));
    expect(second).toEqual(first);
    expect(decodeMessage(info!).get(Key.Custody)).toBeDefined();
    it.target.close();
  });

  it("takes a request in fragments of any size, acknowledges each once more when it is doubled", () => {
    const it = line();
    const link = it.open(1);
    const pieces = [...it.session.seal(INFO)].map((byte) => Uint8Array.of(byte));
    pieces.forEach((payload, i) => {
      const more = i < pieces.length - 1;
      for (let times = 0; times < 2; times++) {
        const [answer] = it.send({ link, sequence: i + 1, more, payload });
        expect([answer!.type, answer!.sequence]).toEqual([more ? FrameType.Ack : FrameType.Data, i + 1]);
      }
    });
    it.target.close();
  });

  it("answers Overflow to a message that is too long, again when asked again, and takes the next one", () => {
    const it = line();
    const link = it.open(1);
    const payload = new Uint8Array(PAYLOAD_MAX).fill(0xa1);
    const frames = Math.floor(MESSAGE_MAX / PAYLOAD_MAX) + 1;
    unchanged(it.target, () => {
      for (let i = 1; i <= frames; i++)
        expect(types(it.send({ link, sequence: i, more: true, payload }))).toEqual(["Ack"]);
      const last = { link, sequence: frames + 1, payload };
      for (let times = 0; times < 2; times++) expect(types(it.send(last))).toEqual(["Overflow"]);
    });
    expect(types(it.send({ link, sequence: frames + 2, payload: HELLO }))).toEqual(["Data"]);
    it.target.talk.reset();
    expect(state(it.target)).toBe(State.Ready);
    it.target.close();
  });

  it("forgets half a message when a new link is used", () => {
    const it = line();
    const link = it.open(1);
    it.send({ link, sequence: 1, more: true, payload: Uint8Array.of(0xa2, 0) });
    const other = it.open(2);
    const [answer] = it.send({ link: other, sequence: 1, payload: HELLO });
    expect(hex(answer!.payload.subarray(0, 4))).toBe("00a90000");
    it.target.close();
  });

  it("gives a client that draws the nonce of the link in use a link of its own, and answers to its own requests", () => {
    const it = line();
    const link = it.open(77);
    it.send({ link, sequence: 1, payload: HELLO });
    const other = it.open(77);
    expect(other).not.toBe(link);
    const [answer] = it.send({ link: other, sequence: 1, payload: it.session.seal(INFO) });
    expect(decodeMessage(it.session.open(answer!.payload)).has(Key.Classes)).toBe(true);
    it.target.close();
  });

  // the virtual board wakes up at the same microsecond each time: only the nonce makes the difference there
  if (kind.slow)
    it("names another link id to another nonce after a power cycle", () => {
      const it = new Line(kind.make());
      const ids = [1, 2, 3].map((nonce) => {
        it.target.boot();
        return it.open(nonce);
      });
      expect(new Set(ids).size).toBe(ids.length);
      it.target.close();
    });

  it("answers nothing to what only devices send, on any link: two devices, or an echo, would talk for ever", () => {
    const it = line();
    const open = it.open(1);
    it.send({ link: open, sequence: 1, payload: HELLO });
    for (const link of [open, open ^ 0x8000])
      for (const type of [FrameType.Opened, FrameType.Ack, FrameType.Busy, FrameType.Overflow, FrameType.Closed])
        for (const sequence of [1, 2]) expect(it.send({ type, link, sequence })).toEqual([]);
    expect(types(it.send({ link: open, sequence: 2, payload: HELLO }))).toEqual(["Data"]);
    it.target.close();
  });
});
