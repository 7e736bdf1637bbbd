/** Certificate requests, judged by OpenSSL; the key is node's here, the device's elsewhere. */
import { createPrivateKey, createPublicKey, randomBytes, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../host/client/errors.js";
import { makeCsr, parseAlternativeName, parseSubject } from "../../host/csr.js";
import { run, workDirectory } from "./keys.js";

const directory = workDirectory();
const seed = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), randomBytes(32)]); // PKCS #8
const privateKey = createPrivateKey({ key: seed, format: "der", type: "pkcs8" });
const publicKey = createPublicKey(privateKey);
const raw = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");

/** What OpenSSL says about the signature; its exit code says nothing about it. */
function verdict(file: string): string {
  return run(directory, "bash", "-c", `openssl req -in ${file} -verify -noout 2>&1`);
}

async function request(subject: string, ...names: string[]): Promise<string> {
  const csr = await makeCsr({
    subject: parseSubject(subject),
    names: names.map(parseAlternativeName),
    publicKey: raw,
    sign: async (bytes) => sign(null, bytes, privateKey),
  });
  writeFileSync(join(directory, "r.csr"), csr);
  expect(verdict("r.csr")).toContain("verify OK");
  return run(
    directory,
    "openssl",
    "req",
    "-in",
    "r.csr",
    "-verify",
    "-noout",
    "-text",
    "-nameopt",
    "RFC2253,-dn_rev,-esc_msb",
  );
}

describe("makeCsr", () => {
  it("encodes an address whole, however it is written, and none with a zone", async () => {
    expect(await request("CN=a", "ip:::ffff:1.2.3.4", "ip:::1")).toContain(
      "IP Address:0:0:0:0:0:FFFF:102:304, IP Address:0:0:0:0:0:0:0:1",
    );
    expect(() => parseAlternativeName("ip:fe80::1%lo")).toThrow(UsageError);
  });

  it("makes a request that OpenSSL verifies, with subject and names as they were said", async () => {
    const text = await request(
      "CN=web-1.example, O=Example\\, Inc., C=DE",
      "dns:web-1.example",
      "dns:*.web.example",
      "ip:192.0.2.1",
      "ip:2001:db8::1",
      "email:ops@example.org",
      "uri:spiffe://example.org/web-1",
    );
    expect(text).toContain("Subject: CN=web-1.example,O=Example\\, Inc.,C=DE");
    expect(text).toContain(
      "DNS:web-1.example, DNS:*.web.example, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1",
    );
    expect(text).toContain("email:ops@example.org, URI:spiffe://example.org/web-1");
    expect(text).toContain("Public Key Algorithm: ED25519");
  });

  it("is signed over its content: OpenSSL refuses it when a byte of it changes", async () => {
    await request("CN=one");
    const csr = await makeCsr({
      subject: parseSubject("CN=one"),
      names: [],
      publicKey: raw,
      sign: async (bytes) => sign(null, Buffer.concat([bytes, Buffer.of(0)]), privateKey),
    });
    writeFileSync(join(directory, "bad.csr"), csr);
    expect(verdict("bad.csr")).toContain("verify failure");
  });

  it("writes no extensions without names, and values in other letters as UTF-8", async () => {
    const text = await request("CN=Gerät 7");
    expect(text).toContain("Subject: CN=Gerät 7");
    expect(text).not.toContain("Alternative");
  });
});

describe("parseSubject", () => {
  it.each([
    ["", "at least one attribute"],
    ["web-1", "expected NAME=VALUE"],
    ["CN=a,", "expected NAME=VALUE"],
    ["CN=", "CN cannot be"],
    ["XX=a", "no attribute XX"],
    ["C=Germany", "two letters"],
    ["CN=a\\", "backslash"],
    ["CN=a\\ff", "not UTF-8"],
    ["CN=a+O=b", "not supported"],
    ["CN=a+2.5.4.10=b", "not supported"],
    ["2.5.4.3=#0c0161", "not supported"],
    ["9.9.9=a", "no object identifier"],
    ["1.40.1=a", "no object identifier"],
    ["1.1.01=a", "no object identifier"],
    ["1.2.99999999999999999999=a", "no object identifier"],
    ["CN=a\nb", "CN cannot be"],
    [`CN=${"x".repeat(300)}`, "CN cannot be"],
  ])("refuses %j", (text, why) => {
    expect(() => parseSubject(text)).toThrow(UsageError);
    expect(() => parseSubject(text)).toThrow(why);
  });

  it("takes escapes, spaces around names, and numbers for attributes", () => {
    expect(parseSubject("CN = a\\,b\\2bc , 2.5.4.12=Chief")).toEqual([
      { oid: "2.5.4.3", type: "utf8String", value: "a,b+c" },
      { oid: "2.5.4.12", type: "utf8String", value: "Chief" },
    ]);
    expect(parseSubject("CN=1+1\\ ")[0]?.value).toBe("1+1 ");
  });
});

describe("parseAlternativeName", () => {
  it.each(["web-1", "dns:", "dns:ä.example", "dns:a b", "ip:300.1.1.1", "email:x", "uri:x", "other:x"])(
    "refuses %j",
    (text) => {
      expect(() => parseAlternativeName(text)).toThrow(UsageError);
    },
  );
});
