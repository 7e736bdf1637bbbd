/** The devices whose identity key was seen: <config>/known-devices.toml. The first key of an instance is believed and remembered (trust on
 *  first use); from then on another one is refused. No secret is in it, but whoever can write it decides which device is believed. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { withLock, writeWhole } from "../atomic.js";
import { FileError } from "../client/errors.js";
import { parseToml, type Table } from "../toml.js";

interface KnownDevice {
  /** Instance id and identity key, in hexadecimal digits. */
  instance: string;
  identity: string;
  /** Day on which the key was first seen, YYYY-MM-DD. */
  seen: string;
}

/** The identity key of a device is not the one that was remembered. Nothing that it says is to be relied on. */
export class IdentityChangedError extends FileError {}

/** known: the key that was remembered. new: remembered now. accepted: another key, taken because the user said so. */
export type Trust = "known" | "new" | "accepted";

/** Compares with what was remembered, and remembers. @param accept takes another key than the remembered one
 *  @throws IdentityChangedError */
export async function trustIdentity(
  directory: string,
  instance: Uint8Array,
  identity: Uint8Array,
  accept: boolean,
): Promise<Trust> {
  const [device, key] = [instance, identity].map((bytes) => Buffer.from(bytes).toString("hex")) as [string, string];
  const path = join(directory, "known-devices.toml");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return withLock(`${path}.lock`, async () => {
    const all = await read(path);
    const known = all.find((one) => one.instance === device);
    if (known?.identity === key) return "known";
    if (known !== undefined && !accept)
      throw new IdentityChangedError(
        `THE IDENTITY KEY OF THIS DEVICE HAS CHANGED. Device ${device} had ${known.identity} since ${known.seen}; now it is ${key}. Another device may be answering in its place.`,
        "Only if you know why (it was set up anew from the same image, for example), accept it: mbs attest --trust",
      );
    const seen = new Date().toISOString().slice(0, 10);
    const others = all.filter((one) => one !== known);
    await writeWhole(path, stringify({ device: [...others, { instance: device, identity: key, seen }] }));
    return known === undefined ? "new" : "accepted";
  });
}

async function read(path: string): Promise<KnownDevice[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new FileError(`${path} cannot be read: ${(cause as Error).message}.`, "", { cause });
  }
  const table = parseToml(text, path);
  const devices = table.tables("device").map(readOne);
  table.end();
  return devices;
}

function readOne(table: Table): KnownDevice {
  const digits = (key: "instance" | "identity", bytes: number) => {
    const value = table.string(key);
    if (!/^[0-9a-f]+$/.test(value) || value.length !== 2 * bytes)
      throw table.error(key, `should be ${2 * bytes} hexadecimal digits`);
    return value;
  };
  const one = { instance: digits("instance", 16), identity: digits("identity", 32), seen: table.string("seen") };
  table.end();
  return one;
}
