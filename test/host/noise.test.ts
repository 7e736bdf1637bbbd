/** What the client's Noise promises beyond the protocol itself, which test/noise/ holds against the specification. */
import { createCipheriv } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../../host/client/errors.js";
import { CipherState, Handshake, NoiseError } from "../../host/client/noise.js";
import { HandshakeState, keyPair } from "../noise/noise.js";

const psk = new Uint8Array(32).fill(7);
const prologue = Uint8Array.of(1, 2, 3);
const start = (role: "initiator" | "responder") => new Handshake({ role, psk, prologue });
const text = (of: string) => new TextEncoder().encode(of);

function complete(): { initiator: Handshake; responder: Handshake } {
  const [initiator, responder] = [start("initiator"), start("responder")];
  responder.read(initiator.write());
  initiator.read(responder.write());
  return { initiator, responder };
}

describe("CipherState", () => {
  const key = () => new Uint8Array(32).fill(9);
  const last = 2n ** 64n - 2n;

  it("uses the last nonce but one, and refuses the reserved one in both directions, again and again", () => {
    const [sender, receiver] = [new CipherState(key(), last), new CipherState(key(), last)];
    const message = sender.encrypt(text("last"));
    expect(receiver.decrypt(message)).toEqual(text("last"));
    for (let i = 0; i < 3; i++) {
      expect(() => sender.encrypt(text("more"))).toThrow(NoiseError);
      expect(() => sender.encrypt(text("more"))).toThrow("used up");
      expect(() => receiver.decrypt(message)).toThrow("used up");
    }
  });

  it("opens a message by its number when those before it are lost, and none that came before it afterwards", () => {
    const sender = new CipherState(key());
    const messages = ["a", "b", "c", "d"].map((one) => sender.encrypt(text(one)));
    const receiver = new CipherState(key());
    for (const wrong of [undefined, 1n, 3n])
      expect(() => receiver.decrypt(messages[2]!, undefined, wrong)).toThrow("is not genuine");
    expect(receiver.decrypt(messages[2]!, undefined, 2n)).toEqual(text("c"));
    expect(() => receiver.decrypt(messages[1]!, undefined, 1n)).toThrow("came already");
    expect(receiver.decrypt(messages[3]!)).toEqual(text("d"));
    expect(receiver.next).toBe(4n);
  });

  it("writes the nonce as four zeros and 64 bits, low byte first", () => {
    const cipher = createCipheriv("chacha20-poly1305", key(), Buffer.from("000000000807060504030201", "hex"), {
      authTagLength: 16,
    });
    const expected = Buffer.concat([cipher.update("data"), cipher.final(), cipher.getAuthTag()]);
    expect(Buffer.from(new CipherState(key(), 0x0102030405060708n).encrypt(text("data")))).toEqual(expected);
  });

  it("authenticates associated data", () => {
    const message = new CipherState(key()).encrypt(text("data"), text("header"));
    expect(new CipherState(key()).decrypt(message, text("header"))).toEqual(text("data"));
    expect(() => new CipherState(key()).decrypt(message, text("Header"))).toThrow(NoiseError);
    expect(() => new CipherState(key()).decrypt(message)).toThrow(NoiseError);
  });

  it("wipes the key it was given and does nothing afterwards", () => {
    const own = key();
    const cipher = new CipherState(own);
    const message = cipher.encrypt(text("data"));
    cipher.wipe();
    expect(own).toEqual(new Uint8Array(32));
    expect(() => cipher.encrypt(text("data"))).toThrow("its key is wiped");
    expect(() => cipher.decrypt(message)).toThrow("its key is wiped");
  });
});

describe("Handshake", () => {
  it("takes a new ephemeral key each time", () => {
    const keys = Array.from({ length: 20 }, () =>
      Buffer.from(start("initiator").write().subarray(0, 32)).toString("hex"),
    );
    expect(new Set(keys).size).toBe(20);
  });

  it("leaves psk, prologue and the caller's ephemeral key as they were, Buffers too", () => {
    for (const from of [(bytes: Uint8Array) => Uint8Array.from(bytes), (bytes: Uint8Array) => Buffer.from(bytes)]) {
      const ephemeral = new Uint8Array(32).fill(5);
      const given = {
        role: "initiator" as const,
        psk: from(psk),
        prologue: from(prologue),
        ephemeral: from(ephemeral),
      };
      const handshake = new Handshake(given);
      handshake.write();
      handshake.wipe();
      expect(given).toEqual({
        role: "initiator",
        psk: from(psk),
        prologue: from(prologue),
        ephemeral: from(ephemeral),
      });
    }
  });

  it.each([0, 16, 31, 33, 64])("refuses a psk of %i bytes", (length) => {
    expect(() => new Handshake({ role: "initiator", psk: new Uint8Array(length), prologue })).toThrow(
      `The psk must have 32 bytes; it has ${length}.`,
    );
  });

  it("refuses what comes out of turn, and stays where it was", () => {
    const [initiator, responder] = [start("initiator"), start("responder")];
    expect(() => initiator.read(new Uint8Array(48))).toThrow("This comes after 1 messages, not 0.");
    expect(() => initiator.split()).toThrow("This comes after 2 messages, not 0.");
    expect(() => responder.write()).toThrow("This comes after 1 messages, not 0.");
    responder.read(initiator.write());
    expect(() => initiator.write()).toThrow(NoiseError);
    expect(() => responder.read(new Uint8Array(48))).toThrow(NoiseError);
    expect(() => responder.split()).toThrow(NoiseError);
    initiator.read(responder.write());
    expect(initiator.split().hash).toEqual(responder.split().hash);
  });

  it("is over after split, after wipe and after a failure", () => {
    const { initiator, responder } = complete();
    initiator.split();
    responder.wipe();
    const failed = start("responder");
    const message = start("initiator").write();
    message[40]! ^= 1;
    expect(() => failed.read(message)).toThrow(NoiseError);
    message[40]! ^= 1;
    for (const handshake of [initiator, responder, failed]) {
      for (const use of [() => handshake.read(message), () => handshake.write(), () => handshake.split()])
        expect(use).toThrow("This handshake is over.");
    }
  });

  it.each([0, 31, 32, 47, 65536])(
    "refuses a message of %i bytes, which has no room for key and tag or is too long",
    (length) => {
      expect(() => start("responder").read(new Uint8Array(length))).toThrow(
        `The message must have 48 to 65535 bytes; it has ${length}.`,
      );
    },
  );

  it("refuses a payload that makes its message too long", () => {
    expect(start("initiator").write(new Uint8Array(65535 - 48)).length).toBe(65535);
    expect(() => start("initiator").write(new Uint8Array(65535 - 47))).toThrow("16 to 65535 bytes; it has 65536");
  });

  it("refuses public keys of low order, with which everybody would know the shared secret", () => {
    const own = keyPair(new Uint8Array(32).fill(1));
    const worthless = [
      "00".repeat(32),
      `01${"00".repeat(31)}`,
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      `ec${"ff".repeat(30)}7f`,
    ];
    for (const key of worthless) {
      // who holds the psk can announce such a key: the message is genuine, so that only the curve can refuse it
      const dishonest = new HandshakeState(true, prologue, psk, { ...own, publicKey: Buffer.from(key, "hex") });
      const handshake = start("responder");
      handshake.read(dishonest.WriteMessage(new Uint8Array(0)).message);
      expect(() => handshake.write(), key).toThrow(NoiseError);
      expect(() => handshake.write(), key).toThrow("This handshake is over.");
    }
  });

  it("fails in one class, which is a ProtocolError with a hint", () => {
    try {
      start("responder").read(new Uint8Array(48));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(NoiseError);
      expect(error).toBeInstanceOf(ProtocolError);
      expect((error as NoiseError).name).toBe("NoiseError");
      expect((error as NoiseError).message).toContain("The handshake failed at message 1: Message 0 is not genuine");
      expect((error as NoiseError).hint).toContain("same key");
    }
  });

  it("shows no key when it is printed", () => {
    const { initiator } = complete();
    const { send } = initiator.split();
    for (const shown of [
      inspect(start("initiator"), { depth: 9, showHidden: true }),
      inspect(send, { showHidden: true }),
    ])
      expect(shown).not.toMatch(/Uint8Array|Buffer/);
  });
});
