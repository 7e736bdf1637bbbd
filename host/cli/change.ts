/** relabel, evict, epoch, accept: changes that bring no new content. */
import type { Command } from "commander";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import { handleText } from "../client/client.js";
import { UsageError } from "../client/errors.js";
import type { Context } from "./context.js";
import { integer } from "./parse.js";
import { resolveHandle } from "./target.js";

export function addChanges(program: Command, context: () => Context): void {
  program
    .command("relabel")
    .argument("<record>", "handle or label")
    .argument("[label]", "the new label")
    .option("--none", "take the label away")
    .description("give a record another label, or none")
    .action(async (target: string, label: string | undefined, options: { none?: boolean }) => {
      if ((label === undefined) !== (options.none === true)) throw new UsageError("Name either a new label or --none.");
      context().kept = "The record has its old label or its new one; `mbs list` tells which.";
      const { handle, sequence } = await context().withClient(
        { commands: [DeviceCommand.Relabel, DeviceCommand.Find] },
        async (client) => client.relabel(await resolveHandle(client, target), label),
      );
      context().result({ handle: handleText(handle), sequence }, [handleText(handle)]);
    });

  program
    .command("evict")
    .argument("<record>", "handle or label")
    .option("--destroy", "return only when the sealed content is erased", false)
    .description("remove a record for good")
    .addHelpText("after", "\nExample:\n  mbs evict api-token --destroy --yes")
    .action(async (target: string, options: { destroy: boolean }) => {
      await context().confirm(`${target} will be gone for good. Evict it?`);
      context().kept = "The record is either there as before or evicted; `mbs list` tells which.";
      const [handle, { destroyed }] = await context().withClient(
        { commands: [DeviceCommand.Evict, DeviceCommand.Find] },
        async (client) => {
          const found = await resolveHandle(client, target);
          return [found, await client.evict(found, options.destroy)] as const;
        },
      );
      const what = destroyed
        ? "evicted, sealed content erased"
        : "evicted, sealed content erased when its block is needed again";
      context().result({ handle: handleText(handle), destroyed }, [`${handleText(handle)} ${what}`]);
    });

  program
    .command("epoch")
    .argument("<number>", "not less than the present one, which `mbs info` tells")
    .description("set the creation epoch; power-ups no longer count it up")
    .action(async (text: string) => {
      const number = integer("epoch", text);
      await context().confirm(`The creation epoch never goes back behind ${number}. Set it?`);
      context().kept = "The epoch is the old one or the new one; `mbs info` tells which.";
      const epoch = await context().withClient({ commands: [DeviceCommand.Epoch] }, (client) => client.epoch(number));
      context().result({ epoch }, [`epoch ${epoch}`]);
    });

  program
    .command("accept")
    .description("take the records of a degraded store as they are; the device counts how often")
    .action(async () => {
      await context().confirm("The device found records that its journal does not vouch for. Accept them as they are?");
      context().kept = "The store is either still degraded or accepted; `mbs info` tells which.";
      const accepted = await context().withClient({ commands: [DeviceCommand.Accept] }, (client) => client.accept());
      context().result({ accepted }, [`accepted so far: ${accepted} degraded sets`]);
    });
}
