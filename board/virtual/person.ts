/** Who stands at the virtual board when a touch is awaited: nobody, a simulated person who always touches S1, or whoever
 *  types at the monitor. Works in real time, beside a board in asynchronous mode. */
import type { Light, Switch } from "./ports.js";

/** `always`: S1 is touched whenever a touch is awaited. `never`: nobody does. `ask`: the log asks for it. */
export type Presence = "always" | "never" | "ask";
export const PRESENCES: readonly Presence[] = ["always", "never", "ask"];

/** What a person can do to a board. */
export interface Panel {
  press(which: Switch): void;
  release(which: Switch): void;
}

/** A simulated person needs so long to see the blue light and reach for S1. */
const REACTION_MS = 300;
/** What counts as a press; a person's is longer than the firmware asks for. */
export const PRESS_MS = 300;

export class Person {
  #awaited = false;
  #reaction: NodeJS.Timeout | undefined;
  /** When each switch is let go. */
  readonly #holding = new Map<Switch, NodeJS.Timeout>();

  /** @param log told what the person does */
  constructor(
    readonly presence: Presence,
    private readonly panel: Panel,
    private readonly log: (text: string) => void,
  ) {}

  /** What the log says of it at start. */
  describe(): string {
    return {
      always: "presence: a simulated person touches s1 whenever a touch is awaited; such touches prove nothing",
      never: "presence: nobody touches s1 (--presence always | ask changes that)",
      ask: "presence: whoever types here; a touch that is awaited is told",
    }[this.presence];
  }

  /** The person sees the lights change. */
  see(lights: readonly Light[]): void {
    const awaited = lights.includes("touch");
    if (awaited === this.#awaited) return;
    this.#awaited = awaited;
    clearTimeout(this.#reaction);
    // with S2 held it is a denial, or a factory reset, which shows the light as well
    if (!awaited || this.#holding.has("s2")) return;
    if (this.presence === "never") this.log("touch awaited, and nobody is here (--presence never)");
    else if (this.presence === "ask") this.log("touch awaited: type  press s1  (or  press s2  to deny)");
    else this.#reaction = setTimeout(() => this.#touch(), REACTION_MS);
  }

  /** Presses a switch and lets it go after a while. */
  press(which: Switch, ms: number): void {
    clearTimeout(this.#holding.get(which));
    this.panel.press(which);
    this.#holding.set(
      which,
      setTimeout(() => this.#release(which), ms),
    );
  }

  /** Lets everything go. */
  leave(): void {
    clearTimeout(this.#reaction);
    for (const which of [...this.#holding.keys()]) this.#release(which);
  }

  #touch(): void {
    this.log("a simulated person touches s1");
    this.press("s1", PRESS_MS);
  }

  #release(which: Switch): void {
    clearTimeout(this.#holding.get(which));
    this.#holding.delete(which);
    this.panel.release(which);
  }
}
