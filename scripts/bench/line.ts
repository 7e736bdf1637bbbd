/** How close gets, lists and puts come to what line and flash allow, on the virtual board's clock with the model's cycles per instruction: bytes arrive,
 *  are computed on and leave at the same time, as on the board. The host of these takes no time and loses nothing. */
import type { Debugger, Inside, VirtualBoard } from "../../board/virtual/board.js";
import { Bus } from "../../board/virtual/chip.js";
import { FrameType, PAYLOAD_MAX, PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { Deframer, encodeFrame, type Frame } from "../../host/client/frame.js";
import { decodeAnswer, encodeMessage, message } from "../../host/client/message.js";
import type { Fields } from "../../test/device/talk.js";
import type { CoreEngine } from "./cost.js";
import { flashCount, flashTime, minus } from "./flash.js";
import { CountingBoard, Host, imageOf, type Operator } from "./host.js";
import { BITS, CYCLES } from "./model.js";

/** Bytes of body. */
const SIZE = 3900;
/** Gets that are sent ahead: eight requests are less than the 1,536 bytes that may be. */
const AHEAD = 8;
/** Half a store. */
const RECORDS = 124;

export interface LineCost {
  operation: string;
  engine: CoreEngine;
  /** As the line ran. */
  baud: number;
  /** From the first bit of the request to the last of the answer. */
  ms: number;
  /** Line and flash alone; the flash of the virtual board, whose blocks are new. */
  floorMs: number;
  /** Bytes of bodies that came, of those that the line could have brought meanwhile. */
  ofLineRate?: number;
}

/** SCI0, R7FA6M5BH.h: as the firmware sets it, PCLKA 96 MHz / 8 / (BRR + 1). */
const SCI0 = 0x40118000;
const [BRR, SCR] = [1, 2];
const SCR_ON = 0x70;
const DIVIDED = 12e6;

/** A debugger that holds nobody, and sets the line's rate: the host's end follows the board's. */
function setRate(board: VirtualBoard, baud: number): void {
  const inside = board.attach((made: Inside): Debugger & { inside: Inside } => ({
    inside: made,
    holds: () => false,
    wasReset: () => {},
  })).inside;
  const write = (register: number, value: number) => inside.bus.write(SCI0 + register - Bus.BASE, 1, value);
  write(SCR, 0); // the rate is changed while neither end speaks
  write(BRR, Math.round(DIVIDED / baud) - 1);
  write(SCR, SCR_ON);
}

/** A link of its own, in the session that a host has open. */
class Line {
  readonly #board: VirtualBoard;
  readonly #link: number;
  #sequence = 0;

  constructor(readonly counting: CountingBoard) {
    this.#board = counting.device.board;
    const nonce = 0x1234;
    const open = { type: FrameType.Open, link: nonce, payload: Uint8Array.of(PROTOCOL_VERSION) };
    const [opened] = framesOf(this.#board.exchange(encodeFrame({ ...open, more: false, sequence: 0, index: 0 })));
    this.#link = Buffer.from(opened!.payload).readUInt16LE(0);
  }

  /** Sends all at once. @returns how long it took, and what went over the line */
  ask(requests: Fields[]): { ms: number; lineBytes: number; bodies: number } {
    const session = this.counting.host.talk.session!;
    const sent = requests.map((fields) => this.#frames(session.seal(encodeMessage(message(fields)))));
    const bytes = Buffer.concat(sent.map(({ frames }) => frames));
    const begin = this.#board.time.ns;
    let end = begin;
    this.#board.onByte = (_byte, ns) => {
      end = ns;
    };
    const came = this.#board.exchange(bytes);
    this.#board.onByte = undefined;
    const frames = framesOf(came).filter(({ type }) => type === FrameType.Data);
    let bodies = 0;
    for (const { sequence } of sent) {
      const own = frames.filter((frame) => frame.sequence === sequence);
      const answer = decodeAnswer(session.open(Buffer.concat(own.map(({ payload }) => payload))));
      if (answer.get(Key.Command) !== Status.Ok) throw new Error(`status ${answer.get(Key.Command)} on the line`);
      bodies += (answer.get(Key.Body) as Uint8Array | undefined)?.length ?? 0;
    }
    return { ms: (end - begin) / 1e6, lineBytes: bytes.length + came.length, bodies };
  }

  /** One message in its frames, and the number that its answer has. */
  #frames(bytes: Uint8Array): { frames: Buffer; sequence: number } {
    const frames: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += PAYLOAD_MAX) {
      const more = at + PAYLOAD_MAX < bytes.length;
      const payload = bytes.subarray(at, at + PAYLOAD_MAX);
      frames.push(
        encodeFrame({ type: FrameType.Data, more, link: this.#link, sequence: ++this.#sequence, index: 0, payload }),
      );
    }
    return { frames: Buffer.concat(frames), sequence: this.#sequence };
  }
}

function framesOf(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  new Deframer().push(bytes, (frame) => frames.push(frame));
  return frames;
}

/** One get, gets sent ahead, a list, and a put that erases no block of code flash, in an open session. */
export function measureLine(elf: Buffer, engine: CoreEngine, wanted: number): LineCost[] {
  const { host, device } = Host.provisioned();
  const handles = Array.from({ length: RECORDS }, () => host.put(SIZE));
  const counting = new CountingBoard(imageOf(device), RECORDS, elf, CYCLES[engine]);
  try {
    const { board } = counting.device;
    const own = counting.host.openAs("admin");
    own.put(SIZE); // the first change after power-up erases more
    setRate(board, wanted);
    const { baud } = board;
    /** In a session of its own, on a link of its own. */
    const measure = (operation: string, operator: Operator, requests: Fields[]): LineCost => {
      own.talk.relink();
      own.openAs(operator).talk.ask(Command.Info); // the first message of a session ends the one before
      const line = new Line(counting);
      const before = flashCount(counting.device);
      const { ms, lineBytes, bodies } = line.ask(requests);
      const flash = flashTime(minus(flashCount(counting.device), before), "board");
      const transfer = (bytes: number) => (bytes * BITS * 1000) / baud;
      const ofLineRate = bodies > 0 ? transfer(bodies) / ms : undefined;
      return { operation, engine, baud, ms, floorMs: transfer(lineBytes) + flash, ofLineRate };
    };
    const get = (handle: Uint8Array): Fields => [
      [Key.Command, Command.Get],
      [Key.Handle, handle],
    ];
    const bytes = SIZE.toLocaleString("en-US");
    const costs = [
      measure(`get of ${bytes} bytes`, "user", [get(handles[0]!)]),
      measure(`${AHEAD} gets of ${bytes} bytes, sent ahead`, "user", handles.slice(0, AHEAD).map(get)),
      measure(`list of ${RECORDS} records`, "user", [[[Key.Command, Command.List]]]),
      measure(`put of ${bytes} bytes, no erase of code flash`, "admin", [
        [[Key.Command, Command.Put], ...own.putFields(SIZE)],
      ]),
    ];
    if (board.faults.list.length > 0) throw new Error(`the board complains: ${board.faults.list[0]!.text}`);
    return costs;
  } finally {
    counting.close();
  }
}
