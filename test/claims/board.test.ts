/** A board as an authority, through the client: the same rules as the mock's, on every target that has a board. */
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Tier } from "../../firmware/defs/record.js";
import { Status } from "../../firmware/defs/status.js";
import { AuthorityError } from "../../host/claims/authority.js";
import { BoardAuthority, deltasOf, failureOf, filekeysOn } from "../../host/claims/board.js";
import { readSealedHead } from "../../host/claims/sealed.js";
import { Client } from "../../host/client/client.js";
import { DeviceError, DisconnectedError, UnreachedError, UsageError } from "../../host/client/errors.js";
import { FileStore } from "../../host/keys/file.js";
import { openPort, parsePort } from "../../host/ports.js";
import { BoardDesk, inV8 } from "../cli/desk.js";
import { workDirectory } from "../host/keys.js";
import { type Bench, deviceTargets, type Kind, repeat, seed } from "../targets.js";

/** @returns why an authority did not do it */
const failure = (asking: Promise<unknown>) =>
  asking.then(
    () => "nothing",
    (error: unknown) => (error instanceof AuthorityError ? error.failure : error),
  );
const id = () => Uint8Array.from(randomBytes(16));

/** Asks a desk's board as one of its operators, in a connection that is closed behind it. */
async function as<T>(desk: BoardDesk, operator: "ops" | "deploy", run: (client: Client) => Promise<T>): Promise<T> {
  const keys = new FileStore(desk.config());
  const client = new Client(() => openPort(parsePort(desk.port.port)), {
    operator: async ({ instance }) => ({ id: operator, key: (await keys.get(instance, operator))! }),
  });
  return run(client).finally(() => client.close());
}
const asUser = <T>(desk: BoardDesk, run: (authority: BoardAuthority, client: Client) => Promise<T>) =>
  as(desk, "deploy", async (client) => run(await BoardAuthority.over(client), client));
const create = (desk: BoardDesk, capacity: bigint, policy = 1) =>
  as(desk, "ops", (client) => client.filekeyCreate({ tier: Tier.Private, policy, capacity }));

describe.each(deviceTargets)(`a board as an authority, $name (${repeat})`, (kind: Kind<Bench>) => {
  const desk = new BoardDesk(workDirectory(), kind.name, (code) => kind.make(code).device);

  it("hands out each position once, also after power was off, and each request once", async () => {
    const { id: key } = await create(desk, 1000n);
    const request = id();
    const first = await asUser(desk, async (authority) => {
      expect(await authority.deltas(key)).toEqual([{ sequence: 1, id: key, start: 0n, end: 999n, latest: -1n }]);
      const range = await authority.reserve(key, 1, 10n, request);
      expect(await authority.reserve(key, 1, 10n, request)).toEqual(range);
      return range;
    });
    expect(first).toEqual({ start: 0n, end: 9n });
    desk.port.device.boot();
    await asUser(desk, async (authority) => {
      expect(await authority.reserve(key, 1, 5n, id())).toEqual({ start: 10n, end: 14n });
      expect(await authority.forward(key, 1, 85n)).toBe(99n);
      expect((await authority.deltas(key)).at(-1)?.latest).toBe(99n);
      expect(await failure(authority.reserve(key, 1, 901n, id()))).toBe("TooLarge");
      expect(await failure(authority.reserve(key, 2, 1n, id()))).toBe("Conflict");
      expect(await authority.reserve(key, 1, 900n, id())).toEqual({ start: 100n, end: 999n });
    });
  });

  it("renews once for whoever knew the newest Delta, and never asks the older one again", async () => {
    const { id: key } = await create(desk, 1000n);
    await asUser(desk, async (authority) => {
      await authority.reserve(key, 1, 400n, id());
      const next = id();
      const made = { sequence: 2, id: next, start: 1000n, end: 1999n, latest: 999n };
      expect(await authority.renew(key, 1, next)).toEqual(made);
      expect(await authority.renew(key, 1, next)).toEqual(made);
      expect(await failure(authority.renew(key, 1, id()))).toBe("Conflict");
      expect(await failure(authority.reserve(key, 1, 1n, id()))).toBe("Conflict");
      expect(await authority.deltas(key)).toEqual([{ sequence: 1, id: key, start: 0n, end: 999n, latest: 999n }, made]);
      expect(await authority.reserve(key, 2, 1n, id())).toEqual({ start: 1000n, end: 1000n });
    });
  });

  it("opens the containers that it seals, and no others", async () => {
    const { id: key } = await create(desk, 1000n);
    const { id: another } = await create(desk, 1000n);
    await asUser(desk, async (authority) => {
      const container = await authority.container(key, 1);
      expect(readSealedHead(container)).toEqual({ key, sequence: 1, id: key, start: 0n, end: 999n });
      const secret = await authority.open(key, container);
      expect(await authority.open(key, container)).toEqual(secret);
      expect([secret.length, secret.some((byte) => byte !== 0)]).toEqual([32, true]);
      expect(await failure(authority.open(another, container))).toBe("NotGenuine");
      container[70]! ^= 1;
      expect(await failure(authority.open(key, container))).toBe("NotGenuine");
      expect(await failure(authority.open(id(), container))).toBe("NoSuchFilekey");
    });
  });

  it("knows no filekey that was deleted", async () => {
    const { id: key, handle } = await create(desk, 1000n);
    await asUser(desk, async (authority) => {
      await authority.deltas(key);
      await as(desk, "ops", (client) => client.filekeyDelete(handle));
      expect(await failure(authority.deltas(key))).toBe("NoSuchFilekey"); // its handle is remembered
    });
    await asUser(desk, async (authority, client) => {
      expect(await failure(authority.reserve(key, 1, 1n, id()))).toBe("NoSuchFilekey");
      const found = (await filekeysOn(client)).find(({ entry }) => Buffer.compare(entry.handle, handle) === 0);
      expect(found?.state).toBe("deleted");
    });
  });

  it("keeps the secrets of a device-only filekey, and refuses who may not ask", async () => {
    const { id: key, handle } = await create(desk, 1000n, 0);
    await asUser(desk, async (authority) => {
      expect(await authority.reserve(key, 1, 1n, id())).toEqual({ start: 0n, end: 0n });
      expect(await failure(authority.open(key, await authority.container(key, 1)))).toBe("Refused");
    });
    await as(desk, "ops", async (client) => {
      const authority = await BoardAuthority.over(client);
      expect(await failure(authority.reserve(key, 1, 1n, id()))).toBe("Refused");
      expect(await client.filekeyExport(handle).catch((error) => error.status)).toBe(Status.NotExportable);
    });
  });

  it("is unavailable without its cable", async () => {
    const { id: key } = await create(desk, 1000n);
    await asUser(desk, async (authority) => {
      await authority.deltas(key);
      await desk.port.unplug();
      expect(await failure(authority.deltas(key))).toBe("Unavailable");
      await desk.port.plug();
      expect(await authority.reserve(key, 1, 1n, id())).toEqual({ start: 0n, end: 0n });
    });
  });
});

describe(`two boards (${repeat})`, () => {
  const directory = workDirectory();
  const one = new BoardDesk(directory, "one", inV8(seed));
  const two = new BoardDesk(directory, "two", inV8(seed + 1));

  it("have names of their own; one that imported an Alpha opens Deltas and hands out nothing", async () => {
    const { id: key, handle } = await create(one, 1000n);
    const head = await as(one, "ops", (client) => client.filekeyExport(handle));
    const { id: same } = await as(two, "ops", (client) =>
      client.filekeyImport({ tier: Tier.Private, policy: 1, head }),
    );
    expect(same).toEqual(key);
    const [container, secret, name] = await asUser(one, async (authority) => {
      const sealed = await authority.container(key, 1);
      return [sealed, await authority.open(key, sealed), authority.name] as const;
    });
    await asUser(two, async (authority, client) => {
      expect(authority.name).not.toBe(name);
      expect(await authority.open(key, container)).toEqual(secret);
      expect(await failure(authority.reserve(key, 1, 1n, id()))).toBe("NoSuchFilekey");
      const [imported] = await filekeysOn(client);
      expect(imported?.state).toBe("imported");
      const reserve = client.filekeyReserve(imported!.entry.handle, 1, 1n);
      expect(await failure(reserve.catch((error) => Promise.reject(failureOf(error))))).toBe("NotAuthority");
      container[70]! ^= 1;
      expect(await failure(authority.open(key, container))).toBe("NotGenuine");
    });
  });

  it("refuse more requests than their flash should bear, which is no reason to fall back", async () => {
    const { id: key } = await create(one, 10_000n);
    await asUser(one, async (authority) => {
      let last: unknown = "nothing";
      for (let n = 0; n < 300 && last === "nothing"; n++) last = await failure(authority.reserve(key, 1, 1n, id()));
      expect(last).toBe("Refused");
    });
  });
});

describe("deltasOf", () => {
  const delta = (sequence: number) => ({
    sequence,
    id: new Uint8Array(16).fill(sequence),
    start: BigInt(sequence - 1) * 100n,
    end: BigInt(sequence) * 100n - 1n,
  });
  const latest = (pointer: bigint | undefined, ...deltas: number[]) =>
    deltasOf({ id: new Uint8Array(16), pointer, deltas: deltas.map(delta) }).map((one) => one.latest);

  it("tells the one pointer as that of the newest Delta, and older Deltas as used up", () => {
    expect(latest(-1n, 1)).toEqual([-1n]);
    expect(latest(41n, 1)).toEqual([41n]);
    expect(latest(41n, 1, 2)).toEqual([99n, 99n]);
    expect(latest(150n, 1, 2)).toEqual([99n, 150n]);
  });

  it("takes the newest Delta as used up when the position handed out last is not known", () => {
    expect(latest(undefined, 1)).toEqual([99n]);
    expect(latest(undefined, 1, 2)).toEqual([99n, 199n]);
  });
});

describe("failureOf", () => {
  it("calls unavailable only what did not answer", () => {
    const told = (error: unknown) => (failureOf(error) as AuthorityError).failure;
    for (const reason of ["closed", "silent", "restarted"] as const) {
      expect(told(new DisconnectedError(reason, "It is gone."))).toBe("Unavailable");
      expect(told(new UnreachedError(reason, "It is not there."))).toBe("Unavailable");
    }
    for (const status of [Status.WrongRole, Status.HandshakeRefused, Status.PresenceTimeout, Status.Degraded])
      expect(told(new DeviceError(status))).toBe("Refused");
    for (const status of [Status.RateLimited, Status.WrongVersion, Status.NoSession, Status.ReadOnly, Status.Rescue])
      expect(told(new DeviceError(status))).toBe("Refused");
    expect(told(new DeviceError(Status.PositionsLost))).toBe("TooLarge");
    expect(told(new DeviceError(Status.Deleted))).toBe("NoSuchFilekey");
  });

  it("leaves what neither the device nor the way to it did, and always has advice", () => {
    const mistake = new UsageError("No.");
    expect(failureOf(mistake)).toBe(mistake);
    for (const status of Object.values(Status).filter((one) => typeof one === "number")) {
      if (status === Status.Ok) continue;
      const { message, hint, exitCode } = failureOf(new DeviceError(status)) as AuthorityError;
      expect([message !== "", hint !== "", exitCode]).toEqual([true, true, 1]);
    }
  });
});
