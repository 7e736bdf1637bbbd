/** Images from a manifest. Sealed: the requests that make the store, for one board, which makes its root itself (seal.ts). Injected: the store
 *  itself, which the core of this package made here (twin.ts), root key and all, so that the file is a secret. Both are tried out here first. */
import { randomBytes } from "node:crypto";
import { blake3 } from "@noble/hashes/blake3.js";
import { Custody } from "../../firmware/defs/custody.js";
import { IMAGE_ADDRESS, ImageState } from "../../firmware/defs/image.js";
import { UNIT } from "../../firmware/defs/medium.js";
import { PSK_SIZE } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import type { TransportKey } from "../client/answers.js";
import { Client } from "../client/client.js";
import { FileError, UsageError } from "../client/errors.js";
import { encodeMessage, message, type Value } from "../client/message.js";
import type { Operator } from "../client/session.js";
import { STATUS_TEXT } from "../client/status-text.js";
import type { Segment } from "../flash/hex.js";
import { DATA, SLOTS } from "../flash/map.js";
import type { Manifest, ManifestOperator } from "../manifest.js";
import { makePolicy } from "../names.js";
import { credentialToken, type Loaded, manifestDigest, type OperatorKeys, planBlank, provision } from "../provision.js";
import { sealImage } from "./seal.js";
import { Twin } from "./twin.js";

export interface Recipe {
  manifest: Manifest;
  credentials: readonly Loaded[];
  /** Keeps the keys of the operators, under the instance that the board becomes. */
  keys: OperatorKeys;
}

export interface Made {
  instance: Uint8Array;
  /** What stands beside the firmware. */
  segments: Segment[];
}

const INSTANCE = 16;
const NO_BOARD = new Uint8Array(16);
/** Looks of the main loop that any image ends within. */
const PATIENCE = 2000;
const SEED_CONTEXT = new TextEncoder().encode("mbs 2026 insecure image");

/** Requests sealed to one board. @throws FileError when something does not fit, or is refused */
export async function buildSealed(board: TransportKey, { manifest, credentials, keys }: Recipe): Promise<Made> {
  planBlank(manifest, credentials);
  const instance = randomBytes(INSTANCE);
  const operators: (ManifestOperator & { key: Uint8Array })[] = [];
  for (const operator of manifest.operators)
    operators.push({ ...operator, key: await keys.make(instance, operator.id) });
  const requests = [
    request(Command.ProvisionBegin, [
      [Key.Manifest, manifestDigest(manifest)],
      [
        Key.Classes,
        manifest.classes.map(({ slotSize, blocks }) =>
          message([
            [Key.SlotUnits, slotSize / UNIT],
            [Key.Blocks, blocks],
          ]),
        ),
      ],
    ]),
    ...operators.map(({ id, role, key }) =>
      request(Command.OperatorAdd, [
        [Key.Role, role],
        [Key.Operator, id],
        [Key.Secret, key],
      ]),
    ),
    ...credentials.map((one) => credentialRequest(instance, one)),
    request(Command.ProvisionFinish, []),
  ];
  try {
    await tryOut(instance, requests, [
      ...operators.map(({ id }) => `operator ${id}`),
      ...credentials.map(({ name }) => name),
    ]);
    const bytes = sealImage(board, instance, requests);
    for (const { key, ...operator } of operators) await keys.settle(instance, operator, key);
    return { instance, segments: [{ address: IMAGE_ADDRESS, bytes }] };
  } finally {
    for (const secret of [...requests, ...operators.map(({ key }) => key)]) secret.fill(0);
  }
}

function credentialRequest(instance: Uint8Array, credential: Loaded): Uint8Array {
  const { body, label, usage, tier } = credential;
  return request(body === undefined ? Command.Generate : Command.Put, [
    [Key.Token, credentialToken(instance, credential)],
    [Key.Label, label],
    [Key.Usage, usage],
    [Key.Tier, tier],
    [Key.Policy, makePolicy(credential)],
    [Key.Body, body],
  ]);
}

function request(command: Command, fields: readonly (readonly [Key, Value | undefined])[]): Uint8Array {
  return encodeMessage(message([[Key.Command, command], ...fields]));
}

/** Has a core here open the same requests. @param names of the items between the first and the last */
async function tryOut(instance: Uint8Array, requests: readonly Uint8Array[], names: readonly string[]): Promise<void> {
  const setupCode = randomBytes(PSK_SIZE);
  const twin = new Twin({
    uniqueId: randomBytes(16),
    custody: Custody.Device,
    bound: false,
    setupCode,
    random: randomBytes,
  });
  twin.boot();
  const board = await asked(twin, setupCode, (client) => client.transportKey());
  twin.image.program(0, wholeUnits(sealImage(board, instance, requests)));
  twin.boot();
  twin.idle(PATIENCE);
  // a finished store knows no setup code; one that stopped does
  const { state } = await new Client(async () => twin.connect()).hello();
  if (state === State.Ready) return;
  const { image } = await asked(twin, setupCode, (client) => client.info());
  const name = names[image.item - 1];
  const [why, hint] = STATUS_TEXT[image.status];
  if (image.state === ImageState.Stopped && image.status !== Status.Ok)
    throw new FileError(`A board would refuse ${name ?? `item ${image.item}`}: ${why}`, hint);
  throw new Error(`the core opened no image that was made for it: state ${image.state}, item ${image.item}`);
}

async function asked<T>(twin: Twin, setupCode: Uint8Array, ask: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(async () => twin.connect());
  client.as({ id: "", key: setupCode });
  try {
    return await ask(client);
  } finally {
    await client.close();
  }
}

function wholeUnits(bytes: Uint8Array): Buffer {
  const units = Buffer.alloc(Math.ceil(bytes.length / UNIT) * UNIT, 0xff);
  units.set(bytes);
  return units;
}

export interface InjectedOptions {
  /** The one board that the store is for; undefined: any. */
  uniqueId?: Uint8Array;
  /** Everything random follows from it and from what the store holds. Such an image protects nothing. */
  insecureSeed?: string;
}

/** A whole store, made here. @throws FileError when something does not fit; UsageError */
export async function buildInjected(recipe: Recipe, { uniqueId, insecureSeed }: InjectedOptions): Promise<Made> {
  const { manifest, credentials } = recipe;
  const made = credentials.find(({ generate }) => generate);
  if (made !== undefined)
    throw new UsageError(
      `${made.name} is a key that the device makes, and in an injected image this computer would make it.`,
      "Seal the image to a board instead: --for BOARD.pub.",
    );
  planBlank(manifest, credentials);
  const isInsecure = insecureSeed !== undefined;
  const random = isInsecure ? stream(insecureSeed, uniqueId ?? NO_BOARD, recipe) : randomBytes;
  const setupCode = Buffer.from(random(PSK_SIZE));
  const custody = isInsecure ? Custody.Simulated : Custody.Injected;
  const twin = new Twin({ uniqueId: uniqueId ?? NO_BOARD, custody, bound: uniqueId !== undefined, setupCode, random });
  twin.boot();
  const client = new Client(async () => twin.connect());
  try {
    const admin = async (): Promise<Operator> => {
      throw new Error("a blank core has no admin");
    };
    const authority = { keys: recipe.keys, setupCode: async () => setupCode, admin };
    const { instance } = await provision(client, manifest, credentials, authority);
    const slots = twin.slots.segments(SLOTS.start);
    // an empty slot region is part of the store as well
    if (slots.length === 0) slots.push({ address: SLOTS.start, bytes: Buffer.alloc(UNIT, 0xff) });
    return { instance, segments: [...slots, ...twin.data.segments(DATA.start)] };
  } finally {
    await client.close();
  }
}

/** Bytes that follow from the seed, the board and everything that the store will hold: stores of other content have nothing in common, so
 *  that no nonce is used twice under one key. */
function stream(seed: string, uniqueId: Uint8Array, { manifest, credentials }: Recipe): (length: number) => Uint8Array {
  const held = [manifest.name, JSON.stringify([manifest.classes, manifest.operators])];
  for (const one of credentials) {
    const { body = new Uint8Array(0), ...rest } = one;
    held.push(JSON.stringify(rest), Buffer.from(body).toString("hex"));
  }
  const input = [seed, Buffer.from(uniqueId).toString("hex"), ...held].map((one) => `${one.length}:${one}`).join("");
  const key = blake3(Buffer.from(input), { context: SEED_CONTEXT });
  let count = 0n;
  return (length) => {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64LE(count++);
    return blake3(counter, { key, dkLen: length });
  };
}
