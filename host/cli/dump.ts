/** dump: sealed bytes of the medium, for whoever wants to look, and for what is left of a damaged store. */
import type { Command } from "commander";
import { Region } from "../../firmware/defs/boundary.js";
import { CUSTODY_SIZE, DATA_SIZE, SLOT_BLOCK, SLOT_BLOCKS } from "../../firmware/defs/medium.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { UsageError } from "../client/errors.js";
import { checkOutputFile, writeOutput } from "../files.js";
import type { Context } from "./context.js";
import { SETUP_STATES } from "./operators.js";
import { integer } from "./parse.js";

const STEP = 4096; // most bytes that one request brings, SPEC.md §9
const REGIONS = {
  slots: { region: Region.Slots, from: 0, to: SLOT_BLOCK * SLOT_BLOCKS },
  data: { region: Region.Data, from: CUSTODY_SIZE, to: DATA_SIZE },
};

interface DumpOptions {
  offset?: string;
  length?: string;
  output?: string;
  force: boolean;
  setupCodeFile?: string;
}

export function addDump(program: Command, context: () => Context): void {
  program
    .command("dump")
    .argument("<region>", Object.keys(REGIONS).join(" or "))
    .option("--offset <BYTES>", "where to begin (default: where the region does)")
    .option("--length <BYTES>", "how much (default: to the end of the region)")
    .option("-o, --output <FILE>", "write there (mode 0600)")
    .option("--force", "replace FILE if it exists", false)
    .option("--setup-code-file <FILE>", "for a device that lost its operators: 64 hex digits (default: MBS_SETUP_CODE)")
    .description("read sealed bytes of the medium; the root key is not among them")
    .action(async (name: string, options: DumpOptions) => {
      if (name !== "slots" && name !== "data") throw new UsageError(`region: expected slots or data; got "${name}".`);
      const { region, from, to } = REGIONS[name];
      const offset = options.offset === undefined ? from : integer("--offset", options.offset, to);
      const length = options.length === undefined ? to - offset : integer("--length", options.length, to - offset);
      if (offset < from || length === 0)
        throw new UsageError(`${name} can be read from ${from} up to ${to}; got offset ${offset}, length ${length}.`);
      if (options.output === undefined && context().io.stdout.isTTY)
        throw new UsageError("A dump is binary.", "Say -o FILE, or send it into a pipe.");
      if (options.output === undefined && context().json)
        throw new UsageError("A dump is binary, and no JSON.", "Say -o FILE with --json.");
      const { output, force } = options;
      if (output !== undefined) await checkOutputFile(output, force);
      context().setupCodeFile = options.setupCodeFile;
      const bytes = await context().withClient(
        { commands: [DeviceCommand.Dump], setup: SETUP_STATES },
        async (client) => {
          const chunks: Uint8Array[] = [];
          for (let at = 0; at < length; at += STEP) {
            chunks.push(await client.dump(region, offset + at, Math.min(STEP, length - at)));
            context().progress(`${Math.min(at + STEP, length)} of ${length} bytes`);
          }
          return Buffer.concat(chunks);
        },
      );
      if (output === undefined) context().io.stdout.write(bytes);
      else {
        await writeOutput(output, bytes, force);
        context().result({ region: name, offset, length, file: output }, [`${output}: ${length} bytes`]);
      }
    });
}
