/** Flash contents that outlive the process: code flash from some address on, data flash, what is known of each unit, unique id. The
 *  firmware is in it when it was flashed through the probe; otherwise it comes from the ELF. Little-endian: header, the two media,
 *  SHA-256 of everything before it. */
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { NorImage } from "./nor.js";

export interface FlashImage {
  /** 16 bytes. */
  uniqueId: Buffer;
  /** SHA-256 of the firmware that ran last. */
  firmware: Buffer;
  /** Where in code flash `code` begins: 0 when firmware was flashed. */
  from: number;
  code: NorImage;
  data: NorImage;
}

/** Size of one medium that a file must have been written for. */
export interface MediumShape {
  bytes: number;
  units: number;
  blocks: number;
}

/** The file is not one that this version can use. It is left as it is. */
export class BadFlashFile extends Error {
  override name = "BadFlashFile";
}

const MAGIC = "MBSFLASH";
/** Raised when the layout changes; older ones are read. */
const VERSION = 2;
const OFF_VERSION = 8;
const OFF_CODE = 12;
const OFF_DATA = 16;
const OFF_UID = 20;
const OFF_FIRMWARE = 36;
const OFF_FROM = 68;
const HEADER = 72;
/** Version 1 held the slot region alone. */
const V1_HEADER = 68;
const V1_FROM = 0x00100000;
const UID = 16;
const DIGEST = 32;
/** Stands for "fresh noise" where cells in flight have no bytes to become. */
const NO_BYTES = 0xffffffff;

/** Takes a flash file for this process alone. @returns what gives it back. @throws BadFlashFile when another board has it */
export function lockFlash(path: string): () => void {
  const lock = `${path}.lock`;
  for (;;) {
    try {
      writeFileSync(lock, `${process.pid}\n`, { flag: "wx", mode: 0o600 });
      return () => rmSync(lock, { force: true });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "EEXIST")
        throw new BadFlashFile(`Cannot write beside ${path}: ${message}. The board was not started`);
      const holder = Number.parseInt(readFileSync(lock, "utf8"), 10);
      if (isRunning(holder))
        throw new BadFlashFile(
          `${path} is in use by the board with pid ${holder}; quit that one, or name another file`,
        );
      rmSync(lock, { force: true }); // left behind by a board that was killed
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Reads a flash file.
 *  @param code shape of the code flash from an address on; undefined: no file begins there
 *  @returns undefined when there is none yet @throws BadFlashFile */
export function loadFlash(
  path: string,
  code: (from: number) => MediumShape | undefined,
  data: MediumShape,
): FlashImage | undefined {
  if (!existsSync(path)) return undefined;
  if (!statSync(path).isFile()) throw new BadFlashFile(`${path} is not a file. It was not changed; name another one`);
  const file = readFileSync(path);
  const refuse = (what: string): never => {
    throw new BadFlashFile(`${path} is no flash file for this board: ${what}. It was not changed; name another file`);
  };
  if (file.length < V1_HEADER + DIGEST || file.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    refuse(`it does not start with ${MAGIC}`);
  }
  const version = file.readUInt32LE(OFF_VERSION);
  if (version !== VERSION && version !== 1) refuse(`it has version ${version}, expected ${VERSION} or 1`);
  const header = version === 1 ? V1_HEADER : HEADER;
  const from = version === 1 ? V1_FROM : file.readUInt32LE(OFF_FROM);
  const shape = code(from) ?? refuse(`its code flash begins at 0x${from.toString(16)}`);
  const sizes = [file.readUInt32LE(OFF_CODE), file.readUInt32LE(OFF_DATA)];
  if (sizes[0] !== shape.bytes || sizes[1] !== data.bytes) {
    refuse(`it holds ${sizes[0]} + ${sizes[1]} bytes of flash, expected ${shape.bytes} + ${data.bytes}`);
  }
  const body = file.subarray(0, file.length - DIGEST);
  if (
    !createHash("sha256")
      .update(body)
      .digest()
      .equals(file.subarray(file.length - DIGEST))
  ) {
    refuse("its checksum is wrong: it was cut short or changed");
  }
  const reader = new Reader(body, header);
  const image = {
    uniqueId: Buffer.from(body.subarray(OFF_UID, OFF_UID + UID)),
    firmware: Buffer.from(body.subarray(OFF_FIRMWARE, OFF_FIRMWARE + DIGEST)),
    from,
    code: reader.medium(shape),
    data: reader.medium(data),
  };
  if (!reader.atEnd) refuse("it has bytes behind its end");
  return image;
}

/** Writes a flash file through a temporary one, so that a crash leaves the old or the new. */
export function saveFlash(path: string, image: FlashImage): void {
  const header = Buffer.alloc(HEADER);
  header.write(MAGIC, "latin1");
  header.writeUInt32LE(VERSION, OFF_VERSION);
  header.writeUInt32LE(image.code.bytes.length, OFF_CODE);
  header.writeUInt32LE(image.data.bytes.length, OFF_DATA);
  image.uniqueId.copy(header, OFF_UID);
  image.firmware.copy(header, OFF_FIRMWARE);
  header.writeUInt32LE(image.from, OFF_FROM);
  const body = Buffer.concat([header, ...mediumParts(image.code), ...mediumParts(image.data)]);
  const digest = createHash("sha256").update(body).digest();
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    const fd = openSync(temporary, "wx", 0o600);
    try {
      writeSync(fd, body);
      writeSync(fd, digest);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** bytes, states, unreadable flags, counts of each block, then the cells in flight. */
function mediumParts(image: NorImage): Buffer[] {
  const parts = [image.bytes, Buffer.from(image.states), Buffer.from(image.unreadable)];
  parts.push(words(image.erases), words(image.programs), words([image.inFlight.length]));
  for (const { offset, before, after } of image.inFlight) {
    parts.push(
      words([offset, before.length, after?.length ?? NO_BYTES]),
      Buffer.from(before),
      Buffer.from(after ?? []),
    );
  }
  return parts;
}

function words(values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    buffer.writeUInt32LE(value, i * 4);
  });
  return buffer;
}

/** The checksum has vouched for the bytes, so running past the end is a defect of the writer and throws by itself. */
class Reader {
  constructor(
    private readonly data: Buffer,
    private at: number,
  ) {}

  get atEnd(): boolean {
    return this.at === this.data.length;
  }

  medium(shape: MediumShape): NorImage {
    return {
      bytes: this.#take(shape.bytes),
      states: Uint8Array.from(this.#take(shape.units)),
      unreadable: Uint8Array.from(this.#take(shape.units)),
      erases: this.#words(shape.blocks),
      programs: this.#words(shape.blocks),
      inFlight: Array.from({ length: this.#words(1)[0]! }, () => {
        const [offset, before, after] = this.#words(3);
        return {
          offset: offset!,
          before: Uint8Array.from(this.#take(before!)),
          after: after === NO_BYTES ? undefined : Uint8Array.from(this.#take(after!)),
        };
      }),
    };
  }

  #take(length: number): Buffer {
    if (this.at + length > this.data.length) throw new BadFlashFile("a flash file with a good checksum ends too early");
    this.at += length;
    return Buffer.from(this.data.subarray(this.at - length, this.at));
  }

  #words(count: number): number[] {
    const bytes = this.#take(count * 4);
    return Array.from({ length: count }, (_, i) => bytes.readUInt32LE(i * 4));
  }
}
