/** policy: what a record lets happen, changed afterwards. Weakening it needs a touch (SPEC.md §12). */
import type { Command } from "commander";
import { Origin } from "../../firmware/defs/record.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { handleText } from "../client/client.js";
import { UsageError } from "../client/errors.js";
import { makePolicy, PRESENCES, readPolicy } from "../names.js";
import type { Context } from "./context.js";
import { resolveHandle } from "./target.js";

interface PolicyOptions {
  exportable?: boolean;
  presence?: string;
}

export function addPolicy(program: Command, context: () => Context): void {
  program
    .command("policy")
    .argument("<record>", "handle or label")
    .description("change whether a record may be read back, and when a touch is asked for")
    .option("--exportable", "let its secrets be read back; never for a key that the device made")
    .option("--no-exportable", "keep its secrets on the device")
    .option("--presence <WHEN>", `ask for a touch: ${PRESENCES.all.join(", ")}`)
    .addHelpText(
      "after",
      "\nA policy that lets more happen than before needs a touch of the board; a stricter one does not.\n\nExample:\n  mbs policy ssh/deploy --presence each",
    )
    .action(async (target: string, options: PolicyOptions) => {
      const presence = options.presence === undefined ? undefined : PRESENCES.number(options.presence);
      if (presence === undefined && options.exportable === undefined)
        throw new UsageError("Say what to change: --exportable, --no-exportable or --presence WHEN.");
      context().kept = "The record has its old policy or its new one; `mbs show` tells which.";
      const commands = [DeviceCommand.Policy, DeviceCommand.Show, DeviceCommand.Find];
      const { policy, written } = await context().withClient({ commands }, async (client) => {
        const { handle, origin, policy: before } = await client.show(await resolveHandle(client, target));
        if (options.exportable === true && origin === Origin.Generated)
          throw new UsageError(
            "The device made this key, and a key that it made never becomes exportable.",
            "`mbs public` gives its public half; put a key of your own if it has to be readable.",
          );
        const old = readPolicy(before);
        const policy = { exportable: options.exportable ?? old.exportable, presence: presence ?? old.presence };
        return { policy, written: await client.policy(handle, makePolicy(policy)) };
      });
      const handle = handleText(written.handle);
      const word = PRESENCES.word(policy.presence);
      context().result({ handle, sequence: written.sequence, exportable: policy.exportable, presence: word }, [
        `${handle} ${policy.exportable ? "exportable" : "stays on the device"}, touch ${word}`,
      ]);
    });
}
