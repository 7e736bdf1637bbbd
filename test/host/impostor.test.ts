/** Who is on the line may lie: a board that claims to be another one, a hello that names another instance, a role that nobody has. What
 *  the command line keeps, sends and deletes follows from what a session proves. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { ImageState } from "../../firmware/defs/image.js";
import { PROTOCOL_VERSION } from "../../firmware/defs/link.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { decodeMessage, encodeMessage, type Message, message } from "../../host/client/message.js";
import { FileStore } from "../../host/keys/file.js";
import { knownOperators, rememberOperator } from "../../host/keys/index.js";
import { nextOf } from "../../host/keys/keys.js";
import { formatKey } from "../../host/keys/text.js";
import { workDirectory } from "./keys.js";
import { type Asking, clear, MockSession } from "./mock-session.js";
import { ADMIN, USER } from "./mock-store.js";
import { Desk } from "./terminal.js";

const directory = workDirectory();
const desk = new Desk(directory);
const { mbs, ok, path } = desk;
const OWN = Buffer.alloc(16, 0x15); // the device of the desk
const OTHER = Buffer.alloc(16, 0x77); // another device of the same person
const OTHER_ADMIN = Buffer.alloc(32, 0x99);
const NO_CODE = { MBS_SETUP_CODE: "" };
const files = new FileStore(desk.config);
const keyOf = async (instance: Uint8Array, id: string) => {
  const key = await files.get(instance, id);
  return key && Buffer.from(key);
};

beforeEach(async () => {
  await desk.ready();
  await files.put(OTHER, "admin", OTHER_ADMIN);
  await rememberOperator(desk.config, { instance: OTHER.toString("hex"), id: "admin", role: "admin", store: "file" });
});

interface Claims {
  state: State;
  /** What hello says, and what ProvisionBegin and info say. */
  hello?: Uint8Array;
  instance: Uint8Array;
  /** What info says of who asks. */
  asking?: Partial<Asking>;
}

/** A board without a setup code that claims what it is told to, and writes down what it is asked. */
function impostor({ state, hello = Buffer.alloc(16), instance, asking: claimed = {} }: Claims) {
  const seen: Message[] = [];
  const standing = (told: Uint8Array): [Key, number | Uint8Array][] => [
    [Key.Protocol, PROTOCOL_VERSION],
    [Key.Format, 0],
    [Key.Instance, told],
    [Key.State, state],
    [Key.TrapCode, 0],
    [Key.Refusals, 0],
  ];
  const session: MockSession = new MockSession(
    {
      isOpenToSetup: () => true,
      instance: () => hello,
      hello: () => message(standing(hello)),
      needsTouch: () => false,
      answer: (request, who) => {
        seen.push(request);
        const command = request.get(Key.Command) as Command;
        if (command === Command.ProvisionBegin)
          return message([
            [Key.Instance, instance],
            [Key.State, State.Provisioning],
          ]);
        if (command === Command.Info) {
          const { role, operator } = { ...who, ...claimed };
          return message([
            ...standing(instance),
            [Key.Role, role],
            [Key.Operator, operator === "" ? undefined : operator],
            [Key.Custody, 1],
            [Key.CoreHash, Buffer.alloc(32)],
            [Key.UniqueId, Buffer.alloc(16)],
            [Key.Board, 1],
            [Key.Binding, Buffer.alloc(0)],
            [Key.Image, [ImageState.None, 0, Status.Ok]],
          ]);
        }
        return session.manage(command, request) ?? message([]);
      },
    },
    Buffer.alloc(32),
  );
  return { seen, session, answer: (bytes: Uint8Array) => session.answer(bytes) };
}

/** Puts something else on the line than the desk's own device. */
function answerBy(other: { session: MockSession; answer: typeof desk.store.answer }): void {
  desk.store = Object.assign(Object.create(desk.store), other);
}

/** The keys that were told. */
const told = (seen: Message[]) =>
  seen.filter((one) => one.has(Key.Secret)).map((one) => Buffer.from(one.get(Key.Secret) as Uint8Array));

/** The desk's device behind a line on which hello says another instance. @param when by the number of the hello */
function lyingHello(when: (count: number) => boolean): void {
  const real = desk.store;
  let count = 0;
  answerBy({
    session: real.session,
    answer: (bytes) => {
      const answer = real.answer(bytes);
      if (bytes[0] !== 0 || !(answer instanceof Uint8Array) || !when(++count)) return answer;
      const map = decodeMessage(answer.subarray(1));
      return Buffer.concat([Uint8Array.of(0), encodeMessage(map.set(Key.Instance, OTHER))]);
    },
  });
}

describe("mbs provision", () => {
  const provision = ["provision", path("m.toml")];
  beforeEach(() => writeFileSync(path("m.toml"), '[instance]\nname = "x"\n'));

  it("gives a blank board that claims to be a known device no key of that device", async () => {
    const fake = impostor({ state: State.Blank, instance: OWN });
    answerBy(fake);
    const { err, exitCode } = await mbs([...provision, "--yes"], { env: NO_CODE });
    expect([exitCode, err]).toEqual([1, expect.stringContaining("takes no key that is kept here")]);
    expect(told(fake.seen)).toEqual([]);
    expect(await keyOf(OWN, "admin")).toEqual(ADMIN.key);
  });

  it("asks before it goes on with a board without a setup code, and needs --yes where nobody can be asked", async () => {
    const fake = impostor({ state: State.Blank, instance: Buffer.alloc(16, 0x31) });
    answerBy(fake);
    expect(await mbs(provision, { env: NO_CODE })).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining("This board has no setup code: whoever is on the line could be it. Go on?"),
    });
    expect((await mbs(provision, { env: NO_CODE, tty: true, input: ["n"] })).exitCode).toBe(1);
    expect(fake.seen).toEqual([]);
    await mbs(provision, { env: NO_CODE, tty: true, input: ["y"] });
    expect(told(fake.seen).length).toBeGreaterThan(0);
  });
});

describe("mbs operator", () => {
  it("files a rotated key under the device of the session, whatever hello says", async () => {
    for (let nth = 1; nth <= 5; nth++) {
      lyingHello((count) => count === nth);
      await mbs(["operator", "rotate", "admin"]);
      expect([await keyOf(OTHER, "admin"), await keyOf(OTHER, nextOf("admin"))]).toEqual([OTHER_ADMIN, undefined]);
      await desk.ready();
      await files.put(OTHER, "admin", OTHER_ADMIN);
    }
  });

  it("removes the key of the session's device, and of no other", async () => {
    await files.put(OTHER, "user", OTHER_ADMIN);
    for (const nth of [1, 2, 3]) {
      lyingHello((count) => count === nth);
      await mbs(["operator", "remove", "user", "--yes"]);
      expect(await keyOf(OTHER, "user")).toEqual(OTHER_ADMIN);
    }
  });

  it("gives out a key only when the device there has it", async () => {
    lyingHello(() => true);
    const { err, exitCode, out } = await mbs(["operator", "export", "admin"]);
    expect([exitCode, out, err]).toEqual([1, "", expect.stringContaining("refused")]);
  });

  it("adds nobody with the setup code where the device says that it is damaged", async () => {
    for (const state of [State.Blank, State.CustodyDamaged, State.WrongVersion]) {
      const fake = impostor({ state, hello: OWN, instance: OWN });
      answerBy(fake);
      expect((await mbs(["operator", "add", "boss", "--role", "admin", "--yes"], { env: NO_CODE })).exitCode).toBe(1);
      expect(fake.seen).toEqual([]);
    }
  });

  it("never tells a device a key that went out before, whatever became of that", async () => {
    const real = desk.store;
    const known = Buffer.alloc(32, 0x66);
    await files.put(OWN, nextOf("boss"), known);
    await ok(["operator", "add", "boss", "--role", "admin"]);
    expect(real.session.operators.find(({ id }) => id === "boss")?.key).not.toEqual(known);
    expect(told(real.session.opened)).not.toContainEqual(known);
    expect(await keyOf(OWN, nextOf("boss"))).toBeUndefined();
  });

  it("goes on with a key that waits, when the device took it before the run was cut", async () => {
    const key = Buffer.alloc(32, 0x66);
    await files.put(OWN, nextOf("boss"), key);
    desk.store.session.operators.push({ id: "boss", role: Role.Admin, key, pending: key, refusals: 0 });
    await ok(["operator", "add", "boss", "--role", "admin"]);
    expect([await keyOf(OWN, "boss"), await keyOf(OWN, nextOf("boss"))]).toEqual([key, undefined]);
    expect(told(desk.store.session.opened)).toEqual([]);
  });

  it("leaves FILE as it was when the device refuses the key that was meant for it", async () => {
    writeFileSync(path("user.key"), formatKey(USER.key), { mode: 0o600 });
    const { session } = desk.store;
    const manage = session.manage.bind(session);
    session.manage = (command, request) =>
      command === Command.OperatorRotate ? Status.OperatorsFull : manage(command, request);
    expect((await mbs(["operator", "rotate", "user", "-o", path("user.key"), "--force"])).exitCode).toBe(1);
    expect(readFileSync(path("user.key"), "utf8")).toBe(formatKey(USER.key));
    expect(existsSync(path("user.key.new"))).toBe(false);
  });

  it("believes no role or name that the handshake did not give", async () => {
    writeFileSync(path("evil.key"), formatKey(Buffer.alloc(32, 0xee)), { mode: 0o600 });
    for (const [role, asking] of [
      [Role.Setup, {}],
      [Role.User, { role: Role.Setup }],
      [Role.User, { role: Role.Admin }],
      [Role.User, { operator: "admin" }],
      [Role.User, { operator: "", role: Role.Setup }],
    ] as const) {
      const fake = impostor({ state: State.Ready, hello: OTHER, instance: OTHER, asking });
      fake.session.operators = [{ id: "evil", role, key: Buffer.alloc(32, 0xee), refusals: 0 }];
      answerBy(fake);
      const { err, exitCode } = await mbs(["operator", "import", "evil", path("evil.key")]);
      expect([exitCode, err]).toEqual([1, expect.stringMatching(/cannot have|has role|handshake did not say/)]);
    }
    expect(await keyOf(OTHER, "evil")).toBeUndefined();
    expect(readFileSync(`${desk.config}/operators.toml`, "utf8")).not.toContain("evil");
  });

  it("believes no instance that the handshake did not give", async () => {
    writeFileSync(path("evil.key"), formatKey(Buffer.alloc(32, 0xee)), { mode: 0o600 });
    const fake = impostor({ state: State.Ready, hello: Buffer.alloc(16, 0x44), instance: OTHER });
    fake.session.operators = [{ id: "admin", role: Role.Admin, key: Buffer.alloc(32, 0xee), refusals: 0 }];
    answerBy(fake);
    expect((await mbs(["operator", "import", "admin", path("evil.key")])).exitCode).toBe(1);
    expect(await keyOf(OTHER, "admin")).toEqual(OTHER_ADMIN);
  });
});

describe("mbs reset", () => {
  it("leaves the keys of a device that the setup code alone was used on", async () => {
    answerBy(impostor({ state: State.CustodyDamaged, hello: OWN, instance: OWN }));
    expect(await ok(["reset", "--yes", "--json"], { env: NO_CODE })).toContain('"keysRemoved":false');
    expect(await keyOf(OWN, "admin")).toEqual(ADMIN.key);
    expect(await knownOperators(desk.config, OWN)).toHaveLength(3);
  });
});

describe("mbs info", () => {
  it("tells what the session says, where hello says something else", async () => {
    lyingHello((count) => count === 1);
    const { instance } = await desk.json(["info"]);
    expect(instance).toBe(OWN.toString("hex"));
  });
});

describe("mbs evict", () => {
  it("does not say that nothing changed when a forged answer hid that it was carried out", async () => {
    const real = desk.store;
    writeFileSync(path("s"), "secret");
    await ok(["put", path("s"), "--label", "s"]);
    let isForged = false;
    answerBy({
      session: real.session,
      answer: (bytes) => {
        const before = real.records.length;
        const answer = real.answer(bytes);
        if (isForged || real.records.length >= before) return answer;
        isForged = true;
        return clear(Status.NoSession);
      },
    });
    const { err } = await mbs(["evict", "s", "--yes"]);
    expect([real.records.length, err]).toEqual([0, expect.not.stringContaining("othing changed")]);
  });
});
