/** Who touches the virtual board's switches, by the clock of a test. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Person, PRESS_MS, type Presence } from "../../board/virtual/person.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function meet(presence: Presence) {
  const done: string[] = [];
  const told: string[] = [];
  const panel = {
    press: (which: string) => done.push(`press ${which}`),
    release: (which: string) => done.push(`release ${which}`),
  };
  return { person: new Person(presence, panel, (text) => told.push(text)), done, told };
}

describe("Person", () => {
  it("always: touches S1 300 ms after the light went on, once, and again when it goes on again", () => {
    const { person, done, told } = meet("always");
    person.see(["ready"]);
    person.see(["ready", "touch"]);
    vi.advanceTimersByTime(299);
    expect(done).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(done).toEqual(["press s1"]);
    person.see(["ready"]);
    person.see(["ready", "touch"]); // the next request comes while S1 is still held
    vi.advanceTimersByTime(300);
    expect(done).toEqual(["press s1", "release s1", "press s1"]);
    vi.advanceTimersByTime(60_000);
    expect(done.length).toBe(4);
    expect(told).toEqual(Array(2).fill("a simulated person touches s1"));
  });

  it("always: does nothing when the light went off meanwhile, or S2 is held", () => {
    const { person, done } = meet("always");
    person.see(["touch"]);
    person.see([]);
    vi.advanceTimersByTime(1000);
    expect(done).toEqual([]);
    for (const which of ["s1", "s2"] as const) person.press(which, 11_000);
    person.see(["touch", "fault"]);
    vi.advanceTimersByTime(10_999);
    expect(done).toEqual(["press s1", "press s2"]);
    vi.advanceTimersByTime(1);
    expect(done.slice(2)).toEqual(["release s1", "release s2"]);
  });

  it.each(["never", "ask"] as const)("%s: says so once, and touches nothing", (presence) => {
    const { person, done, told } = meet(presence);
    person.see(["touch"]);
    person.see(["touch", "ready"]);
    vi.advanceTimersByTime(60_000);
    expect(done).toEqual([]);
    expect(told).toEqual([expect.stringContaining(presence === "ask" ? "type  press s1" : "nobody is here")]);
  });

  it("holds a switch as long as the last press says, and lets go when it leaves", () => {
    const { person, done } = meet("ask");
    person.press("s1", PRESS_MS);
    vi.advanceTimersByTime(PRESS_MS - 1);
    person.press("s1", PRESS_MS);
    vi.advanceTimersByTime(PRESS_MS - 1);
    expect(done).toEqual(["press s1", "press s1"]);
    person.leave();
    expect(done.at(-1)).toBe("release s1");
    vi.advanceTimersByTime(1000);
    expect(done.length).toBe(3);
  });
});
