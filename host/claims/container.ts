/** A file under a password, the configuration's or its own: AES-256-GCM with a key of its own for every write. SPEC.md: the container.
 *  The slow derivation depends on the salt alone, which stays with a file as long as its password does: a program pays it once. Key and
 *  nonce of a write come from its 32 random bytes, so that none is ever used twice. What is wrong is told apart: a checksum finds damage
 *  of the header, a MAC the wrong password, the tag damage of the content. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { FileError } from "../client/errors.js";

const MAGIC = Buffer.from("mbsc");
const VERSION = 1; // raised when a byte changes its meaning
export const SALT_SIZE = 16;
const RANDOM_SIZE = 32;
const CHECK_SIZE = 16;
const SUM_SIZE = 8;
const TAG_SIZE = 16;
// header: magic, version, kind, two zeros, salt, random bytes, length of the content, check, sum
const OFF_VERSION = 4;
const OFF_KIND = 5;
const OFF_SALT = 8;
const OFF_RANDOM = OFF_SALT + SALT_SIZE;
const OFF_LENGTH = OFF_RANDOM + RANDOM_SIZE; // u32 LE
const OFF_CHECK = OFF_LENGTH + 4;
const OFF_SUM = OFF_CHECK + CHECK_SIZE;
export const HEADER_SIZE = OFF_SUM + SUM_SIZE;
/** Bytes of a container beyond its content. */
export const CONTAINER_EXTRA = HEADER_SIZE + TAG_SIZE;
const INFO = "mbs 2026 container";

/** What a container holds, so that one is not taken for another. */
export enum Kind {
  ClaimCache = 1,
  Filekey = 2,
}

/** Under which password what stands, and what to do when it is another one, or the file is damaged. */
const ABOUT: Readonly<Record<Kind, { password: string; other: string; damaged: string }>> = {
  [Kind.ClaimCache]: {
    password: "another configuration password",
    other: "Set MBS_CONFIG_PASSWORD to the password that it was made with, or unset it to use the system keyring.",
    damaged: "Put it away and import the filekeys again; never use an old copy of it, which would use positions twice.",
  },
  [Kind.Filekey]: {
    password: "another password",
    other: "Give the password that was asked for when it was exported.",
    damaged: "Take another copy of it, or export the filekey again: mbs filekey export.",
  },
};

/** Gives the 32 bytes that a password and a salt come to; they are not wiped by who asked. */
export type Derive = (salt: Uint8Array) => Promise<Uint8Array>;

/** Why a container was not opened. */
export class ContainerError extends FileError {
  constructor(
    readonly reason: "password" | "damaged" | "version",
    message: string,
    hint: string,
  ) {
    super(message, hint);
  }
}

/** Seals content. @param salt SALT_SIZE bytes: those of the file that is replaced, or random ones for a new file */
export async function seal(kind: Kind, content: Uint8Array, salt: Uint8Array, derive: Derive): Promise<Buffer> {
  const header = Buffer.alloc(HEADER_SIZE);
  MAGIC.copy(header);
  header[OFF_VERSION] = VERSION;
  header[OFF_KIND] = kind;
  header.set(salt, OFF_SALT);
  header.set(randomBytes(RANDOM_SIZE), OFF_RANDOM);
  header.writeUInt32LE(content.length, OFF_LENGTH);
  const keys = writeKeys(await derive(salt), header);
  try {
    header.set(check(keys.check, header), OFF_CHECK);
    header.set(sum(header), OFF_SUM);
    const cipher = createCipheriv("aes-256-gcm", keys.key, keys.nonce).setAAD(header);
    return Buffer.concat([header, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
  } finally {
    keys.wipe();
  }
}

/** The salt of a container. @param file its name, for errors. @throws ContainerError */
export function saltOf(kind: Kind, bytes: Uint8Array, file: string): Uint8Array {
  const damaged = (what: string) => damagedError(kind, file, what);
  if (bytes.length < CONTAINER_EXTRA || !MAGIC.equals(bytes.subarray(0, MAGIC.length)))
    throw damaged("it does not begin as a container of mbs does");
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, HEADER_SIZE);
  if (header[OFF_VERSION]! > VERSION)
    throw new ContainerError(
      "version",
      `${file} was written by a newer mbs (format ${header[OFF_VERSION]}). It was not changed.`,
      "Use that mbs, or a newer one.",
    );
  if (!sum(header).equals(header.subarray(OFF_SUM))) throw damaged("its header does not fit its checksum");
  if (header[OFF_VERSION] !== VERSION || header.readUInt16LE(OFF_KIND + 1) !== 0)
    throw damaged("its header has no such form");
  if (header[OFF_KIND] !== kind) throw damaged("it is a container of something else");
  if (header.readUInt32LE(OFF_LENGTH) !== bytes.length - CONTAINER_EXTRA)
    throw damaged("its length is not what its header says");
  return header.subarray(OFF_SALT, OFF_RANDOM);
}

/** Opens a container. @param file its name, for errors. @returns the content, which the caller is to wipe. @throws ContainerError */
export async function open(kind: Kind, bytes: Uint8Array, derive: Derive, file: string): Promise<Buffer> {
  const salt = saltOf(kind, bytes, file);
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, HEADER_SIZE);
  const keys = writeKeys(await derive(salt), header);
  try {
    if (!timingSafeEqual(check(keys.check, header), header.subarray(OFF_CHECK, OFF_SUM)))
      throw new ContainerError(
        "password",
        `${file} is under ${ABOUT[kind].password}. It was not changed.`,
        ABOUT[kind].other,
      );
    const decipher = createDecipheriv("aes-256-gcm", keys.key, keys.nonce).setAAD(header);
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_SIZE));
    const content = decipher.update(bytes.subarray(HEADER_SIZE, bytes.length - TAG_SIZE));
    try {
      decipher.final();
    } catch {
      content.fill(0);
      throw damagedError(kind, file, "its content does not fit its tag");
    }
    return content;
  } finally {
    keys.wipe();
  }
}

function damagedError(kind: Kind, file: string, what: string): ContainerError {
  return new ContainerError("damaged", `${file} is damaged: ${what}. It was not changed.`, ABOUT[kind].damaged);
}

/** AES key, nonce and check key of one write, from its random bytes. */
function writeKeys(master: Uint8Array, header: Buffer) {
  const made = Buffer.from(hkdfSync("sha256", master, header.subarray(OFF_RANDOM, OFF_LENGTH), INFO, 32 + 12 + 32));
  return {
    key: made.subarray(0, 32),
    nonce: made.subarray(32, 44),
    check: made.subarray(44),
    wipe: () => void made.fill(0),
  };
}

function check(key: Uint8Array, header: Buffer): Buffer {
  return createHmac("sha256", key).update(header.subarray(0, OFF_CHECK)).digest().subarray(0, CHECK_SIZE);
}

function sum(header: Buffer): Buffer {
  return createHash("sha256").update(header.subarray(0, OFF_SUM)).digest().subarray(0, SUM_SIZE);
}
