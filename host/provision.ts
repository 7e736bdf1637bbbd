/** Provisioning: makes the root, lays out the slots, puts every credential of a manifest, finishes. Runs again after any interruption.
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
import { TOKEN_SIZE, type Usage } from "../firmware/defs/record.js";
import { Status } from "../firmware/defs/status.js";
import { State } from "../firmware/defs/wire.js";
import type { Entry } from "./client/answers.js";
import type { Client } from "./client/client.js";
import { DeviceError, FileError, ProtocolError } from "./client/errors.js";
import type { Geometry } from "./client/requests.js";
import { UNCHANGED } from "./client/status-text.js";
import { readCredential } from "./credentials/detect.js";
import type { Passphrase } from "./credentials/format.js";
import { capacity, type Manifest, type ManifestCredential } from "./manifest.js";
import { makePolicy } from "./names.js";
import { encodeParts } from "./record.js";

/** A credential whose files were read. */
export interface Loaded extends ManifestCredential {
  body: Uint8Array;
  usage: Usage;
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
    const passphrase: Passphrase =
      passphraseFile === undefined ? ask : async () => firstLine(await open(passphraseFile));
    const sources = await Promise.all(credential.files.map(async (name) => ({ name, bytes: await open(name) })));
    const { parts, usage } = await readCredential(sources, credential.format, passphrase);
    loaded.push({ ...credential, body: encodeParts(parts), usage: credential.usage ?? usage });
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
  return credentials.map((credential) => {
    const present = unclaimed.find((entry) => looksLike(entry, credential));
    if (present !== undefined) {
      unclaimed.splice(unclaimed.indexOf(present), 1);
      return { credential, slotClass: present.slotClass, present };
    }
    const size = UNIT + Buffer.byteLength(credential.label ?? "") + credential.body.length;
    const fits = bySize.filter(({ slotSize }) => slotSize >= size);
    if (fits.length === 0)
      throw new FileError(
        `${credential.name} needs a slot of ${size} bytes; the largest has ${bySize.at(-1)?.slotSize}.`,
        "Add a [[class]] with larger slots.",
      );
    const chosen = fits.find(({ slotClass }) => left[slotClass]! > 0);
    if (chosen === undefined)
      throw new FileError(
        `There is no room for ${credential.name} (${size} bytes).`,
        "Give a [[class]] more blocks or slots.",
      );
    left[chosen.slotClass]!--;
    return { credential, slotClass: chosen.slotClass };
  });
}

/** Whether a record may be the credential: a device does not tell tokens, so the label decides, and without one usage and length. */
function looksLike(entry: Entry, credential: Loaded): boolean {
  if (entry.label !== credential.label) return false;
  return entry.label !== undefined || (entry.usage === credential.usage && entry.length === credential.body.length);
}

/** What `provision` would do now, without doing it. @throws DeviceError, FileError as it would */
export async function dryRun(
  client: Client,
  manifest: Manifest,
  credentials: readonly Loaded[],
): Promise<{ state: State; planned: Planned[] }> {
  const { state, store } = await client.info();
  if (state === State.Blank) return { state, planned: planBlank(manifest, credentials) };
  const entries = await client.list(); // a damaged device refuses here
  if (store === undefined) throw new ProtocolError("The device lists records, and info knows no store.");
  checkManifest(state, store.manifest, manifest);
  const free = store.classes.map((one) => one.capacity - one.live);
  return { state, planned: planCredentials(credentials, store.classes, free, entries) };
}

function planBlank(manifest: Manifest, credentials: readonly Loaded[]): Planned[] {
  return planCredentials(credentials, manifest.classes, manifest.classes.map(capacity), []);
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
  progress: (done: Done, count: number) => void = () => {},
): Promise<{ instance: Uint8Array; done: Done[] }> {
  const before = await client.info();
  if (before.store === undefined) planBlank(manifest, credentials);
  else checkManifest(before.state, before.store.manifest, manifest);
  const { instance } =
    before.state === State.Ready ? before : await client.provisionBegin(manifestDigest(manifest), manifest.classes);
  const known = new Set((await client.list()).map(({ handle }) => Buffer.from(handle).toString("hex")));
  const done: Done[] = [];
  for (const credential of credentials) {
    const { handle } = await putCredential(client, instance, credential).catch((error) => {
      throw error instanceof DeviceError ? explain(error, credential.name, done.length, credentials.length) : error;
    });
    done.push({ credential, handle, isNew: !known.has(Buffer.from(handle).toString("hex")) });
    progress(done.at(-1)!, done.length);
  }
  if (before.state !== State.Ready) await client.provisionFinish();
  return { instance, done };
}

async function putCredential(
  client: Client,
  instance: Uint8Array,
  credential: Loaded,
): Promise<{ handle: Uint8Array }> {
  const { body, label, usage, tier } = credential;
  return client.put({
    body,
    ...(label !== undefined && { label }),
    usage,
    tier,
    policy: makePolicy(credential),
    token: credentialToken(instance, credential),
  });
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
