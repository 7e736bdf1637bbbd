/** Filekeys, Deltas, claims and files on the command line, against the core in V8: two computers, two boards, and cables that are taken away. */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLAIMS_OFFSET, CLAIMS_SIZE } from "../../firmware/defs/medium.js";
import { writeSetting } from "../../host/config.js";
import { workDirectory } from "../host/keys.js";
import { repeat, seed } from "../targets.js";
import { BoardDesk, inV8 } from "./desk.js";

const directory = workDirectory();
const desk = new BoardDesk(directory, "one", inV8(seed));
const other = new BoardDesk(directory, "two", inV8(seed + 1));
const { fails, json, mbs, ok, path } = desk;

/** Makes a filekey of this name. @returns its id */
const make = async (name: string, ...more: string[]) =>
  (await ok(["filekey", "create", name, "--capacity", "1GB", ...more])).trim();

async function roundtrip(name: string, env: Record<string, string> = {}): Promise<{ start: bigint; end: bigint }> {
  const file = path(`plain-${Math.random()}`);
  writeFileSync(file, `some content ${file}`);
  const { start, end } = await json(["encrypt", file, "--key", name, "-o", `${file}.mbs`], { env });
  await ok(["decrypt", `${file}.mbs`, "-o", `${file}.back`], { env });
  expect(readFileSync(`${file}.back`, "utf8")).toBe(`some content ${file}`);
  return { start: BigInt(start), end: BigInt(end) };
}

beforeEach(async () => {
  await writeSetting(desk.config(), "offline-mode", undefined);
  await writeSetting(desk.config(), "performance-gb", undefined);
  await writeSetting(desk.config(), "offline-gb", undefined);
});

// a board hands out positions of sixteen filekeys
afterEach(async () => {
  await writeSetting(desk.config(), "offline-mode", undefined);
  for (const { id, board } of (await json(["filekey", "list"])).filekeys)
    if (board?.state === "authority") await ok(["filekey", "delete", id, "--yes"]);
});

describe(`a filekey (${repeat})`, () => {
  it("encrypts files that come back, at positions that rise", async () => {
    const id = await make("archive");
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    const first = await roundtrip("archive");
    const second = await roundtrip(id.slice(0, 8));
    expect(second.start > first.end).toBe(true);
    expect(await ok(["filekey", "list"])).toContain("archive");
  });

  it("shows both sides, with positions as strings", async () => {
    const id = await make("shown");
    expect(await json(["filekey", "show", "shown"])).toMatchObject({
      schemaVersion: 1,
      id,
      name: "shown",
      authorityStatus: "available",
      known: true,
      board: { label: "shown", state: "authority", deviceOnly: false, presence: "never" },
      // an import claims one position, and with it a quarter for speed and a quarter for offline work
      deltas: [{ sequence: 1, start: "0", end: "999999999", latest: "499999999", known: true, conflict: false }],
      claims: { floor: "499999999", performance: { target: "250000000" }, offline: { target: "250000000" } },
    });
    const { filekeys } = await json(["claim", "status", "shown"]);
    expect(filekeys).toMatchObject([{ id, claims: { offline: { claims: [{ remaining: "250000000" }] } } }]);
    expect(await json(["delta", "list", "shown"])).toMatchObject({ id, deltas: [{ sequence: 1 }] });
    expect((await json(["filekey", "list"])).filekeys).toContainEqual(expect.objectContaining({ id, name: "shown" }));
  });

  it("is called otherwise on this computer alone", async () => {
    const id = await make("before");
    await ok(["filekey", "rename", "before", "after"]);
    expect(await json(["filekey", "show", "after"])).toMatchObject({ id, name: "after", board: { label: "before" } });
  });

  it("never gives the same position to two computers", async () => {
    const id = await make("shared");
    const env = await desk.share("laptop", "deploy");
    expect(await fails(["encrypt", path("one.toml"), "--key", "shared"], { env })).toMatchObject({ code: "not-found" });
    expect(await json(["filekey", "import", "shared"], { env })).toMatchObject({ id, known: true, deltas: 1 });
    for (const config of [desk.config(), desk.config("laptop")]) {
      await writeSetting(config, "performance-gb", "0.00001");
      await writeSetting(config, "offline-gb", "0");
    }
    const given: [bigint, bigint][] = [];
    for (let i = 0; i < 12; i++) {
      const own = i % 3 === 0 ? { env } : {};
      const { start, end } = await json(["claim", "reserve", "shared", String(1 + 3000 * (i % 5))], own);
      given.push([BigInt(start), BigInt(end)]);
      if (i === 6) desk.port.device.boot();
    }
    given.sort(([a], [b]) => (a < b ? -1 : 1));
    for (let i = 1; i < given.length; i++) expect(given[i]![0] > given[i - 1]![1], String(given)).toBe(true);
    const { start } = await roundtrip("shared", env);
    expect(given.every(([from, to]) => start < from || start > to)).toBe(true);
  });

  it("decrypts on another computer what the first one encrypted, also under a Delta that came since", async () => {
    await make("travels");
    const env = await desk.share("notebook", "deploy");
    await ok(["filekey", "import", "travels"], { env });
    expect(await json(["delta", "renew", "travels", "--yes"])).toMatchObject({ sequence: 2 });
    writeFileSync(path("letter"), "dear reader");
    await writeSetting(desk.config(), "performance-gb", "0");
    expect(
      BigInt((await json(["encrypt", path("letter"), "-k", "travels", "-o", path("l.mbs")])).start),
    ).toBeGreaterThan(999_999_999n);
    expect((await json(["delta", "list", "travels"], { env })).deltas).toMatchObject([
      { known: true },
      { known: false },
    ]);
    await ok(["decrypt", path("l.mbs"), "-o", path("letter.back")], { env });
    expect(readFileSync(path("letter.back"), "utf8")).toBe("dear reader");
    expect(await json(["delta", "pull", "travels"], { env })).toMatchObject({ pulled: [] });
  });

  it("renews by itself when a Delta is used up", async () => {
    await ok(["filekey", "create", "small", "--capacity", "10kB"]);
    await writeSetting(desk.config(), "performance-gb", "0");
    await writeSetting(desk.config(), "offline-gb", "0");
    const sequences = [];
    for (let i = 0; i < 4; i++) sequences.push((await json(["claim", "reserve", "small", "4000"])).sequence);
    expect(sequences).toEqual([1, 2, 2, 3]);
    expect(await fails(["claim", "reserve", "small", "10001"])).toMatchObject({ code: "claim" });
  });

  it("goes on in the next Delta when the board lost the position that it handed out last", async () => {
    await ok(["filekey", "create", "hurt", "--capacity", "10kB"]);
    await writeSetting(desk.config(), "performance-gb", "0");
    await writeSetting(desk.config(), "offline-gb", "0");
    const { device } = desk.port;
    for (let at = 0; at < CLAIMS_SIZE; at++) device.data.bytes[CLAIMS_OFFSET + at]! ^= 0xff;
    device.boot();
    expect((await json(["delta", "list", "hurt"])).deltas).toMatchObject([{ latest: "9999" }]);
    expect(await json(["claim", "reserve", "hurt", "100"])).toMatchObject({ sequence: 2, start: "10000" });
    expect(await json(["claim", "reserve", "hurt", "100"])).toMatchObject({ sequence: 2, start: "10100" });
  });

  it("uses nothing of a board whose flash was set back, until its pointer is moved on", async () => {
    await make("restored");
    await writeSetting(desk.config(), "performance-gb", "0");
    await writeSetting(desk.config(), "offline-gb", "0");
    const { device } = desk.port;
    const [slots, data] = [device.slots.image(device.slotsOffset), device.data.image()];
    const { end } = await json(["claim", "reserve", "restored", "5000"]);
    device.slots.load(device.slotsOffset, slots);
    device.data.load(0, data);
    device.boot();
    const refused = await fails(["claim", "reserve", "restored", "100"]);
    expect(refused).toMatchObject({ code: "claim", hint: expect.stringContaining("mbs claim fast-forward") });
    await ok(["claim", "fast-forward", "restored", "10000", "--yes"]);
    expect(BigInt((await json(["claim", "reserve", "restored", "100"])).start)).toBeGreaterThan(BigInt(end));
  });

  it("asks for a touch where its policy says so", async () => {
    const before = desk.port.touches;
    await make("touched", "--presence", "each");
    expect(desk.port.touches).toBe(before + 1);
    await roundtrip("touched"); // the Delta is open on this computer
    expect(desk.port.touches).toBe(before + 1);
    await ok(["filekey", "delete", "touched", "--local", "--yes"]);
    desk.port.present = false;
    const given = await mbs(["filekey", "import", "touched"], { interrupted: true });
    desk.port.present = true;
    expect([given.exitCode, given.err]).toEqual([130, expect.stringContaining("nothing was done")]);
    expect(await fails(["filekey", "rename", "touched", "x"])).toMatchObject({ code: "not-found" });
  });

  it("stays on the board with --device-only, and hands out positions", async () => {
    const { exitCode, err, out } = await mbs(["filekey", "create", "counter", "--device-only", "--capacity", "1MB"]);
    expect([exitCode, err]).toEqual([0, expect.stringContaining("mbs claim reserve")]);
    expect((await json(["filekey", "list"])).filekeys).toContainEqual(
      expect.objectContaining({ id: out.trim(), known: false }),
    );
    expect(await json(["claim", "reserve", "counter", "100"])).toMatchObject({ start: "0", end: "99" });
    expect(await json(["claim", "reserve", "counter", "100"])).toMatchObject({ start: "100", end: "199" });
    expect(await fails(["filekey", "import", "counter"])).toMatchObject({
      code: "authority",
      status: expect.any(Number),
    });
    expect(await fails(["filekey", "export", "counter", "-o", path("never")])).toMatchObject({ code: "device" });
    expect(existsSync(path("never"))).toBe(false);
  });

  it("is deleted on the board and here, and never asked for again", async () => {
    const id = await make("gone");
    writeFileSync(path("lost"), "lost");
    await ok(["encrypt", path("lost"), "-k", "gone", "-o", path("lost.mbs")]);
    expect(await fails(["filekey", "delete", "gone"])).toMatchObject({ code: "usage" }); // nobody is there to answer
    expect((await mbs(["filekey", "delete", "gone"], { typed: ["n"] })).exitCode).toBe(1);
    expect(await json(["filekey", "delete", "gone", "--destroy", "--yes"])).toMatchObject({
      id,
      deleted: true,
      destroyed: true,
      forgotten: true,
    });
    expect(await fails(["decrypt", path("lost.mbs"), "-o", path("lost.back")])).toMatchObject({ code: "not-found" });
    expect((await json(["filekey", "list"])).filekeys).toContainEqual(
      expect.objectContaining({ board: expect.objectContaining({ label: "gone", state: "deleted" }) }),
    );
  });

  it("is forgotten on this computer alone, and imported again above its old positions", async () => {
    await make("again");
    const { end } = await roundtrip("again");
    await ok(["filekey", "delete", "again", "--local", "--yes"]);
    expect(await fails(["claim", "fast-forward", "again", "5", "--yes"])).toMatchObject({ code: "not-found" });
    await ok(["filekey", "import", "again"]);
    expect((await roundtrip("again")).start > end).toBe(true);
  });
});

describe("without the board", () => {
  it("encrypts from what was claimed for offline work, and says when that is used up", async () => {
    await ok(["filekey", "create", "remote", "--capacity", "100kB"]);
    await writeSetting(desk.config(), "performance-gb", "0");
    await desk.port.unplug();
    try {
      writeFileSync(path("away"), "x".repeat(9000));
      const { exitCode, err } = await mbs(["encrypt", path("away"), "-k", "remote", "-o", path("away.mbs")]);
      expect([exitCode, err]).toEqual([0, expect.stringContaining("claimed for offline work")]);
      await ok(["decrypt", path("away.mbs"), "-o", path("away.back")]);
      expect(await fails(["claim", "reserve", "remote", "26000"])).toMatchObject({ code: "claim" });
      expect(await fails(["delta", "pull", "remote"])).toMatchObject({ code: "authority", exitCode: 3 });
      expect(await fails(["filekey", "delete", "remote", "--yes"])).toMatchObject({ exitCode: 3 });
      const listed = await mbs(["filekey", "list"]);
      expect([listed.exitCode, listed.out, listed.err]).toEqual([
        0,
        expect.stringContaining("remote"),
        expect.stringContaining("Only what this computer knows"),
      ]);
      expect(await json(["filekey", "show", "remote"])).toMatchObject({
        authorityStatus: "unavailable",
        board: null,
        deltas: [{ latest: null, capacityLeft: null }],
      });
    } finally {
      await desk.port.plug();
    }
  });

  it("asks no board in offline mode, also when one is there", async () => {
    await ok(["filekey", "create", "tent", "--capacity", "100kB"]);
    const before = (await json(["claim", "status", "tent"])).filekeys[0].latestDelta.latest;
    await ok(["config", "set", "offline-mode", "true"]);
    await writeSetting(desk.config(), "performance-gb", "0");
    expect(await json(["claim", "reserve", "tent", "1000"])).toMatchObject({ from: "offline" });
    expect(await fails(["claim", "reserve", "tent", "25000"])).toMatchObject({ code: "claim" });
    for (const argv of [
      ["delta", "pull", "tent"],
      ["delta", "renew", "tent", "--yes"],
      ["claim", "fast-forward", "tent", "10", "--yes"],
      ["filekey", "create", "not-now"],
      ["filekey", "import", "tent"],
      ["filekey", "delete", "tent", "--yes"],
    ])
      expect((await fails(argv)).hint).toContain("mbs config set offline-mode false");
    expect(await json(["claim", "status", "tent"])).toMatchObject({
      offlineMode: true,
      filekeys: [{ authorityStatus: "offline mode" }],
    });
    await writeSetting(desk.config(), "offline-mode", undefined);
    expect((await json(["claim", "status", "tent"])).filekeys[0].latestDelta.latest).toBe(before);
  });
});

describe("another board", () => {
  const here = { MBS_FILEKEY_PASSWORD: "a long password" };
  const onOther = () => ({ env: { ...here, MBS_PORT: other.port.port } });
  const withoutKey = () => ({ MBS_CONFIG_DIR: other.config(), MBS_PORT: other.port.port, ...here });

  it("never serves a filekey of the first", async () => {
    await ok(["filekey", "create", "mine", "--capacity", "100kB"]);
    await other.share("one", "ops", "deploy"); // this computer knows operators of both boards
    await writeSetting(desk.config(), "performance-gb", "0");
    for (const argv of [
      ["claim", "reserve", "mine", "5"],
      ["delta", "pull", "mine"],
      ["delta", "renew", "mine", "--yes"],
      ["claim", "fast-forward", "mine", "5", "--yes"],
    ])
      expect(await fails(argv, onOther())).toMatchObject({
        code: "authority",
        message: expect.stringContaining("is not the authority of this filekey"),
      });
    expect(await json(["filekey", "show", "mine"], onOther())).toMatchObject({ authorityStatus: "not connected" });
  });

  it("opens Deltas after an import of the Alpha, and hands out nothing", async () => {
    const id = (await ok(["filekey", "create", "lent", "--capacity", "100kB"])).trim();
    writeFileSync(path("page"), "a page");
    await ok(["encrypt", path("page"), "-k", "lent", "-o", path("page.mbs")]);
    const touches = desk.port.touches;
    expect(await json(["filekey", "export", "lent", "-o", path("lent.mbsk")], { env: here })).toMatchObject({ id });
    expect([desk.port.touches, statSync(path("lent.mbsk")).mode & 0o777]).toEqual([touches + 1, 0o600]);
    await ok(["delta", "export", "lent", "1", "-o", path("lent-1.mbsd")]);

    const env = withoutKey();
    const imported = await mbs(["filekey", "import", path("lent.mbsk"), "--json"], { env });
    expect([imported.exitCode, JSON.parse(imported.out)]).toMatchObject([0, { id, name: "lent", new: true }]);
    const again = await mbs(["filekey", "import", path("lent.mbsk"), "--json"], { env });
    expect(JSON.parse(again.out)).toMatchObject({ id, new: false });
    expect((await fails(["delta", "import", path("lent-1.mbsd")], { env })).hint).toContain("--yes");
    expect(await json(["delta", "import", path("lent-1.mbsd"), "--force"], { env })).toMatchObject({
      filekey: id,
      sequence: 1,
      new: true,
    });
    expect(await json(["delta", "import", path("lent-1.mbsd"), "--force"], { env })).toMatchObject({ new: false });
    await ok(["decrypt", path("page.mbs"), "-o", path("page.back")], { env });
    expect(readFileSync(path("page.back"), "utf8")).toBe("a page");
    expect(await fails(["encrypt", path("page"), "-k", "lent", "-o", path("no.mbs")], { env })).toMatchObject({
      code: "authority",
    });
    const [{ handle }] = (await json(["find", "--usage", "filekey"], { env })).entries;
    const deleted = await json(["filekey", "delete", handle, "--yes"], { env });
    expect(deleted).toMatchObject({ deleted: true, forgotten: false });
    expect((await json(["filekey", "list"], { env })).filekeys).toMatchObject([{ id, known: true, board: null }]);
  });

  it("takes a file at its own board for the name of a filekey there", async () => {
    const id = (await ok(["filekey", "create", "same", "--capacity", "100kB"])).trim();
    await ok(["filekey", "export", "same", "-o", path("same.mbsk")], { env: here });
    const env = { ...(await desk.share("desktop", "deploy")), ...here };
    expect(await json(["filekey", "import", path("same.mbsk")], { env })).toMatchObject({ id, known: true, deltas: 1 });
  });
});

describe("the file of an exported filekey", () => {
  it("is under a password that is typed twice, and opens with no other", async () => {
    await ok(["filekey", "create", "typed", "--capacity", "100kB"]);
    const to = ["filekey", "export", "typed", "-o", path("typed.mbsk")];
    expect((await mbs(to, { typed: ["one", "two"] })).err).toContain("not the same");
    expect(await fails(to)).toMatchObject({ code: "usage" });
    expect((await mbs(to, { typed: ["one", "one"] })).exitCode).toBe(0);
    expect(readFileSync(path("typed.mbsk")).includes("typed")).toBe(false);
    expect(await fails(to, { env: { MBS_FILEKEY_PASSWORD: "one" } })).toMatchObject({ code: "file" }); // it is there
    const from = ["filekey", "import", path("typed.mbsk")];
    const wrong = await fails(from, { env: { MBS_FILEKEY_PASSWORD: "two" } });
    expect(wrong).toMatchObject({ code: "file", message: expect.stringContaining("another password") });
    writeFileSync(path("password"), "one\n", { mode: 0o600 });
    await ok([...from, "--password-file", path("password")]);
    const bytes = readFileSync(path("typed.mbsk"));
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path("bad.mbsk"), bytes);
    const bad = await fails(["filekey", "import", path("bad.mbsk"), "--password-file", path("password")]);
    expect(bad.message).toContain("damaged");
  });
});

describe("a mistake", () => {
  it("has an error that says what to do", async () => {
    writeFileSync(path("junk"), "junk");
    await make("right");
    await make("second");
    for (const [argv, code] of [
      [["filekey", "show", "nothing"], "not-found"],
      [["filekey", "show"], "usage"], // there are several
      [["encrypt", path("junk")], "usage"],
      [["encrypt", path("junk"), "-k", "nothing"], "not-found"],
      [["filekey", "delete", "nothing", "--yes"], "not-found"],
      [["filekey", "import", "nothing"], "not-found"],
      [["filekey", "import", path("junk")], "usage"], // no password
      [["filekey", "import", path("junk"), "--password-file", path("junk")], "file"],
      [["filekey", "import", path("missing/file")], "file"],
      [["delta", "export", "right", "7", "-o", path("seven")], "not-found"],
      [["delta", "import", path("junk"), "--force"], "file"],
      [["claim", "reserve", "right", "0"], "usage"],
      [["claim", "reserve", "right", "much"], "usage"],
      [["claim", "fast-forward", "right", "1TB", "--yes"], "claim"],
      [["filekey", "create", "x", "--capacity", "0"], "usage"],
      [["filekey", "create", "x", "--presence", "often"], "usage"],
      [["filekey", "create", "x".repeat(49)], "usage"],
      [["config", "set", "offline-gb", "lots"], "usage"],
      [["filekey", "show", "right", "--config-dir", path("junk")], "usage"],
    ] as const) {
      const { err, exitCode } = await mbs([...argv, "--json"]);
      const error = JSON.parse(err.trim().split("\n").at(-1)!);
      expect([argv, error.code, exitCode > 0]).toEqual([argv, code, true]);
      // what was expected instead, or what to do next
      const hasAdvice = error.hint !== "" || /expected|no such file/.test(error.message);
      expect([error.message, hasAdvice]).toEqual([error.message, true]);
    }
  });

  it("with the configuration password is told as one, and nothing is claimed", async () => {
    await make("right");
    const env = { MBS_CONFIG_PASSWORD: "wrong" };
    expect(await fails(["claim", "reserve", "right", "5"], { env })).toMatchObject({
      code: "file",
      hint: expect.stringContaining("MBS_CONFIG_PASSWORD"),
    });
  });

  it("of who asks is the device's to refuse, and no reason for an offline claim", async () => {
    await writeSetting(desk.config(), "performance-gb", "0");
    await ok(["filekey", "create", "refused", "--capacity", "100kB"]);
    expect(await fails(["claim", "reserve", "refused", "5", "--operator", "ops"])).toMatchObject({
      code: "authority",
      status: expect.any(Number),
      exitCode: 1,
    });
  });
});
