/** The configuration of a person: a directory, and config.toml in it. Order: --config-dir, MBS_CONFIG_DIR, XDG.
 *  What the environment says wrongly is reported and ignored; what an argument says wrongly is an error. */
import { statSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { stringify } from "smol-toml";
import { writeWhole } from "./atomic.js";
import { parseGigabytes, parseOfflineMode } from "./claims/settings.js";
import { FileError, UsageError } from "./client/errors.js";
import { parseKeySetting } from "./keys/keys.js";
import { parsePort } from "./ports.js";
import { parseToml } from "./toml.js";

/** Every setting, and what refuses a wrong value. */
const SETTINGS = {
  port: (value: string) => void parsePort(value),
  /** Where operator keys are kept: auto, keyring, file. */
  keys: (value: string) => void parseKeySetting(value),
  /** true: positions come from what was claimed before; no authority is asked. */
  "offline-mode": (value: string) => void parseOfflineMode(value, "offline-mode"),
  /** Gigabytes (10⁹) that are claimed for offline work, and at once for speed. */
  "offline-gb": (value: string) => void parseGigabytes(value, "offline-gb"),
  "performance-gb": (value: string) => void parseGigabytes(value, "performance-gb"),
};
export type Setting = keyof typeof SETTINGS;
export type Config = Partial<Record<Setting, string>>;
export const SETTING_NAMES = Object.keys(SETTINGS) as Setting[];

type Environment = Readonly<Record<string, string | undefined>>;

/** @param warn is told of a variable that is ignored. @returns the directory, which need not exist */
export function configDirectory(option: string | undefined, env: Environment, warn: (text: string) => void): string {
  if (option !== undefined) {
    if (isFile(option)) throw new UsageError(`--config-dir: expected a directory; ${option} is a file.`);
    return resolve(option);
  }
  const own = env.MBS_CONFIG_DIR;
  if (own) {
    if (isAbsolute(own) && !isFile(own)) return own;
    warn(`MBS_CONFIG_DIR is ignored: expected an absolute path of a directory; got "${own}".`);
  }
  const xdg = env.XDG_CONFIG_HOME;
  if (xdg) {
    if (isAbsolute(xdg)) return join(xdg, "mbs");
    warn(`XDG_CONFIG_HOME is ignored: expected an absolute path; got "${xdg}".`);
  }
  return join(env.HOME || homedir(), ".config", "mbs");
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
}

/** Reads config.toml; a missing one is empty. @throws FileError with line and field */
export async function readConfig(directory: string): Promise<Config> {
  const path = join(directory, "config.toml");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new FileError(`${path} cannot be read: ${(cause as Error).message}.`, "", { cause });
  }
  const table = parseToml(text, path);
  const config: Config = {};
  for (const name of SETTING_NAMES.filter((name) => table.has(name))) {
    const value = table.string(name);
    try {
      SETTINGS[name](value);
    } catch (error) {
      throw new FileError(`${path}: ${(error as Error).message}`, `Set it again: mbs config set ${name} VALUE`, {
        cause: error,
      });
    }
    config[name] = value;
  }
  table.end();
  return config;
}

/** Changes one setting, for this person alone to read. @param value undefined: removes it. @throws UsageError, FileError */
export async function writeSetting(directory: string, name: Setting, value: string | undefined): Promise<void> {
  if (value !== undefined) SETTINGS[name](value);
  const config = await readConfig(directory);
  if (value === undefined) delete config[name];
  else config[name] = value;
  const path = join(directory, "config.toml");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeWhole(path, stringify(config));
}

/** @throws UsageError when there is no such setting */
export function settingName(name: string): Setting {
  const found = SETTING_NAMES.find((known) => known === name);
  if (found === undefined) throw new UsageError(`There is no setting "${name}"; there is ${SETTING_NAMES.join(", ")}.`);
  return found;
}
