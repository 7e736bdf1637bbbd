/** The command line of program.ts as a process of its own: cli.test.ts bundles and runs it. */
import { processIo } from "../../host/cli/io.js";
import { fileMain } from "./program.js";

process.exitCode = await fileMain(process.argv.slice(2), processIo, { claims: [], secrets: [] });
