/** The client against a mock store behind a mock device, in real sessions. SPEC.md §9, §12. */
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { Origin, Presence, Tier, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { verifyAttestation } from "../../host/client/attestation.js";
import { Client, type ClientOptions } from "../../host/client/client.js";
import { DeclinedError, DeviceError, DisconnectedError, ProtocolError, UsageError } from "../../host/client/errors.js";
import {
  decodeAnswer,
  decodeMessage,
  encodeMessage,
  type Message,
  message,
  type Value,
} from "../../host/client/message.js";
import { rolesOf, roleText } from "../../host/client/roles.js";
import { sshsigMessage } from "../../host/client/sshsig.js";
import { STATUS_TEXT } from "../../host/client/status-text.js";
import { readRaw } from "../../host/credentials/raw.js";
import { decodeParts, encodeParts } from "../../host/record.js";
import { type Awaiting, MockDevice, MockWire } from "./mock-device.js";
import { ADMIN, AUDITOR, MockStore, SETUP, USER } from "./mock-store.js";
import { VirtualTime } from "./virtual-time.js";

function setUp(options: ClientOptions = {}, touch: () => number | undefined = () => 100) {
  const time = new VirtualTime();
  const store = new MockStore();
  const around = { answer: (request: Uint8Array): Uint8Array | Awaiting => store.answer(request) };
  const device = new MockDevice(time, { answer: (request) => around.answer(request), touch });
  const wires: MockWire[] = [];
  const connect = async () => {
    wires.push(new MockWire(time, device));
    return wires.at(-1)!;
  };
  const client = new Client(connect, { clock: time, operator: async () => SETUP, ...options });
  return { client, store, device, wires, around, time };
}

/** A client of a ready device; an admin asks. */
function ready(options: ClientOptions = {}, touch?: () => number | undefined) {
  const all = setUp({ operator: async () => ADMIN, ...options }, touch);
  all.store.makeReady();
  return all;
}

/** A device whose sessions answer every request with the same message. */
function answering(map: Message): Client {
  const { client, store } = ready();
  Object.assign(store.session, { manage: () => map });
  return client;
}

const body = encodeParts([readRaw({ name: "test", bytes: Buffer.from("a secret") })]);
const request = { body, usage: Usage.Opaque, tier: Tier.Private, policy: 1 };
const key = { tier: Tier.Private, policy: 0 };

/** Does something right behind the first sealed request that is carried out. */
function afterNext(all: ReturnType<typeof setUp>, run: () => void): void {
  const { around, store } = all;
  around.answer = (bytes) => {
    const before = store.session.opened.length;
    const answer = store.answer(bytes);
    if (store.session.opened.length === before) return answer;
    around.answer = (again) => store.answer(again);
    run();
    return answer;
  };
}

describe("Client", () => {
  it("provisions as the setup code, goes on as the admin, puts, finds, shows, gets, relabels, replaces and evicts", async () => {
    const { client, store } = setUp();
    expect(await client.hello()).toMatchObject({ state: State.Blank, refusals: 0, setupCode: true });
    expect((await client.provisionBegin(new Uint8Array(16), [{ slotSize: 4096, blocks: 32 }])).state).toBe(
      State.Provisioning,
    );
    await client.operatorAdd({ ...ADMIN, role: Role.Admin });
    await client.operatorAdd({ ...USER, role: Role.User });
    await expect(client.provisionFinish()).rejects.toMatchObject({ status: Status.WrongRole });
    client.as(ADMIN);
    const { handle } = await client.put({ ...request, label: "one" });
    await client.put({ ...request, label: "two" });
    expect((await client.provisionFinish()).state).toBe(State.Ready);
    expect((await client.list()).map(({ label }) => label)).toEqual(["one", "two"]);
    expect((await client.find({ labelPrefix: "tw" })).map(({ label }) => label)).toEqual(["two"]);
    expect((await client.show(handle)).parts).toMatchObject([{ secret: true, length: 8 }]);
    client.as(USER);
    expect((await client.get(handle)).body).toEqual(new Uint8Array(body));
    client.as(ADMIN);
    await client.relabel(handle, undefined);
    expect(await client.list()).toMatchObject([{ handle }, { label: "two" }]);
    expect((await client.replace(handle, body)).handle).toEqual(handle);
    expect(await client.epoch(9)).toBe(9);
    expect(await client.accept()).toBe(1);
    expect(await client.dump(0, 128, 300)).toHaveLength(300);
    expect(await client.evict(handle)).toEqual({ destroyed: false });
    const info = await client.info();
    expect(info).toMatchObject({ state: State.Ready, role: Role.Admin, operator: "admin", refusals: 0 });
    expect(info.store).toMatchObject({ epoch: 9, residue: [handle], classes: [{ slotSize: 4096, capacity: 247 }] });
    await client.close();
    expect(store.session.handshakes).toBe(4);
  });

  it("adds, lists, rotates and removes operators, and gives them other roles", async () => {
    const { client, store } = ready();
    const next = Buffer.alloc(32, 9);
    await client.operatorAdd({ id: "new", role: Role.User, key: next });
    await client.operatorRotate({ id: "user", key: next });
    await client.operatorRole("auditor", Role.User);
    expect((await client.operators()).operators).toEqual([
      { id: "admin", role: Role.Admin, pending: false, refusals: 0 },
      { id: "auditor", role: Role.User, pending: false, refusals: 0 },
      { id: "new", role: Role.User, pending: true, refusals: 0 },
      { id: "user", role: Role.User, pending: true, refusals: 0 },
    ]);
    await client.operatorRemove("new");
    await expect(client.operatorRemove("new")).rejects.toMatchObject({ status: Status.NoSuchOperator });
    await expect(client.operatorRemove("admin")).rejects.toMatchObject({ status: Status.LastAdmin });
    await expect(client.operatorAdd({ ...USER, role: Role.User })).rejects.toMatchObject({
      status: Status.OperatorExists,
    });
    client.as(USER);
    await client.list();
    client.as({ id: "user", key: next });
    await client.list();
    client.as(USER);
    await expect(client.list()).rejects.toMatchObject({ status: Status.HandshakeRefused });
    expect(store.session.refusals).toBe(1);
  });

  it("generates keys, signs and agrees with them, and gives out their public parts", async () => {
    const { client } = ready();
    const raw = await client.generate({ ...key, usage: Usage.Raw, label: "raw" });
    const ssh = await client.generate({ ...key, usage: Usage.SshSig });
    const agree = await client.generate({ ...key, usage: Usage.Agree });
    await expect(client.generate({ ...key, usage: Usage.Opaque })).rejects.toMatchObject({
      status: Status.BadArgument,
    });
    expect((await client.list())[0]).toMatchObject({ label: "raw", origin: Origin.Generated, parts: 2 });
    client.as(USER);
    const message = Buffer.from("a message");
    const signed = await client.sign(raw.handle, message);
    expect(signed.publicKey).toEqual(raw.publicKey);
    expect(ed25519.verify(signed.signature, message, raw.publicKey)).toBe(true);
    const digest = Buffer.alloc(64, 3);
    const overDigest = await client.sign(ssh.handle, digest, "file");
    expect(ed25519.verify(overDigest.signature, sshsigMessage("file", digest), ssh.publicKey)).toBe(true);
    await expect(client.sign(agree.handle, message)).rejects.toMatchObject({
      status: Status.WrongUsage,
      message: expect.stringContaining("usage agree"),
    });
    await expect(client.sign(raw.handle, sshsigMessage("file", digest))).rejects.toMatchObject({
      status: Status.ForeignMessage,
      message: expect.stringContaining("usage sshsig"),
    });
    const mine = x25519.utils.randomSecretKey();
    const shared = x25519.getSharedSecret(mine, agree.publicKey);
    const theirs = x25519.getPublicKey(mine);
    expect(await client.agree(agree.handle, theirs)).toEqual(shared);
    const derived = await client.agree(agree.handle, theirs, { salt: Buffer.alloc(4), context: Buffer.alloc(3) });
    expect(derived).toHaveLength(32);
    expect(derived).not.toEqual(shared);
    await expect(
      client.agree(agree.handle, theirs, {
        salt: Buffer.alloc(1),
        context: Buffer.alloc(1),
        wrapped: Buffer.alloc(32),
      }),
    ).rejects.toMatchObject({ status: Status.NotGenuine });
    await expect(client.agree(agree.handle, new Uint8Array(32))).rejects.toMatchObject({ status: Status.LowOrder });
    const parts = decodeParts((await client.publicParts(raw.handle)).body);
    expect(parts).toMatchObject([{ secret: false, content: raw.publicKey }]);
    client.as(ADMIN);
    const chain = encodeParts([{ kind: 4, secret: false, algorithm: 0, content: Buffer.from("public") }]);
    await client.replace(raw.handle, chain, { keep: true });
    client.as(USER);
    expect(decodeParts((await client.publicParts(raw.handle)).body)).toHaveLength(2);
    const challenge = Buffer.alloc(16, 7);
    const about = { challenge, ...(await client.attest(challenge, raw.handle)) };
    expect(verifyAttestation(about).record).toMatchObject({ handle: raw.handle, publicKey: raw.publicKey });
  });

  it("does not give out a signature that does not verify", async () => {
    const { client, store } = ready({ operator: async () => USER });
    store.session.manage = (command) =>
      command === Command.Sign
        ? message([
            [Key.Public, ed25519.getPublicKey(new Uint8Array(32))],
            [Key.Signature, new Uint8Array(64)],
          ])
        : undefined;
    await expect(client.sign(new Uint8Array(16), Buffer.from("x"))).rejects.toThrow("does not verify");
  });

  it("waits for a touch where the policy asks for one, and says so", async () => {
    const heard: number[] = [];
    let touch: number | undefined = 4000;
    const { client, time } = ready({ onBusy: ({ ms }) => heard.push(ms) }, () => touch);
    const each = await client.generate({ ...key, policy: Presence.Each << 1, usage: Usage.Raw });
    const cached = await client.generate({ ...key, policy: Presence.Cached << 1, usage: Usage.Raw });
    await expect(client.sign(each.handle, body)).rejects.toMatchObject({ status: Status.WrongRole });
    client.as(USER);
    for (const { handle } of [each, each, cached, cached]) await client.sign(handle, body);
    expect(heard).toEqual([30_000, 30_000, 30_000]);
    expect(time.now).toBe(12_000);
    touch = undefined;
    await expect(client.sign(each.handle, body)).rejects.toMatchObject({ status: Status.PresenceTimeout });
    client.as(ADMIN);
    await client.policy(cached.handle, Presence.Each << 1);
    touch = 1;
    await client.policy(cached.handle, 0);
    expect(heard).toHaveLength(5);
  });

  it("gives up a request that waits for a touch, and goes on with the next", async () => {
    const given: Promise<boolean>[] = [];
    const { client, time } = ready({ onBusy: () => given.push(client.cancel()) }, () => undefined);
    expect(await client.cancel()).toBe(false);
    const { handle } = await client.generate({ ...key, policy: Presence.Each << 1, usage: Usage.Raw });
    client.as(USER);
    await expect(client.sign(handle, body)).rejects.toThrow(DeclinedError);
    expect(await Promise.all(given)).toEqual([true]);
    expect(time.now).toBe(0);
    expect(await client.list()).toHaveLength(1);
  });

  it("takes a policy, and forgets everything at a reset", async () => {
    const { client, store } = ready();
    const { handle } = await client.put(request);
    await client.policy(handle, Presence.Cached << 1);
    expect((await client.list())[0]!.policy).toBe(Presence.Cached << 1);
    await client.reset();
    expect(store.records).toEqual([]);
    expect((await client.hello()).state).toBe(State.Blank);
  });

  it("turns a refusal into a DeviceError with status, name, sentence and advice", async () => {
    const { client } = ready({ operator: async () => USER });
    const refused = client.get(new Uint8Array(16));
    await expect(refused).rejects.toThrow(DeviceError);
    await expect(refused).rejects.toMatchObject({
      status: Status.NoSuchHandle,
      name: "NoSuchHandle",
      code: "device",
      exitCode: 1,
    });
    const detailed = answering([Status.TooLarge, 3960] as never).list();
    await expect(detailed).rejects.toMatchObject({
      status: Status.TooLarge,
      detail: 3960,
      message: expect.stringContaining("3960"),
    });
  });

  it("says which role it is and which it takes, when a role is too low", async () => {
    const { client } = ready({ operator: async () => AUDITOR });
    await expect(client.put(request)).rejects.toMatchObject({
      status: Status.WrongRole,
      detail: Role.Auditor,
      message: expect.stringContaining("it is auditor"),
      hint: "It takes admin: name another operator with --operator.",
    });
    await expect(client.reset()).rejects.toMatchObject({ hint: expect.stringContaining("admin or the setup code") });
  });

  it("asks who asks once, and only when a request needs a session", async () => {
    let asked = 0;
    const { client, store } = ready({
      operator: async ({ instance }) => {
        asked++;
        expect(instance).toEqual(new Uint8Array(store.instance));
        return ADMIN;
      },
    });
    await client.hello();
    expect(asked).toBe(0);
    expect(client.session).toBeUndefined();
    await client.list();
    store.session.expire();
    await client.list();
    expect(asked).toBe(1);
    expect(client.session).toMatchObject({ operator: "admin", role: Role.Admin });
  });

  it("says hello without an operator, and nothing else", async () => {
    const { client, wires } = ready({ operator: undefined });
    await expect(client.list()).rejects.toThrow(UsageError);
    expect(wires).toEqual([]);
    expect((await client.hello()).state).toBe(State.Ready);
    client.as(ADMIN);
    expect(await client.list()).toEqual([]);
  });

  it("ends a session on both sides, and makes another one when it is needed", async () => {
    const { client, store } = ready();
    await client.endSession();
    expect(store.session.opened).toEqual([]);
    await client.list();
    await client.endSession();
    expect(client.session).toBeUndefined();
    expect(store.session.opened.at(-1)!.get(Key.Command)).toBe(Command.Close);
    await client.list();
    store.session.expire();
    await client.endSession();
    expect(store.session.handshakes).toBe(2);
  });

  it("runs requests one after the other, in the order in which they were made", async () => {
    const { client, store } = ready();
    const labels = Array.from({ length: 20 }, (_, i) => `record ${i}`);
    await Promise.all(labels.map((label) => client.put({ ...request, label })));
    expect((await client.list()).map(({ label }) => label)).toEqual(labels);
    expect(store.records).toHaveLength(20);
  });

  it("switches the operator in its turn", async () => {
    const { client } = ready();
    const put = client.put(request);
    client.as(AUDITOR);
    const refused = expect(client.put(request)).rejects.toMatchObject({ detail: Role.Auditor });
    await put;
    await refused;
  });

  it("goes on after a request that failed", async () => {
    const { client } = ready();
    const results = await Promise.allSettled([client.show(new Uint8Array(16)), client.list(), client.put(request)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  });

  it("repeats a put that a restart cut off with the same token, so that there is one record", async () => {
    const all = ready();
    const { client, store, device } = all;
    afterNext(all, () => {
      device.restart();
      store.session.expire();
    });
    const { handle } = await client.put(request);
    expect(store.records).toHaveLength(1);
    expect((await client.list())[0]!.handle).toEqual(handle);
    expect(store.session.handshakes).toBe(2);
  });

  it("opens the port again when it closed, and repeats there", async () => {
    const all = ready();
    const { client, store, wires } = all;
    afterNext(all, () => wires[0]!.cut());
    await client.put(request);
    expect(store.records).toHaveLength(1);
    expect(wires).toHaveLength(2);
  });

  it("takes an evict that a restart cut off as done, and knows from info whether the ciphertext is gone", async () => {
    for (const destroy of [false, true]) {
      const all = ready();
      const { client, device, store } = all;
      store.classes = [];
      const { handle } = await client.put(request);
      afterNext(all, () => device.restart());
      expect(await client.evict(handle, destroy)).toEqual({ destroyed: destroy });
    }
    const { client, store } = ready();
    await expect(client.evict(new Uint8Array(16))).rejects.toMatchObject({ status: Status.NoSuchHandle });
    store.session.expire(); // the device did not take the first one, so that it did not evict anything
    await expect(client.evict(new Uint8Array(16))).rejects.toMatchObject({ status: Status.NoSuchHandle });
  });

  it("gives up when the device restarts again and again", async () => {
    const { client, device, around } = ready();
    around.answer = () => {
      device.restart();
      return new Uint8Array(0);
    };
    await expect(client.list()).rejects.toThrow(DisconnectedError);
  });

  it("repeats nothing when it was told so", async () => {
    const { client, device } = ready({ reconnects: 0 });
    await client.list();
    device.restart();
    await expect(client.list()).rejects.toMatchObject({ reason: "restarted" });
    expect(await client.list()).toEqual([]);
  });

  it("gives a raw answer as it is, refusals too", async () => {
    const { client } = ready();
    expect((await client.request(message([[Key.Command, Command.Hello]]))).get(Key.State)).toBe(State.Ready);
    const show = message([
      [Key.Command, Command.Show],
      [Key.Handle, new Uint8Array(16)],
    ]);
    expect(await client.request(show)).toEqual(new Map([[0, Status.NoSuchHandle]]));
  });

  it.each<[string, Message]>([
    ["without what belongs there", message([])],
    [
      "with a field that does not belong there",
      message([
        [Key.Entries, []],
        [Key.Body, new Uint8Array(1)],
        [Key.Corrupt, 0],
      ]),
    ],
    ["with a wrong type", message([[Key.Entries, 7]])],
    ["with an entry that is no map", message([[Key.Entries, [7]]])],
    ["with more entries than slots", message([[Key.Entries, Array.from({ length: 257 }, () => 0)]])],
    [
      "that refuses and tells more than a refusal may",
      message([
        [Key.Command, Status.StoreFull],
        [Key.Handle, new Uint8Array(16)],
      ]),
    ],
    ["with a positive status", message([[Key.Command, 1]])],
    ["with no status that there can be", message([[Key.Command, "no"]])],
  ])("refuses an answer %s with ProtocolError", async (_, map) => {
    await expect(answering(map).list()).rejects.toThrow(ProtocolError);
  });
});

describe("decodeAnswer", () => {
  const answer = (...maps: Message[]) => decodeAnswer(Buffer.concat(maps.map(encodeMessage)));
  const ok = message([[Key.Command, Status.Ok]]);
  const entry = message([[Key.Handle, new Uint8Array(16)]]);
  const end = message([[Key.Corrupt, 3]]);

  it("reads one map as it is, and a sequence as one with its entries", () => {
    expect(answer(ok)).toEqual(ok);
    const listed = (entries: Message[]) => new Map<number, Value>([...ok, [Key.Entries, entries], ...end]);
    expect(answer(ok, end)).toEqual(listed([]));
    expect(answer(ok, entry, entry, end)).toEqual(listed([entry, entry]));
  });

  it.each([
    ["nothing", []],
    ["a sequence that ends too early", [ok, entry]],
    ["a sequence that ends with more than that", [ok, entry, new Map([...end, [Key.Handle, 1]])]],
    ["a sequence that says its status twice", [ok, new Map([...ok, ...end])]],
    ["a sequence that begins with more than that", [new Map([...ok, [Key.Handle, 1]]), end]],
    ["a sequence that begins without a status", [entry, end]],
    ["a sequence behind a refusal", [message([[Key.Command, Status.Degraded]]), entry, end]],
    ["entries in the first map of a sequence", [new Map<number, Value>([...ok, [Key.Entries, [entry]]]), end]],
    ["a list in one map", [new Map<number, Value>([...ok, [Key.Entries, [entry]], ...end])]],
  ])("refuses %s", (_, maps) => {
    expect(() => answer(...maps)).toThrow(ProtocolError);
  });

  it.each([
    ["half a map behind the first", "a10000a1"],
    ["a number behind the first map", "a1000001"],
    ["a later map that is not in its shortest form", "a10000a118340018"],
    ["a later map with keys out of order", "a10000a218340000"],
  ])("refuses %s", (_, hex) => {
    expect(() => decodeAnswer(Buffer.from(hex, "hex"))).toThrow(ProtocolError);
  });
});

describe("decodeMessage", () => {
  it.each([
    ["nothing", ""],
    ["a number", "01"],
    ["a text key", "a1616101"],
    ["a negative key", "a12001"],
    ["keys out of order", "a202000100"],
    ["a key twice", "a200000000"],
    ["a number that is not in its shortest form", "a1001800"],
    ["a length that is not in its shortest form", "a100580100"],
    ["an indefinite map", "bf0000ff"],
    ["an indefinite text", "a1007f6161ff"],
    ["a float", "a100f93c00"],
    ["null", "a100f6"],
    ["undefined", "a100f7"],
    ["a tag", "a100c100"],
    ["a number over 2^53", "a1001b0020000000000001"],
    ["trailing bytes", "a1000000"],
    ["a second map", "a10000a10000"],
    ["text that is not UTF-8", "a10061ff"],
    ["a map that ends too early", "a20000"],
    ["arrays in arrays without end", `a100${"81".repeat(30000)}`],
  ])("refuses %s", (_, hex) => {
    expect(() => decodeMessage(Buffer.from(hex, "hex"))).toThrow(ProtocolError);
  });

  it("undoes encodeMessage, which sorts the keys", () => {
    const map = message([
      [Key.Body, Uint8Array.of(1)],
      [Key.Command, -5],
      [Key.Label, "ü"],
      [Key.Region, 70000],
      [Key.Parts, [true, false]],
    ]);
    const bytes = encodeMessage(map);
    expect(Buffer.from(bytes).toString("hex")).toBe("a500240362c3bc0a41010d82f5f4182e1a00011170");
    expect(decodeMessage(bytes)).toEqual(map);
  });
});

describe("rolesOf", () => {
  it("knows the roles of every command", () => {
    for (const command of Object.values(Command).filter((value) => typeof value === "number"))
      expect(roleText(rolesOf(command)), Command[command]).not.toBe("");
  });
});

describe("STATUS_TEXT", () => {
  it("says of every refusal of the caller and of who asks that nothing changed", () => {
    for (const status of Object.values(Status).filter((value) => typeof value === "number"))
      if ((status < 0 && status > -16) || status <= -64) expect(STATUS_TEXT[status][0]).toMatch(/Nothing changed\.$/);
  });

  it("has a sentence for every status, and advice for every refusal", () => {
    for (const status of Object.values(Status).filter((value) => typeof value === "number")) {
      const [sentence, advice] = STATUS_TEXT[status];
      expect(sentence).toMatch(/^[A-Z].*\.$/);
      if (status !== Status.Ok) expect(advice, Status[status]).toMatch(/\.$/);
    }
  });
});
