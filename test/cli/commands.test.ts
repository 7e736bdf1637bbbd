/** Which commands are loaded for which words: a command that is not called by its word would be missing, and nobody would be told. */
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { COMMANDS, commandsFor } from "../../host/cli/commands.js";
import { runMbs } from "./run.js";

const WORDS = COMMANDS.flatMap(({ words }) => words);
const noContext = () => {
  throw new Error("asked for without a command that runs");
};

async function namesFor(word: string | undefined): Promise<string[]> {
  const program = new Command("mbs");
  for (const add of await commandsFor(word)) add(program, noContext);
  return program.commands.map((command) => command.name());
}

describe("commandsFor", () => {
  it("has the words of exactly the commands that each module adds, none twice", async () => {
    for (const { words, load } of COMMANDS) {
      const program = new Command("mbs");
      (await load())(program, noContext);
      expect(program.commands.map((command) => command.name())).toEqual(words);
    }
    expect(new Set(WORDS).size).toBe(WORDS.length);
  });

  it("loads the module that a word calls, and no other", async () => {
    for (const { words } of COMMANDS)
      for (const word of words) expect(await namesFor(word)).toEqual(word === "completion" ? WORDS : words);
  });

  it("loads all of them for no word, for help and for a word that calls nothing", async () => {
    for (const word of [undefined, "help", "lsit", "constructor"]) expect(await namesFor(word)).toEqual(WORDS);
  });
});

describe("mbs", () => {
  const run = (...argv: string[]) => runMbs(argv, {}, { input: "" });

  it("prints its version, wherever that is asked for among its options, and nothing else", async () => {
    for (const argv of [["--version"], ["-V"], ["--json", "--version"], ["list", "-V"]]) {
      const { exitCode, out, err } = await run(...argv);
      expect([exitCode, out, err], argv.join(" ")).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/), ""]);
    }
  });

  it("names all commands in its help, also when the value of an option looks like one of them", async () => {
    const listed = (text: string) => WORDS.filter((word) => new RegExp(`^  ${word} `, "m").test(text));
    expect(listed((await run("--help")).out)).toEqual(WORDS);
    expect(listed((await run("help")).out)).toEqual(WORDS);
    const { exitCode, err } = await run("--port", "list");
    expect(exitCode).toBe(2);
    expect(listed(err)).toEqual(WORDS);
  });

  it("explains a command by its help and by help with its name, alike", async () => {
    for (const word of WORDS) {
      const { exitCode, out } = await run(word, "--help");
      expect([exitCode, out]).toEqual([0, expect.stringContaining(`Usage: mbs ${word} `)]);
      expect((await run("help", word)).out).toBe(out);
    }
  });

  it("says what is wrong with an option before the command, and with a word that is no command", async () => {
    expect(await run("--port")).toMatchObject({ exitCode: 2, err: expect.stringContaining("argument missing") });
    expect(await run("--prot", "x", "list")).toMatchObject({ exitCode: 2, err: expect.stringContaining("--port") });
    expect(await run("lsit")).toMatchObject({ exitCode: 2, err: expect.stringContaining("list") });
  });

  it("advises the help of the command that was called wrongly, by its whole name", async () => {
    for (const [argv, called] of [
      [["lsit"], "mbs"],
      [["--prot", "x", "list"], "mbs"],
      [["find", "token"], "mbs find"],
      [["--json", "get"], "mbs get"],
      [["list", "--labels"], "mbs list"],
      [["config", "set"], "mbs config set"],
      [["filekey", "make"], "mbs filekey"],
    ] as const)
      expect((await run(...argv)).err, argv.join(" ")).toContain(`\`${called} --help\` `);
  });
});
