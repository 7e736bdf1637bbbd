/** Credentials in and out, with keys that ssh-keygen and openssl made and read again. */
import { createPrivateKey, createPublicKey } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  ALG_ED25519,
  ALG_ES256,
  ALG_ES384,
  ALG_NONE,
  ALG_PKCS8,
  ALG_X25519,
  PartKind,
  Usage,
} from "../../../firmware/defs/record.js";
import { readCredential } from "../../../host/credentials/detect.js";
import { usualExport, writeCredential } from "../../../host/credentials/export.js";
import type { Format, Source } from "../../../host/credentials/format.js";
import { makeChain, openssl, run, source, sshKeygen, workDirectory } from "../keys.js";

const directory = workDirectory();
makeChain(directory);
const never = () => Promise.reject(new Error("nobody should ask for a passphrase"));
const read = (from: Source | Source[], format: Format = "auto", passphrase?: string) =>
  readCredential([from].flat(), format, passphrase === undefined ? never : async () => passphrase);
const text = (name: string, content: string | Buffer): Source => ({ name, bytes: Buffer.from(content) });

/** Writes a file as private keys have to lie, and gives its path. */
function save(name: string, content: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, 0o600);
  return path;
}

describe("readCredential", () => {
  it("reads an OpenSSH Ed25519 key into seed and public key, and what it writes is the same key for ssh-keygen", async () => {
    const file = sshKeygen(directory, "id_ed25519", "-t", "ed25519");
    const { parts, usage } = await read(file);
    expect(usage).toBe(Usage.SshUserAuth);
    expect(parts.map(({ kind, secret, algorithm, content }) => [kind, secret, algorithm, content.length])).toEqual([
      [PartKind.Signing, true, ALG_ED25519, 32],
      [PartKind.Signing, false, ALG_ED25519, 32],
    ]);
    const publicLine = readFileSync(join(directory, "id_ed25519.pub"), "utf8");
    expect(Buffer.from(publicLine.split(" ")[1]!, "base64").subarray(-32)).toEqual(Buffer.from(parts[1]!.content));
    const back = save("back", await writeCredential(parts, usualExport(parts, usage), "somebody"));
    expect(run(directory, "ssh-keygen", "-y", "-f", back)).toBe(publicLine);
  });

  it.each([
    ["seed", Buffer.from([0, 0, ...Array(30).fill(7)])],
    ["public key", Buffer.from([...Array(30).fill(7), 0, 190])], // found by search: its public key begins with a zero byte
  ])("keeps a %s that begins with zero bytes", async (which, seed) => {
    const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]); // RFC 8410
    const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const { x = "" } = privateKey.export({ format: "jwk" });
    expect((which === "seed" ? seed : Buffer.from(x, "base64url"))[0]).toBe(0);
    const { parts } = await read(text("zero.pem", privateKey.export({ type: "pkcs8", format: "pem" })));
    const path = save(`zero-${which.slice(0, 4)}`, await writeCredential(parts, "openssh", ""));
    const line = run(directory, "ssh-keygen", "-y", "-f", path);
    expect(Buffer.from(line.split(" ")[1]!, "base64").subarray(-32).toString("base64url")).toBe(x);
    expect((await read(source(directory, `zero-${which.slice(0, 4)}`))).parts).toEqual(parts);
  });

  it("opens an OpenSSH key with its passphrase, and says so when the passphrase is wrong", async () => {
    run(directory, "ssh-keygen", "-q", "-t", "ed25519", "-N", "correct horse", "-f", "locked");
    const locked = source(directory, "locked");
    await expect(read(locked)).rejects.toThrow("nobody should ask");
    await expect(read(locked, "auto", "wrong")).rejects.toThrow("locked: the passphrase is wrong");
    const { parts } = await read(locked, "auto", "correct horse");
    const line = readFileSync(join(directory, "locked.pub"), "utf8");
    expect(Buffer.from(line.split(" ")[1]!, "base64").subarray(-32)).toEqual(Buffer.from(parts[1]!.content));
  });

  it.each([
    ["nistp256", "256", ALG_ES256],
    ["nistp384", "384", ALG_ES384],
    ["nistp521", "521", ALG_PKCS8],
  ])(
    "reads an OpenSSH ECDSA key on %s into PKCS#8, and ssh-keygen reads what it writes",
    async (name, bits, algorithm) => {
      const file = sshKeygen(directory, name, "-t", "ecdsa", "-b", bits);
      const { parts } = await read(file);
      expect(parts).toMatchObject([{ kind: PartKind.Signing, secret: true, algorithm }]);
      const back = save(`${name}-back`, await writeCredential(parts, "openssh", "somebody"));
      expect(run(directory, "ssh-keygen", "-y", "-f", back)).toBe(readFileSync(join(directory, `${name}.pub`), "utf8"));
    },
  );

  it.each([
    ["ed25519", ["-algorithm", "ed25519"], ALG_ED25519, Usage.Raw],
    ["x25519", ["-algorithm", "x25519"], ALG_X25519, Usage.Agree],
    ["p256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ALG_ES256, Usage.Raw],
    ["p384", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], ALG_ES384, Usage.Raw],
    ["rsa", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ALG_PKCS8, Usage.Raw],
  ])(
    "reads PKCS#8 of %s in PEM and DER, and openssl reads the same key from what it writes",
    async (name, args, algorithm, usage) => {
      const pem = openssl(directory, `${name}.pem`, "genpkey", ...args);
      const der = openssl(
        directory,
        `${name}.der`,
        "pkcs8",
        "-topk8",
        "-nocrypt",
        "-in",
        `${name}.pem`,
        "-outform",
        "DER",
      );
      const found = await read(pem);
      expect(found.usage).toBe(usage);
      expect(found.parts[0]).toMatchObject({ secret: true, algorithm });
      expect(await read(der)).toEqual(found);
      const back = save(`${name}-back.pem`, await writeCredential(found.parts, "pkcs8", ""));
      expect(run(directory, "openssl", "pkey", "-in", back, "-pubout")).toBe(
        run(directory, "openssl", "pkey", "-in", `${name}.pem`, "-pubout"),
      );
    },
  );

  it("opens an encrypted PKCS#8 key with its passphrase", async () => {
    const file = openssl(directory, "enc.pem", "pkcs8", "-topk8", "-in", "leaf.key", "-passout", "pass:correct horse");
    await expect(read(file, "auto", "wrong")).rejects.toThrow("enc.pem: the passphrase is wrong");
    expect(await read(file, "auto", "correct horse")).toEqual(await read(source(directory, "leaf.key")));
  });

  it("reads a chain leaf first, and openssl verifies what it writes", async () => {
    const chain = Buffer.concat(["leaf.pem", "inter.pem", "root.pem"].map((name) => source(directory, name).bytes));
    const { parts, usage } = await read(text("chain.pem", chain));
    expect(usage).toBe(Usage.Certificate);
    expect(parts).toMatchObject([{ kind: PartKind.Chain, secret: false }]);
    const back = save("chain-back.pem", await writeCredential(parts, usualExport(parts, usage), ""));
    expect(readFileSync(back, "latin1")).toBe(chain.toString("latin1"));
    expect(run(directory, "openssl", "verify", "-CAfile", "root.pem", "-untrusted", back, back)).toContain("OK");
  });

  it("refuses a chain in the wrong order, and one whose certificates do not belong together", async () => {
    const pem = (...names: string[]) =>
      text("chain.pem", Buffer.concat(names.map((name) => source(directory, name).bytes)));
    await expect(read(pem("inter.pem", "leaf.pem"))).rejects.toMatchObject({
      message: expect.stringContaining("certificate 1 (O=mbs test, CN=inter) is not signed by certificate 2"),
      hint: "It is the other way round: write the leaf first.",
    });
    await expect(read(pem("leaf.pem", "root.pem"))).rejects.toThrow("is not signed by");
  });

  it("takes key and chain together, from two files or from one, and refuses a chain for another key", async () => {
    const [key, leaf, inter, rootKey] = ["leaf.key", "leaf.pem", "inter.pem", "root.key"].map((name) =>
      source(directory, name),
    ) as [Source, Source, Source, Source];
    const chain = text("chain.pem", Buffer.concat([leaf.bytes, inter.bytes]));
    const both = await read([key, chain]);
    expect(both.parts.map(({ kind }) => kind)).toEqual([PartKind.Signing, PartKind.Signing, PartKind.Chain]);
    expect(await read(text("both.pem", Buffer.concat([key.bytes, chain.bytes])))).toEqual(both);
    await expect(read([rootKey, chain])).rejects.toThrow("(O=mbs test, CN=leaf) is for another key");
    const written = Buffer.from(await writeCredential(both.parts, usualExport(both.parts, both.usage), "")).toString();
    const blocks = ["PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"];
    expect(written.match(/(?<=-----BEGIN )[A-Z ]+(?=-----)/g)).toEqual(blocks);
    const leafKey = createPublicKey(key.bytes).export({ format: "jwk" });
    expect(createPublicKey(written).export({ format: "jwk" })).toEqual(leafKey);
  });

  it("stores anything else as an opaque secret, and gives it back", async () => {
    const secret = Buffer.from([0x30, 5, 0, 255, 10, 13]);
    const { parts, usage } = await read(text("secret.bin", secret));
    expect(parts).toEqual([{ kind: PartKind.Opaque, secret: true, algorithm: ALG_NONE, content: secret }]);
    expect(await writeCredential(parts, usualExport(parts, usage), "")).toEqual(secret);
  });

  it("refuses files that only look like a credential, by name, with what they look like", async () => {
    sshKeygen(directory, "pair", "-t", "ed25519");
    await expect(read(source(directory, "pair.pub"))).rejects.toThrow("pair.pub looks like an OpenSSH public key");
    await expect(read(text("key.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\n"))).rejects.toThrow(
      "key.ppk looks like a PuTTY key",
    );
    await expect(read(text("x.pem", "-----BEGIN PUBLIC KEY-----\n"))).rejects.toThrow("x.pem looks like a public key");
    await expect(read(text("empty", ""))).rejects.toThrow("empty is empty");
    await expect(read(text("readme.txt", "hello\n"), "openssh")).rejects.toThrow(
      "readme.txt is not an OpenSSH private key: it looks like plain text",
    );
    await expect(read(source(directory, "leaf.pem"), "pkcs8")).rejects.toThrow(
      "leaf.pem is not a PKCS#8 private key: it looks like a certificate",
    );
    await expect(read(text("a.bin", Buffer.alloc(9)), "pem-chain")).rejects.toThrow(
      "a.bin is not a certificate chain: it looks like 9 bytes of binary data",
    );
    await expect(
      read(text("bad", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")),
    ).rejects.toThrow("bad: not a readable OpenSSH private key");
    await expect(
      read(text("bad.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")),
    ).rejects.toThrow("bad.pem: not a readable private key");
  });
});
