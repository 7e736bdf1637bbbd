/** Provisioning: makes the root, lays out the slots, adds the operators, puts every credential of a manifest, finishes. Runs again after
 *  any interruption, and all of it in sessions (SPEC.md §11): the first with the setup code, which adds the first admin; the rest as
 *  that admin.
 *
 *  The rule for keys: a key is kept on this computer before it is sent, so that no cut leaves a device whose admin nobody is, and no key
 *  is sent by two runs (one run repeats a request that a restart cut off). A kept key waits until a session of its own shows that the
 *  device took it; then it is settled. A run that finds one waiting tries it in such a session first, with the instance it was made for:
 *  a handshake proves a key and tells it nobody. Only when the device refuses it is another one made in its place. The reason: a board
 *  without a setup code proves nothing in the first session, and whoever is on the line can claim to be any instance. A key that was sent
 *  there counts on the instance that took it and nowhere else; settled keys are never sent, and a board without a code that claims to be
 *  an instance of theirs is refused.
 *
 *  The manifest digest covers name and classes only, so that credentials may change while a device is being provisioned.
 *  What makes a repeated run double nothing is the token of each put: it follows from the instance, the credential's name and its
 *  revision. The content stays out of it on purpose: tokens stand in clear on the medium, and one made from a short secret would let
 *  whoever reads the flash try out guesses. So content that changed under the same name is answered TokenReused, and it is for a
 *  person to say what is meant: `mbs replace` for the same record, a raised `revision` for another one beside it. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { blake3 } from "@noble/hashes/blake3.js";
import { encode, rfc8949EncodeOptions } from "cborg";
import { UNIT } from "../firmware/defs/medium.js";
import { PART_HEADER, TOKEN_SIZE, type Usage } from "../firmware/defs/record.js";
import { Role } from "../firmware/defs/session.js";
import { Status } from "../firmware/defs/status.js";
import { KEY_SIZE } from "../firmware/defs/use.js";
import { State } from "../firmware/defs/wire.js";
import type { Entry, Hello, Info } from "./client/answers.js";
import type { Client } from "./client/client.js";
import { DeviceError, FileError, ProtocolError } from "./client/errors.js";
import type { Geometry } from "./client/requests.js";
import type { Operator } from "./client/session.js";
import { UNCHANGED } from "./client/status-text.js";
import { readCredential } from "./credentials/detect.js";
import type { Passphrase } from "./credentials/format.js";
import { capacity, type Manifest, type ManifestCredential, type ManifestOperator } from "./manifest.js";
import { makePolicy, ROLES } from "./names.js";
import { encodeParts } from "./record.js";

/** A credential whose files were read. */
export interface Loaded extends ManifestCredential {
  /** Absent when the device makes the key. */
  body?: Uint8Array;
  /** Bytes of the body, whoever makes it. */
  length: number;
  usage: Usage;
}

/** Where this computer keeps the keys of operators: settled ones, and apart from them those that wait for their first session. */
export interface OperatorKeys {
  /** The settled key. */
  get(instance: Uint8Array, id: string): Promise<Uint8Array | undefined>;
  /** The key that waits. */
  waiting(instance: Uint8Array, id: string): Promise<Uint8Array | undefined>;
  /** Makes a key that waits, in place of another one. Resolves when it would survive a crash. */
  make(instance: Uint8Array, id: string): Promise<Uint8Array>;
  /** The device took the key: it waits no more. */
  settle(instance: Uint8Array, operator: ManifestOperator, key: Uint8Array): Promise<void>;
  /** Whether any key of this device is settled. */
  knows(instance: Uint8Array): Promise<boolean>;
}

/** Whose word counts for the device. */
export interface Authority {
  keys: OperatorKeys;
  /** The setup code of this device; asked for at most once, and only when nobody else can be asked. */
  setupCode(hello: Hello): Promise<Uint8Array>;
  /** An admin of a device that was provisioned before. */
  admin(hello: Hello): Promise<Operator>;
}

/** added: by this run. present: there already, with a key that is here. elsewhere: there already, its key is not here. */
export type Standing = "added" | "present" | "elsewhere";

export interface Enrolled extends ManifestOperator {
  standing: Standing;
}

/** Where a credential would go. */
export interface Planned {
  credential: Loaded;
  slotClass: number;
  /** A record that is there already and may be this one. */
  present?: Entry;
}

/** What became of a credential: put now, or there since an earlier run. */
export interface Done {
  credential: Loaded;
  handle: Uint8Array;
  isNew: boolean;
}

/** Two parts of 32 bytes with their headers: what a key that the device makes takes. SPEC.md §12 */
const GENERATED_LENGTH = 2 * (PART_HEADER + KEY_SIZE);
const TOKEN_CONTEXT = Buffer.from("mbs 2026 provision token");

/** First 16 bytes of BLAKE3 over the deterministic CBOR of [name, [[slot size, blocks], …]]. */
export function manifestDigest(manifest: Manifest): Uint8Array {
  const classes = manifest.classes.map(({ slotSize, blocks }) => [slotSize, blocks]);
  return blake3(encode([manifest.name, classes], rfc8949EncodeOptions), { dkLen: 16 });
}

/** BLAKE3 derive_key of instance id ‖ deterministic CBOR of [name, revision]. */
export function credentialToken(instance: Uint8Array, credential: ManifestCredential): Uint8Array {
  const which = encode([credential.name, credential.revision], rfc8949EncodeOptions);
  return blake3(Buffer.concat([instance, which]), { context: TOKEN_CONTEXT, dkLen: TOKEN_SIZE });
}

/** Reads the files of all credentials. @param directory of the manifest. @throws FileError */
export async function loadCredentials(manifest: Manifest, directory: string, ask: Passphrase): Promise<Loaded[]> {
  const open = async (file: string) => {
    try {
      return await readFile(resolve(directory, file));
    } catch (cause) {
      throw new FileError(
        `${file} cannot be read: ${(cause as Error).message}.`,
        "Paths are relative to the manifest.",
        { cause },
      );
    }
  };
  const loaded: Loaded[] = [];
  for (const credential of manifest.credentials) {
    const { passphraseFile } = credential;
    if (credential.generate) {
      loaded.push({ ...credential, length: GENERATED_LENGTH, usage: credential.usage! }); // manifest.ts saw to it
      continue;
    }
    const passphrase: Passphrase =
      passphraseFile === undefined ? ask : async () => firstLine(await open(passphraseFile));
    const sources = await Promise.all(credential.files.map(async (name) => ({ name, bytes: await open(name) })));
    const { parts, usage } = await readCredential(sources, credential.format, passphrase);
    const body = encodeParts(parts);
    loaded.push({ ...credential, body, length: body.length, usage: credential.usage ?? usage });
  }
  return loaded;
}

/** The first line of a passphrase file. */
export function firstLine(bytes: Buffer): string {
  return bytes.toString("utf8").split(/\r?\n/)[0]!;
}

/** Says into which class each credential goes, as the device will choose: the smallest slots that hold it and have room.
 *  @param free records that each class still takes. @throws FileError when one does not fit */
export function planCredentials(
  credentials: readonly Loaded[],
  classes: readonly Geometry[],
  free: readonly number[],
  entries: readonly Entry[],
): Planned[] {
  const left = [...free];
  const unclaimed = [...entries];
  const bySize = classes
    .map((geometry, slotClass) => ({ ...geometry, slotClass }))
    .sort((a, b) => a.slotSize - b.slotSize);
  const homeless = new Map<(typeof bySize)[number], string[]>();
  const planned = credentials.map((credential) => {
    const present = unclaimed.find((entry) => looksLike(entry, credential));
    if (present !== undefined) {
      unclaimed.splice(unclaimed.indexOf(present), 1);
      return { credential, slotClass: present.slotClass, present };
    }
    const size = UNIT + Buffer.byteLength(credential.label ?? "") + credential.length;
    const fits = bySize.filter(({ slotSize }) => slotSize >= size);
    if (fits.length === 0)
      throw new FileError(
        `${credential.name} needs a slot of ${size} bytes; the largest has ${bySize.at(-1)?.slotSize}.`,
        "Add a [[class]] with larger slots.",
      );
    const chosen = fits.find(({ slotClass }) => left[slotClass]! > 0);
    if (chosen === undefined) homeless.set(fits[0]!, [...(homeless.get(fits[0]!) ?? []), credential.name]);
    else left[chosen.slotClass]!--;
    return { credential, slotClass: (chosen ?? fits[0]!).slotClass };
  });
  if (homeless.size === 0) return planned;
  const missing = [...homeless].map(([{ slotClass, slotSize }, names]) => {
    const some = names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
    return `${names.length} slot${names.length === 1 ? "" : "s"} of class ${slotClass} (${slotSize} bytes), for ${some}`;
  });
  throw new FileError(
    `The credentials do not fit. Missing: ${missing.join("; ")}.`,
    "Give a [[class]] more blocks or slots.",
  );
}

/** Whether a record may be the credential: a device does not tell tokens, so the label decides, and without one usage and length. */
function looksLike(entry: Entry, credential: Loaded): boolean {
  if (entry.label !== credential.label) return false;
  return entry.label !== undefined || (entry.usage === credential.usage && entry.length === credential.length);
}

/** What `provision` would do now, without doing it. A device that is blank, or that nobody here can ask yet, is planned as a blank one.
 *  @throws DeviceError, FileError as it would */
export async function dryRun(
  client: Client,
  manifest: Manifest,
  credentials: readonly Loaded[],
  authority: Authority,
): Promise<{ state: State; planned: Planned[] }> {
  const hello = await client.hello();
  const { state } = hello;
  refuseDamaged(state);
  if (state === State.Blank) return { state, planned: planBlank(manifest, credentials) };
  const admin =
    state === State.Provisioning ? await knownAdmin(client, manifest, authority, hello) : await authority.admin(hello);
  if (admin === undefined) return { state, planned: planBlank(manifest, credentials) };
  client.as(admin);
  const { store } = await client.info();
  const entries = await client.list(); // a damaged device refuses here
  if (store === undefined) throw new ProtocolError("The device lists records, and info knows no store.");
  checkManifest(state, store.manifest, manifest);
  const free = store.classes.map((one) => one.capacity - one.live);
  return { state, planned: planCredentials(credentials, store.classes, free, entries) };
}

/** How a blank device would take them. @throws FileError when something does not fit */
export function planBlank(manifest: Manifest, credentials: readonly Loaded[]): Planned[] {
  return planCredentials(credentials, manifest.classes, manifest.classes.map(capacity), []);
}

/** Says what the device would say, before anybody is asked for a code or a touch. */
function refuseDamaged(state: State): void {
  if (state === State.CustodyDamaged) throw new DeviceError(Status.CustodyDamaged);
  if (state === State.WrongVersion) throw new DeviceError(Status.WrongVersion);
  if (state === State.OtherBoard) throw new DeviceError(Status.OtherBoard);
  if (state === State.Rescue) throw new DeviceError(Status.Rescue);
}

/** @throws DeviceError when the device is being, or was, provisioned with another manifest */
function checkManifest(state: State, digest: Uint8Array, manifest: Manifest): void {
  if (Buffer.compare(digest, manifestDigest(manifest)) === 0) return;
  const hint = "Name and classes of the manifest differ from the ones that the device was provisioned with.";
  throw state === State.Provisioning
    ? new DeviceError(Status.OtherManifest)
    : new DeviceError(Status.AlreadyProvisioned, undefined, { hint });
}

/** Provisions a device, goes on with what an interrupted run left, or adds to a finished device what the same manifest has more.
 *  @param progress is called after each credential. @throws DeviceError that names the credential and how many were put before it */
export async function provision(
  client: Client,
  manifest: Manifest,
  credentials: readonly Loaded[],
  authority: Authority,
  progress: (done: Done, count: number) => void = () => {},
): Promise<{ instance: Uint8Array; done: Done[]; operators: Enrolled[] }> {
  const hello = await client.hello();
  refuseDamaged(hello.state);
  const finished = hello.state !== State.Blank && hello.state !== State.Provisioning;
  const before = finished ? await authority.admin(hello) : await knownAdmin(client, manifest, authority, hello);
  const admin = before ?? (await begin(client, manifest, credentials, authority, hello));
  client.as(admin);
  const { instance, state, store } = await client.info();
  if (store !== undefined) checkManifest(state, store.manifest, manifest);
  const operators = await enrol(client, manifest, authority.keys, instance, admin);
  if (before === undefined) for (const one of operators) if (one.id === admin.id) one.standing = "added";
  const known = new Set((await client.list()).map(({ handle }) => Buffer.from(handle).toString("hex")));
  const done: Done[] = [];
  for (const credential of credentials) {
    const { handle } = await putCredential(client, instance, credential).catch((error) => {
      throw error instanceof DeviceError ? explain(error, credential.name, done.length, credentials.length) : error;
    });
    done.push({ credential, handle, isNew: !known.has(Buffer.from(handle).toString("hex")) });
    progress(done.at(-1)!, done.length);
  }
  if (!finished) await client.provisionFinish();
  for (const operator of manifest.operators) await takeUp(client, authority.keys, instance, operator);
  return { instance, done, operators };
}

/** An admin of the manifest that an earlier run added to a device that is still being provisioned: so nobody has to touch it again. */
async function knownAdmin(
  client: Client,
  manifest: Manifest,
  { keys }: Authority,
  { state, instance }: Hello,
): Promise<Operator | undefined> {
  if (state !== State.Provisioning) return undefined;
  for (const operator of admins(manifest)) {
    const { id } = operator;
    const settled = await keys.get(instance, id);
    if (settled !== undefined && (await takes(client, { id, key: settled }, instance))) return { id, key: settled };
    const waiting = await takeUp(client, keys, instance, operator);
    if (waiting !== undefined) return { id, key: waiting };
  }
  return undefined;
}

/** Makes the root with the setup code, and adds the first admin that the device does not have. */
async function begin(
  client: Client,
  manifest: Manifest,
  credentials: readonly Loaded[],
  { keys, setupCode }: Authority,
  hello: Hello,
): Promise<Operator> {
  if (hello.state === State.Blank) planBlank(manifest, credentials);
  if (!hello.setupCode) await refuseKnown(keys, hello.instance);
  const code = await setupCode(hello);
  client.as({ id: "", key: code });
  const { instance } = await client.provisionBegin(manifestDigest(manifest), manifest.classes);
  if (code.every((byte) => byte === 0)) await refuseKnown(keys, instance);
  const there = new Set((await client.operators()).operators.map(({ id }) => id));
  const operator = admins(manifest).find(({ id }) => !there.has(id)); // keys of the others are elsewhere, or lost
  if (operator === undefined) {
    const ids = admins(manifest).map(({ id }) => id);
    throw new FileError(
      `The device has ${ids.join(", ")} already, and no key of an admin of this manifest is on this computer.`,
      'Run it where it was begun, or add another [[operator]] with role = "admin" to the manifest: provisioning is not over.',
    );
  }
  const { id } = operator;
  const key = await keys.make(instance, id);
  await client.operatorAdd({ ...operator, key });
  await open(client, { id, key }, instance);
  await keys.settle(instance, operator, key);
  return { id, key };
}

/** What to do before a key is told in a session of the setup code. @throws ProtocolError when it claims to be a device of settled keys */
export async function refuseKnown(keys: Pick<OperatorKeys, "knows">, instance: Uint8Array): Promise<void> {
  if (!(await keys.knows(instance))) return;
  throw new ProtocolError(
    `A board that proves nothing says that it is device ${Buffer.from(instance).toString("hex")}, and takes no key that is kept here for that one. It was told no key and no credential.`,
    "Is it the right board? Something on the line may be answering in its place.",
  );
}

function admins(manifest: Manifest): ManifestOperator[] {
  return manifest.operators.filter(({ role }) => role === Role.Admin);
}

/** Opens a session of an operator. Leaves the client as that operator. @throws ProtocolError when it is another device's */
export async function open(client: Client, operator: Operator, instance: Uint8Array): Promise<Info> {
  client.as(operator);
  const info = await client.info();
  if (Buffer.compare(info.instance, instance) === 0) return info;
  throw new ProtocolError("The device says that it is another one than before.", "Look at what is on the line.");
}

/** Whether the device takes a key, which a handshake does not tell it. Leaves the client as that operator. */
export async function takes(client: Client, operator: Operator, instance: Uint8Array): Promise<Info | undefined> {
  try {
    return await open(client, operator, instance);
  } catch (error) {
    if (error instanceof DeviceError && error.status === Status.HandshakeRefused) return undefined;
    throw error;
  }
}

/** Settles a key that waits, if the device takes it. @returns that key */
async function takeUp(
  client: Client,
  keys: OperatorKeys,
  instance: Uint8Array,
  operator: ManifestOperator,
): Promise<Uint8Array | undefined> {
  const { id } = operator;
  const key = await keys.waiting(instance, id);
  if (key === undefined) return undefined;
  const info = await takes(client, { id, key }, instance);
  if (info === undefined) return undefined;
  await keys.settle(instance, { id, role: info.role }, key);
  return key;
}

/** Adds the operators of the manifest that the device does not have. @throws FileError when one has another role there */
async function enrol(
  client: Client,
  manifest: Manifest,
  keys: OperatorKeys,
  instance: Uint8Array,
  admin: Operator,
): Promise<Enrolled[]> {
  const there = new Map((await client.operators()).operators.map((entry) => [entry.id, entry]));
  for (const { id, role } of manifest.operators) {
    const present = there.get(id)?.role ?? role;
    if (present !== role)
      throw new FileError(
        `The manifest makes ${id} ${ROLES.word(role)}; on the device it is ${ROLES.word(present)}.`,
        `Correct the manifest, or change the device: mbs operator role ${id} ${ROLES.word(role)}`,
      );
  }
  const enrolled: Enrolled[] = [];
  for (const operator of manifest.operators) {
    const { id } = operator;
    const isThere = there.has(id);
    const isKept =
      id === admin.id || ((await keys.get(instance, id)) ?? (await keys.waiting(instance, id))) !== undefined;
    if (!isThere) await client.operatorAdd({ ...operator, key: await keys.make(instance, id) });
    enrolled.push({ ...operator, standing: !isThere ? "added" : isKept ? "present" : "elsewhere" });
  }
  return enrolled;
}

function putCredential(client: Client, instance: Uint8Array, credential: Loaded): Promise<{ handle: Uint8Array }> {
  const { body, label, usage, tier } = credential;
  const request = {
    ...(label !== undefined && { label }),
    usage,
    tier,
    policy: makePolicy(credential),
    token: credentialToken(instance, credential),
  };
  return body === undefined ? client.generate(request) : client.put({ ...request, body });
}

/** The refusal of one credential, told about the run: the put changed nothing, the run may have.
 *  @param count credentials of the run before it; later ones may be there since an earlier run */
function explain(error: DeviceError, name: string, count: number, total: number): DeviceError {
  const reused = error.status === Status.TokenReused;
  const what = reused
    ? "the device already holds this credential with other content or attributes."
    : error.message.replace(` ${UNCHANGED}`, "");
  return new DeviceError(error.status, error.detail, {
    message: `${name}: ${what} At least ${count} of ${total} credentials are on the device now.`,
    hint: reused ? "Use `mbs replace`, or raise its `revision`." : error.hint,
  });
}
