/** Who may do what: every role with every command and every policy, from the two tables below. SPEC.md §11, §12. */
import { afterAll, describe, expect, it } from "vitest";
import { ALG_ED25519, ALG_X25519, PartKind, POLICY_EXPORTABLE, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import * as claims from "../claims/device/help.js";
import * as help from "../store/help.js";
import { map, raw, uint } from "../store/raw.js";
import { type Bench, deviceTargets } from "../targets.js";
import { USER } from "./help.js";

const { ADMIN, ADMIN_KEY, handle, put, randomBytes, says, unchanged } = help;

/** x = may; what comes then from a ready store. */
const COMMANDS = `
                  auditor user admin setup
  Info               x     x     x     x    Ok
  Close              x     x     x     x    Ok
  List               x     x     x     -    Ok
  Find               x     x     x     -    Ok
  Show               x     x     x     -    Ok
  Public             x     x     x     -    Ok
  Get                -     x     -     -    Ok
  Sign               -     x     -     -    Ok
  Agree              -     x     -     -    Ok
  Attest             -     x     -     -    Ok
  Put                -     -     x     -    Ok
  Replace            -     -     x     -    Ok
  Relabel            -     -     x     -    Ok
  Policy             -     -     x     -    Ok
  Generate           -     -     x     -    Ok
  Evict              -     -     x     -    Ok
  Epoch              -     -     x     -    Ok
  Accept             -     -     x     -    Ok
  ProvisionFinish    -     -     x     -    Ok
  OperatorRotate     -     -     x     -    Ok
  OperatorRole       -     -     x     -    Ok
  OperatorRemove     -     -     x     -    Ok
  OperatorAdd        -     -     x     x    Ok
  OperatorList       -     -     x     x    Ok
  Dump               -     -     x     x    Ok
  FilekeyCreate      -     -     x     -    Ok
  FilekeyImport      -     -     x     -    Ok
  FilekeyExport      -     -     x     -    Ok
  FilekeyDelete      -     -     x     -    Ok
  FilekeyDeltas      x     x     x     -    Ok
  FilekeyReserve     -     x     -     -    Ok
  FilekeyRenew       -     x     -     -    Ok
  FilekeyContainer   -     x     -     -    Ok
  FilekeyOpen        -     x     -     -    Ok
  ProvisionBegin     -     -     -     x    AlreadyProvisioned
  TransportKey       -     -     -     x    AlreadyProvisioned
  Reset              -     -     x     x    Ok
`;

/** What a user gets of a secret key, and how many touches it takes to ask twice. */
const POLICIES = `
  policy                    Get                Sign      Agree
  0 kept, never             NotExportable 0    Ok 0      Ok 0
  1 exportable, never       Ok 0               Ok 0      Ok 0
  2 kept, cached            NotExportable 0    Ok 1      Ok 1
  3 exportable, cached      Ok 1               Ok 1      Ok 1
  4 kept, each              NotExportable 0    Ok 2      Ok 2
  5 exportable, each        Ok 2               Ok 2      Ok 2
`;

const ROLES = [Role.Auditor, Role.User, Role.Admin, Role.Setup];
const lines = (table: string): string[] => table.split("\n").filter((line) => line.trim() !== "");
const rows = lines(COMMANDS)
  .slice(1)
  .map((line) => {
    const [name = "", ...cells] = line.trim().split(/\s+/);
    return { name, command: Command[name as keyof typeof Command], may: cells.slice(0, 4), status: cells[4]! };
  });

/** What there is to ask about. */
interface Subjects {
  /** An exportable Ed25519 key, and an X25519 key. */
  signs: Uint8Array;
  agrees: Uint8Array;
  /** A filekey, one of its sealed Deltas, and the head of another one as its device exported it. */
  filekey: Uint8Array;
  sealed: Uint8Array;
  head: Uint8Array;
}

const secretKey = (kind: PartKind, algorithm: number): Uint8Array =>
  encodeParts([{ kind, secret: true, algorithm, content: randomBytes(32) }]);
const signing = () => secretKey(PartKind.Signing, ALG_ED25519);
const agreeing = () => secretKey(PartKind.Agreement, ALG_X25519);

function filekeys(target: Bench): Omit<Subjects, "signs" | "agrees"> {
  const filekey = handle(claims.create(target));
  const sealed = claims.data(claims.container(target, filekey, 1));
  const head = Buffer.concat([Buffer.alloc(8), randomBytes(48), claims.size(9n)]);
  return { filekey, sealed, head };
}

function subjects(target: Bench): Subjects {
  return {
    signs: handle(put(target, { usage: Usage.Raw, policy: POLICY_EXPORTABLE, body: signing() })),
    agrees: handle(put(target, { usage: Usage.Agree, body: agreeing() })),
    ...filekeys(target),
  };
}

/** A request of each command that a ready store carries out. */
const REQUESTS: Record<string, (target: Bench, made: Subjects) => Message> = {
  Info: (target) => help.info(target),
  Close: (target) => target.ask(Command.Close),
  List: (target) => target.ask(Command.List),
  Find: (target) => target.ask(Command.Find),
  Show: (target, { signs }) => help.show(target, signs),
  Public: (target, { signs }) => help.publicParts(target, signs),
  Get: (target, { signs }) => help.get(target, signs),
  Sign: (target, { signs }) => help.sign(target, signs),
  Agree: (target, { agrees }) => help.agree(target, agrees),
  Attest: (target, { signs }) =>
    target.ask(Command.Attest, [
      [Key.Handle, signs],
      [Key.Challenge, randomBytes(32)],
    ]),
  Put: (target) => put(target),
  Replace: (target, { signs }) => help.replace(target, signs, signing()),
  Relabel: (target, { signs }) => help.relabel(target, signs, "renamed"),
  Policy: (target, { signs }) => help.setPolicy(target, signs, POLICY_EXPORTABLE),
  Generate: (target) => help.generate(target),
  Evict: (target, { agrees }) => help.evict(target, agrees),
  Epoch: (target) => target.ask(Command.Epoch, [[Key.Epoch, 7]]),
  Accept: (target) => target.ask(Command.Accept),
  ProvisionFinish: (target) => target.ask(Command.ProvisionFinish),
  OperatorAdd: (target) => help.addOperator(target, USER.id, Role.User, USER.key),
  OperatorRotate: (target) => help.rotateOperator(target, USER.id, randomBytes(32)),
  OperatorRole: (target) => help.setRole(target, USER.id, Role.Auditor),
  OperatorList: (target) => target.ask(Command.OperatorList),
  OperatorRemove: (target) => help.removeOperator(target, USER.id),
  Dump: (target) =>
    target.ask(Command.Dump, [
      [Key.Length, 64],
      [Key.Region, 0],
      [Key.Offset, 0],
    ]),
  FilekeyCreate: (target) => claims.create(target),
  FilekeyImport: (target, { head }) => claims.importHead(target, head),
  FilekeyExport: (target, { filekey }) => claims.exportHead(target, filekey),
  FilekeyDelete: (target, { filekey }) => claims.remove(target, filekey),
  FilekeyDeltas: (target, { filekey }) => claims.list(target, filekey),
  FilekeyReserve: (target, { filekey }) => claims.reserve(target, filekey, 1n),
  FilekeyRenew: (target, { filekey }) => claims.renew(target, filekey, 1),
  FilekeyContainer: (target, { filekey }) => claims.container(target, filekey, 1),
  FilekeyOpen: (target, { filekey, sealed }) => claims.open(target, filekey, sealed),
  ProvisionBegin: (target) => help.begin(target, help.SMALL),
  TransportKey: (target) => target.ask(Command.TransportKey),
  Reset: (target) => target.ask(Command.Reset),
};

const USES_OPERATOR: Command[] = [Command.OperatorRotate, Command.OperatorRole, Command.OperatorRemove];
const CLASSES = [{ units: 4, blocks: 2 }];

function provisionAgain(target: Bench): void {
  help.begin(target, CLASSES);
  help.addAdmin(target);
  expect(says(target.ask(Command.ProvisionFinish))).toBe("Ok");
}

describe("the table of commands", () => {
  it("has every command but hello, and a request for it", () => {
    const commands = Object.keys(Command).filter((name) => Number.isNaN(Number(name)) && name !== "Hello");
    expect(rows.map(({ name }) => name).sort()).toEqual(commands.sort());
    expect(Object.keys(REQUESTS).sort()).toEqual(commands.sort());
  });
});

describe.each(deviceTargets)("roles on $name", (kind) => {
  const target = help.ready(kind, CLASSES);
  afterAll(() => target.close());

  const { talk } = target;
  const everything = () => {
    talk.plant();
    return target;
  };

  it.each(rows)("$name: those who may are answered $status, all others WrongRole", ({ name, command, may, status }) => {
    for (const [i, role] of ROLES.entries()) {
      const made = subjects(everything());
      if (USES_OPERATOR.includes(command)) help.addOperator(target, USER.id, Role.User, USER.key);
      else help.removeOperator(target, USER.id);
      talk.plant(role);
      const ask = () => says(REQUESTS[name]!(target, made));
      if (may[i] === "x") expect(ask(), Role[role]).toBe(status);
      else expect(unchanged(target, ask), Role[role]).toBe(`WrongRole ${role}`);
      if (may[i] === "x" && command === Command.Reset) provisionAgain(everything());
      everything();
      claims.remove(target, made.filekey);
      for (const entry of help.list(target)) help.evict(target, entry.get(Key.Handle) as Uint8Array);
    }
  });

  it.each(rows)(
    "$name: a role that may not is told so behind Malformed and before anything else",
    ({ command, may }) => {
      const strange = map([Key.Command, uint(command)], [70 as Key, uint(0)]);
      const label = "x".repeat(49);
      for (const role of ROLES.filter((_, i) => may[i] !== "x")) {
        talk.plant(role);
        expect(raw(target, strange), Role[role]).toBe("Malformed");
        if (command === Command.Put) expect(says(put(target, { label, usage: 99 }))).toBe(`WrongRole ${role}`);
        if (command === Command.Relabel)
          expect(says(help.relabel(target, randomBytes(16), label))).toBe(`WrongRole ${role}`);
      }
    },
  );

  it("of an operator are those of its real session, until another operator's begins", () => {
    const { signs } = subjects(everything());
    help.addOperator(target, USER.id, Role.User, USER.key);
    const may = () => [help.get(target, signs), put(target)].map(says);
    talk.handshake(ADMIN, ADMIN_KEY);
    expect(may()).toEqual([`WrongRole ${Role.Admin}`, "Ok"]);
    talk.handshake(USER.id, USER.key);
    expect(may()).toEqual(["Ok", `WrongRole ${Role.User}`]);
  });
});

describe.each(deviceTargets)("policies and roles on $name", (kind) => {
  const target = help.ready(kind, CLASSES);
  afterAll(() => target.close());
  const { talk } = target;

  const table = lines(POLICIES)
    .slice(1)
    .map((line) => {
      const [name = "", ...cells] = line.trim().split(/\s{2,}/);
      return { name, policy: Number(name[0]), cells: new Map(["Get", "Sign", "Agree"].map((c, i) => [c, cells[i]!])) };
    });

  const none = { filekey: randomBytes(16), sealed: randomBytes(1), head: randomBytes(1) };
  it.each(table)("policy $name", ({ policy, cells }) => {
    for (const [command, cell] of cells) {
      const [status, touches] = cell.split(" ");
      const usage = command === "Agree" ? Usage.Agree : Usage.Raw;
      const content = command === "Agree" ? agreeing() : signing();
      talk.plant();
      const made = handle(put(target, { usage, policy, body: content }));
      const ask = () => says(REQUESTS[command]!(target, { ...none, signs: made, agrees: made }));
      for (const role of ROLES) {
        talk.plant(role);
        const before = talk.touchesAsked;
        const told = [ask(), ask()];
        const expected = role === Role.User ? status! : `WrongRole ${role}`;
        expect(told, `${Role[role]}: ${command}`).toEqual([expected, expected]);
        expect(talk.touchesAsked - before, `touches of ${Role[role]}: ${command}`).toBe(
          role === Role.User ? Number(touches) : 0,
        );
      }
      talk.plant();
      help.evict(target, made);
    }
  });
});
