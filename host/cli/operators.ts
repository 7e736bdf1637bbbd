/** Who asks: the operator that was named, or the one among the known operators of the device whose role can do what is wanted.
 *  Keys come from the environment, a file, or the key store of host/keys. A key that is being given to an operator waits beside the old
 *  one until it was used, so that no cut loses both. What hello says of the instance only chooses a key: the handshake proves it. */
import { randomBytes } from "node:crypto";
import { PSK_SIZE, Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { State } from "../../firmware/defs/wire.js";
import type { Hello } from "../client/answers.js";
import type { Client } from "../client/client.js";
import { DeviceError, NotFoundError, UsageError } from "../client/errors.js";
import { roleText } from "../client/roles.js";
import type { Operator } from "../client/session.js";
import { readConfig } from "../config.js";
import { operatorFrom, operatorIdFrom } from "../keys/environment.js";
import { forgetDevice, forgetOperator, type KnownOperator, knownOperators, rememberOperator } from "../keys/index.js";
import { type KeyStore, nextOf, parseKeySetting } from "../keys/keys.js";
import { openKeys } from "../keys/open.js";
import { parseKey } from "../keys/text.js";
import type { ManifestOperator } from "../manifest.js";
import { checkOperatorId, ROLES } from "../names.js";
import { type OperatorKeys, takes } from "../provision.js";
import type { Context } from "./context.js";
import { readSetupCode } from "./setup-code.js";

/** The user first, so that what everybody may ask runs in the session in which the work is done. */
const PREFERENCE: readonly KnownOperator["role"][] = ["user", "auditor", "admin"];

/** States in which the device takes the setup code, and a person may have no other way to ask. SPEC.md §11 */
export const SETUP_STATES: readonly State[] = [
  State.Blank,
  State.Provisioning,
  State.CustodyDamaged,
  State.WrongVersion,
  State.OtherBoard,
];

export class Operators implements OperatorKeys {
  readonly #context: Context;
  #store: Promise<KeyStore> | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** The operator for a command. @param roles that may give it, as bits
   *  @param setup states in which it may be given with the setup code; in Provisioning only where no operator is known
   *  @throws with what a person can do about it */
  async choose(hello: Hello, roles: number, setup: readonly State[] = []): Promise<Operator> {
    const named = await this.#named(hello);
    if (named !== undefined) return named;
    const known = await this.known(hello.instance);
    if (setup.includes(hello.state) && (hello.state !== State.Provisioning || known.length === 0))
      return { id: "", key: await readSetupCode(this.#context, hello) };
    refuseUnready(hello.state, known.length > 0);
    const fit = PREFERENCE.flatMap((role) => known.filter((one) => one.role === role)).find(
      ({ role }) => (ROLES.number(role) & roles) !== 0,
    );
    if (fit === undefined) throw nobody(hello, roles, known);
    const key = await this.get(hello.instance, fit.id);
    if (key === undefined) throw missing(fit.id, hello, known);
    return { id: fit.id, key };
  }

  /** What --operator, MBS_OPERATOR and their keys say; undefined when they say nothing. */
  async #named(hello: Hello): Promise<Operator | undefined> {
    const { env } = this.#context.io;
    const { operator: option, operatorKeyFile } = this.#context.globals;
    const id = option === undefined ? operatorIdFrom(env) : checkOperatorId(option, "--operator");
    if (operatorKeyFile !== undefined) {
      if (id === undefined)
        throw new UsageError("--operator-key-file does not say whose key it is.", "Add --operator ID.");
      return { id, key: await readKeyFile(this.#context, operatorKeyFile) };
    }
    const whole = option === undefined || option === env.MBS_OPERATOR ? operatorFrom(env) : undefined;
    if (whole !== undefined) return whole;
    // a key without an id in the environment goes with the id that was named
    if (id !== undefined && !env.MBS_OPERATOR && env.MBS_OPERATOR_KEY)
      return { id, key: parseKey(env.MBS_OPERATOR_KEY, "MBS_OPERATOR_KEY") };
    if (id === undefined) return undefined;
    const key = await this.get(hello.instance, id);
    if (key === undefined) throw missing(id, hello, await this.known(hello.instance));
    return { id, key };
  }

  known(instance: Uint8Array): Promise<KnownOperator[]> {
    return knownOperators(this.#context.configDirectory(), instance);
  }

  async get(instance: Uint8Array, id: string): Promise<Uint8Array | undefined> {
    return (await this.#keys()).get(instance, id);
  }

  async knows(instance: Uint8Array): Promise<boolean> {
    return (await this.known(instance)).length > 0;
  }

  /** The key that an operator is being given: it was made, and a session of its own has yet to show that the device took it. */
  async waiting(instance: Uint8Array, id: string): Promise<Uint8Array | undefined> {
    return (await this.#keys()).get(instance, nextOf(id));
  }

  /** Makes a key for an operator, in place of one that waits. Resolves when it is kept. host/provision.ts has the rule for keys. */
  async make(instance: Uint8Array, id: string): Promise<Uint8Array> {
    const key = randomBytes(PSK_SIZE);
    await (await this.#keys()).put(instance, nextOf(id), key);
    return key;
  }

  /** The device refused the key that `make` made. */
  async discard(instance: Uint8Array, id: string): Promise<void> {
    await (await this.#keys()).remove(instance, nextOf(id));
  }

  /** The device took the key in a session of its own: it is the operator's one from here on. */
  async settle(instance: Uint8Array, { id, role }: ManifestOperator, key: Uint8Array): Promise<void> {
    const keys = await this.#keys();
    const word = ROLES.word(role) as KnownOperator["role"];
    const store = await keys.put(instance, id, key);
    const entry = { instance: Buffer.from(instance).toString("hex"), id, role: word, store };
    await rememberOperator(this.#context.configDirectory(), entry);
    await keys.remove(instance, nextOf(id));
  }

  /** Notes another role of an operator whose key is here. */
  async setRole(instance: Uint8Array, id: string, role: Role): Promise<void> {
    const here = (await this.known(instance)).find((one) => one.id === id);
    if (here === undefined) return;
    await rememberOperator(this.#context.configDirectory(), {
      ...here,
      role: ROLES.word(role) as KnownOperator["role"],
    });
  }

  /** Removes key and entry. @returns whether there was a key */
  async remove(instance: Uint8Array, id: string): Promise<boolean> {
    const keys = await this.#keys();
    await keys.remove(instance, nextOf(id));
    const was = await keys.remove(instance, id);
    await forgetOperator(this.#context.configDirectory(), { instance: Buffer.from(instance).toString("hex"), id });
    return was;
  }

  /** Removes the keys of all operators of a device. */
  async removeAll(instance: Uint8Array): Promise<void> {
    const keys = await this.#keys();
    for (const { id } of await forgetDevice(this.#context.configDirectory(), instance)) {
      await keys.remove(instance, nextOf(id));
      await keys.remove(instance, id);
    }
  }

  /** After a refused handshake: tries the key that waits, and settles it when it is the right one.
   *  @returns the operator as who the client may ask now */
  async recover(client: Client, instance: Uint8Array, id: string): Promise<Operator | undefined> {
    const key = id === "" ? undefined : await this.waiting(instance, id);
    const info = key && (await takes(client, { id, key }, instance));
    if (key === undefined || info === undefined) return undefined;
    await this.settle(instance, { id, role: info.role }, key);
    return { id, key };
  }

  #keys(): Promise<KeyStore> {
    this.#store ??= (async () => {
      const directory = this.#context.configDirectory();
      const { keys = "auto" } = await readConfig(directory);
      return openKeys(parseKeySetting(keys), directory, this.#context.warn);
    })();
    return this.#store;
  }
}

/** @throws FileError when the file does not hold the text of a key */
export async function readKeyFile(context: Context, file: string): Promise<Uint8Array> {
  const { bytes, name } = await context.readSecret(file);
  try {
    return parseKey(bytes.toString("latin1"), name);
  } finally {
    bytes.fill(0);
  }
}

/** Says what the device would say, where nobody could even ask. */
function refuseUnready(state: State, someKnown: boolean): void {
  if (state === State.Blank) throw new DeviceError(Status.NotProvisioned);
  if (state === State.CustodyDamaged) throw new DeviceError(Status.CustodyDamaged);
  if (state === State.WrongVersion) throw new DeviceError(Status.WrongVersion);
  if (state === State.OtherBoard) throw new DeviceError(Status.OtherBoard);
  if (state === State.Provisioning && !someKnown)
    throw new NotFoundError(
      "This device is being provisioned, and no key of its operators is on this computer yet.",
      "Go on with `mbs provision MANIFEST`, with the manifest that it was begun with.",
    );
}

function device({ instance }: Hello): string {
  return `device ${Buffer.from(instance).toString("hex").slice(0, 8)}`;
}

function missing(id: string, hello: Hello, known: readonly KnownOperator[]): NotFoundError {
  const place = known.find((one) => one.id === id)?.store;
  return new NotFoundError(
    `There is no key of operator ${id} of ${device(hello)} ${place === undefined ? "on this computer" : "where keys are looked for now"}.`,
    place === undefined
      ? `Bring it here: mbs operator import ${id}`
      : `It was kept in ${place === "file" ? "a file: mbs config set keys auto" : "the keyring: unlock that, and mbs config set keys auto"}`,
  );
}

function nobody(hello: Hello, roles: number, known: readonly KnownOperator[]): Error {
  if (known.length === 0)
    return new NotFoundError(
      `No operator of ${device(hello)} is known on this computer.`,
      "Whoever provisioned it can add one (`mbs operator add`); bring its key here: mbs operator import ID",
    );
  const here = known.map(({ id, role }) => `${id} (${role})`).join(", ");
  const needed = roleText(roles & ~Role.Setup);
  return new UsageError(
    `This needs the role ${needed}; known on this computer: ${here}.`,
    `An admin makes one: mbs operator add ID --role ${needed.split(" ")[0]}`,
  );
}
