/** Handshakes of others with everything given, ephemeral keys too: one that is always checked, and how one is checked. */
import { expect } from "vitest";
import { bytes, hex } from "../crypto/core.js";
import type { Make } from "./peers.js";

/** The format of the cacophony and snow projects. Messages alternate, the initiator's first; the first two are the handshake. */
export interface NoiseVector {
  protocol_name: string;
  init_prologue: string;
  init_psks: string[];
  init_ephemeral: string;
  resp_prologue: string;
  resp_psks: string[];
  resp_ephemeral: string;
  handshake_hash: string;
  messages: { payload: string; ciphertext: string }[];
}

/** From cacophony's vectors (public at github.com/mcginty/snow, tests/vectors/cacophony.txt). */
export const CACOPHONY: NoiseVector = {
  protocol_name: "Noise_NNpsk0_25519_ChaChaPoly_SHA256",
  init_prologue: "4a6f686e2047616c74",
  init_psks: ["54686973206973206d7920417573747269616e20706572737065637469766521"],
  init_ephemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
  resp_prologue: "4a6f686e2047616c74",
  resp_psks: ["54686973206973206d7920417573747269616e20706572737065637469766521"],
  resp_ephemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
  handshake_hash: "f4d03dc34495c95729ea6de9e1b59004b59733102488b3e24bc441e0be208eaf",
  messages: [
    {
      payload: "4c756477696720766f6e204d69736573",
      ciphertext:
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c794479b962b8aff8485742ac32f905ba45369e2465fb59e138a93d67a0d1266b6a54",
    },
    {
      payload: "4d757272617920526f746862617264",
      ciphertext:
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843d6062704d5a9c422a8e834423f8c1feada7e8d0d910a1a2cd030fb584221e3",
    },
    { payload: "462e20412e20486179656b", ciphertext: "e632c3763d7669067383433197a3baddf146e9e70ad4b4e9e59e0f" },
    { payload: "4361726c204d656e676572", ciphertext: "64c6bee32ea91c8474bb4c21d7a700109ad45af77b29764ba5eb1e" },
    {
      payload: "4a65616e2d426170746973746520536179",
      ciphertext: "e2fa0bed0603b62d3ccac2ecabbf3fe33f3e86514909b323361626266cb2471cc8",
    },
    {
      payload: "457567656e2042f6686d20766f6e2042617765726b",
      ciphertext: "0c01dc9cec1fe4ddd692e8dd32188aa351088dc91183639a53b57aa4692b5ebdef8b8ca111",
    },
  ],
};

/** Plays a vector with `make` at both ends: every message, payload and the handshake hash must be the vector's. */
export function play(make: Make, vector: NoiseVector): void {
  const ends = [
    make("initiator", bytes(vector.init_prologue), bytes(vector.init_psks[0]!), bytes(vector.init_ephemeral)),
    make("responder", bytes(vector.resp_prologue), bytes(vector.resp_psks[0]!), bytes(vector.resp_ephemeral)),
  ] as const;
  for (const [i, { payload, ciphertext }] of vector.messages.slice(0, 2).entries()) {
    const message = ends[i]!.write(bytes(payload));
    expect(hex(message), `handshake message ${i}`).toBe(ciphertext);
    expect(hex(ends[1 - i]!.read(message)), `payload of handshake message ${i}`).toBe(payload);
  }
  const sessions = [ends[0].split(), ends[1].split()] as const;
  for (const { hash } of sessions) expect(hex(hash), "handshake hash").toBe(vector.handshake_hash);
  for (const [i, { payload, ciphertext }] of vector.messages.slice(2).entries()) {
    const message = sessions[i & 1]!.send(bytes(payload));
    expect(hex(message), `transport message ${i}`).toBe(ciphertext);
    expect(hex(sessions[1 - (i & 1)]!.receive(message)), `payload of transport message ${i}`).toBe(payload);
  }
}
