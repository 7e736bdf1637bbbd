/** SSH signatures and signed notes, judged by ssh-keygen and by a published example; the key is node's here, the device's elsewhere. */
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { FileError, UsageError } from "../../host/client/errors.js";
import { checkKeyName, checkNoteText, signedNote, verifierKey } from "../../host/note.js";
import { armorSshsig, checkNamespace, opensshLine, sshsigDigest } from "../../host/sshsig.js";
import { run, workDirectory } from "./keys.js";

const directory = workDirectory();
const seed = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), randomBytes(32)]); // PKCS #8
const privateKey = createPrivateKey({ key: seed, format: "der", type: "pkcs8" });
const publicKey = createPublicKey(privateKey);
const raw = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");

/** What the device does: SPEC.md §12. */
function deviceSigns(digest: Uint8Array, namespace: string): Uint8Array {
  const string = (bytes: Uint8Array) => Buffer.concat([Buffer.of(0, 0, 0, bytes.length), bytes]);
  const parts = [Buffer.from(namespace), Buffer.alloc(0), Buffer.from("sha512"), digest].map(string);
  return sign(null, Buffer.concat([Buffer.from("SSHSIG"), ...parts]), privateKey);
}

describe("armorSshsig", () => {
  const message = Buffer.from("what is signed\n");

  async function check(namespace: string, content = message): Promise<string> {
    const digest = await sshsigDigest(Readable.from([message.subarray(0, 5), message.subarray(5)]));
    writeFileSync(join(directory, "m.sig"), armorSshsig(raw, deviceSigns(digest, namespace), namespace));
    writeFileSync(join(directory, "signers"), `me@example.org ${opensshLine(raw, "no comment")}\n`);
    writeFileSync(join(directory, "m"), content);
    return run(directory, "bash", "-c", "ssh-keygen -Y verify -f signers -I me@example.org -n file -s m.sig < m 2>&1");
  }

  it("makes a signature that ssh-keygen verifies", async () => {
    expect(await check("file")).toContain('Good "file" signature for me@example.org');
  });

  it("is good for its namespace and its message alone", async () => {
    await expect(check("git")).rejects.toThrow();
    await expect(check("file", Buffer.from("something else"))).rejects.toThrow();
  });

  it("takes namespaces of 1 to 64 bytes", () => {
    expect(checkNamespace("x".repeat(64))).toHaveLength(64);
    for (const wrong of ["", "x".repeat(65), "ä".repeat(33)]) expect(() => checkNamespace(wrong)).toThrow(UsageError);
  });
});

describe("opensshLine", () => {
  it("keeps a comment in its line", () => {
    expect(opensshLine(raw, "a\nssh-ed25519 evil")).toBe(`${opensshLine(raw, "")} a ssh-ed25519 evil`);
    expect(opensshLine(raw, "")).not.toMatch(/\s$/);
    writeFileSync(join(directory, "k.pub"), `${opensshLine(raw, "x")}\n`);
    const fingerprint = createHash("sha256")
      .update(Buffer.from(opensshLine(raw, "").split(" ")[1]!, "base64"))
      .digest("base64")
      .replace(/=+$/, "");
    expect(run(directory, "ssh-keygen", "-lf", "k.pub")).toContain(`256 SHA256:${fingerprint} x (ED25519)`);
  });
});

describe("signedNote", () => {
  // C2SP signed-note, the example of the specification
  const VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  const TEXT = Buffer.from("This is an example message.\n");
  const SIGNATURE = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=";
  const key = Buffer.from(VKEY.split("+")[2]!, "base64").subarray(1);
  const signature = Buffer.from(SIGNATURE, "base64").subarray(4);

  it("writes the example of the specification byte by byte", () => {
    expect(verifierKey("example.com/foo", key)).toBe(VKEY);
    expect(signedNote(TEXT, "example.com/foo", key, signature).toString()).toBe(
      `${TEXT}\n\u2014 example.com/foo ${SIGNATURE}\n`,
    );
    const known = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key]);
    expect(verify(null, TEXT, { key: known, format: "der", type: "spki" }, signature)).toBe(true);
  });

  it.each([
    ["bytes that are no UTF-8", Buffer.of(0xff, 0x0a)],
    ["a control character", Buffer.from("a\tb\n")],
    ["a carriage return", Buffer.from("a\r\n")],
    ["text without a line break at its end", Buffer.from("a")],
    ["nothing", Buffer.alloc(0)],
  ])("refuses %s", (_, bytes) => {
    expect(() => checkNoteText(bytes, "n")).toThrow(FileError);
  });

  it("refuses names that no verifier takes", () => {
    for (const name of ["", "a b", "a+b", "a\u00a0b", "a\nb"]) expect(() => checkKeyName(name)).toThrow(UsageError);
    expect(checkKeyName("example.com/log")).toBe("example.com/log");
  });
});
