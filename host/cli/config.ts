/** config get, set, list: the settings of this person. */
import type { Command } from "commander";
import { DEFAULT_GIGABYTES } from "../claims/settings.js";
import { NotFoundError } from "../client/errors.js";
import { readConfig, SETTING_NAMES, settingName, writeSetting } from "../config.js";
import type { Context } from "./context.js";
import { pairs } from "./table.js";

export function addConfig(program: Command, context: () => Context): void {
  const config = program
    .command("config")
    .description("settings: the port, where keys are kept, how much is claimed of filekeys")
    .addHelpText("after", HELP);
  config
    .command("get")
    .argument("<name>", SETTING_NAMES.join(", "))
    .description("one setting")
    .action(async (text: string) => {
      const name = settingName(text);
      const value = (await readConfig(context().configDirectory()))[name];
      if (value === undefined) throw new NotFoundError(`${name} is not set.`, `Set it: mbs config set ${name} VALUE`);
      context().result({ name, value }, [value]);
    });
  config
    .command("set")
    .argument("<name>", SETTING_NAMES.join(", "))
    .argument("[value]", "left out: the setting is removed")
    .description("change a setting")
    .action(async (text: string, value: string | undefined) => {
      const name = settingName(text);
      await writeSetting(context().configDirectory(), name, value);
      context().result({ name, value: value ?? null }, []);
    });
  config
    .command("list")
    .description("all settings, and where they are kept")
    .action(async () => {
      const directory = context().configDirectory();
      const settings = await readConfig(directory);
      const rows = SETTING_NAMES.map((name): [string, string] => [name, settings[name] ?? "(not set)"]);
      context().result({ directory, settings }, pairs([["directory", directory], ...rows]));
    });
}

const HELP = `
port            the port that is used when none is named
keys            where keys are kept: auto, keyring, file
offline-mode    true: positions of filekeys come from what was claimed for offline work; no board is asked
offline-gb      how much is kept claimed for offline work, in GB (10^9 bytes), 0 to 1000; ${DEFAULT_GIGABYTES} when it is not set
performance-gb  how much is claimed at once, so that most files need no board; 0: exactly what is needed; ${DEFAULT_GIGABYTES} when it is not set
Of both at most a quarter of a Delta is used.

Examples:
  mbs config set offline-gb 0.5
  mbs config set offline-mode true`;
