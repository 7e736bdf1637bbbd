/** Every command once, in sessions of those who may, from a blank board to a reset. */
import { expect } from "vitest";
import { ALG_X25519, PartKind, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { encodeParts } from "../../host/record.js";
import * as claims from "../claims/device/help.js";
import * as help from "../store/help.js";
import type { Bench } from "../targets.js";
import { ADMIN, AUDITOR, outcome, STRANGER, USER } from "./help.js";

/** Setup code of the board that is to live. */
export const CODE = Uint8Array.from({ length: 32 }, (_, i) => (i * 41 + 5) & 0xff);

/** @param target blank, with CODE. @returns secrets that were in no message */
export function life(target: Bench): Uint8Array[] {
  const { talk } = target;
  const as = ({ id, key }: { id: string; key: Uint8Array }) => talk.handshake(id, key);
  const ok = (answer: ReturnType<Bench["ask"]>) => {
    expect(help.says(answer)).toBe("Ok");
    return answer;
  };
  as({ id: "", key: CODE });
  help.info(target);
  ok(target.ask(Command.TransportKey));
  ok(help.begin(target, [{ units: 32, blocks: 2 }], Buffer.from(help.randomBytes(16))));
  ok(help.addOperator(target, ADMIN.id, Role.Admin, ADMIN.key));
  as(ADMIN);
  ok(target.ask(Command.ProvisionFinish));
  for (const [role, who] of [
    [Role.User, USER],
    [Role.Auditor, AUDITOR],
  ] as const)
    ok(help.addOperator(target, who.id, role, who.key));
  const content = help.body(2500, { secret: true });
  const label = "a label that stands in clear on the medium only";
  const made = help.handle(ok(help.put(target, { label, body: content, usage: Usage.Raw })));
  const signs = help.handle(ok(help.generate(target, { label: "signs what it is given" })));
  const secret = help.randomBytes(32);
  const parts = [{ kind: PartKind.Agreement, secret: true, algorithm: ALG_X25519, content: secret }];
  const agrees = help.handle(ok(help.put(target, { usage: Usage.Agree, policy: 2, body: encodeParts(parts) })));
  ok(help.replace(target, made, help.body(900, { secret: true })));
  ok(help.relabel(target, made, "another label, as long as it may be"));
  ok(help.setPolicy(target, agrees, 4));
  const filekey = help.handle(ok(claims.create(target, { label: "for files" })));
  const head = claims.data(ok(claims.exportHead(target, filekey)));
  const foreign = Buffer.concat([Buffer.alloc(8), help.randomBytes(48), claims.size(12_345_678n)]);
  ok(claims.importHead(target, foreign));
  ok(target.ask(Command.Epoch, [[Key.Epoch, 0x7fedcba9]]));
  ok(target.ask(Command.Accept));
  ok(help.rotateOperator(target, AUDITOR.id, STRANGER.key));
  ok(help.setRole(target, AUDITOR.id, Role.Auditor));
  ok(target.ask(Command.OperatorList));
  ok(
    target.ask(Command.Dump, [
      [Key.Length, 1500],
      [Key.Region, 0],
      [Key.Offset, 0],
    ]),
  );
  as({ id: AUDITOR.id, key: STRANGER.key });
  ok(target.ask(Command.List));
  ok(target.ask(Command.Find, [[Key.LabelPrefix, "another label"]]));
  ok(help.show(target, made));
  ok(help.publicParts(target, signs));
  expect(help.says(help.get(target, made))).toMatch("WrongRole");
  expect(outcome(() => as({ id: USER.id, key: STRANGER.key }))).toBe("HandshakeRefused");
  as(USER);
  ok(help.get(target, made));
  ok(help.sign(target, signs, Buffer.from("what is signed is nobody's business either")));
  ok(help.agree(target, agrees));
  ok(
    target.ask(Command.Attest, [
      [Key.Handle, signs],
      [Key.Challenge, help.randomBytes(32)],
    ]),
  );
  const sealed = claims.data(ok(claims.container(target, filekey, 1)));
  const delta = ok(claims.open(target, filekey, sealed)).get(Key.Secret) as Uint8Array;
  ok(claims.reserve(target, filekey, 77n));
  ok(claims.renew(target, filekey, 1));
  ok(claims.list(target, filekey));
  ok(target.ask(Command.Close));
  as(ADMIN);
  ok(claims.remove(target, filekey, true));
  ok(help.evict(target, made, true));
  ok(help.removeOperator(target, AUDITOR.id));
  ok(target.ask(Command.Reset));
  return [
    content,
    secret,
    head.subarray(24, 56),
    foreign.subarray(24, 56),
    delta,
    CODE,
    ADMIN.key,
    USER.key,
    AUDITOR.key,
    STRANGER.key,
    Buffer.from(label),
  ];
}
