/** Health tests of the noise source and the generator behind them: NIST SP 800-90B §4.4, at a claimed half bit per sample. */
import { beforeEach, describe, expect, it } from "vitest";
import { Status } from "../../firmware/defs/status.js";
import { core, hex, memory, OUT, setNoise, source, taken } from "./core.js";

const START = 1024; // samples of the start-up test, SP 800-90B §4.3
const WINDOW = 512; // of the adaptive proportion test for sources that are not binary, §4.4.2
const FALSE_ALARM = 2 ** -20;
const CLAIM = 0.5; // bits per sample

/** Repetition count test, §4.4.1: refuses a run of so many equal samples. */
const REPETITION = 1 + Math.ceil(20 / CLAIM);

/** Adaptive proportion test, §4.4.2: 1 + critbinom(512, 2^-H, 1 − 2^-20) samples equal to the first of a window are refused. */
function proportion(): number {
  const p = 2 ** -CLAIM;
  let logChoose = 0; // ln of binomial(WINDOW, k), downwards from k = WINDOW
  let above = 0; // P(X > k)
  for (let k = WINDOW; ; k--) {
    const here = Math.exp(logChoose + k * Math.log(p) + (WINDOW - k) * Math.log(1 - p));
    if (above + here > FALSE_ALARM) return 1 + k;
    above += here;
    logChoose += Math.log(k / (WINDOW - k + 1));
  }
}

/** A source that gives these samples in turn and random ones after them, at most `piece` at a time. */
function samples(first: (i: number) => number | undefined, piece = 64) {
  const { below, seed } = source();
  let drawn = 0;
  setNoise((pointer, length) => {
    const n = Math.min(length, piece);
    for (let i = 0; i < n; i++, drawn++) memory[pointer + i] = first(drawn) ?? below(256);
    return n;
  });
  return { seed, drawn: () => drawn };
}

const good = () => undefined;
const draw = (length = 32) => {
  memory.fill(0xee, OUT, OUT + 32);
  return core.entropyRandom(OUT, length);
};

beforeEach(() => core.entropyReset());

describe("the health tests", () => {
  it("let 1,024 samples of a good source pass before anything is credited", () => {
    const { seed, drawn } = samples(good);
    expect(core.entropyReady(), seed).toBe(Status.Ok);
    expect(drawn()).toBe(START);
    expect(core.entropyReady(), seed).toBe(Status.Ok);
    expect(drawn()).toBe(START);
  });

  it("accept a source that gives one sample at a time", () => {
    const { seed } = samples(good, 1);
    expect(core.entropyReady(), seed).toBe(Status.Ok);
  });

  it("answer EntropyNotReady when the source is silent, and Ok when it comes back", () => {
    setNoise(() => 0);
    expect(draw()).toBe(Status.EntropyNotReady);
    samples(good);
    expect(draw()).toBe(Status.Ok);
  });

  it.each([0, 7, 255])("answer EntropyNotReady when the source is stuck at %i, and write nothing", (sample) => {
    samples(() => sample);
    expect(draw()).toBe(Status.EntropyNotReady);
    expect(hex(taken(OUT, 32))).toBe("ee".repeat(32));
  });

  it("answer EntropyNotReady when a good source gets stuck later, and start anew when it recovers", () => {
    samples(good);
    expect(draw()).toBe(Status.Ok);
    samples(() => 3);
    expect(draw()).toBe(Status.EntropyNotReady);
    expect(hex(taken(OUT, 32))).toBe("ee".repeat(32));
    const { drawn, seed } = samples(good);
    expect(draw(), seed).toBe(Status.Ok);
    expect(drawn()).toBeGreaterThanOrEqual(START);
  });

  it(`accept ${REPETITION - 1} equal samples in a row and refuse ${REPETITION}, wherever they stand`, () => {
    for (const at of [1, 30, 64, 500, START - REPETITION]) {
      const run = (length: number) => (i: number) =>
        i >= at && i < at + length ? 0x5a : i === at - 1 || i === at + length ? 0x11 : undefined;
      core.entropyReset();
      const passing = samples(run(REPETITION - 1));
      expect(core.entropyReady(), `at ${at}, ${passing.seed}`).toBe(Status.Ok);
      core.entropyReset();
      const failing = samples(run(REPETITION));
      expect(core.entropyReady(), `at ${at}, ${failing.seed}`).toBe(Status.EntropyNotReady);
    }
  });

  it(`accept ${proportion() - 1} samples of ${WINDOW} equal to the first and refuse ${proportion()}, in both windows of the start`, () => {
    const biased = (window: number, equal: number) => (i: number) => {
      const k = i - window * WINDOW;
      if (k < 0 || k >= WINDOW) return undefined;
      // others are spread evenly, so that no run is long
      const others = WINDOW - equal;
      return Math.floor((k * others) / WINDOW) === Math.floor(((k + 1) * others) / WINDOW) ? 0x21 : 0x80 + (k & 63);
    };
    for (const window of [0, 1]) {
      core.entropyReset();
      const passing = samples(biased(window, proportion() - 1));
      expect(core.entropyReady(), passing.seed).toBe(Status.Ok);
      core.entropyReset();
      const failing = samples(biased(window, proportion()));
      expect(core.entropyReady(), failing.seed).toBe(Status.EntropyNotReady);
    }
  });

  it("refuse a source of which fifteen samples in sixteen are the same", () => {
    const { below, seed } = source();
    samples((i) => (i % WINDOW === 0 || below(16) > 0 ? 1 : 2 + below(200)));
    expect(core.entropyReady(), seed).toBe(Status.EntropyNotReady);
  });
});

describe("the generator", () => {
  it("gives other bytes each time and keeps none of them in memory", () => {
    const { seed } = samples(good);
    const seen = new Set<string>();
    for (let i = 0; i < 200; i++) {
      expect(draw(), seed).toBe(Status.Ok);
      const output = taken(OUT, 32);
      memory.fill(0, OUT, OUT + 32);
      seen.add(hex(output));
      for (const from of [0, 16])
        expect(Buffer.from(memory).includes(Buffer.from(output.subarray(from, from + 16))), seed).toBe(false);
    }
    expect(seen.size).toBe(200);
  });

  it("mixes fresh noise in before each output", () => {
    const { drawn } = samples(good);
    draw();
    const before = drawn();
    draw();
    expect(drawn()).toBeGreaterThan(before);
  });

  it("writes as many bytes as asked and no more", () => {
    samples(good);
    for (let length = 1; length <= 32; length++) {
      draw(length);
      expect(hex(taken(OUT + length, 32 - length))).toBe("ee".repeat(32 - length));
    }
  });

  it("depends on the noise only: the same samples give the same bytes, one other sample gives others", () => {
    const outputs = [0, 0, 1].map((change) => {
      core.entropyReset();
      samples((i) => ((i * 167 + (i >> 3)) & 255) ^ (i === 100 ? change : 0));
      draw();
      return hex(taken(OUT, 32));
    });
    expect(outputs[0]).toBe(outputs[1]);
    expect(outputs[0]).not.toBe(outputs[2]);
  });
});
