/** The client's Noise and the one written from the specification against published handshakes and against each other. */
import { describe, expect, it } from "vitest";
import { hex, source } from "../crypto/core.js";
import { describeVectors } from "../crypto/vectors.js";
import { type Ends, type Make, PEERS, type Peer } from "./peers.js";
import { CACOPHONY, type NoiseVector, play } from "./vectors.js";

const names = Object.keys(PEERS);
const pairs = names.flatMap((initiator) => names.map((responder) => [initiator, responder] as const));

const flipped = (from: Uint8Array, bit: number) =>
  Uint8Array.from(from, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

interface Pair {
  initiator: Peer;
  responder: Peer;
}

/** Both ends with the same psk and prologue, unless one of them is given others. */
function meet(
  initiator: Make,
  responder: Make,
  psk: Uint8Array,
  prologue: Uint8Array,
  other = { psk, prologue },
): Pair {
  return {
    initiator: initiator("initiator", prologue, psk),
    responder: responder("responder", other.prologue, other.psk),
  };
}

/** A handshake without payloads. @returns the session of either end */
function shake({ initiator, responder }: Pair): { initiator: Ends; responder: Ends } {
  const nothing = new Uint8Array(0);
  responder.read(initiator.write(nothing));
  initiator.read(responder.write(nothing));
  return { initiator: initiator.split(), responder: responder.split() };
}

describe.each(names)("the vectors, played by %s", (name) => {
  const fails = (change: Partial<NoiseVector>) =>
    expect(() => play(PEERS[name]!, { ...CACOPHONY, ...change }), Object.keys(change).join()).toThrow();

  it("are met: cacophony's NNpsk0 with 25519, ChaChaPoly and SHA256", () => {
    play(PEERS[name]!, CACOPHONY);
  });

  it("would show a wrong key, prologue, hash or message", () => {
    const wrong = "00".repeat(32);
    fails({ init_psks: [wrong], resp_psks: [wrong] });
    fails({ resp_psks: [wrong] });
    fails({ init_prologue: "", resp_prologue: "" });
    fails({ init_prologue: "" });
    fails({ init_ephemeral: wrong });
    fails({ resp_ephemeral: wrong });
    fails({ handshake_hash: wrong });
    for (let i = 0; i < CACOPHONY.messages.length; i++)
      fails({ messages: CACOPHONY.messages.map((one, at) => (at === i ? { ...one, ciphertext: wrong } : one)) });
  });

  describeVectors<{ vectors: NoiseVector[] }>("noise-nnpsk0.json", ({ vectors }) => {
    it.each(vectors.filter((one) => one.protocol_name === CACOPHONY.protocol_name))("$protocol_name", (vector) => {
      play(PEERS[name]!, vector);
    });
  });
});

describe.each(pairs)("%s as initiator with %s as responder", (first, second) => {
  const [initiator, responder] = [PEERS[first]!, PEERS[second]!];

  it("agree on random sessions: payloads in the handshake, and hundreds of messages in any order of turns", () => {
    const { some, below, seed } = source();
    for (let round = 0; round < 12; round++) {
      const pair = meet(initiator, responder, some(32), some(below(3) === 0 ? 0 : below(200)));
      for (const [from, to] of [
        [pair.initiator, pair.responder],
        [pair.responder, pair.initiator],
      ] as const) {
        const payload = some(below(2) === 0 ? 0 : below(1000));
        const message = from.write(payload);
        expect(message.length, seed).toBe(32 + payload.length + 16);
        expect(hex(to.read(message)), seed).toBe(hex(payload));
      }
      const [one, other] = [pair.initiator.split(), pair.responder.split()];
      expect(hex(one.hash), seed).toBe(hex(other.hash));
      const waiting: { to: Ends; plaintext: Uint8Array; message: Uint8Array }[] = [];
      for (let i = 0; i < 300; i++) {
        const [from, to] = below(2) === 0 ? [one, other] : [other, one];
        const plaintext = some(below(8) === 0 ? 0 : below(below(10) === 0 ? 4000 : 100));
        waiting.push({ to, plaintext, message: from.send(plaintext) });
        while (waiting.length > below(5)) {
          const next = waiting.shift()!;
          expect(hex(next.to.receive(next.message)), `message ${i}, ${seed}`).toBe(hex(next.plaintext));
        }
      }
    }
  });

  it("carry messages of up to 65,535 bytes, tag included, and not one byte more", () => {
    const { some, seed } = source();
    const pair = meet(initiator, responder, some(32), some(10));
    const payload = some(65535 - 48);
    expect(hex(pair.responder.read(pair.initiator.write(payload))), seed).toBe(hex(payload));
    pair.initiator.read(pair.responder.write(new Uint8Array(0)));
    const [one, other] = [pair.initiator.split(), pair.responder.split()];
    const plaintext = some(65535 - 16);
    expect(hex(other.receive(one.send(plaintext))), seed).toBe(hex(plaintext));
    if (first === "client") expect(() => one.send(some(65535 - 15))).toThrow("16 to 65535 bytes; it has 65536");
  });

  it("refuse the first message when psk or prologue differ in any bit, or the prologue in length", () => {
    const { some, seed } = source();
    const [psk, prologue] = [some(32), some(25)];
    const refused = (other: { psk: Uint8Array; prologue: Uint8Array }, where: string) => {
      const pair = meet(initiator, responder, psk, prologue, other);
      const message = pair.initiator.write(some(5));
      expect(() => pair.responder.read(message), `${where}, ${seed}`).toThrow();
    };
    for (let bit = 0; bit < 256; bit += 5) refused({ psk: flipped(psk, bit), prologue }, `bit ${bit} of the psk`);
    for (let bit = 0; bit < 200; bit += 5)
      refused({ psk, prologue: flipped(prologue, bit) }, `bit ${bit} of the prologue`);
    refused({ psk, prologue: prologue.subarray(1) }, "a shorter prologue");
    refused({ psk, prologue: Uint8Array.of(...prologue, 0) }, "a longer prologue");
    shake(meet(initiator, responder, psk, prologue));
  });

  it("refuse a first message with any bit flipped, or cut", () => {
    const { some, seed } = source();
    const [psk, prologue] = [some(32), some(8)];
    const message = initiator("initiator", prologue, psk).write(some(7));
    const read = (changed: Uint8Array) => responder("responder", prologue, psk).read(changed);
    read(message);
    for (let bit = 0; bit < message.length * 8; bit += 3)
      expect(() => read(flipped(message, bit)), `bit ${bit}, ${seed}`).toThrow();
    for (let length = 0; length < message.length; length += 4)
      expect(() => read(message.subarray(0, length)), `${length} bytes, ${seed}`).toThrow();
  });

  it("refuse a second message with a bit flipped, and one from another handshake", () => {
    const { some, below, seed } = source();
    const [psk, prologue] = [some(32), some(8)];
    for (let round = 0; round < 40; round++) {
      const pair = meet(initiator, responder, psk, prologue);
      pair.responder.read(pair.initiator.write(some(3)));
      const message = pair.responder.write(some(7));
      const changed = round % 2 === 0 ? flipped(message, below(message.length * 8)) : message;
      const reader = round % 2 === 0 ? pair.initiator : meet(initiator, responder, psk, prologue).initiator;
      if (reader !== pair.initiator) reader.write(some(3));
      expect(() => reader.read(changed), `round ${round}, ${seed}`).toThrow();
    }
  });

  it("refuse messages that were changed, repeated, swapped, left out, sent back or taken from another session, and go on with the right one", () => {
    const { some, below, seed } = source();
    const [psk, prologue] = [some(32), some(8)];
    const session = shake(meet(initiator, responder, psk, prologue));
    const stranger = shake(meet(initiator, responder, psk, prologue));
    for (let round = 0; round < 20; round++) {
      for (const [from, to, elsewhere] of [
        [session.initiator, session.responder, stranger.initiator],
        [session.responder, session.initiator, stranger.responder],
      ] as const) {
        const plaintexts = [some(below(40)), some(1 + below(40))] as const;
        const [one, next] = [from.send(plaintexts[0]), from.send(plaintexts[1])];
        const refused = (message: Uint8Array, what: string) =>
          expect(() => to.receive(message), `${what}, ${seed}`).toThrow();
        refused(flipped(one, below(one.length * 8)), "a flipped bit");
        refused(next, "the message after next");
        refused(one.subarray(0, one.length - 1), "a message cut by a byte");
        refused(new Uint8Array(below(16)), "less than a tag");
        refused(elsewhere.send(plaintexts[0]), "a message of another session");
        expect(() => from.receive(one), `a message sent back, ${seed}`).toThrow();
        expect(hex(to.receive(one)), seed).toBe(hex(plaintexts[0]));
        refused(one, "a repeated message");
        expect(hex(to.receive(next)), seed).toBe(hex(plaintexts[1]));
        refused(one, "a message repeated later");
      }
    }
  });
});
