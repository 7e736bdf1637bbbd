/** Public forms of a record's parts, judged by ssh-keygen and OpenSSL. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { PartKind, Usage } from "../../../firmware/defs/record.js";
import { FileError } from "../../../host/client/errors.js";
import { checkLeafKey, readChain } from "../../../host/credentials/chain.js";
import { readCredential } from "../../../host/credentials/detect.js";
import { usualPublic, writePublic } from "../../../host/credentials/public.js";
import type { Part } from "../../../host/record.js";
import { makeChain, openssl, run, source, sshKeygen, workDirectory } from "../keys.js";

const directory = workDirectory();
const never = () => Promise.reject(new Error("nobody should ask"));
const open = async (...names: string[]): Promise<Part[]> => {
  const sources = names.map((name) => source(directory, name));
  return (await readCredential(sources, "auto", never)).parts.filter(({ secret }) => !secret);
};

beforeAll(() => {
  makeChain(directory);
  sshKeygen(directory, "id", "-t", "ed25519");
  openssl(directory, "x.key", "genpkey", "-algorithm", "X25519");
  run(directory, "bash", "-c", "cat leaf.pem inter.pem > chain.pem");
});

describe("writePublic", () => {
  it("writes the line that ssh-keygen wrote", async () => {
    const line = Buffer.from(writePublic(await open("id"), "openssh", "somebody")).toString();
    expect(line).toBe(readFileSync(join(directory, "id.pub"), "utf8"));
  });

  it("writes public keys and certificates as OpenSSL does", async () => {
    const text = (parts: Part[]) => Buffer.from(writePublic(parts, "pem", "")).toString();
    expect(text(await open("x.key"))).toBe(run(directory, "openssl", "pkey", "-in", "x.key", "-pubout"));
    const key = run(directory, "openssl", "pkey", "-in", "leaf.key", "-pubout");
    expect(text(await open("leaf.key", "chain.pem"))).toBe(key + readFileSync(join(directory, "chain.pem"), "utf8"));
  });

  it("chooses by usage, and refuses forms that there are not", async () => {
    const parts = await open("id");
    expect([Usage.SshSig, Usage.SshUserAuth, Usage.Note, Usage.Raw].map((usage) => usualPublic(parts, usage))).toEqual([
      "openssh",
      "openssh",
      "note",
      "pem",
    ]);
    const opaque = [{ kind: PartKind.Opaque, secret: false, algorithm: 0, content: Buffer.from("x") }];
    expect(usualPublic(opaque, Usage.Opaque)).toBe("raw");
    expect(Buffer.from(writePublic(opaque, "raw", "")).toString()).toBe("x");
    expect(() => writePublic(opaque, "pem", "")).toThrow(FileError);
    expect(() => writePublic([], "raw", "")).toThrow(FileError);
    expect(() => writePublic([...opaque, ...opaque], "raw", "")).toThrow("which one is meant");
  });
});

describe("checkLeafKey", () => {
  it("takes the key of the leaf alone, whatever kind the leaf's is", async () => {
    const chain = readChain(source(directory, "chain.pem"));
    const [leaf] = await open("leaf.key");
    const [other] = await open("id");
    checkLeafKey(chain, leaf!.content);
    expect(() => checkLeafKey(chain, other!.content)).toThrow("for another key");
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
    run(directory, "openssl", "req", "-x509", ...curve, "-subj", "/CN=ec", "-keyout", "ec.key", "-out", "ec.pem");
    writeFileSync(join(directory, "ec-only.pem"), readFileSync(join(directory, "ec.pem")));
    expect(() => checkLeafKey(readChain(source(directory, "ec-only.pem")), leaf!.content)).toThrow("for another key");
  });
});
