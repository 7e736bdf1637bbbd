/** What test/session/life.ts leaves out: keys of every usage and messages of every form, requests that are repeated, refused or never answered,
 *  damage, cuts, restarts, and the rescue. */
import { PowerCut, tears } from "../../board/virtual/supply.js";
import { START_RESCUE } from "../../firmware/defs/boundary.js";
import { JOURNAL_PLACE, JOURNAL_PLACES } from "../../firmware/defs/journal.js";
import { JOURNAL_OFFSET } from "../../firmware/defs/medium.js";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { Role } from "../../firmware/defs/session.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { encodeMessage, message } from "../../host/client/message.js";
import * as claims from "../claims/device/help.js";
import type { EngineDevice } from "../device/device.js";
import { people } from "../device/person.js";
import type { Session } from "../device/session.js";
import { ADMIN, outcome, STRANGER, USER } from "../session/help.js";
import { CODE } from "../session/life.js";
import { changeData, changeSlots, flip } from "../store/damage.js";
import * as help from "../store/help.js";
import type { Bench } from "../targets.js";
import { agreementPair, CAPTURED, join, opaque, signingPair, text, userAuth } from "../use/messages.js";

const MINUTE = 60_000;
type Who = { id: string; key: Uint8Array };

const USUAL = [
  { units: 32, blocks: 2 },
  { units: 64, blocks: 2 },
];

/** A blank board becomes one with an admin and a user; the admin's session is open. */
export function staff(target: Bench<EngineDevice>, classes = USUAL): void {
  target.talk.handshake("", CODE);
  const begun = help.begin(target, classes);
  help.addOperator(target, ADMIN.id, Role.Admin, ADMIN.key);
  if (help.says(begun) !== "Ok") throw new Error(`ProvisionBegin answers ${help.says(begun)}`);
  as(target, ADMIN);
  target.ask(Command.ProvisionFinish);
  help.addOperator(target, USER.id, Role.User, USER.key);
}

export const as = (target: Bench<EngineDevice>, { id, key }: Who): number => target.talk.handshake(id, key);

/** Every usage of a key, with messages that are its own and those that are another's. */
function keys(target: Bench<EngineDevice>): Uint8Array[] {
  const usages = [Usage.Raw, Usage.SshSig, Usage.SshUserAuth, Usage.Note, Usage.Agree];
  const made = usages.map((usage) => help.handle(help.generate(target, { usage, label: Usage[usage] })));
  for (const usage of [Usage.Attest, Usage.Filekey, Usage.Opaque]) help.generate(target, { usage });
  const imported = help.handle(
    help.put(target, { usage: Usage.SshUserAuth, policy: 0, body: signingPair(CAPTURED.seed) }),
  );
  help.put(target, { usage: Usage.Agree, policy: 1, body: agreementPair(Uint8Array.from(help.randomBytes(32))) });
  as(target, USER);
  const publicKey = signingPair(CAPTURED.seed).subarray(-32);
  const messages = [
    Uint8Array.of(0, 1, 0xff),
    text("one line\n"),
    text("SSHSIG"),
    userAuth(publicKey),
    userAuth(publicKey, { hostKey: publicKey }),
    CAPTURED.hostbound,
    join(text("mbs-attest-v1"), 0, 7),
    new Uint8Array(32),
    new Uint8Array(64).fill(3),
    Uint8Array.from(help.randomBytes(1500)),
  ];
  for (const handle of [...made, imported])
    for (const message of messages) {
      help.sign(target, handle, message);
      help.sign(target, handle, message, "a namespace");
    }
  for (const handle of made) {
    help.agree(target, handle);
    help.agree(target, handle, Uint8Array.from(help.randomBytes(32)));
    help.agree(target, handle, new Uint8Array(32));
    target.ask(Command.Attest, [
      [Key.Handle, handle],
      [Key.Challenge, help.randomBytes(16)],
    ]);
    help.publicParts(target, handle);
    help.get(target, handle);
  }
  as(target, ADMIN);
  return made;
}

const handles = (target: Bench<EngineDevice>) => help.list(target).map((entry) => entry.get(Key.Handle) as Uint8Array);

/** Records that come, change and go, until blocks have to be taken back. */
function records(target: Bench<EngineDevice>, key: Uint8Array): void {
  const token = help.token();
  const label = "a record";
  const secret = () => join(opaque(help.randomBytes(200)), opaque(help.randomBytes(50), false));
  const others = () => handles(target).filter((one) => help.hex(one) !== help.hex(key));
  const fields = { label, token, body: secret(), policy: 1 };
  const first = help.handle(help.put(target, fields));
  help.put(target, fields);
  help.put(target, { ...fields, body: secret() });
  for (let i = 0; i < 20; i++) help.put(target, { label: `${label} ${i}`, body: help.body(2500, { secret: true }) });
  for (let i = 0; i < 6; i++) help.replace(target, first, secret());
  help.replace(target, key, opaque(help.randomBytes(40), false), help.token(), true);
  help.relabel(target, first, "another label");
  help.relabel(target, first);
  for (const policy of [0, 4, 2, 1]) help.setPolicy(target, first, policy);
  for (const handle of others().slice(4, 12)) help.evict(target, handle, true);
  for (let i = 0; i < 8; i++) help.put(target, { body: help.body(700, { secret: true }), tier: Tier.Public });
  for (const handle of others().slice(-6)) help.evict(target, handle);
  target.ask(Command.Show, [[Key.Handle, help.token()]]);
  target.ask(Command.Put, [[Key.Token, help.token()]]);
  help.put(target, { body: Buffer.from("no parts") });
  help.info(target);
}

function filekeys(target: Bench<EngineDevice>): void {
  const token = help.token();
  const [filekey, other] = [{ token }, { policy: 0 }].map((fields) => help.handle(claims.create(target, fields))) as [
    Uint8Array,
    Uint8Array,
  ];
  claims.create(target, { token });
  claims.create(target, { token, capacity: 9n });
  const head = claims.data(claims.exportHead(target, filekey));
  claims.exportHead(target, other);
  claims.importHead(target, head);
  claims.importHead(target, Buffer.concat([Buffer.alloc(8), help.randomBytes(48), claims.size(777n)]));
  as(target, USER);
  const request = help.token();
  for (const by of [request, request, help.token()]) claims.reserve(target, filekey, 100n, { request: by });
  claims.reserve(target, filekey, 5000n);
  for (const sequence of [1, 1, 2, 9]) claims.renew(target, filekey, sequence);
  const sealed = Buffer.from(claims.data(claims.container(target, filekey, 1)));
  claims.open(target, filekey, sealed);
  claims.open(target, other, sealed);
  for (const at of [0, 4, 20, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] as number) ^ 1;
    claims.open(target, filekey, changed);
  }
  claims.list(target, filekey);
  help.get(target, filekey);
  as(target, ADMIN);
  claims.remove(target, filekey, true);
}

/** Whether it came to its end. */
function unlessCut(change: () => unknown): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (error instanceof PowerCut) return false;
    throw error;
  }
}

/** Power fails at operation after operation of a change; afterwards the admin's session is opened again. */
function cuts(target: Bench<EngineDevice>, change: () => unknown): void {
  const { device } = target;
  for (let operation = 0; ; operation++) {
    device.supply.arm({ operation, tear: operation % 2 === 0 ? tears.half : "before", marginal: operation % 3 === 0 });
    const done = unlessCut(change);
    device.supply.disarm();
    if (done) return;
    target.boot();
    as(target, ADMIN);
  }
}

/** The medium fails at operation after operation of a change, and power stays. */
function failures(target: Bench<EngineDevice>, change: () => unknown): void {
  const { supply } = target.device;
  for (let operation = 0, failed = true; failed; operation++) {
    supply.arm({ operation, tear: tears.half, powered: true });
    change();
    failed = supply.sinceArmed > operation;
    supply.disarm();
    target.boot();
    as(target, ADMIN);
  }
}

/** Requests that wait for a touch: denied, not given in time, taken back by another request, or outlived by the session. */
function touches(target: Bench<EngineDevice>): void {
  const { talk, device } = target;
  const reset = () => talk.send((talk.session as Session).seal(encodeMessage(message([[Key.Command, Command.Reset]]))));
  for (const person of [people.denies, people.absent]) {
    talk.person = person;
    target.ask(Command.Reset);
  }
  talk.person = people.touches;
  reset();
  target.ask(Command.Info);
  as(target, ADMIN);
  for (let i = 0; i < 13; i++) {
    device.board.pass(4.5 * MINUTE);
    target.ask(Command.Info);
  }
  device.board.pass(1.5 * MINUTE - 5000);
  reset();
  device.wait(10_000);
  as(target, ADMIN);
}

/** Bytes of the medium that are not what was written, one at a time. */
function damage(target: Bench<EngineDevice>): void {
  const { slots, data } = target.device;
  const [oldSlots, oldData] = [slots.snapshot(), data.snapshot()];
  const seen = handles(target);
  const used = [...slots.bytes.keys()].filter((at) => at % 4096 === 50 && slots.bytes[at] !== 0xff).slice(0, 5);
  for (const at of used.flatMap((one) => [one, one + 250])) {
    changeSlots(target.device, at, flip);
    target.boot();
    as(target, USER);
    for (const handle of seen.slice(0, 6)) help.get(target, handle);
    target.ask(Command.List);
    slots.restore(oldSlots);
  }
  const journal = Array.from(
    { length: JOURNAL_PLACES },
    (_, place) => JOURNAL_OFFSET + place * JOURNAL_PLACE + 7 * place,
  );
  for (const at of [3, 20, 140, 300, 4700, ...journal]) {
    changeData(target.device, at, flip);
    target.boot();
    outcome(() => as(target, ADMIN));
    target.ask(Command.Hello);
    data.restore(oldData);
    slots.restore(oldSlots);
  }
  target.boot();
}

/** Everything on a blank board with CODE. */
export function requests(target: Bench<EngineDevice>): void {
  const { talk, device } = target;
  staff(target);
  const [key] = keys(target) as [Uint8Array];
  records(target, key);
  filekeys(target);
  for (const who of [STRANGER, { ...USER, key: STRANGER.key }, { id: "", key: CODE }]) outcome(() => as(target, who));
  target.boot();
  outcome(() => as(target, { ...ADMIN, key: new Uint8Array(32) }));
  as(target, ADMIN);
  cuts(target, () => help.put(target, { body: help.body(300, { secret: true }) }));
  cuts(target, () => help.replace(target, key, opaque(help.randomBytes(40), false), help.token(), true));
  cuts(target, () => help.addOperator(target, "newcomer", Role.Auditor, STRANGER.key));
  cuts(target, () => help.setRole(target, "newcomer", Role.User));
  failures(target, () => help.replace(target, key, opaque(help.randomBytes(40), false), help.token(), true));
  touches(target);
  device.wait(1000);
  damage(target);
  device.boot(START_RESCUE, 3);
  talk.reset();
  target.ask(Command.Hello);
  target.boot();
  for (let operation = 0; help.state(target) === State.Ready; operation++) {
    as(target, ADMIN);
    device.supply.arm({ operation, tear: tears.half });
    unlessCut(() => target.ask(Command.Reset));
    device.supply.disarm();
    target.boot();
  }
}

/** A blank board with CODE gets slots as small as can be, which are the most that a block can have. */
export function smallest(target: Bench<EngineDevice>): void {
  staff(target, [{ units: 2, blocks: 2 }]);
  for (let i = 0; i < 80; i++) help.put(target, { body: help.body(50, { secret: true }) });
}
