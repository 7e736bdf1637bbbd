/** Every method of the client once, over a line that somebody listens to: what went over it in both directions, and what was meant. */
import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { Envelope, Role } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { Client } from "../../host/client/client.js";
import { type Answered, type Carrier, Connection, type ConnectionOptions } from "../../host/client/connection.js";
import { Deframer, type Frame } from "../../host/client/frame.js";
import { decodeAnswer, decodeMessage, type Value } from "../../host/client/message.js";
import { helloMessage, type Operator } from "../../host/client/session.js";
import type { Transport } from "../../host/client/transport.js";
import { encodeParts } from "../../host/record.js";
import { ADMIN, SETUP, USER } from "./mock-store.js";

export const SECRET = "the secret of the record";
const body = encodeParts([{ kind: 4, secret: true, algorithm: 0, content: Buffer.from(SECRET) }]);

/** A client whose line and whose requests are written down. */
export class Overheard implements Carrier {
  /** Whole messages that went over the line. */
  readonly toDevice: Uint8Array[] = [];
  readonly toHost: Uint8Array[] = [];
  /** Requests and answers as they are inside of what is sealed. */
  readonly requests: Uint8Array[] = [];
  readonly answers: Uint8Array[] = [];
  readonly client: Client;
  readonly #connection: Connection;

  constructor(transport: Transport, options: ConnectionOptions) {
    const overheard: Transport = {
      ...transport,
      name: transport.name,
      write: (bytes) => {
        collect(sent, bytes, this.toDevice);
        return transport.write(bytes);
      },
      onData: (receive) =>
        transport.onData((bytes) => {
          collect(received, bytes, this.toHost);
          receive(bytes);
        }),
      onClose: (closed) => transport.onClose(closed),
      close: () => transport.close(),
    };
    const [sent, received] = [new Messages(), new Messages()];
    this.#connection = new Connection(async () => overheard, options);
    this.client = new Client(this);
  }

  get session() {
    return this.#connection.session;
  }
  clear(message: Uint8Array): Promise<Answered> {
    return this.#connection.clear(message);
  }
  async sealed(inner: Uint8Array): Promise<Answered> {
    this.requests.push(Uint8Array.from(inner));
    const answered = await this.#connection.sealed(inner);
    this.answers.push(Uint8Array.from(answered.answer));
    return answered;
  }
  async sealedAll(inners: readonly Uint8Array[]): Promise<Answered[]> {
    this.requests.push(...inners.map((inner) => Uint8Array.from(inner)));
    const answered = await this.#connection.sealedAll(inners);
    this.answers.push(...answered.map(({ answer }) => Uint8Array.from(answer)));
    return answered;
  }
  as(operator: Operator): void {
    this.#connection.as(operator);
  }
  async endSession(inner: Uint8Array): Promise<Uint8Array | undefined> {
    this.requests.push(Uint8Array.from(inner));
    return this.#connection.endSession(inner);
  }
  cancel(): Promise<boolean> {
    return this.#connection.cancel();
  }
  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** Puts the fragments of messages together; a frame that was sent again counts once. */
class Messages {
  readonly deframer = new Deframer();
  parts: Uint8Array[] = [];
  last = "";
}

const DATA = 3;

function collect(line: Messages, bytes: Uint8Array, into: Uint8Array[]): void {
  line.deframer.push(bytes, ({ type, link, sequence, index, more, payload }: Frame) => {
    const which = `${link} ${sequence} ${index}`;
    if (type !== DATA || which === line.last) return;
    line.last = which;
    line.parts.push(payload);
    if (more) return;
    into.push(Buffer.concat(line.parts));
    line.parts = [];
  });
}

/** Does everything with a blank device whose setup code is SETUP. Touches have to come from elsewhere. */
export async function everything(client: Client): Promise<void> {
  const made = { tier: Tier.Private, policy: 0 };
  await client.hello();
  await client.transportKey();
  await client.provisionBegin(Buffer.from("manifest digest!"), [{ slotSize: 4096, blocks: 32 }]);
  await client.operatorAdd({ ...ADMIN, role: Role.Admin });
  await client.operatorAdd({ ...USER, role: Role.User });
  client.as(ADMIN);
  const token = Buffer.from("sixteen byte tok");
  const put = { body, label: "label of the put", token, usage: Usage.Opaque, tier: Tier.Private, policy: 1 };
  const { handle } = await client.put(put);
  const raw = await client.generate({ ...made, usage: Usage.Raw, label: "label of a key" });
  const ssh = await client.generate({ ...made, usage: Usage.SshSig });
  const agree = await client.generate({ ...made, usage: Usage.Agree });
  const filekey = (await client.filekeyCreate({ ...made, policy: 1, label: "label of a filekey", capacity: 1000n }))
    .handle;
  await client.filekeyExport(filekey);
  const head = Buffer.concat([Buffer.alloc(8), randomBytes(48), Buffer.from("12345\0\0\0")]);
  await client.filekeyImport({ ...made, head });
  await client.provisionFinish();
  await client.info();
  await client.list();
  await client.find({ labelPrefix: "label of" });
  await client.show(handle);
  await client.relabel(handle, "another label");
  await client.replace(handle, body);
  await client.policy(handle, 3);
  await client.epoch(7);
  await client.accept();
  await client.dump(0, 0, 100);
  await client.operatorAdd({ id: "newcomer", role: Role.User, key: Buffer.from("a key of thirty-two bytes, or so") });
  await client.operatorRotate({ id: "newcomer", key: Buffer.from("its next key of thirty-two bytes") });
  await client.operatorRole("newcomer", Role.Auditor);
  await client.operators();
  await client.operatorRemove("newcomer");
  client.as(USER);
  await client.get(handle);
  await client.publicParts(raw.handle);
  await client.sign(raw.handle, Buffer.from("a message to sign"));
  await client.sign(ssh.handle, Buffer.from("a digest of thirty-two bytes, ok"), "a namespace");
  await client.agree(agree.handle, agree.publicKey);
  const salted = { salt: Buffer.from("some salt"), context: Buffer.from("some context") };
  await client.agree(agree.handle, agree.publicKey, salted);
  await client.attest(Buffer.from("a challenge for the device"), raw.handle);
  await client.filekey(filekey);
  await client.filekeyReserve(filekey, 1, 10n);
  await client.filekeyOpen(filekey, await client.filekeyContainer(filekey, 1));
  await client.filekeyRenew(filekey, 1);
  await client.endSession();
  client.as(ADMIN);
  await client.filekeyDelete(filekey);
  await client.evict(handle, true);
  await client.reset();
  await client.close();
}

/** All texts and bytes in a message that are long enough to be looked for. */
function plaintexts(value: Value): Buffer[] {
  if (value instanceof Map) return [...value.values()].flatMap(plaintexts);
  if (Array.isArray(value)) return value.flatMap(plaintexts);
  if (typeof value !== "string" && !(value instanceof Uint8Array)) return [];
  return value.length < 6 ? [] : [Buffer.from(value)];
}

/** What a listener must not find: all that was asked and answered, and the keys. */
function secretsOf({ requests, answers }: Overheard): Buffer[] {
  const found = [...requests, ...answers].flatMap((bytes) => plaintexts(decodeAnswer(bytes)));
  found.push(...[SETUP, ADMIN, USER].map(({ key }) => Buffer.from(key)), Buffer.from(SECRET));
  return [...new Map(found.map((bytes) => [bytes.toString("hex"), bytes])).values()];
}

/** Commands that were not asked. Hello goes in clear. */
function missingCommands({ requests }: Overheard): string[] {
  const asked = new Set<Value | undefined>(requests.map((bytes) => decodeMessage(bytes).get(Key.Command)));
  asked.add(Command.Hello);
  return Object.values(Command).flatMap((one) => (typeof one === "number" && !asked.has(one) ? [Command[one]!] : []));
}

/** Fails when a command is missing, or when anything but hello, handshakes and ciphertext went over the line. */
export function expectSealed(overheard: Overheard): void {
  expect(missingCommands(overheard)).toEqual([]);
  const secrets = secretsOf(overheard);
  expect(secrets.length).toBeGreaterThan(30);
  const { toDevice, toHost, requests } = overheard;
  expect(toHost.map(([envelope]) => envelope)).toEqual(toDevice.map(([envelope]) => envelope));
  expect(toDevice.filter(([envelope]) => envelope === Envelope.Sealed)).toHaveLength(requests.length);
  for (const bytes of toDevice.filter(([envelope]) => envelope === Envelope.Clear))
    expect(bytes).toEqual(Buffer.from(helloMessage()));
  for (const bytes of [...toDevice, ...toHost]) {
    if (bytes[0] === Envelope.Clear) continue; // hello tells instance and challenge to everybody
    for (const secret of secrets) expect(Buffer.from(bytes).includes(secret), secret.toString("latin1")).toBe(false);
  }
}
