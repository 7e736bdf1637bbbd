/** Who asks: how the command line chooses an operator, and the commands about operators, against a mock store. */
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { writeSetting } from "../../host/config.js";
import { FileStore } from "../../host/keys/file.js";
import { nextOf } from "../../host/keys/keys.js";
import { formatKey } from "../../host/keys/text.js";
import { workDirectory } from "./keys.js";
import { ADMIN, USER } from "./mock-store.js";
import { Desk } from "./terminal.js";

const directory = workDirectory();
const desk = new Desk(directory);
const { json, mbs, ok, path } = desk;
/** A person on another computer, who has no keys. */
const STRANGER = { MBS_CONFIG_DIR: path("stranger") };
const keyOf = (id: string) => new FileStore(desk.config).get(desk.store.instance, id);
const onDevice = (id: string) => desk.store.session.operators.find((one) => one.id === id);

beforeEach(() => desk.ready());
beforeAll(async () => {
  for (const name of ["stranger", "typed"]) await writeSetting(path(name), "keys", "file");
});

describe("choosing an operator", () => {
  it("takes one whose role can do what is asked", async () => {
    writeFileSync(path("s"), "secret");
    await ok(["put", path("s"), "--label", "s", "--exportable"]); // admins alone
    expect(await ok(["get", "s"])).toBe("secret"); // users alone
    expect(desk.store.session.opened.length).toBeGreaterThan(0);
    expect((await json(["info"])).operator).toBe("user");
    expect((await json(["info", "--operator", "admin"])).role).toBe("admin");
    expect((await json(["info"], { env: { MBS_OPERATOR: "auditor" } })).operator).toBe("auditor");
  });

  it("lets the device refuse what a named operator may not do", async () => {
    const { err, exitCode } = await mbs(["evict", "0".repeat(32), "--yes", "--operator", "user", "--json"]);
    expect([exitCode, JSON.parse(err)]).toMatchObject([1, { status: Status.WrongRole, name: "WrongRole" }]);
  });

  it("takes a key from the environment or a file, and says nothing of it when it is wrong", async () => {
    const text = formatKey(USER.key);
    writeFileSync(path("user.key"), `${text}\n`, { mode: 0o600 });
    const named = { ...STRANGER, MBS_OPERATOR: "user", MBS_OPERATOR_KEY: text };
    expect((await json(["info"], { env: named })).operator).toBe("user");
    const file = ["info", "--operator", "user", "--operator-key-file", path("user.key")];
    expect((await json(file, { env: STRANGER })).operator).toBe("user");
    const wrong = `${text.slice(0, -1)}${text.endsWith("a") ? "b" : "a"}`;
    const { err, exitCode } = await mbs(["info"], { env: { ...named, MBS_OPERATOR_KEY: wrong } });
    expect([exitCode, err.includes("checksum"), err.includes(wrong.slice(8, 20))]).toEqual([1, true, false]);
    expect(await mbs(["info", "--operator-key-file", path("user.key")], { env: STRANGER })).toMatchObject({
      exitCode: 2,
    });
    expect(await mbs(["list", "--operator", "No"], { env: STRANGER })).toMatchObject({ exitCode: 2 });
    chmodSync(path("user.key"), 0o644);
    expect((await mbs(file, { env: STRANGER })).err).toContain("can be read by other users. Run: chmod 600");
    chmodSync(path("user.key"), 0o600);
  });

  it("repeats no key that was given in the wrong place", async () => {
    const text = formatKey(USER.key);
    for (const [argv, env] of [
      [["operator", "import", "user", text], {}],
      [["info", "--operator", "user", "--operator-key-file", text], {}],
      [["info", "--operator", text, "--json"], {}],
      [["info"], { MBS_OPERATOR: text }],
    ] as const) {
      const { err, exitCode } = await mbs(argv, { env });
      expect([exitCode === 0, err.includes("(a key)"), err.includes(text.slice(5, 13))]).toEqual([false, true, false]);
    }
  });

  it("says that a key is kept elsewhere than the setting names", async () => {
    await writeSetting(desk.config, "keys", "keyring");
    const { err, exitCode } = await mbs(["list", "--operator", "user"]);
    await writeSetting(desk.config, "keys", "file");
    expect([exitCode, /mbs config set keys (auto|file)/.test(err)]).toEqual([1, true]);
  });

  it("does not take the environment's key for another operator than the environment's", async () => {
    const env = { MBS_OPERATOR: "user", MBS_OPERATOR_KEY: formatKey(USER.key) };
    expect((await json(["info", "--operator", "admin"], { env })).operator).toBe("admin");
  });

  it("says what to do when nobody here may ask, or nobody whose role fits", async () => {
    expect(await mbs(["list"], { env: STRANGER })).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("mbs operator import ID"),
    });
    expect(await mbs(["list", "--operator", "user"], { env: STRANGER })).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining("mbs operator import user"),
    });
    expect((await mbs(["info", "--operator", "user"], { env: STRANGER })).exitCode).toBe(1);
    const { out, err } = await mbs(["info"], { env: STRANGER });
    expect([out, err]).toEqual([expect.stringContaining("ready"), expect.stringContaining("nothing proves it")]);
    await ok(["operator", "import", "user", path("user.key")], { env: STRANGER });
    expect(await mbs(["put", path("user.key")], { env: STRANGER })).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("This needs the role admin; known on this computer: user (user)"),
    });
  });

  it("sends people with a blank device to provisioning, without a handshake", async () => {
    await desk.blank();
    expect(await mbs(["list"])).toMatchObject({ exitCode: 1, err: expect.stringContaining("mbs provision") });
    expect(desk.store.session.refusals).toBe(0);
  });
});

describe("mbs operator", () => {
  it("adds an operator, keeps its key here and uses it once", async () => {
    expect(await ok(["operator", "add", "deploy", "--role", "user"])).toContain("kept on this computer");
    expect(onDevice("deploy")).toMatchObject({ role: Role.User });
    expect(onDevice("deploy")?.pending).toBeUndefined();
    expect(Buffer.from((await keyOf("deploy"))!)).toEqual(Buffer.from(onDevice("deploy")!.key));
    expect((await json(["operator", "list"])).operators).toContainEqual({
      operator: "deploy",
      role: "user",
      pending: false,
      refusals: 0,
      key: "file",
    });
    expect(await mbs(["operator", "add", "deploy", "--role", "user"])).toMatchObject({ exitCode: 1 });
    expect(Buffer.from((await keyOf("deploy"))!)).toEqual(Buffer.from(onDevice("deploy")!.key));
    expect(await keyOf(nextOf("deploy"))).toBeUndefined();
  });

  it("gives a key to another computer through a file, which counts from its first use on", async () => {
    await ok(["operator", "add", "audit", "--role", "auditor", "-o", path("audit.key")]);
    expect(statSync(path("audit.key")).mode & 0o777).toBe(0o600);
    expect([await keyOf("audit"), onDevice("audit")?.pending]).toEqual([undefined, expect.anything()]);
    expect(await ok(["operator", "list"])).toMatch(/audit +auditor +new, not used yet +0 +elsewhere/);
    expect(await mbs(["operator", "add", "other", "--role", "user", "-o", path("audit.key")])).toMatchObject({
      exitCode: 1,
    });
    expect(onDevice("other")).toBeUndefined();
    await ok(["operator", "import", "audit", path("audit.key")], { env: STRANGER });
    expect(onDevice("audit")?.pending).toBeUndefined();
    expect((await json(["info", "--operator", "audit"], { env: STRANGER })).operator).toBe("audit");
    await mbs(["operator", "add", "audit", "--role", "user", "-o", path("gone.key")]);
    expect(existsSync(path("gone.key"))).toBe(false); // the device refused it
  });

  it("imports a key that is typed, and none that the device refuses", async () => {
    const env = { MBS_CONFIG_DIR: path("typed") };
    const typed = { tty: true, input: [formatKey(USER.key).toUpperCase()], env };
    const { err, exitCode } = await mbs(["operator", "import", "user"], typed);
    expect([exitCode, err.includes("mbs1"), err.includes("MBS1")]).toEqual([0, false, false]);
    expect(await mbs(["operator", "import", "admin", path("user.key")], { env })).toMatchObject({ exitCode: 1 });
    expect(readFileSync(path("typed/operators.toml"), "utf8")).not.toContain("admin");
  });

  it("gives a key out into a pipe or a file, and to a terminal only when somebody insists", async () => {
    const piped = await mbs(["operator", "export", "user"]);
    expect([piped.out, piped.err]).toEqual([`${formatKey(USER.key)}\n`, expect.stringContaining("This is a secret")]);
    expect(await mbs(["operator", "export", "user"], { tty: true })).toMatchObject({ exitCode: 2, out: "" });
    expect((await mbs(["operator", "export", "user", "--show"], { tty: true })).out).toContain("mbs1-");
    await mbs(["operator", "export", "user", "-o", path("out.key")]);
    expect([statSync(path("out.key")).mode & 0o777, readFileSync(path("out.key"), "utf8")]).toEqual([0o600, piped.out]);
  });

  it("rotates a key, its own too, and keeps the new one", async () => {
    for (const { id, key } of [USER, ADMIN]) {
      expect(await ok(["operator", "rotate", id])).toContain(
        "new key is kept on this computer; the old one counts no more",
      );
      const now = Buffer.from((await keyOf(id))!);
      expect(now).not.toEqual(Buffer.from(key));
      expect(now).toEqual(Buffer.from(onDevice(id)!.key));
      expect([onDevice(id)?.pending, await keyOf(nextOf(id))]).toEqual([undefined, undefined]);
      expect((await json(["info", "--operator", id])).operator).toBe(id);
    }
  });

  it("recovers when a rotation was cut between the first use of the new key and its being kept", async () => {
    const { instance } = desk.store;
    const next = Buffer.alloc(32, 0x77);
    await new FileStore(desk.config).put(instance, nextOf("admin"), next);
    onDevice("admin")!.key = next;
    expect((await json(["info", "--operator", "admin"])).operator).toBe("admin");
    expect([Buffer.from((await keyOf("admin"))!), await keyOf(nextOf("admin"))]).toEqual([next, undefined]);
  });

  it("sends the new key of an operator elsewhere into a file", async () => {
    await ok(["operator", "add", "audit", "--role", "auditor", "-o", path("audit2.key")]);
    expect(await mbs(["operator", "rotate", "audit"])).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("-o FILE"),
    });
    await ok(["operator", "rotate", "audit", "-o", path("audit3.key")]);
    expect(onDevice("audit")?.pending).toBeDefined();
  });

  it("goes on asking as the same operator after a rotation, and shows its help when it is not told what to do", async () => {
    await ok(["operator", "add", "second", "--role", "user"]);
    await ok(["operator", "rotate", "user"]);
    expect((await json(["info"])).operator).toBe("user");
    expect((await mbs(["operator"])).err).toContain("mbs operator [options] [command]");
  });

  it("changes a role, removes, and never the last admin", async () => {
    await ok(["operator", "role", "auditor", "user"]);
    expect(onDevice("auditor")?.role).toBe(Role.User);
    expect(await mbs(["operator", "role", "admin", "user"])).toMatchObject({ exitCode: 1 });
    expect(await mbs(["operator", "remove", "user"])).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("--yes"),
    });
    await ok(["operator", "remove", "user", "--yes"]);
    expect([onDevice("user"), await keyOf("user")]).toEqual([undefined, undefined]);
    expect(await mbs(["operator", "remove", "admin", "--yes"])).toMatchObject({ exitCode: 1 });
    expect(await keyOf("admin")).toBeDefined();
    for (const wrong of [
      ["add", "NO", "--role", "user"],
      ["add", "x", "--role", "root"],
      ["role", "x", "root"],
      ["add", "x"],
    ])
      expect(await mbs(["operator", ...wrong])).toMatchObject({ exitCode: 2 });
  });
});
