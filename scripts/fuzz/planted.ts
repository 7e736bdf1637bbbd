/** Bugs that are put into copies of the core, to see that the fuzzer finds them: bounds and checks, each left out once. */

import type { TargetName } from "../../test/fuzz/steps.js";
import type { Patch } from "./core.js";

export interface Planted {
  name: string;
  what: string;
  target: TargetName;
  patch: Patch;
}

export const PLANTED: readonly Planted[] = [
  {
    name: "frame-bound",
    what: "a frame that is longer than any is decoded past its buffer",
    target: "link",
    patch: {
      file: "firmware/link/frame.ts",
      from: "if (count > FRAME_MAX - length) broken = true;",
      to: "",
    },
  },
  {
    name: "message-bound",
    what: "fragments are gathered past the longest message",
    target: "message",
    patch: {
      file: "firmware/link/link.ts",
      from: "if (received + size > MESSAGE_MAX) overflow = true;",
      to: "if (received + size > MESSAGE_MAX + 64) overflow = true;",
    },
  },
  {
    name: "tag",
    what: "a sealed message is taken whatever its tag",
    target: "message",
    patch: {
      file: "firmware/session/channel.ts",
      from: "if (!aead.open(at + OFF_RECEIVE_KEY, nonce(at, OFF_RECEIVED), 0, 0, message, size, message + size)) return false;",
      to: "aead.open(at + OFF_RECEIVE_KEY, nonce(at, OFF_RECEIVED), 0, 0, message, size, message + size);",
    },
  },
  {
    name: "vault",
    what: "keys of the store stay in memory behind a command",
    target: "session",
    patch: {
      file: "firmware/command/command.ts",
      from: "function end(): i32 {\n  vault.close();",
      to: "function end(): i32 {",
    },
  },
  {
    name: "role",
    what: "nobody asks who may",
    target: "session",
    patch: {
      file: "firmware/command/command.ts",
      from: "const status = gate.admits(asked);",
      to: "const status = Status.Ok;",
    },
  },
  {
    name: "challenge-bound",
    what: "a challenge is copied whatever its length",
    target: "session",
    patch: {
      file: "firmware/command/request.ts",
      from: "if (!cbor.isFit() || challengeLength > CHALLENGE_MAX) return cbor.isFit();",
      to: "if (!cbor.isFit()) return false;",
    },
  },
  {
    name: "label-bound",
    what: "a label is copied whatever its length",
    target: "session",
    patch: {
      file: "firmware/command/request.ts",
      from: "if (size > LABEL_MAX || !cbor.isUtf8(cbor.stringAt(), size)) {",
      to: "if (!cbor.isUtf8(cbor.stringAt(), size)) {",
    },
  },
];
