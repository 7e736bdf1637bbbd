/** config get, set, list: the settings of this person. */
import type { Command } from "commander";
import { NotFoundError } from "../client/errors.js";
import { readConfig, SETTING_NAMES, settingName, writeSetting } from "../config.js";
import type { Context } from "./context.js";
import { pairs } from "./table.js";

export function addConfig(program: Command, context: () => Context): void {
  const config = program
    .command("config")
    .description("settings: the port that is used when none is named, and where keys are kept (auto, keyring, file)");
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
