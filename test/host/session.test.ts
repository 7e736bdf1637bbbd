/** Sessions between client and device, with everything that a line can do to them. SPEC.md §11. The device is a mock with real handshakes. */
import { describe, expect, it } from "vitest";
import { INNER_MAX } from "../../firmware/defs/link.js";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { Envelope, NOISE_FIRST, OPERATOR_ID, Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { Client, type ClientOptions } from "../../host/client/client.js";
import { type DeviceError, ProtocolError, UsageError } from "../../host/client/errors.js";
import { decodeAnswer, decodeMessage, encodeMessage, message, type Value } from "../../host/client/message.js";
import { NoiseError } from "../../host/client/noise.js";
import { helloMessage, type Operator, Session, sayHello } from "../../host/client/session.js";
import { encodeParts } from "../../host/record.js";
import { everything, expectSealed, Overheard, SECRET } from "./everything.js";
import { type Faults, MockDevice, MockWire } from "./mock-device.js";
import { clear } from "./mock-session.js";
import { ADMIN, AUDITOR, MockStore, SETUP, USER } from "./mock-store.js";
import { random } from "./random.js";
import { VirtualTime } from "./virtual-time.js";

/** A link that is nothing but the device's answers, and what was sent over it. */
function direct(store = new MockStore().makeReady()) {
  const sent: Uint8Array[] = [];
  const exchange = async (bytes: Uint8Array) => {
    sent.push(bytes);
    const answer = store.answer(bytes);
    if (!(answer instanceof Uint8Array)) throw new Error("nobody is at the board");
    return answer;
  };
  const exchangeAll = (all: readonly Uint8Array[]) => Promise.all(all.map(exchange));
  return { store, sent, link: { exchange, exchangeAll } };
}

/** A client of a store; several may share one. */
function connected(store: MockStore, operator: Operator, options: ClientOptions = {}) {
  const time = new VirtualTime();
  const device = new MockDevice(time, { answer: (request) => store.answer(request) });
  const wire = new MockWire(time, device);
  return {
    client: new Client(async () => wire, { clock: time, operator: async () => operator, ...options }),
    wire,
    device,
  };
}

const list = encodeMessage(message([[Key.Command, Command.List]]));
const info = encodeMessage(message([[Key.Command, Command.Info]]));
const wrong = (operator: Operator): Operator => ({ id: operator.id, key: Buffer.alloc(32, 0x77) });
const put = { body: encodeParts([{ kind: 4, secret: true, algorithm: 0, content: Buffer.from("the secret") }]) };
const request = { ...put, usage: Usage.Opaque, tier: Tier.Private, policy: 1 };

describe("Session", () => {
  it("says hello, makes one handshake, and carries what is sealed", async () => {
    const { link, sent, store } = direct();
    const session = await Session.open(link, AUDITOR);
    expect(session).toMatchObject({ operator: "auditor", role: Role.Auditor, hello: { state: State.Ready } });
    expect(decodeAnswer(await session.exchange(list)).get(Key.Command)).toBe(Status.Ok);
    expect(decodeAnswer(await session.exchange(list)).get(Key.Command)).toBe(Status.Ok);
    expect(sent[0]).toEqual(helloMessage());
    expect(Buffer.from(helloMessage()).toString("hex")).toBe("00a10001");
    expect(sent[1]).toHaveLength(1 + OPERATOR_ID + NOISE_FIRST);
    expect(Buffer.from(sent[1]!).subarray(0, 11).toString("latin1")).toBe("\x01auditor\0\0\0");
    expect(sent.map((bytes) => bytes[0])).toEqual([0, 1, 2, 2]);
    expect(sent[2]!.length).toBe(list.length + 19);
    expect(store.session.handshakes).toBe(1);
  });

  it("asks again, by itself, what was sent ahead and whose answer was lost", async () => {
    const { link, sent } = direct();
    const lossy = {
      ...link,
      exchangeAll: async (all: readonly Uint8Array[]) =>
        (await link.exchangeAll(all)).map((answer, i) => (i === 1 || i === 2 ? undefined : answer)),
    };
    const session = await Session.open(lossy, AUDITOR);
    const before = sent.length;
    const answers = (await session.exchangeAll([list, info, list, info, info])).map(decodeAnswer);
    expect(answers.map((answer) => answer.get(Key.Command))).toEqual([0, 0, 0, 0, 0]);
    expect(answers.map((answer) => answer.has(Key.Entries))).toEqual([true, false, true, false, false]);
    expect(sent.length - before).toBe(7);
    expect(decodeAnswer(await session.exchange(list)).get(Key.Command)).toBe(Status.Ok);
  });

  it("takes no answer for that to another request, whatever the line moves, calls lost and keeps back for what is asked again", async () => {
    for (const moved of [
      [undefined, 0, 1],
      [undefined, 0, 2],
      [undefined, 2, 1],
      [0, 2, 1],
      [0, 0, 2],
      [undefined, undefined, 0],
      [undefined, undefined, 1],
      [0, undefined, 1],
    ]) {
      const { link } = direct();
      let kept: Uint8Array[] = [];
      const moving = {
        ...link,
        exchangeAll: async (all: readonly Uint8Array[]) => {
          const answers = await link.exchangeAll(all);
          if (all.length < moved.length) return [kept.shift() ?? answers[0]];
          kept = answers.filter((_, from) => !moved.includes(from));
          return moved.map((from) => (from === undefined ? undefined : answers[from]));
        },
      };
      const session = await Session.open(moving, AUDITOR);
      await expect(session.exchangeAll([list, info, list]), String(moved)).rejects.toThrow(NoiseError);
      await expect(session.exchange(list)).rejects.toThrow("closed");
    }
  });

  it("tells the device apart for who asks", async () => {
    const { link, store } = direct();
    const session = await Session.open(link, async ({ instance }) => {
      expect(instance).toEqual(new Uint8Array(store.instance));
      return USER;
    });
    expect(session.role).toBe(Role.User);
  });

  it("leaves the operator's key as it was, a Buffer too", async () => {
    const key = Buffer.from(ADMIN.key);
    const { link } = direct();
    (await Session.open(link, { id: "admin", key })).close();
    expect(key).toEqual(ADMIN.key);
  });

  it.each<[string, Operator]>([
    ["a wrong key", wrong(ADMIN)],
    ["an operator that there is not", { id: "nobody", key: ADMIN.key }],
    ["another operator's key", { id: "admin", key: USER.key }],
    ["the setup code of a device that is ready", SETUP],
  ])("is refused %s with HandshakeRefused, which names operator and device", async (_, operator) => {
    const { link, store } = direct();
    const refused = Session.open(link, operator);
    await expect(refused).rejects.toMatchObject({ name: "HandshakeRefused", status: Status.HandshakeRefused });
    const error = (await refused.catch((thrown: unknown) => thrown)) as DeviceError;
    expect(error.message).toContain(operator.id === "" ? "the setup code" : `operator "${operator.id}"`);
    expect(error.message).toContain("15151515151515151515151515151515");
    expect(error.message).toContain("Nothing changed.");
    expect(error.hint).not.toBe("");
    expect(`${error.message}${error.hint}`).not.toContain(Buffer.from(operator.key).toString("hex").slice(0, 8));
    expect(store.session.refusals).toBe(1);
  });

  it.each<[string, Operator]>([
    ["an id with a capital", { id: "Admin", key: ADMIN.key }],
    ["an id that is too long", { id: "a".repeat(11), key: ADMIN.key }],
    ["an id with a zero", { id: "a\0", key: ADMIN.key }],
    ["a short key", { id: "admin", key: new Uint8Array(31) }],
  ])("refuses %s before it sends a handshake", async (_, operator) => {
    const { link, sent } = direct();
    await expect(Session.open(link, operator)).rejects.toThrow(UsageError);
    expect(sent).toHaveLength(1);
  });

  it("does not begin while the device has no challenge, and asks nobody", async () => {
    const { link, store } = direct();
    store.session.tamper = (answer) => {
      const map = decodeMessage(answer.subarray(1));
      map.delete(Key.Challenge);
      return Buffer.concat([Buffer.of(0), encodeMessage(map)]);
    };
    const opened = Session.open(link, () => expect.unreachable());
    await expect(opened).rejects.toMatchObject({ status: Status.EntropyNotReady });
  });

  it("does not begin with a device of another protocol version", async () => {
    const { link, store, sent } = direct();
    store.session.tamper = (answer) =>
      Buffer.concat([Buffer.of(0), encodeMessage(decodeMessage(answer.subarray(1)).set(Key.Protocol, 1))]);
    await expect(Session.open(link, ADMIN)).rejects.toThrow("speaks protocol 1");
    expect(sent).toHaveLength(1);
  });

  it.each<[string, Key, Value]>([
    ["challenge", Key.Challenge, Buffer.alloc(16)],
    ["instance", Key.Instance, Buffer.alloc(16)],
  ])("is refused when somebody changed the %s in hello", async (_, field, value) => {
    const { link, store } = direct();
    store.session.tamper = (answer) =>
      answer[0] === 0 && answer.length > 10
        ? Buffer.concat([Buffer.of(0), encodeMessage(decodeMessage(answer.subarray(1)).set(field, value))])
        : answer;
    await expect(Session.open(link, ADMIN)).rejects.toMatchObject({ status: Status.HandshakeRefused });
  });

  it("is not fooled by who does not hold the key", async () => {
    const { link, store } = direct();
    const genuine: Uint8Array[] = [];
    store.session.tamper = (answer) => {
      if (answer[0] !== Envelope.Handshake) return answer;
      genuine.push(answer.slice());
      return answer.map((byte, i) => (i === 40 ? byte ^ 1 : byte));
    };
    await expect(Session.open(link, ADMIN)).rejects.toThrow(NoiseError);
    store.session.tamper = (answer) => (answer[0] === Envelope.Handshake ? genuine[0]! : answer); // an old one
    await expect(Session.open(link, ADMIN)).rejects.toThrow('does not hold the key of operator "admin"');
    store.session.tamper = (answer) => (answer[0] === Envelope.Handshake ? answer.subarray(0, 49) : answer);
    await expect(Session.open(link, ADMIN)).rejects.toThrow(NoiseError);
  });

  it.each<[string, Uint8Array]>([
    ["nothing", Buffer.of()],
    ["an unknown envelope", Buffer.of(3, 1, 2)],
    ["a success in clear", clear(Status.Ok)],
    ["clear bytes that are no message", Buffer.of(0, 0xff)],
    ["a sealed message", Buffer.of(2, 0, 0, 1, 2, 3)],
  ])("refuses %s as the answer to a handshake", async (_, bytes) => {
    const { link, store } = direct();
    store.session.tamper = (answer) => (answer[0] === Envelope.Handshake ? bytes : answer);
    await expect(Session.open(link, ADMIN)).rejects.toThrow(ProtocolError);
  });

  it.each<[string, Uint8Array]>([
    ["nothing", Buffer.of()],
    ["an unknown envelope", Buffer.of(9)],
    ["a success in clear", clear(Status.Ok)],
    ["a refusal in clear that only sealed ones may carry", clear(Status.NoSuchHandle)],
    ["another session's answer", Buffer.concat([Buffer.of(2, 0, 0), Buffer.alloc(32)])],
    ["a sealed envelope without anything in it", Buffer.of(2)],
  ])("refuses %s as the answer to a sealed request, and is over", async (_, bytes) => {
    const { link, store } = direct();
    const session = await Session.open(link, ADMIN);
    store.session.tamper = () => bytes;
    await expect(session.exchange(list)).rejects.toThrow(ProtocolError);
    store.session.tamper = (answer) => answer;
    await expect(session.exchange(list)).rejects.toThrow("its key is wiped");
  });

  it("refuses answers that were changed, repeated or moved", async () => {
    const ways: ((answer: Uint8Array, earlier: Uint8Array[]) => Uint8Array)[] = [
      (answer) => answer.map((byte, i) => (i === answer.length - 1 ? byte ^ 1 : byte)),
      (answer) => answer.map((byte, i) => (i === 5 ? byte ^ 0x80 : byte)),
      (answer) => answer.subarray(0, -1),
      (_, earlier) => earlier.at(-1)!,
      (_, earlier) => earlier[0]!,
    ];
    for (const way of ways) {
      const { link, store } = direct();
      const session = await Session.open(link, ADMIN);
      const earlier: Uint8Array[] = [];
      store.session.tamper = (answer) => {
        earlier.push(answer);
        return answer;
      };
      await session.exchange(list);
      await session.exchange(list);
      store.session.tamper = (answer) => way(answer, earlier);
      await expect(session.exchange(list)).rejects.toThrow(ProtocolError);
    }
  });

  it("tells of a session that is over with NoSession, and is over itself", async () => {
    const { link, store } = direct();
    const session = await Session.open(link, ADMIN);
    store.session.expire();
    await expect(session.exchange(list)).rejects.toMatchObject({ status: Status.NoSession });
    await expect(session.exchange(list)).rejects.toThrow("its key is wiped");
  });

  it("sends nothing that is longer than INNER_MAX, and goes on", async () => {
    const { link, sent } = direct();
    const session = await Session.open(link, ADMIN);
    const before = sent.length;
    await expect(session.exchange(new Uint8Array(INNER_MAX + 1))).rejects.toThrow("was not sent");
    expect(sent).toHaveLength(before);
    await session.exchange(list);
  });

  it("wipes its keys when it is closed", async () => {
    const { link, sent } = direct();
    const session = await Session.open(link, ADMIN);
    session.close();
    await expect(session.exchange(list)).rejects.toThrow("its key is wiped");
    expect(sent).toHaveLength(2);
  });

  it("answers hello beside a running session", async () => {
    const { link } = direct();
    const session = await Session.open(link, ADMIN);
    expect((await sayHello(link)).state).toBe(State.Ready);
    await session.exchange(list);
  });
});

describe("Client in a session", () => {
  it("makes a new session when the old one is over, and sends the same request again", async () => {
    const store = new MockStore().makeReady();
    const { client } = connected(store, ADMIN);
    for (let round = 1; round <= 3; round++) {
      await client.put({ ...request, label: `record ${round}` });
      store.session.expire();
    }
    expect((await client.list()).map(({ label }) => label)).toEqual(["record 1", "record 2", "record 3"]);
    expect(store.session.handshakes).toBe(4);
  });

  it("makes one new session for a request and no more", async () => {
    const store = new MockStore().makeReady();
    const { client } = connected(store, ADMIN);
    store.session.tamper = (answer) => (answer[0] === Envelope.Sealed ? clear(Status.NoSession) : answer);
    await expect(client.list()).rejects.toMatchObject({ status: Status.NoSession });
    expect(store.session.handshakes).toBe(2);
    store.session.tamper = (answer) => answer;
    expect(await client.list()).toEqual([]);
  });

  it("puts once although somebody says that there is no session", async () => {
    const store = new MockStore().makeReady();
    const { client } = connected(store, ADMIN);
    await client.list();
    let forged = false;
    store.session.tamper = (answer) => {
      if (forged || answer[0] !== Envelope.Sealed) return answer;
      forged = true;
      return clear(Status.NoSession);
    };
    await client.put(request);
    expect(store.records).toHaveLength(1);
  });

  it("takes turns with another client of the same device", async () => {
    const store = new MockStore().makeReady();
    const [one, two] = [connected(store, ADMIN).client, connected(store, AUDITOR).client];
    await one.put({ ...request, label: "first" });
    expect(await two.list()).toHaveLength(1);
    await one.put({ ...request, label: "second" });
    expect(await two.list()).toHaveLength(2);
    expect(store.session.handshakes).toBe(4);
  });

  it("is not replaced by who has no key", async () => {
    const store = new MockStore().makeReady();
    const [good, bad] = [connected(store, ADMIN).client, connected(store, wrong(ADMIN)).client];
    await good.list();
    await expect(bad.list()).rejects.toMatchObject({ status: Status.HandshakeRefused });
    await good.list();
    expect(store.session).toMatchObject({ handshakes: 1, refusals: 1 });
  });

  it("does not try again after a refused handshake, until it is asked again", async () => {
    const store = new MockStore().makeReady();
    const { client } = connected(store, wrong(ADMIN));
    await expect(client.list()).rejects.toMatchObject({ status: Status.HandshakeRefused });
    expect(store.session.refusals).toBe(1);
    client.as(ADMIN);
    expect(await client.list()).toEqual([]);
  });

  it("loses no access when the operator itself is removed: it is refused from then on", async () => {
    const store = new MockStore().makeReady();
    const { client } = connected(store, ADMIN);
    await client.operatorAdd({ id: "other", role: Role.Admin, key: Buffer.alloc(32, 3) });
    client.as({ id: "other", key: Buffer.alloc(32, 3) });
    await client.operatorRemove("other");
    await expect(client.list()).rejects.toMatchObject({ status: Status.HandshakeRefused });
  });

  it("goes on in a new session after an answer that was not genuine", async () => {
    const store = new MockStore().makeReady();
    const { client } = connected(store, ADMIN);
    await client.list();
    store.session.tamper = (answer) => answer.map((byte, i) => (i === 9 ? byte ^ 1 : byte));
    await expect(client.put(request)).rejects.toThrow(ProtocolError);
    store.session.tamper = (answer) => answer;
    expect(await client.list()).toHaveLength(1);
  });

  it("carries out every request once over a line that loses, doubles, delays and damages frames, and says NoSession at whim", async () => {
    const { below, seed } = random();
    const store = new MockStore().makeReady();
    const { client, wire } = connected(store, ADMIN, { retransmissions: 100, reconnects: 100 });
    const faults: Faults = (bytes) => {
      const what = below(14);
      if (what === 0) return [];
      if (what < 3) return [0, below(2500)].map((after) => ({ after, bytes }));
      if (what === 3) return [{ after: below(2500), bytes }];
      if (what === 4) return [{ after: 0, bytes: bytes.map((byte) => (below(200) === 0 ? below(256) : byte)) }];
      return [{ after: 0, bytes }];
    };
    wire.faults = faults;
    const labels = Array.from({ length: 60 }, (_, i) => `record ${i}`);
    for (const label of labels) {
      if (below(5) === 0) store.session.expire();
      await client.put({ ...request, label });
    }
    expect(
      (await client.list()).map(({ label }) => label),
      seed,
    ).toEqual(labels);
  });
});

describe("What a listener sees", () => {
  it("is hello, handshakes and ciphertext, whatever the client is told to do", async () => {
    const time = new VirtualTime();
    const store = new MockStore();
    const device = new MockDevice(time, { answer: (bytes) => store.answer(bytes) });
    const overheard = new Overheard(new MockWire(time, device), { clock: time, operator: async () => SETUP });
    await everything(overheard.client);
    expectSealed(overheard);
    expect(store.session.opened.map((map) => Uint8Array.from(encodeMessage(map)))).toEqual(overheard.requests);
  });

  it("is found by this test when it is more than that", async () => {
    const time = new VirtualTime();
    const store = new MockStore();
    const device = new MockDevice(time, { answer: (bytes) => store.answer(bytes) });
    const overheard = new Overheard(new MockWire(time, device), { clock: time, operator: async () => SETUP });
    await everything(overheard.client);
    for (const leak of [SECRET, "label of a key", "newcomer"]) {
      overheard.toHost.push(Buffer.concat([Buffer.of(Envelope.Sealed), Buffer.from(`xx${leak}xx`)]));
      expect(() => expectSealed(overheard)).toThrow();
      overheard.toHost.pop();
    }
    expectSealed(overheard);
  });
});
