/** What a signature file of ssh-keygen signs: OpenSSH's PROTOCOL.sshsig, and ssh-keygen itself. */
import { execFileSync } from "node:child_process";
import { createPublicKey, verify } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hex, source } from "../crypto/core.js";
import { digest, sshsig, text } from "./messages.js";
import { core, DATA, memory, only, place, taken } from "./use.js";

const ROOM = core.SSHSIG_MAX.value;
const NAMESPACE = DATA + 1024;
const DIGEST = DATA + 2048;

function build(namespace: Uint8Array, hash: Uint8Array): Uint8Array {
  memory.fill(0xee, DATA, DATA + ROOM + 16);
  place(NAMESPACE, namespace);
  place(DIGEST, hash);
  const results = [[DATA, ROOM]] as const;
  const length = only(results, () => core.sshsigBuild(DATA, NAMESPACE, namespace.length, DIGEST, hash.length));
  expect(taken(DATA + length, ROOM - length)).toEqual(new Uint8Array(ROOM - length).fill(0xee));
  return taken(DATA, length);
}

describe("build", () => {
  it("writes what the specification says for every length of namespace and both hashes, and nothing behind it", () => {
    const { some } = source();
    for (let length = 1; length <= 64; length++) {
      for (const hash of ["sha256", "sha512"] as const) {
        const [namespace, hashed] = [some(length), digest(hash, some(length))];
        expect(hex(build(namespace, hashed))).toBe(hex(sshsig(namespace, hashed)));
      }
    }
  });

  it("fills its room with the longest, and traps rather than write more", () => {
    expect(build(new Uint8Array(64), new Uint8Array(64)).length).toBe(ROOM);
    expect(() => build(new Uint8Array(65), new Uint8Array(64))).toThrow(WebAssembly.RuntimeError);
    expect(() => build(new Uint8Array(1), new Uint8Array(48))).toThrow(WebAssembly.RuntimeError);
  });

  describe("and ssh-keygen", () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(path(tmpdir(), "mbs-sshsig-"));
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path(folder, "key")]);
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it.each([
      ["sha512", "git"],
      ["sha256", "file"],
      ["sha512", "n".repeat(64)],
    ] as const)("sign the same bytes for %s in the namespace %s", (hash, namespace) => {
      const message = text("what is signed\n");
      writeFileSync(path(folder, "message"), message);
      const options = ["-Y", "sign", "-q", "-f", path(folder, "key"), "-n", namespace, "-O", `hashalg=${hash}`];
      execFileSync("ssh-keygen", [...options, path(folder, "message")], { stdio: "pipe" });
      const armored = readFileSync(path(folder, "message.sig"), "ascii");
      rmSync(path(folder, "message.sig"));
      const signature = Buffer.from(armored.replace(/-----.*-----|\s/g, ""), "base64").subarray(-64);
      const line = readFileSync(path(folder, "key.pub"), "ascii").split(" ")[1]!;
      const spki = Buffer.concat([
        Buffer.from("302a300506032b6570032100", "hex"),
        Buffer.from(line, "base64").subarray(-32),
      ]);
      const key = createPublicKey({ key: spki, format: "der", type: "spki" });
      const built = build(text(namespace), digest(hash, message));
      expect(verify(null, built, key, signature)).toBe(true);
      expect(verify(null, build(text(`${namespace}`.slice(1)), digest(hash, message)), key, signature)).toBe(false);
    });
  });
});
