/** The changes that sweeps cut, and the states that they start from: three blocks of two slots, so that every few changes reclaim, and
 *  operators. */
import type { Random } from "../../board/virtual/prng.js";
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import type { Device } from "../device/device.js";
import { Refusal, Talk } from "../device/talk.js";
import { load, type Media as Saved, save } from "../torture/film.js";
import type { Change } from "./look.js";

/** The key of an operator's n-th rotation. */
export const keyOf = (id: string, n = 0): Uint8Array => Buffer.alloc(32, `${id} ${n} `);

/** Changes with content drawn from `random`, on one device. */
export function scene(device: Device, random: Random) {
  const talk = new Talk(device);
  const bytes = (n: number) => Uint8Array.from({ length: n }, () => random() >>> 24);
  const body = (n: number) => encodeParts([{ kind: 4, secret: true, algorithm: 0, content: bytes(n) }]);

  function put(
    length: number,
    label: string | undefined = undefined,
    slotClass: number | undefined = undefined,
  ): Change {
    const fields = [
      [Key.Token, bytes(16)],
      [Key.Label, label],
      [Key.Usage, 0],
      [Key.Tier, 1],
      [Key.Policy, 1],
      [Key.Class, slotClass],
      [Key.Body, body(length)],
    ] as const;
    return (to) => void to.ask(Command.Put, fields);
  }

  function handles(of: Talk): Uint8Array[] {
    return (of.ask(Command.List).get(Key.Entries) as Message[]).map((entry) => entry.get(Key.Handle) as Uint8Array);
  }

  const provisionAs =
    (...classes: { units: number; blocks: number }[]): Change =>
    (to) =>
      void to.ask(Command.ProvisionBegin, [
        [Key.Manifest, new Uint8Array(16).fill(7)],
        [
          Key.Classes,
          classes.map(
            ({ units, blocks }) =>
              new Map([
                [Key.SlotUnits, units],
                [Key.Blocks, blocks],
              ]),
          ),
        ],
      ]);
  /** Three blocks of two slots: every fourth change reclaims. */
  const provision = provisionAs({ units: 86, blocks: 3 });

  function run(...changes: Change[]): Saved {
    device.boot();
    talk.reset();
    for (const change of changes) change(talk);
    return save(device);
  }

  /** Starts from what lies on the medium now. */
  const first = run();
  function storeOf(provisioning: Change, ...changes: Change[]): Saved {
    load(device, first);
    return run(provisioning, ...changes);
  }
  const store = (...changes: Change[]): Saved => storeOf(provision, ...changes);
  function onHandle(n: number, change: (handle: Uint8Array) => Change): Change {
    return (to) => change(handles(to)[n]!)(to);
  }
  const evict = (n: number, destroy = false): Change =>
    onHandle(
      n,
      (handle) => (to) =>
        void to.ask(Command.Evict, [
          [Key.Handle, handle],
          [Key.Destroy, destroy],
        ]),
    );
  const replace = (n: number, length: number): Change => {
    const fields = [
      [Key.Token, bytes(16)],
      [Key.Body, body(length)],
    ] as const;
    return onHandle(n, (handle) => (to) => void to.ask(Command.Replace, [[Key.Handle, handle], ...fields]));
  };
  const relabel = (n: number, label: string): Change => {
    const token = bytes(16);
    return onHandle(
      n,
      (handle) => (to) =>
        void to.ask(Command.Relabel, [
          [Key.Handle, handle],
          [Key.Token, token],
          [Key.Label, label],
        ]),
    );
  };
  const finish: Change = (to) => void to.ask(Command.ProvisionFinish);
  const policy = (n: number, value: number): Change => {
    const token = bytes(16);
    return onHandle(
      n,
      (handle) => (to) =>
        void to.ask(Command.Policy, [
          [Key.Handle, handle],
          [Key.Token, token],
          [Key.Policy, value],
        ]),
    );
  };
  const generate = (usage: number, label: string): Change => {
    const fields = [
      [Key.Token, bytes(16)],
      [Key.Label, label],
      [Key.Usage, usage],
      [Key.Tier, 1],
      [Key.Policy, 0],
    ] as const;
    return (to) => void to.ask(Command.Generate, fields);
  };
  /** Another chain to a record's keys. */
  const attach = (n: number, length: number): Change => {
    const fields = [
      [Key.Token, bytes(16)],
      [Key.Body, encodeParts([{ kind: 3, secret: false, algorithm: 0, content: bytes(length) }])],
      [Key.Keep, true],
    ] as const;
    return onHandle(n, (handle) => (to) => void to.ask(Command.Replace, [[Key.Handle, handle], ...fields]));
  };
  const i64 = (positions: bigint) => {
    const data = Buffer.alloc(8);
    data.writeBigInt64LE(positions);
    return data;
  };
  const filekey = (label: string): Change => {
    const fields = [
      [Key.Token, bytes(16)],
      [Key.Label, label],
      [Key.Tier, 1],
      [Key.Policy, 1],
      [Key.Data, i64(1000n)],
    ] as const;
    return (to) => void to.ask(Command.FilekeyCreate, fields);
  };
  const reserve = (n: number, count: bigint): Change => {
    const fields = [
      [Key.Token, bytes(16)],
      [Key.Sequence, 1],
      [Key.Data, i64(count)],
    ] as const;
    return onHandle(n, (handle) => (to) => void to.ask(Command.FilekeyReserve, [[Key.Handle, handle], ...fields]));
  };
  const renew = (n: number): Change => {
    const fields = [
      [Key.Token, bytes(16)],
      [Key.Sequence, 1],
    ] as const;
    return onHandle(n, (handle) => (to) => void to.ask(Command.FilekeyRenew, [[Key.Handle, handle], ...fields]));
  };
  const bury = (n: number, destroy: boolean): Change => {
    const fields = [
      [Key.Token, bytes(16)],
      [Key.Destroy, destroy],
    ] as const;
    return onHandle(n, (handle) => (to) => void to.ask(Command.FilekeyDelete, [[Key.Handle, handle], ...fields]));
  };
  const operator = (id: string, role = Role.Admin): Change => {
    const fields = [
      [Key.Role, role],
      [Key.Operator, id],
      [Key.Secret, keyOf(id)],
    ] as const;
    return (to) => void to.ask(Command.OperatorAdd, fields);
  };
  const rotate = (id: string, n: number): Change => {
    const fields = [
      [Key.Operator, id],
      [Key.Secret, keyOf(id, n)],
    ] as const;
    return (to) => void to.ask(Command.OperatorRotate, fields);
  };
  const role = (id: string, to: Role): Change => {
    const fields = [
      [Key.Role, to],
      [Key.Operator, id],
    ] as const;
    return (talk) => void talk.ask(Command.OperatorRole, fields);
  };
  const remove = (id: string): Change => {
    return (to) => void to.ask(Command.OperatorRemove, [[Key.Operator, id]]);
  };
  /** The first message of a session, with which a pending key becomes the operator's own. */
  const use = (id: string, n = 0): Change => {
    return (to) => {
      to.handshake(id, keyOf(id, n));
      to.ask(Command.Info);
      to.session = undefined; // what follows is asked with every role again
    };
  };
  const reset: Change = (to) => void to.ask(Command.Reset);
  const accept: Change = (to) => void to.ask(Command.Accept);
  /** A handshake that is refused, and counted. */
  const refused: Change = (to) => {
    try {
      to.handshake("nobody", keyOf("nobody"));
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== Status.HandshakeRefused) throw error;
    }
  };
  const epoch: Change = (to) => void to.ask(Command.Epoch, [[Key.Epoch, 40]]);

  /** What a change, on a blank device if not said otherwise, leaves behind when it is cut at one of its operations, cells marginal. */
  function cutAt(operation: number, change: Change, from = first): Saved {
    load(device, from);
    device.boot();
    device.supply.arm({ operation, tear: tears.random(random), marginal: true });
    try {
      change(talk.reset());
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    return save(device);
  }

  const records = { put, evict, replace, relabel, policy, generate, attach };
  const operators = { operator, rotate, role, remove, use };
  const filekeys = { filekey, reserve, renew, bury };
  return {
    store,
    storeOf,
    provision,
    provisionAs,
    ...records,
    ...operators,
    ...filekeys,
    finish,
    epoch,
    reset,
    accept,
    refused,
    first,
    cutAt,
  };
}
