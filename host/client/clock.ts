/** The only source of time in the client, so that tests and in-process targets can bring their own. */
export interface Clock {
  /** Runs `run` once after `ms` milliseconds. @returns a function that cancels it. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
