#!/usr/bin/env node
/** The program `mbs`. Everything is in program.ts; here is only the process. */
import { processIo } from "./io.js";
import { main } from "./program.js";

// a reader that had enough, such as `mbs list | head -1`, is no error
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.exitCode = await main(process.argv.slice(2), processIo);
