/** Names, sizes, progress and chance. */
import { describe, expect, it } from "vitest";
import { encodeName, storedName, usableName } from "../../host/file/name.js";
import { ProgressLine } from "../../host/file/progress.js";
import { systemRandomness, uniform } from "../../host/file/random.js";
import { parseSize, sizeText } from "../../host/file/size.js";

describe("storedName", () => {
  const bytes = (text: string) => Buffer.from(text, "latin1");

  it("gives names that files have, in any script", () => {
    for (const name of ["a", ".hidden", "-rf", "two words.txt", "…", "ünï 名 👩‍🔬", "..."])
      expect(storedName(Buffer.from(name), "linux")).toBe(name);
    expect(storedName(Buffer.alloc(255, 97), "linux").length).toBe(255);
  });

  it.each<[string, Buffer]>([
    ["none", bytes("")],
    ["this directory", bytes(".")],
    ["the one above", bytes("..")],
    ["a path", bytes("a/b")],
    ["a path upwards", bytes("../a")],
    ["an absolute path", bytes("/etc/passwd")],
    ["a zero byte", bytes("a\0b")],
    ["a line break", bytes("a\nb")],
    ["an escape", bytes("a\x1b[2J")],
    ["a delete", bytes("a\x7f")],
    ["a C1 control", Buffer.from("a\u0085b")],
    ["a cut character", Buffer.from([0x61, 0xc3])],
    ["a byte that is none", Buffer.from([0xff])],
    ["an overlong slash", Buffer.from([0xc0, 0xaf])],
    ["half of a pair", Buffer.from([0xed, 0xa0, 0x80])],
    ["256 bytes", Buffer.alloc(256, 97)],
  ])("refuses %s, with what to do instead", (_, name) => {
    expect(() => storedName(name, "linux")).toThrow(
      expect.objectContaining({ code: "name-refused", hint: expect.stringContaining("--output") }),
    );
    expect(usableName(name, "linux")).toBeUndefined();
  });

  it("refuses on Windows what means something else there", () => {
    for (const name of ["a:b", "a\\b", "CON", "nul.txt", "com1", "end.", "end ", "a?", "a*", "<a>"]) {
      expect(usableName(Buffer.from(name), "win32")).toBeUndefined();
      expect(usableName(Buffer.from(name), "linux")).toBe(name);
    }
    expect(usableName(Buffer.from("console.txt"), "win32")).toBe("console.txt");
  });
});

describe("encodeName", () => {
  it("refuses to store what would be refused, but for no name at all", () => {
    expect([encodeName("").length, encodeName("名").length]).toEqual([0, 3]);
    for (const name of ["a\nb", "..", "a\ud800", "a".repeat(256)])
      expect(() => encodeName(name)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("parseSize", () => {
  it("reads decimal and binary units, in integers", () => {
    const sizes = ["0", "123", "1 B", "1kB", "1.5GB", "0.000000001GB", "64 MiB", "2tib", "9223372036854775807"];
    expect(sizes.map((text) => parseSize("--max-size", text))).toEqual([
      0n,
      123n,
      1n,
      1000n,
      1_500_000_000n,
      1n,
      67_108_864n,
      2n << 40n,
      2n ** 63n - 1n,
    ]);
  });

  it("refuses everything else, parts of bytes and more than there is", () => {
    const wrong = [
      "",
      "-1",
      "1e9",
      "0x10",
      "1.",
      ".5",
      "1.5",
      "1.0001kB",
      "1 G",
      "5constructor",
      "9223372036854775808",
    ];
    for (const text of [...wrong, "1  GB", " 1", "10000000TB", "1\n"])
      expect(() => parseSize("--max-size", text)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("sizeText", () => {
  it("shows one decimal place of the unit that fits, rounded down", () => {
    const sizes = [0n, 999n, 1000n, 1999n, 123_456_789n, 1_000_000_000n, 5_250_000_000_000n];
    expect(sizes.map(sizeText)).toEqual(["0 bytes", "999 bytes", "1.0 kB", "1.9 kB", "123.4 MB", "1.0 GB", "5.2 TB"]);
  });
});

describe("ProgressLine", () => {
  function line(terminal = true) {
    const seen: string[] = [];
    let now = 0;
    const to = terminal ? { write: (text: string) => void seen.push(text) } : undefined;
    const progress = new ProgressLine(to, "encrypting", () => now);
    return { progress, seen, at: (ms: number) => (now = ms) };
  }

  it("says nothing in the first second, then something five times a second, and goes away", () => {
    const { progress, seen, at } = line();
    for (let ms = 0; ms < 2000; ms += 10) {
      at(ms);
      progress.update(BigInt(ms) * 1000n, 2_000_000n);
    }
    expect(seen.length).toBe(5);
    expect(seen[0]).toBe("\r\x1b[2Kencrypting: 1.0 MB of 2.0 MB (50 %)");
    progress.end();
    progress.end();
    expect(seen.slice(5)).toEqual(["\r\x1b[2K"]);
  });

  it("says nothing at all about what is quick, and where nobody watches", () => {
    for (const terminal of [true, false]) {
      const { progress, seen, at } = line(terminal);
      progress.update(1n);
      at(terminal ? 999 : 5000);
      progress.update(2n, 2n);
      progress.end();
      expect(seen).toEqual([]);
    }
  });

  it("shows no part of a size that is not known or nothing", () => {
    const { progress, seen, at } = line();
    at(1000);
    progress.update(5n);
    at(2000);
    progress.update(0n, 0n);
    expect(seen).toEqual(["\r\x1b[2Kencrypting: 5 bytes", "\r\x1b[2Kencrypting: 0 bytes"]);
  });
});

describe("uniform", () => {
  const words = (...list: bigint[]) => {
    const rest = list.map((word) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(word);
      return bytes;
    });
    return () => rest.shift()!;
  };

  it("draws again what would make small numbers likelier", () => {
    const top = 2n ** 64n - 1n;
    expect(uniform(10n, words(top, top - 5n, 23n))).toBe(3n); // 2^64 mod 10 is 6
    expect(uniform(10n, words(top - 6n))).toBe(9n);
    expect(uniform(2n ** 64n, words(top))).toBe(top);
    expect(uniform(1n, words(top))).toBe(0n);
  });

  it("gives every number of a small range, and none beyond", () => {
    const seen = new Set<bigint>();
    for (let i = 0; i < 500; i++) seen.add(systemRandomness.below(5n));
    expect([...seen].sort()).toEqual([0n, 1n, 2n, 3n, 4n]);
  });
});
