/** Questions on the terminal. They go to stderr, so that stdout stays for results. */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { UsageError } from "../client/errors.js";
import { Interrupted, type Io } from "./io.js";

/** @param hidden shows nothing of what is typed. @throws UsageError without a terminal, Interrupted at Ctrl-C */
export async function ask(io: Io, question: string, hidden: boolean): Promise<string> {
  if (!io.stdin.isTTY) throw new UsageError(`There is no terminal to ask for: ${question.trim()}`);
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!hidden) io.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: io.stdin, output, terminal: true }); // first, because it ends the terminal's own echo
  try {
    const line = new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      lines.once("SIGINT", () => reject(new Interrupted()));
      lines.once("close", () => reject(new UsageError("The input ended before an answer came.")));
    });
    io.stderr.write(question);
    return await line;
  } finally {
    lines.close();
    if (hidden) io.stderr.write("\n");
  }
}
