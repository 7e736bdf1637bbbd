/** Note texts: C2SP signed-note, "Format". */
import { describe, expect, it } from "vitest";
import { source } from "../crypto/core.js";
import { text } from "./messages.js";
import { core, DATA, memory, parse, place } from "./use.js";

const isNote = (data: Uint8Array | string) => parse(core.isNote, typeof data === "string" ? text(data) : data) === 1;

/** The same rule, by Node's own decoder. */
function expected(data: Uint8Array): boolean {
  try {
    const decoded = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the format forbids
    return decoded.endsWith("\n") && !/[\x00-\x09\x0b-\x1f]/.test(decoded);
  } catch {
    return false;
  }
}

describe("isNote", () => {
  it.each([
    ["a line", "This is an example message.\n"],
    ["a checkpoint", "example.com/log\n70000\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"],
    ["an empty line", "\n"],
    ["many empty lines", "\n\n\n"],
    ["all that is printable, DEL and controls above 0x7f", ` ~\u007f\u0080\u009f\u00a0é€𝄞\u{10ffff}\n`],
    ["a byte-order mark", "\ufeffx\n"],
  ])("takes %s", (_, note) => {
    expect(isNote(note)).toBe(true);
  });

  it.each([
    ["nothing", ""],
    ["a text without a line break at its end", "no end"],
    ["a text with something behind its last line break", "a\nb"],
    ["CR LF", "a\r\n"],
    ["a tab", "a\tb\n"],
    ["a zero byte", "a\0\n"],
  ])("refuses %s", (_, note) => {
    expect(isNote(note)).toBe(false);
  });

  it.each([
    ["an overlong spelling", [0xc0, 0x8a, 0x0a]],
    ["a surrogate", [0xed, 0xa0, 0x80, 0x0a]],
    ["a number above U+10FFFF", [0xf4, 0x90, 0x80, 0x80, 0x0a]],
    ["a character that the line break cuts short", [0xe2, 0x82, 0x0a]],
    ["a byte that continues nothing", [0x80, 0x0a]],
  ])("refuses %s", (_, bytes) => {
    expect(isNote(Uint8Array.from(bytes))).toBe(false);
  });

  it("refuses no bytes at all, also behind a line break", () => {
    place(DATA, text("\n"));
    expect(core.isNote(DATA, 1)).toBe(1);
    expect(core.isNote(DATA + 1, 0)).toBe(0);
  });

  it("takes every byte below 0x80 in a line by the rule, and no other one alone", () => {
    for (let byte = 0; byte < 256; byte++)
      expect(isNote(Uint8Array.of(0x61, byte, 0x0a)), `${byte}`).toBe((byte >= 0x20 && byte < 0x80) || byte === 0x0a);
  });

  it("agrees with Node's decoder on texts with changed bytes, and reads nothing behind them", () => {
    const { below, seed } = source();
    let taken = 0;
    for (let i = 0; i < 3000; i++) {
      const note = text(`Grüße ${"€𝄞x\n".repeat(below(5))}\n`);
      for (let n = below(3); n > 0; n--) note[below(note.length)] = below(256);
      const data = note.subarray(0, note.length - below(2));
      taken += Number(expected(data));
      expect(isNote(data), `${Buffer.from(data).toString("hex")}, ${seed}`).toBe(expected(data));
    }
    expect(taken).toBeGreaterThan(300);
  });
});

describe("the check of what parsers read", () => {
  it("finds one that reads a byte behind the data, and one that lets such a byte decide", () => {
    const greedy = (at: number, length: number) => core.isNote(at, length + 1);
    expect(() => parse(greedy, text("a\n"))).toThrow(WebAssembly.RuntimeError);
    const curious = (at: number, length: number) => Number(at + length < memory.length && memory[at + length] === 0);
    expect(() => parse(curious, text("a\n"))).toThrow("bytes behind the data change the answer");
  });
});
