/** A message that is not genuine is not decrypted: its tag is looked at first. SPEC.md §11, RFC 8439 §2.8. */
import { describe, expect, it } from "vitest";
import { randomBytes } from "../store/help.js";
import { deviceTargets } from "../targets.js";
import { open, staffed, USER } from "./help.js";

describe.each(deviceTargets)("a forged message in a session with $name", (kind) => {
  it("leaves its ciphertext in RAM as it came, and none of what it would have said", () => {
    const target = staffed(kind);
    const { talk, device } = target;
    const session = open(talk, USER);
    const said = randomBytes(200);
    const message = session.seal(said);
    const sealed = message.subarray(3, 3 + said.length);
    const has = (bytes: Uint8Array) =>
      [40, 100, 160].filter((at) => Buffer.from(device.ram()).indexOf(bytes.subarray(at, at + 8)) >= 0).length;
    message[message.length - 1]! ^= 1;
    talk.exchange(message);
    expect(has(said)).toBe(0);
    expect(has(sealed)).toBe(3); // it did come
    target.close();
  });
});
