/** reset: back to blank. The root key goes first, so that nothing on the device can be opened any more. */
import type { Command } from "commander";
import { Command as DeviceCommand, State } from "../../firmware/defs/wire.js";
import type { Info } from "../client/answers.js";
import { UsageError } from "../client/errors.js";
import type { Context } from "./context.js";
import { SETUP_STATES } from "./operators.js";

export function addReset(program: Command, context: () => Context): void {
  program
    .command("reset")
    .description("erase root key, operators and journal: a blank device; needs a touch of the board")
    .option("--setup-code-file <FILE>", "for a device that lost its operators: 64 hex digits (default: MBS_SETUP_CODE)")
    .addHelpText("after", EXPLANATION)
    .action(async ({ setupCodeFile }: { setupCodeFile?: string }) => {
      context().setupCodeFile = setupCodeFile;
      context().kept = "The device is either as before or erases itself, also after a power cut; `mbs info` tells.";
      const wish = { commands: [DeviceCommand.Reset], setup: SETUP_STATES };
      const { instance, operator } = await context().withClient(wish, async (client) => {
        if ((await client.hello()).state === State.Blank) throw new UsageError("The device is blank already.");
        const info = await client.info();
        await context().confirm(`${loss(info)} Reset the device?`);
        await client.reset();
        return info;
      });
      // with a setup code nothing proves which device it was, and the keys of the true one are not lost for a claim
      if (operator !== undefined) await context().operators.removeAll(instance);
      const keys =
        operator !== undefined
          ? " The keys of its operators were removed from this computer."
          : (await context().operators.knows(instance))
            ? " Keys that are kept here for this instance stay: no operator's session proved that it was that device."
            : "";
      context().result({ instance: Buffer.from(instance).toString("hex"), keysRemoved: operator !== undefined }, [
        `The device is blank.${keys}`,
      ]);
    });
}

/** What will be gone, as far as the device tells. */
function loss({ store }: Info): string {
  const records = store?.classes.reduce((sum, one) => sum + one.live, 0);
  const what = records === undefined ? "All records" : records === 1 ? "1 record" : `${records} records`;
  return `${what}, the root key and all operators will be gone for good: whatever stays sealed in the flash, nobody can open it.`;
}

const EXPLANATION = `
An admin resets, with S1 touched. A device whose custody is damaged takes the setup code instead. Without any key: hold S1 and S2 for
10 s from power-up on.`;
