/** The agent: several clients at one session, in turn; touches, cancellation and failures across the socket; and what `mbs session` shows. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { beforeEach, describe, expect, it } from "vitest";
import { Presence, Tier, Usage } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { Agent } from "../../host/agent/agent.js";
import { Ask, bytesField, receive, Slot, send } from "../../host/agent/protocol.js";
import { Share } from "../../host/agent/share.js";
import { socketPath } from "../../host/agent/where.js";
import { Client } from "../../host/client/client.js";
import { DeclinedError, DeviceError, DisconnectedError } from "../../host/client/errors.js";
import type { Busy } from "../../host/client/link.js";
import { decodeAnswer, decodeMessage, encodeMessage, type Message, message } from "../../host/client/message.js";
import type { Operator } from "../../host/client/session.js";
import { makePolicy } from "../../host/names.js";
import { openPort, parsePort } from "../../host/ports.js";
import { workDirectory } from "./keys.js";
import { ADMIN, USER } from "./mock-store.js";
import { Desk } from "./terminal.js";

const directory = workDirectory();
const desk = new Desk(directory);
const { json, mbs, ok, path } = desk;
let count = 0;
const never = () => Promise.reject(new Error("no port is opened"));

beforeEach(() => desk.ready());

/** An agent in this process. @returns what makes clients of it */
async function start(idle = 60_000) {
  const socket = path(`run/${++count}.sock`);
  const log: string[] = [];
  const connections: number[] = [];
  const port = () => {
    connections.push(1);
    return openPort(parsePort(desk.port));
  };
  const agent = await Agent.listen(socket, port, { idle, log: (text) => log.push(text) });
  const client = async (operator: Operator, onBusy: (busy: Busy) => void = () => {}) =>
    new Client((await Share.reach(socket, { operator: async () => operator, onBusy }))!);
  return { agent, client, connections, log, socket };
}

const touched = {
  usage: Usage.Raw,
  tier: Tier.Private,
  policy: makePolicy({ exportable: false, presence: Presence.Each }),
};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("Agent", () => {
  it("serves several clients with one connection and one handshake, in turn", async () => {
    const { agent, client, connections } = await start();
    const clients = await Promise.all(Array.from({ length: 4 }, () => client(USER)));
    const found = await Promise.all(clients.flatMap((one) => [one.list(), one.info()]));
    expect(found).toHaveLength(8);
    expect([connections.length, desk.store.session.handshakes]).toEqual([1, 1]);
    await Promise.all(clients.map((one) => one.close()));
    const late = await client(USER);
    await late.list();
    expect(desk.store.session.handshakes).toBe(1);
    await agent.stop();
  });

  it("asks as the operator of each client, whose key it checks against the device", async () => {
    const { agent, client } = await start();
    const [user, admin] = [await client(USER), await client(ADMIN)];
    const asked = await Promise.all([user.info(), admin.info(), user.info()]);
    expect(asked.map(({ operator }) => operator)).toEqual(["user", "admin", "user"]);
    const impostor = await client({ id: "admin", key: USER.key });
    await expect(impostor.info()).rejects.toMatchObject({ status: Status.HandshakeRefused });
    expect((await admin.info()).operator).toBe("admin");
    await agent.stop();
  });

  it("carries refusals of the device as what they are", async () => {
    const { agent, client } = await start();
    const user = await client(USER);
    await expect(user.get(Buffer.alloc(16))).rejects.toMatchObject({ status: Status.NoSuchHandle });
    await expect(user.evict(Buffer.alloc(16))).rejects.toThrow(DeviceError);
    await agent.stop();
    await expect(user.list()).rejects.toThrow(DisconnectedError);
  });

  it("tells the client that asked when a touch is awaited, and lets it give up alone", async () => {
    const { agent, client } = await start();
    const busy: Busy[] = [];
    const admin = await client(ADMIN);
    const { handle } = await admin.generate(touched);
    desk.touch = undefined;
    const [signer, other] = [await client(USER, (one) => busy.push(one)), await client(USER)];
    const signing = signer.sign(handle, Buffer.from("m"));
    const listing = other.list();
    signing.catch(() => {});
    while (busy.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await other.cancel()).toBe(false);
    expect(await signer.cancel()).toBe(true);
    await expect(signing).rejects.toThrow(DeclinedError);
    expect(await listing).toHaveLength(1);
    desk.touch = 1;
    expect((await signer.sign(handle, Buffer.from("m"))).signature).toHaveLength(64);
    await agent.stop();
  });

  it("gives up what waits for a touch when its client vanishes", async () => {
    const { agent, client } = await start();
    const { handle } = await (await client(ADMIN)).generate(touched);
    desk.touch = undefined;
    const busy: Busy[] = [];
    const share = (await Share.reach(path(`run/${count}.sock`), {
      operator: async () => USER,
      onBusy: (one) => busy.push(one),
    }))!;
    new Client(share).sign(handle, Buffer.from("m")).catch(() => {});
    while (busy.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const other = await client(USER);
    const listing = other.list();
    // the socket breaks, as when the program is killed
    await Promise.race([share.close(), new Promise((resolve) => setTimeout(resolve, 20))]);
    await share.cancel();
    expect(await listing).toHaveLength(1);
    await agent.stop();
  });

  it("ends after its idle time, with the session on the device, its socket gone", async () => {
    const { agent, client, log, socket } = await start(300);
    await (await client(USER)).list();
    await agent.done;
    expect([existsSync(socket), log.at(-1)]).toEqual([false, "ended"]);
    expect(desk.store.session.opened.at(-1)?.get(0)).toBe(16); // Close
  });

  it("sends away what does not speak its protocol, and goes on", async () => {
    const { agent, client, log, socket } = await start();
    for (const bytes of [
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      Buffer.from([0, 0, 0, 1, 0xa0]),
      Buffer.from([0, 0, 0, 2, 0xa1, 0x00]),
    ]) {
      const stranger = connect(socket);
      stranger.on("error", () => {});
      stranger.write(bytes);
      await new Promise((resolve) => stranger.once("close", resolve));
    }
    expect(log.filter((line) => line.startsWith("a client was sent away"))).toHaveLength(3);
    expect(await (await client(USER)).list()).toEqual([]);
    await agent.stop();
  });

  it("asks nothing of a device of another protocol version, which the agent of an older mbs may speak", async () => {
    const { agent, client } = await start();
    const { session } = desk.store;
    const { tamper } = session;
    session.tamper = (answer) => {
      session.tamper = tamper; // the agent, which asks next, finds nothing wrong
      return Buffer.concat([Buffer.of(0), encodeMessage(decodeMessage(answer.subarray(1)).set(Key.Protocol, 1))]);
    };
    await expect((await client(USER)).list()).rejects.toThrow("speaks protocol 1");
    expect(session.handshakes).toBe(0);
    await agent.stop();
  });

  it("ends a session for who has no key, and carries nothing in it", async () => {
    const { agent, client, socket } = await start();
    const owner = await client(USER);
    await owner.list();
    const stranger = connect(socket);
    const request = encodeMessage(message([[Key.Command, Command.List]]));
    send(stranger, [
      [Slot.Kind, Ask.End],
      [Slot.Bytes, request],
    ]);
    const answered = await new Promise<Message>((resolve) => receive(stranger, resolve));
    const answer = decodeAnswer(bytesField(answered, Slot.Bytes));
    expect([answer.get(Key.Entries), desk.store.session.opened.at(-1)?.get(Key.Command)]).toEqual([
      undefined,
      Command.Close,
    ]);
    stranger.destroy();
    expect(await owner.list()).toEqual([]);
    await agent.stop();
  });

  it("lets nobody in while it ends, and leaves the port closed", async () => {
    const { agent, client, connections } = await start();
    const owner = await client(USER);
    await owner.list();
    const ending = agent.stop();
    await expect(owner.list()).rejects.toThrow(DisconnectedError);
    await ending;
    expect(connections).toHaveLength(1);
  });

  it("is the only one at its path, and removes no socket but its own", async () => {
    const { agent, client, socket } = await start();
    const options = { idle: 60_000, log: () => {} };
    await expect(Agent.listen(socket, () => openPort(parsePort(desk.port)), options)).rejects.toThrow(
      "open on this port",
    );
    const both = await Promise.allSettled([1, 2].map(() => Agent.listen(path("run/both.sock"), never, options)));
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    for (const one of both) if (one.status === "fulfilled") await one.value.stop();
    expect(existsSync(path("run/both.sock"))).toBe(false);
    expect(await (await client(USER)).list()).toEqual([]);
    rmSync(socket);
    writeFileSync(socket, "somebody else's");
    await agent.stop();
    expect(existsSync(socket)).toBe(true);
  });

  it("gives up a touch whose client left before it was announced", async () => {
    const { agent, client, socket } = await start();
    const admin = await client(ADMIN);
    const { handle } = await admin.generate(touched);
    desk.touch = undefined;
    desk.work = 100;
    const request = message([
      [Key.Command, Command.Sign],
      [Key.Handle, handle],
      [Key.Data, Buffer.from("x")],
    ]);
    const raw = connect(socket);
    send(raw, [
      [Slot.Kind, Ask.Sealed],
      [Slot.OperatorId, USER.id],
      [Slot.OperatorKey, Uint8Array.from(USER.key)],
      [Slot.Bytes, encodeMessage(request)],
    ]);
    await new Promise((resolve) => setTimeout(resolve, 50)); // before the handshake is over
    raw.destroy();
    const began = Date.now();
    expect(await admin.list()).toHaveLength(1);
    expect(Date.now() - began).toBeLessThan(10_000); // a touch is awaited for 30 s
    await agent.stop();
  });

  it("is reachable by its user alone", async () => {
    const { agent, socket } = await start();
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(statSync(path("run")).mode & 0o777).toBe(0o700);
    await agent.stop();
  });
});

describe("Share.reach", () => {
  it("does not use a socket that others can reach, and finds none behind an agent that was killed", async () => {
    mkdirSync(path("open"), { mode: 0o700 });
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(path("open/s.sock"), resolve));
    chmodSync(path("open/s.sock"), 0o666);
    await expect(Share.reach(path("open/s.sock"))).rejects.toThrow("not a socket of this user alone");
    chmodSync(path("open/s.sock"), 0o600);
    chmodSync(path("open"), 0o755);
    await expect(Share.reach(path("open/s.sock"))).rejects.toThrow("not a socket of this user alone");
    server.close();
    expect(await Share.reach(path("open/none.sock"))).toBeUndefined();
    mkdirSync(path("file"), { mode: 0o700 });
    writeFileSync(path("file/s.sock"), "", { mode: 0o600 });
    await expect(Share.reach(path("file/s.sock"))).rejects.toThrow("not a socket");
  });
});

describe("socketPath", () => {
  it("is in XDG_RUNTIME_DIR when that is this user's alone, and nowhere when it would be too long", async () => {
    const port = parsePort("tcp:127.0.0.1:7420");
    mkdirSync(path("runtime"), { mode: 0o700 });
    const at = (env: Record<string, string>, config = path("config")) => socketPath(port, env, config);
    expect(await at({ XDG_RUNTIME_DIR: path("runtime") })).toMatch(`${path("runtime")}/mbs/`);
    chmodSync(path("runtime"), 0o755);
    expect(await at({ XDG_RUNTIME_DIR: path("runtime") })).toMatch(`${path("config")}/run/`);
    expect(await at({}, `/${"x".repeat(100)}`)).toBeUndefined();
  });
});

describe("mbs session", () => {
  it("opens in the background, is found by later commands, and closes", async () => {
    const opened = await json(["session", "open"]);
    expect(opened).toMatchObject({ open: true, operator: "user", role: "user" });
    const before = desk.store.session.handshakes;
    await ok(["list", "--json"]);
    await ok(["list", "--json"]);
    expect(desk.store.session.handshakes).toBe(before);
    expect(await json(["session", "status"])).toMatchObject({ open: true, process: opened.process });
    expect((await json(["session", "open"])).process).toBe(opened.process);
    writeFileSync(path("s"), "secret");
    await ok(["put", path("s"), "--label", "s", "--exportable"]);
    expect(await ok(["get", "s"])).toBe("secret");
    const socket = await socketPath(parsePort(desk.port), desk.env, desk.config);
    expect(statSync(socket!.replace(/sock$/, "log")).mode & 0o777).toBe(0o600);
    expect(await ok(["session", "close"])).toContain("closed");
    expect(await json(["session", "status"])).toMatchObject({ open: false });
    await expect.poll(() => isAlive(opened.process), { timeout: 5000 }).toBe(false);
    expect((await mbs(["session", "close"])).exitCode).toBe(1);
    expect(await ok(["get", "s"])).toBe("secret");
  });

  it("opens where an agent was killed, and where two are opened at once", async () => {
    const socket = (await socketPath(parsePort(desk.port), desk.env, desk.config))!;
    const kill = `chmodSync(${JSON.stringify(socket)}, 0o600); process.kill(process.pid, "SIGKILL")`;
    const code = `const { chmodSync } = require("fs"); require("net").createServer().listen(${JSON.stringify(socket)}, () => { ${kill}; })`;
    spawnSync(process.execPath, ["-e", code]);
    expect(existsSync(socket)).toBe(true);
    const [one, other] = await Promise.all([json(["session", "open"]), json(["session", "open"])]);
    expect([one.open, one.process]).toEqual([true, other.process]);
    await ok(["session", "close"]);
    await expect.poll(() => isAlive(one.process), { timeout: 5000 }).toBe(false);
    expect(existsSync(socket)).toBe(false);
  });

  it("leaves no agent behind when the device refuses, and says why", async () => {
    desk.store.session.operators = [];
    const { err, exitCode } = await mbs(["session", "open"]);
    expect([exitCode, err]).toEqual([1, expect.stringContaining("refused")]);
    expect(await json(["session", "status"])).toMatchObject({ open: false });
  });
});
