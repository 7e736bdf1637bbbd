/** mbs image build and inspect: what a manifest becomes, and that a board with the core makes of it what the manifest says. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FACTS_OFF_UID } from "../../firmware/defs/boundary.js";
import { CUSTODY_OFF_ROOT } from "../../firmware/defs/custody.js";
import { IMAGE_ADDRESS } from "../../firmware/defs/image.js";
import { UNIT } from "../../firmware/defs/medium.js";
import { Origin } from "../../firmware/defs/record.js";
import { HEADER_OFF_NONCE } from "../../firmware/defs/slot.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { bytesAt, readFlashFile } from "../../host/flash/file.js";
import type { Segment } from "../../host/flash/hex.js";
import { DATA, SLOTS } from "../../host/flash/map.js";
import { boardTag } from "../../host/image/inspect.js";
import { FileStore } from "../../host/keys/file.js";
import { credential, TOKEN, writeManifests } from "../cli/manifests.js";
import { runMbs } from "../cli/run.js";
import { V8Device } from "../device/v8.js";
import { workDirectory } from "../host/keys.js";
import * as help from "../store/help.js";
import { Bench, repeat, seed } from "../targets.js";
import * as image from "./help.js";

console.log(`images of manifests: ${repeat}`);
const directory = workDirectory();
const config = join(directory, "config");
mkdirSync(config, { mode: 0o700 });
const path = (name: string) => join(directory, name);
const mbs = (...argv: string[]) => runMbs(argv, { MBS_CONFIG_DIR: config, MBS_KEYS: "file" });
const { plain, making } = writeManifests(directory);
writeFileSync(path("large"), "x".repeat(3500));

function manifest(name: string, text: string): string {
  writeFileSync(path(name), `[instance]\nname = "images"\n${text}`);
  return path(name);
}

/** A blank board, and a file with its transport key. */
function board(n = 0): { target: Bench<V8Device>; key: string } {
  const target = new Bench(new V8Device(seed + n));
  target.device.board.facts.write(`unique id ${n}     `, FACTS_OFF_UID, "ascii");
  target.boot();
  const { uniqueId, publicKey } = image.transportKey(target);
  const key = path(`board${n}.pub`);
  writeFileSync(key, `mbs-board-v1 ${hex(uniqueId)} ${hex(publicKey)}\n`);
  return { target, key };
}
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const uidOf = ({ device }: Bench<V8Device>) => hex(device.board.facts.subarray(FACTS_OFF_UID, FACTS_OFF_UID + 16));

/** Puts what a file has beside the firmware on a board, as a programmer does. */
async function flash({ device }: Bench<V8Device>, file: string): Promise<void> {
  const { segments } = await readFlashFile(file);
  const place = (nor: typeof device.slots, start: number, unit: number) => {
    for (const { address, bytes } of segments.filter((one) => one.address >= start && one.address < start + nor.size)) {
      const units = Buffer.alloc(Math.ceil(bytes.length / unit) * unit, 0xff);
      units.set(bytes);
      nor.preload(address - start, units);
    }
  };
  for (const nor of [device.slots, device.data]) if (segments.some(inStore)) nor.preloadErased(0, nor.size);
  place(device.image, IMAGE_ADDRESS, UNIT);
  place(device.slots, SLOTS.start, UNIT);
  place(device.data, DATA.start, 4);
}
const inStore = ({ address }: Segment) => address >= SLOTS.start;

const entries = (target: Bench) => target.ask(Command.List).get(Key.Entries) as Message[];
const labels = (target: Bench) => entries(target).map((entry) => entry.get(Key.Label));

describe("mbs image build --for", () => {
  it("makes a file that this board alone turns into the store of the manifest; keys of its operators are kept here", async () => {
    const { target, key } = board(1);
    const { exitCode, out, err } = await mbs(
      "image",
      "build",
      making,
      "--for",
      key,
      "-o",
      path("device.hex"),
      "--json",
    );
    expect([exitCode, err.includes("SECRET")]).toEqual([0, false]);
    const told = JSON.parse(out);
    expect(told).toMatchObject({ warning: null, kind: "sealed", sealed: { uniqueId: uidOf(target), items: 6 } });
    expect(told.sealed.bytes).toBe(readFileSync(path("device.image.bin")).length);
    await flash(target, path("device.hex"));
    image.open(target);
    expect(image.standing(target)).toEqual(image.DONE);
    expect(labels(target)).toEqual(["api/token", "ssh/deploy"]);
    expect(entries(target).map((entry) => Origin[entry.get(Key.Origin) as number])).toEqual(["Imported", "Generated"]);
    expect(hex(target.ask(Command.Info).get(Key.Instance) as Uint8Array)).toBe(told.sealed.instance);
    const instance = Buffer.from(told.sealed.instance, "hex");
    for (const id of ["admin", "user"]) {
      const kept = await new FileStore(config).get(instance, id);
      expect(Status[target.admit(id, kept!)]).toBe("Ok");
    }
    target.close();
  });

  it("leaves nothing in its files that is in the credentials", async () => {
    const { target, key } = board(2);
    await mbs("image", "build", plain, "--for", key, "-o", path("quiet.hex"));
    for (const name of ["quiet.hex", "quiet.image.bin", "quiet.json"]) {
      const bytes = readFileSync(path(name));
      expect(bytes.includes(TOKEN.slice(2, 12))).toBe(false);
      expect(bytes.includes(Buffer.from(TOKEN).toString("hex").slice(4, 24).toUpperCase())).toBe(false);
    }
    target.close();
  });

  it("refuses what would not fit, before anything is written, and says how many slots of which class are missing", async () => {
    const { target, key } = board(3);
    const many = Array.from({ length: 9 }, (_, i) => credential(`large/${i}`, 'file = "large"\nformat = "raw"')).join(
      "",
    );
    const small = manifest(
      "small.toml",
      `[[class]]\nsize = "16K"\nblocks = 2\n[[class]]\nsize = "4K"\nblocks = 2\n${many}`,
    );
    const { exitCode, err } = await mbs("image", "build", small, "--for", key, "-o", path("small.hex"));
    expect(exitCode).not.toBe(0);
    expect(err).toContain("Missing: 1 slot of class 1 (4096 bytes), for large/8.");
    const huge = Array.from({ length: 230 }, (_, i) => credential(`large/${i}`, 'file = "large"\nformat = "raw"')).join(
      "",
    );
    const told = await mbs("image", "build", manifest("huge.toml", huge), "--for", key, "-o", path("huge.hex"));
    expect(told.err).toMatch(/The image needs \d+ bytes, and the board has room for 786432/);
    expect(() => statSync(path("small.hex"))).toThrow();
    target.close();
  });

  it.each([
    ["no board", [], /Which board is it for\?/],
    ["a seed", ["--insecure-seed", "7", "--for", "board.pub"], /go with --custody injected/],
    ["a key that is none", ["--for", "token"], /is not the transport key of a board/],
    ["a board that is not there", ["--for", "nowhere.pub"], /Cannot read/],
  ])("refuses %s", async (_what, options, why) => {
    const argv = options.map((one) => (one.includes(".pub") || one === "token" ? path(one) : one));
    const { exitCode, err } = await mbs("image", "build", plain, "-o", path("refused.hex"), ...argv);
    expect(exitCode).not.toBe(0);
    expect(err).toMatch(why);
    expect(() => statSync(path("refused.hex"))).toThrow();
  });
});

describe("mbs image build --elf", () => {
  const elf = new URL("../../build/ek-ra6m5.elf", import.meta.url).pathname;
  /** The firmware with another descriptor. @param change is given its bytes */
  function other(name: string, change: (descriptor: Buffer) => void): string {
    const bytes = readFileSync(elf);
    change(bytes.subarray(bytes.indexOf("MBSF\x01")));
    writeFileSync(path(name), bytes);
    return path(name);
  }
  const build = (firmware: string, name: string) =>
    mbs("image", "build", plain, "--custody", "injected", "-o", path(name), "--elf", firmware);

  it("refuses a firmware that keeps another format, and says both", async () => {
    const firmware = other("format.elf", (descriptor) => {
      descriptor[5] = 9;
    });
    const { exitCode, err } = await build(firmware, "format.SECRET.hex");
    expect([exitCode === 0, err]).toEqual([
      false,
      expect.stringContaining("format version 9; what is made here has version 1"),
    ]);
    expect(() => statSync(path("format.SECRET.hex"))).toThrow();
  });

  it("warns of one that runs another core than what the credentials were tried out with", async () => {
    const firmware = other("core.elf", (descriptor) => descriptor.fill(0xab, 8, 40));
    const { exitCode, err } = await build(firmware, "core.SECRET.hex");
    expect([exitCode, err]).toEqual([0, expect.stringContaining(`runs core ${"ab".repeat(32)}`)]);
  });
});

describe("mbs image build --custody injected", () => {
  const build = (name: string, ...more: string[]) =>
    mbs("image", "build", plain, "--custody", "injected", "-o", path(name), "--force", ...more);

  it("makes a whole store, a file that says that it is a secret and that only its owner may read; a board with it says injected", async () => {
    const { exitCode, err } = await build("store.SECRET.hex");
    expect([exitCode, err.includes("THIS FILE IS A SECRET")]).toEqual([0, true]);
    for (const name of ["store.SECRET.hex", "store.SECRET.data.bin", "store.SECRET.slots.bin", "store.SECRET.json"])
      expect(statSync(path(name)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(path("store.SECRET.json"), "utf8")).warning).toContain("SECRET");
    const { target } = board(4);
    await flash(target, path("store.SECRET.hex"));
    target.boot();
    const info = target.ask(Command.Info);
    expect([info.get(Key.State), info.get(Key.Custody)]).toEqual([State.Ready, 2]);
    expect(labels(target)).toEqual(["api/token"]);
    target.close();
  });

  it("names one board when it is told to, and another one does not mount it until it is reset", async () => {
    const { target } = board(5);
    await build("bound.SECRET.hex", "--board", uidOf(target));
    const shown = JSON.parse((await mbs("image", "inspect", path("bound.SECRET.hex"), "--json")).out);
    expect(shown.store.board).toBe(hex(boardTag(Buffer.from(uidOf(target), "hex"))));
    const { target: other } = board(6);
    for (const one of [target, other]) {
      await flash(one, path("bound.SECRET.hex"));
      one.boot();
    }
    expect(target.ask(Command.Hello).get(Key.State)).toBe(State.Ready);
    expect(other.ask(Command.Hello).get(Key.State)).toBe(State.OtherBoard);
    expect(help.says(other.ask(Command.List))).toBe("OtherBoard");
    expect(help.says(other.ask(Command.Reset))).toBe("Ok");
    expect(other.ask(Command.Hello).get(Key.State)).toBe(State.Blank);
    for (const one of [target, other]) one.close();
  });

  it("repeats no nonce when it is restored: what a board writes after that is under another one each time", async () => {
    await build("again.SECRET.hex");
    const nonces = [7, 8].map((n) => async () => {
      const { target } = board(n);
      await flash(target, path("again.SECRET.hex"));
      target.boot();
      const before = Buffer.from(target.device.slots.bytes);
      expect(help.says(help.put(target, { label: "later" }))).toBe("Ok");
      const after = Buffer.from(target.device.slots.bytes);
      const at = after.findIndex((byte, i) => byte !== before[i]);
      const slot = at - (at % 4096);
      target.close();
      return hex(after.subarray(slot + HEADER_OFF_NONCE, slot + HEADER_OFF_NONCE + 16));
    });
    const [one, two] = [await nonces[0]!(), await nonces[1]!()];
    expect(one).not.toBe(two);
  });

  it("makes no key in the place of a device, which would look as if the device had made it", async () => {
    const { exitCode, err } = await mbs(
      "image",
      "build",
      making,
      "--custody",
      "injected",
      "-o",
      path("made.SECRET.hex"),
    );
    expect([exitCode === 0, /this computer would make it/.test(err)]).toEqual([false, true]);
  });

  it("asks for a name that says what the file is", async () => {
    const { err } = await build("store.hex");
    expect(err).toContain('"secret" in it');
    expect((await build("x.SECRET.hex", "--insecure-seed", "7")).err).toContain('"insecure" in it');
  });

  it("with a seed is the same byte for byte, says INSECURE everywhere, and shares no key with other content", async () => {
    const read = (name: string) => readFileSync(path(name));
    await build("one.INSECURE.hex", "--insecure-seed", "7");
    const { out } = await build("two.INSECURE.hex", "--insecure-seed", "7");
    expect(read("one.INSECURE.hex").equals(read("two.INSECURE.hex"))).toBe(true);
    expect(out).toContain("INSECURE");
    expect(JSON.parse(read("two.INSECURE.json").toString()).warning).toContain("INSECURE");
    await build("three.INSECURE.hex", "--insecure-seed", "8");
    writeFileSync(path("token"), `${TOKEN}!`);
    await build("four.INSECURE.hex", "--insecure-seed", "7");
    writeFileSync(path("token"), TOKEN);
    const roots = await Promise.all(
      ["one", "three", "four"].map(async (name) => {
        const { segments } = await readFlashFile(path(`${name}.INSECURE.hex`));
        return hex(bytesAt(segments, DATA.start + CUSTODY_OFF_ROOT, 32)!);
      }),
    );
    expect(new Set(roots).size).toBe(3);
    const { target } = board(9);
    await flash(target, path("one.INSECURE.hex"));
    target.boot();
    expect(target.ask(Command.Info).get(Key.Custody)).toBe(3);
    const { out: shown } = await mbs("image", "inspect", path("one.INSECURE.hex"));
    expect(shown).toMatch(/custody +simulated +INSECURE/);
    target.close();
  });
});

describe("mbs image inspect", () => {
  it("shows no secret of a file that holds one", async () => {
    await mbs("image", "build", plain, "--custody", "injected", "-o", path("shown.SECRET.hex"));
    const { segments } = await readFlashFile(path("shown.SECRET.hex"));
    const root = hex(bytesAt(segments, DATA.start + CUSTODY_OFF_ROOT, 32)!);
    for (const more of [[], ["--json"]]) {
      const { out, err } = await mbs("image", "inspect", path("shown.SECRET.hex"), ...more);
      expect(out).toContain("api/token");
      expect(out + err).not.toContain(root);
      expect(out + err).not.toContain(TOKEN);
    }
  });

  it("knows a firmware alone", async () => {
    const { exitCode, out } = await mbs(
      "image",
      "inspect",
      new URL("../../build/ek-ra6m5.elf", import.meta.url).pathname,
    );
    expect([exitCode, out.includes("firmware alone")]).toEqual([0, true]);
  });
});
