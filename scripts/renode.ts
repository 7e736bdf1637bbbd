/** `npm run renode`: the firmware in Renode, its monitor on this terminal, its UART on a TCP port. Relies on a finished build. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { findRenode, INSTALL, NoRenode } from "./renode/find.js";
import { HELP, readOptions, renodeArguments, UsageError } from "./renode/options.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

function main(): void {
  const options = readOptions(
    process.argv.slice(2),
    process.env.INIT_CWD ?? process.cwd(),
    `${root}build/ek-ra6m5.elf`,
  );
  if (options === undefined) {
    console.log(HELP);
    return;
  }
  for (const path of [options.image || options.elf, options.flash]) {
    if (path !== "" && !existsSync(path)) throw new UsageError(`${path} does not exist`);
  }
  const found = findRenode(process.env);
  if (found === undefined) throw new NoRenode(INSTALL);
  const child = spawn(found.renode, renodeArguments(options, `${root}renode/ek-ra6m5.resc`), { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`${found.renode} could not be started: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}

try {
  main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${HELP}`);
    process.exitCode = 2;
  } else if (error instanceof NoRenode) {
    console.error(error.message);
    process.exitCode = 1;
  } else throw error;
}
