/** The client on the real core: what it asks for happens once, however often power fails in between. */
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { FACTS_OFF_SETUP } from "../../firmware/defs/boundary.js";
import { BusyReason } from "../../firmware/defs/link.js";
import { Origin, Presence, Tier, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { State } from "../../firmware/defs/wire.js";
import { verifyAttestation } from "../../host/client/attestation.js";
import { Client, type ClientOptions } from "../../host/client/client.js";
import { DeclinedError } from "../../host/client/errors.js";
import type { Busy } from "../../host/client/link.js";
import { sshsigMessage } from "../../host/client/sshsig.js";
import type { Transport } from "../../host/client/transport.js";
import { readRaw } from "../../host/credentials/raw.js";
import { decodeParts, encodeParts } from "../../host/record.js";
import { V8Device } from "../device/v8.js";
import { everything, expectSealed, Overheard } from "./everything.js";
import { ADMIN, AUDITOR, SETUP, USER } from "./mock-store.js";
import { random } from "./random.js";
import { VirtualTime } from "./virtual-time.js";

/** A line to a device in this process; it closes when power fails. `pass` lets time go by at the device. */
function line(device: V8Device): Transport & { pass(ms: number): void } {
  let receive: (bytes: Uint8Array) => void = () => {};
  let closed: (error?: Error) => void = () => {};
  const run = (answer: () => Uint8Array) => {
    try {
      receive(answer());
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      closed(error);
    }
  };
  return {
    name: "v8",
    write: async (bytes) => run(() => device.exchange(bytes)),
    pass: (ms) => run(() => device.wait(ms)),
    onData: (callback) => {
      receive = callback;
    },
    onClose: (callback) => {
      closed = callback;
    },
    close: async () => {},
  };
}

/** Somebody presses a switch and releases it. */
function touch(device: V8Device, wire: { pass(ms: number): void }, which: "s1" | "s2" = "s1"): void {
  wire.pass(60);
  device.press(which);
  wire.pass(60);
  device.release(which);
}

/** A blank device with a setup code, and a client that begins with it. */
function start(options: ClientOptions = {}, seed = 1) {
  const device = new V8Device(seed);
  device.board.facts.set(SETUP.key, FACTS_OFF_SETUP);
  device.boot();
  const wire = line(device);
  const time = new VirtualTime();
  const client = new Client(async () => wire, { clock: time, operator: async () => SETUP, ...options });
  return { device, wire, time, client };
}

/** Makes root and operators; an admin asks from here on. */
async function provision(client: Client): Promise<void> {
  await client.provisionBegin(new Uint8Array(16), [{ slotSize: 4096, blocks: 32 }]);
  await client.operatorAdd({ ...ADMIN, role: Role.Admin });
  await client.operatorAdd({ ...USER, role: Role.User });
  await client.operatorAdd({ ...AUDITOR, role: Role.Auditor });
  client.as(ADMIN);
  await client.provisionFinish();
}

const body = (text: string) => encodeParts([readRaw({ name: "test", bytes: Buffer.from(text) })]);
const request = { usage: Usage.Opaque, tier: Tier.Private, policy: 1 };

describe("Client on the core", () => {
  it("puts, replaces, relabels and evicts exactly once each while power fails at random", async () => {
    const { below, seed } = random();
    const { device, client: first } = start({}, below(2 ** 31));
    await provision(first);
    let cuts = 0;
    const connect = async () => {
      if (!device.supply.on) {
        cuts++;
        device.boot();
      }
      return line(device);
    };
    const client = new Client(connect, { clock: new VirtualTime(), reconnects: 10, operator: async () => ADMIN });
    const expected = new Map<string, { handle: Uint8Array; text: string }>();
    for (let round = 0; round < 150; round++) {
      if (below(3) === 0)
        device.supply.arm({ operation: below(40), tear: tears.random(() => below(2 ** 31)), marginal: true });
      const labels = [...expected.keys()];
      const label = labels[below(labels.length)];
      const record = expected.get(label ?? "");
      const what = record === undefined ? 0 : below(6);
      const text = `content ${round}`;
      if (what < 3 || label === undefined || record === undefined) {
        const { handle } = await client.put({ ...request, label: `record ${round}`, body: body(text) });
        expected.set(`record ${round}`, { handle, text });
      } else if (what === 3) {
        await client.replace(record.handle, body(text));
        expected.set(label, { ...record, text });
      } else if (what === 4) {
        await client.relabel(record.handle, `record ${round}`);
        expected.delete(label);
        expected.set(`record ${round}`, record);
      } else {
        await client.evict(record.handle, below(2) === 0);
        expected.delete(label);
      }
      device.supply.disarm();
    }
    expect(cuts, seed).toBeGreaterThan(10);
    const entries = await client.list();
    expect(entries.map(({ label }) => label).sort(), seed).toEqual([...expected.keys()].sort());
    client.as(USER);
    for (const { handle, label } of entries) {
      expect((await client.get(handle)).body, seed).toEqual(new Uint8Array(body(expected.get(label!)!.text)));
    }
  });

  it("reads whatever state the core is in", async () => {
    const { client } = start();
    expect(await client.hello()).toMatchObject({ state: State.Blank, setupCode: true, refusals: 0 });
    expect(await client.info()).toMatchObject({ role: Role.Setup });
    expect((await client.info()).store).toBeUndefined();
    await client.provisionBegin(new Uint8Array(16), [{ slotSize: 8192, blocks: 32 }]);
    await client.operatorAdd({ ...ADMIN, role: Role.Admin });
    client.as(ADMIN);
    const { handle } = await client.put({ ...request, body: body("x") });
    expect((await client.show(handle)).parts).toMatchObject([{ secret: true, length: 1 }]);
    expect(await client.find({ usage: Usage.Opaque, tier: Tier.Private, labelPrefix: "", epochMin: 0 })).toHaveLength(
      1,
    );
    expect(await client.find({ usage: Usage.Note })).toEqual([]);
    expect(await client.info()).toMatchObject({
      role: Role.Admin,
      operator: "admin",
      store: { classes: [{ slotSize: 8192, live: 1 }] },
    });
    expect(await client.epoch(3)).toBe(3);
    expect(await client.accept()).toBe(0);
    expect(await client.dump(0, 0, 4096)).toHaveLength(4096);
  });

  it("manages operators", async () => {
    const { client } = start();
    await provision(client);
    const next = new Uint8Array(32).fill(0x4e);
    await client.operatorRotate({ id: "user", key: next });
    expect((await client.operators()).operators).toEqual([
      { id: "admin", role: Role.Admin, pending: false, refusals: 0 },
      { id: "auditor", role: Role.Auditor, pending: true, refusals: 0 },
      { id: "user", role: Role.User, pending: true, refusals: 0 },
    ]);
    await expect(client.operatorRemove("admin")).rejects.toMatchObject({ status: Status.LastAdmin });
    await expect(client.operatorRole("nobody", Role.User)).rejects.toMatchObject({ status: Status.NoSuchOperator });
    client.as({ id: "user", key: next });
    await client.list();
    client.as(USER);
    await expect(client.list()).rejects.toMatchObject({ status: Status.HandshakeRefused });
    client.as(AUDITOR);
    await expect(client.operators()).rejects.toMatchObject({ status: Status.WrongRole, detail: Role.Auditor });
    client.as(ADMIN);
    await client.operatorRemove("auditor");
    expect((await client.operators()).operators.map(({ id, refusals }) => [id, refusals])).toEqual([
      ["admin", 0],
      ["user", 1],
    ]);
    expect((await client.hello()).refusals).toBe(1);
  });

  it("makes keys, and uses them without taking them out", async () => {
    const { client } = start();
    await provision(client);
    const made = { tier: Tier.Private, policy: 0 };
    const raw = await client.generate({ ...made, usage: Usage.Raw, label: "raw" });
    const ssh = await client.generate({ ...made, usage: Usage.SshSig });
    const agree = await client.generate({ ...made, usage: Usage.Agree });
    expect((await client.list())[0]).toMatchObject({ label: "raw", origin: Origin.Generated });
    const chain = encodeParts([{ kind: 4, secret: false, algorithm: 0, content: Buffer.from("public") }]);
    await client.replace(raw.handle, chain, { keep: true });
    client.as(USER);
    expect((await client.sign(raw.handle, Buffer.from("message"))).publicKey).toEqual(raw.publicKey);
    const digest = Buffer.alloc(64, 3);
    const { signature } = await client.sign(ssh.handle, digest, "file");
    expect(ed25519.verify(signature, sshsigMessage("file", digest), ssh.publicKey)).toBe(true);
    await expect(client.sign(raw.handle, sshsigMessage("file", digest))).rejects.toMatchObject({
      status: Status.ForeignMessage,
      detail: Usage.SshSig,
    });
    const mine = x25519.utils.randomSecretKey();
    const shared = await client.agree(agree.handle, x25519.getPublicKey(mine));
    expect(shared).toEqual(x25519.getSharedSecret(mine, agree.publicKey));
    expect(decodeParts((await client.publicParts(raw.handle)).body)).toMatchObject([
      { secret: false, content: raw.publicKey },
      { content: new Uint8Array(Buffer.from("public")) },
    ]);
    const challenge = Buffer.alloc(16, 7);
    const { record, instance } = verifyAttestation({ challenge, ...(await client.attest(challenge, raw.handle)) });
    expect(record).toMatchObject({ handle: raw.handle, publicKey: raw.publicKey, origin: Origin.Generated });
    expect(instance).toEqual((await client.hello()).instance);
  });

  it("waits for a touch, and gives up when it is told to", async () => {
    const heard: Busy[] = [];
    let atBoard: () => void = () => {};
    const all = start({
      onBusy: (busy) => {
        heard.push(busy);
        if (busy.reason === BusyReason.Touch) queueMicrotask(atBoard);
      },
    });
    const { client, device, wire, time } = all;
    await provision(client);
    const { handle } = await client.generate({ usage: Usage.Raw, tier: Tier.Private, policy: Presence.Each << 1 });
    client.as(USER);
    atBoard = () => touch(device, wire);
    await client.sign(handle, Buffer.from("x"));
    atBoard = () => touch(device, wire, "s2");
    await expect(client.sign(handle, Buffer.from("x"))).rejects.toMatchObject({ status: Status.PresenceDenied });
    atBoard = () => wire.pass(31_000);
    await expect(client.sign(handle, Buffer.from("x"))).rejects.toMatchObject({ status: Status.PresenceTimeout });
    atBoard = () => void client.cancel();
    await expect(client.sign(handle, Buffer.from("x"))).rejects.toThrow(DeclinedError);
    expect(heard.filter(({ reason }) => reason === BusyReason.Touch)).toHaveLength(4);
    expect(await client.list()).toHaveLength(1);
    expect(time.now).toBe(0);
  });

  it("makes a new session when the device restarted or the old one expired", async () => {
    const { client, device } = start();
    await provision(client);
    await client.put({ ...request, body: body("x"), label: "one" });
    device.boot();
    await client.put({ ...request, body: body("x"), label: "two" });
    device.wait(301_000);
    await client.put({ ...request, body: body("x"), label: "three" });
    expect(await client.list()).toHaveLength(3);
    await client.endSession();
    expect(await client.list()).toHaveLength(3);
  });

  it("resets a device after a touch, which is blank then", async () => {
    let atBoard: () => void = () => {};
    const { client, device, wire } = start({
      onBusy: ({ reason }) => {
        if (reason === BusyReason.Touch) queueMicrotask(atBoard);
      },
    });
    await provision(client);
    atBoard = () => touch(device, wire);
    await client.reset();
    expect((await client.hello()).state).toBe(State.Blank);
    await expect(client.list()).rejects.toMatchObject({ status: Status.HandshakeRefused });
    client.as(SETUP);
    expect((await client.info()).role).toBe(Role.Setup);
  });

  it("shows a listener nothing but hello, handshakes and ciphertext", async () => {
    const device = new V8Device(2);
    device.board.facts.set(SETUP.key, FACTS_OFF_SETUP);
    device.boot();
    const wire = line(device);
    const overheard = new Overheard(wire, {
      clock: new VirtualTime(),
      operator: async () => SETUP,
      onBusy: ({ reason }) => {
        if (reason === BusyReason.Touch) queueMicrotask(() => touch(device, wire));
      },
    });
    await everything(overheard.client);
    expectSealed(overheard);
  });
});
