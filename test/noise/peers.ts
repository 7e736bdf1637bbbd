/** Both implementations of Noise behind one face, so that tests can put any of them at either end. */
import { Handshake } from "../../host/client/noise.js";
import { type Finished, HandshakeState, keyPair } from "./noise.js";

export type Role = "initiator" | "responder";

export interface Peer {
  /** This end's handshake message. */
  write(payload: Uint8Array): Uint8Array;
  /** @returns the payload of the other end's handshake message. @throws Error when it is not genuine */
  read(message: Uint8Array): Uint8Array;
  split(): Ends;
}

export interface Ends {
  hash: Uint8Array;
  send(plaintext: Uint8Array): Uint8Array;
  receive(ciphertext: Uint8Array): Uint8Array;
}

export type Make = (role: Role, prologue: Uint8Array, psk: Uint8Array, ephemeral?: Uint8Array) => Peer;

/** host/client/noise.ts */
const client: Make = (role, prologue, psk, ephemeral) => {
  const handshake = new Handshake({ role, prologue, psk, ephemeral });
  return {
    write: (payload) => handshake.write(payload),
    read: (message) => handshake.read(message),
    split: () => {
      const { send, receive, hash } = handshake.split();
      return { hash, send: (plaintext) => send.encrypt(plaintext), receive: (sealed) => receive.decrypt(sealed) };
    },
  };
};

/** test/noise/noise.ts */
const specification: Make = (role, prologue, psk, ephemeral) => {
  const state = new HandshakeState(role === "initiator", prologue, psk, ephemeral && keyPair(ephemeral));
  let finished: Finished | undefined;
  const none = Buffer.alloc(0);
  return {
    write: (payload) => {
      const written = state.WriteMessage(payload);
      finished = written.finished;
      return written.message;
    },
    read: (message) => {
      const read = state.ReadMessage(message);
      finished = read.finished;
      return read.payload;
    },
    split: () => {
      if (finished === undefined) throw new Error("the handshake is not complete");
      const [first, second] = finished.ciphers;
      const [sending, receiving] = role === "initiator" ? [first, second] : [second, first];
      return {
        hash: finished.h,
        send: (plaintext) => sending.EncryptWithAd(none, Buffer.from(plaintext)),
        receive: (sealed) => receiving.DecryptWithAd(none, Buffer.from(sealed)),
      };
    },
  };
};

export const PEERS: Record<string, Make> = { client, specification };
