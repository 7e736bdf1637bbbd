/** What native C costs on the same processor: bench/native/main.c over libraries that Debian 12 ships as source, compiled for the Cortex-M33 in the two
 *  ways of OPTIMISATIONS and run on the virtual board. They are downloaded by apt into build/native, with lists of its own, when their hashes are the ones below. */
import { execFileSync } from "node:child_process";
import { createCipheriv, createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { blake3 } from "@noble/hashes/blake3.js";
import { VirtualBoard } from "../../board/virtual/board.js";
import type { Cost } from "./cost.js";
import { LENGTHS, primitive } from "./crypto.js";

interface Package {
  /** As apt is asked for it. */
  apt: string;
  file: string;
  sha256: string;
  /** Folder with the sources in what the file unpacks to, folders for headers in it, and what is compiled of it. */
  folder: string;
  include: string[];
  sources: string[];
}

const PACKAGES: Package[] = [
  {
    apt: "source bearssl=0.6+dfsg.1-3",
    file: "bearssl_0.6+dfsg.1.orig.tar.xz",
    sha256: "102a625bd8f6155260867a50c508df8d8c3f796985dd744df1a68e5cd1a79004",
    folder: "bearssl-0.6",
    include: ["inc", "src"],
    sources: [
      ...["symcipher/chacha20_ct", "symcipher/poly1305_ctmul", "hash/sha2small", "hash/sha2big", "ec/ec_c25519_m31"],
      ...["codec/dec32be", "codec/enc32be", "codec/dec64be", "codec/enc64be", "codec/ccopy"],
    ].map((name) => `src/${name}.c`),
  },
  {
    apt: "source libsodium=1.0.18-1+deb12u1",
    file: "libsodium_1.0.18.orig.tar.gz",
    sha256: "d59323c6b712a1519a5daf710b68f5e7fde57040845ffec53850911f10a5d4f4",
    folder: "libsodium-1.0.18/src/libsodium",
    include: ["include", "include/sodium"],
    sources: [
      ...["aead/xchacha20poly1305/sodium/aead_xchacha20poly1305", "core/hchacha20/core_hchacha20"],
      ...["stream/chacha20/stream_chacha20", "stream/chacha20/ref/chacha20_ref"],
      ...["onetimeauth/poly1305/onetimeauth_poly1305", "onetimeauth/poly1305/donna/poly1305_donna"],
      ...["verify/sodium/verify", "hash/sha256/cp/hash_sha256_cp", "hash/sha512/cp/hash_sha512_cp"],
      ...["scalarmult/curve25519/scalarmult_curve25519", "scalarmult/curve25519/ref10/x25519_ref10"],
      ...["core/ed25519/ref10/ed25519_ref10", "sign/ed25519/ref10/keypair"],
      ...["sign/ed25519/ref10/sign", "sign/ed25519/ref10/open"],
    ]
      .map((name) => `crypto_${name}.c`)
      .concat("sodium/utils.c"),
  },
  {
    apt: "download librust-blake3-dev=1.3.1-1", // the crate's package has the C as well; portable, as there is no SIMD
    file: "librust-blake3-dev_1.3.1-1_amd64.deb",
    sha256: "48affb9072bf90eb2bd92f31c95d73d89117413112f367c2ab5c0425cbff2b76",
    folder: "usr/share/cargo/registry/blake3-1.3.1/c",
    include: ["."],
    sources: ["blake3.c", "blake3_portable.c", "blake3_dispatch.c"],
  },
];
const MIRROR = "http://deb.debian.org/debian bookworm main";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const CPU = ["-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=soft"];
/** The usual one, and that of the firmware's ahead-of-time code (scripts/build.mjs). */
const OPTIMISATIONS = ["-O2", "-O2 -fno-schedule-insns"];
const FLAGS = ["-std=gnu11", "-ffunction-sections", "-fdata-sections", "-DNDEBUG", "-DSODIUM_STATIC"];

/** The libraries cannot be had here. */
export class NoNative extends Error {}

/** Where the sources of a package are, after they were brought there. */
function unpacked(folder: string, { apt, file, sha256, folder: inside }: Package): string {
  const made = join(folder, "sources", inside);
  if (existsSync(made)) return made;
  if (!existsSync(join(folder, file))) download(folder, apt);
  const found = createHash("sha256")
    .update(readFileSync(join(folder, file)))
    .digest("hex");
  if (found !== sha256)
    throw new NoNative(`${file}: expected sha256 ${sha256}, came ${found}; delete build/native and try again`);
  mkdirSync(join(folder, "sources"), { recursive: true });
  const into = join(folder, "sources");
  const [program, ...args] = file.endsWith(".deb")
    ? ["dpkg-deb", "-x", join(folder, file), into]
    : ["tar", "-xf", join(folder, file), "-C", into];
  run(program!, args);
  return made;
}

/** apt with lists of its own: what this system has of them is neither asked nor changed. */
function download(folder: string, what: string): void {
  const list = join(folder, "sources.list");
  for (const path of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(
    list,
    ["deb", "deb-src"].map((kind) => `${kind} [arch=amd64 signed-by=${KEYRING}] ${MIRROR}\n`).join(""),
  );
  const options = {
    "Dir::Etc::sourcelist": list,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State::lists": join(folder, "lists"),
    "Dir::Cache": join(folder, "cache"),
    "Debug::NoLocking": "1",
    "APT::Update::Error-Mode": "any", // a list that did not come is a failure
    "APT::Sandbox::User": "root", // which may write here
    "APT::Architecture": "amd64", // of the one package that is not source: the same file everywhere
  };
  const apt = (...args: string[]) =>
    run(
      "apt-get",
      [...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]), "-q", ...args],
      folder,
    );
  apt("update");
  const [command, name] = what.split(" ");
  apt(...(command === "source" ? ["source", "--download-only"] : ["download"]), name!);
}

function run(program: string, args: string[], cwd?: string): void {
  try {
    execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer };
    const said = stderr === undefined ? "" : `: ${stderr.toString().trim().split("\n").at(-1)}`;
    throw new NoNative(`${program} ${args.at(-1)} failed${said}`, { cause: error });
  }
}

/** @returns path of the program for the virtual board @throws NoNative */
function build(root: string, optimisation: string): string {
  const folder = join(root, "build/native");
  const made = join(folder, "native.elf");
  mkdirSync(join(folder, "objects"), { recursive: true });
  const parts = PACKAGES.map((one) => ({ ...one, at: unpacked(folder, one) }));
  const headers = ({ at, include }: (typeof parts)[number], flag: string) =>
    include.map((path) => `${flag}${resolve(at, path)}`);
  const compile = (source: string, ...flags: string[]): string => {
    const object = join(folder, "objects", `${basename(source, ".c")}.o`);
    run("arm-none-eabi-gcc", [...CPU, ...optimisation.split(" "), ...FLAGS, ...flags, "-o", object, "-c", source]);
    return object;
  };
  const objects = parts.flatMap((part) =>
    part.sources.map((file) => compile(join(part.at, file), "-w", ...headers(part, "-I"))),
  );
  const all = parts.flatMap((part) => headers(part, "-isystem"));
  objects.push(compile(join(root, "bench/native/main.c"), "-Wall", "-Wextra", "-Werror", ...all));
  const link = ["-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments"];
  run("arm-none-eabi-gcc", [...CPU, ...link, "-T", join(root, "bench/native/native.ld"), ...objects, "-o", made]);
  return made;
}

/** As bench/native/main.c numbers them. */
const OPERATIONS = [
  ...["nothing", "libsodium seal", "libsodium open", "libsodium sha256", "libsodium sha512", "libsodium x25519"],
  ...[
    "libsodium x25519, base point",
    "libsodium ed25519 public key",
    "libsodium ed25519 sign",
    "libsodium ed25519 verify",
  ],
  ...[
    "BearSSL seal",
    "BearSSL open",
    "BearSSL sha256",
    "BearSSL sha512",
    "BearSSL x25519",
    "BearSSL x25519, base point",
  ],
  "BLAKE3 blake3",
];
/** Of the mailbox: struct in bench/native/main.c. */
const MAILBOX = {
  operation: 0,
  length: 4,
  done: 8,
  key: 12,
  nonce: 44,
  aad: 68,
  point: 164,
  signing: 196,
  result: 260,
  data: 324,
};
const [KEY, NONCE, AAD, POINT] = [32, 24, 96, 32].map((size, i) => Buffer.alloc(size, i + 1)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];
POINT.fill(0).writeUInt8(9);
const CURVE_LENGTH = 64; // of what is signed

/** What an operation leaves, as others compute it. */
interface Outcome {
  result: Uint8Array;
  data?: Uint8Array;
}

const hash = (name: string, data: Buffer): Outcome => ({ result: createHash(name).update(data).digest() });
const pkcs8 = (oid: string, secret: Buffer) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from(`302e020100300506032b65${oid}04220420`, "hex"), secret]),
    format: "der",
    type: "pkcs8",
  });
const publicOf = (oid: string, secret: Buffer): Buffer =>
  createPublicKey(pkcs8(oid, secret)).export({ format: "der", type: "spki" }).subarray(-32);
const [X25519, ED25519] = ["6e", "70"] as const;

/** @param data before the operation */
const EXPECTED: Record<string, (data: Buffer) => Outcome> = {
  "libsodium seal": (data) => split(xchacha20poly1305(KEY, NONCE, AAD).encrypt(data)),
  "BearSSL seal": (data) => {
    const cipher = createCipheriv("chacha20-poly1305", KEY, NONCE.subarray(0, 12), { authTagLength: 16 });
    cipher.setAAD(AAD, { plaintextLength: data.length });
    return { data: Buffer.concat([cipher.update(data), cipher.final()]), result: cipher.getAuthTag() };
  },
  "libsodium sha256": (data) => hash("sha256", data),
  "BearSSL sha256": (data) => hash("sha256", data),
  "libsodium sha512": (data) => hash("sha512", data),
  "BearSSL sha512": (data) => hash("sha512", data),
  "BLAKE3 blake3": (data) => ({ result: blake3(data) }),
  ...Object.fromEntries(
    ["libsodium x25519", "BearSSL x25519", "libsodium x25519, base point", "BearSSL x25519, base point"].map((name) => [
      name,
      () => ({ result: publicOf(X25519, KEY) }), // the point is the base point
    ]),
  ),
  "libsodium ed25519 public key": () => ({ result: publicOf(ED25519, KEY) }),
  "libsodium ed25519 sign": (data) => ({ result: sign(null, data, pkcs8(ED25519, KEY)) }),
};

function split(sealed: Uint8Array): Outcome {
  return { data: sealed.subarray(0, -16), result: sealed.subarray(-16) };
}

/** A library's figure for one row of the bench. */
export interface NativeCost extends Cost {
  library: string;
  /** How gcc was told to optimise it. */
  optimisation: string;
  /** Does less than the core does, so that it is told and not compared. */
  isLess?: boolean;
}

/** Everything that the libraries have. BearSSL has ChaCha20 with a short nonce only. Each result is compared with node:crypto's or @noble's. @throws NoNative where they cannot be had */
export function measureNative(root: string): NativeCost[] {
  return OPTIMISATIONS.flatMap((one) => measureBuilt(build(root, one)).map((cost) => ({ ...cost, optimisation: one })));
}

function measureBuilt(elf: string): Omit<NativeCost, "optimisation">[] {
  const board = VirtualBoard.create({ elf, seed: 1 });
  const at = board.elf.symbol("mailbox")!.address;
  const request = (name: string, length: number): number => {
    const words = Buffer.alloc(12);
    words.writeUInt32LE(OPERATIONS.indexOf(name), 0);
    words.writeUInt32LE(length, 4);
    board.poke(at, words);
    const before = board.instructions;
    board.run();
    const count = board.instructions - before;
    if (board.peek(at + MAILBOX.done, 4)!.readUInt32LE() !== 1)
      throw new Error(`native ${name} of ${length} bytes failed`);
    return count;
  };
  try {
    board.powerOn();
    board.run();
    const put = (place: keyof typeof MAILBOX, bytes: Uint8Array) => board.poke(at + MAILBOX[place], bytes);
    put("key", KEY);
    put("nonce", NONCE);
    put("aad", AAD);
    put("point", POINT);
    const nothing = request("nothing", 0);
    const measure = (name: string, length: number): number => {
      const expected = EXPECTED[name];
      const data = Buffer.alloc(length, 0x5a);
      if (expected !== undefined) put("data", data); // else an open or a verify, of what the operation before left
      const count = request(name, length) - nothing;
      const outcome = expected?.(data) ?? { result: new Uint8Array(0), data };
      const same = (place: "result" | "data", bytes: Uint8Array) =>
        board.peek(at + MAILBOX[place], bytes.length)!.equals(bytes);
      if (!same("result", outcome.result) || (outcome.data !== undefined && !same("data", outcome.data)))
        throw new Error(`native ${name} of ${length} bytes has another result than node:crypto or @noble`);
      return count;
    };
    return OPERATIONS.slice(1).flatMap((which) => {
      const library = which.split(" ")[0]!;
      const operation = which.slice(library.length + 1);
      const isCurve = operation.includes("25519");
      return (isCurve ? [CURVE_LENGTH] : LENGTHS).map((length): Omit<NativeCost, "optimisation"> => {
        if (operation === "open") measure(`${library} seal`, length);
        const instructions = measure(which, length);
        if (library === "BearSSL" && !isCurve && !operation.startsWith("sha"))
          return {
            library,
            group: "primitives",
            name: `${primitive(operation as "seal", length)}, without HChaCha20`,
            instructions,
            bytes: length,
            isLess: true,
          };
        return isCurve
          ? { library, group: "curves", name: operation, instructions }
          : { library, group: "primitives", name: primitive(operation as "seal", length), instructions, bytes: length };
      });
    });
  } finally {
    board.close();
  }
}

/** Of each row the quickest library's, in its quickest form. */
export function quickest(costs: readonly NativeCost[]): NativeCost[] {
  const best = new Map<string, NativeCost>();
  for (const cost of costs.filter(({ isLess }) => isLess !== true))
    if (cost.instructions < (best.get(cost.name)?.instructions ?? Number.POSITIVE_INFINITY)) best.set(cost.name, cost);
  return [...best.values()];
}

/** What they are, for the result. */
export const LIBRARIES = PACKAGES.map(({ apt, sha256 }) => ({ package: apt.split(" ")[1]!.replace("=", " "), sha256 }));
