/** attest: what the device says about itself or a record, signed with its identity key, checked here. */
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { CHALLENGE_MAX, CHALLENGE_MIN } from "../../firmware/defs/use.js";
import { Command as DeviceCommand } from "../../firmware/defs/wire.js";
import type { Attestation } from "../client/answers.js";
import { type Statement, verifyAttestation } from "../client/attestation.js";
import { handleText } from "../client/client.js";
import { ProtocolError, UsageError } from "../client/errors.js";
import { checkOutputFile, readInput, writeOutput } from "../files.js";
import { CUSTODIES, ORIGINS, PRESENCES, readPolicy, TIERS, USAGES } from "../names.js";
import { packageCore } from "../package.js";
import type { Context } from "./context.js";
import { type Trust, trustIdentity } from "./known-devices.js";
import { hexBytes } from "./parse.js";
import { pairs } from "./table.js";
import { resolveHandle } from "./target.js";

interface AttestOptions {
  challenge?: string;
  challengeFile?: string;
  out?: string;
  force: boolean;
  trust: boolean;
}

const CHALLENGE = 32; // random bytes, when nobody brings a challenge

export function addAttest(program: Command, context: () => Context): void {
  program
    .command("attest")
    .argument("[record]", "handle or label; without it: the device alone")
    .description("have the device sign what it is, or what a record is, and check it")
    .option("--challenge <HEX>", `${CHALLENGE_MIN} to ${CHALLENGE_MAX} bytes from whoever asks (default: random)`)
    .option("--challenge-file <FILE>", "the same from a file, as its bytes")
    .option("--out <FILE>", "write statement, signature and identity key there, as JSON, for others to check")
    .option("--force", "replace FILE if it exists", false)
    .option("--trust", "accept an identity key that is not the one that was remembered", false)
    .addHelpText("after", EXPLANATION)
    .action(async (target: string | undefined, options: AttestOptions) => {
      const { out, force, trust } = options;
      const challenge = await readChallenge(context(), options);
      if (out !== undefined) await checkOutputFile(out, force);
      const commands = [DeviceCommand.Attest, DeviceCommand.Find];
      const { instance, attestation, handle } = await context().withClient({ commands }, async (client) => {
        const { instance } = await client.info();
        const handle = target === undefined ? undefined : await resolveHandle(client, target);
        return { instance, handle, attestation: await client.attest(challenge, handle) };
      });
      const statement = verifyAttestation({ ...attestation, challenge });
      checkSubject(statement, instance, handle);
      const trusted = await trustIdentity(context().configDirectory(), instance, attestation.identity, trust);
      if (out !== undefined) await writeOutput(out, Buffer.from(bundle(attestation, challenge)), force);
      const { custody, record } = statement;
      context().result(
        {
          instance: hex(instance),
          identity: hex(attestation.identity),
          trust: trusted,
          custody: CUSTODIES.word(custody),
          coreHash: hex(statement.coreHash),
          uniqueId: hex(statement.uniqueId),
          challenge: hex(challenge),
          record: record === undefined ? null : recordJson(record),
          file: out ?? null,
        },
        lines(statement, attestation, trusted),
      );
    });
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

async function readChallenge(context: Context, { challenge, challengeFile }: AttestOptions): Promise<Uint8Array> {
  if (challenge !== undefined && challengeFile !== undefined)
    throw new UsageError("--challenge and --challenge-file do not go together.");
  if (challenge === undefined && challengeFile === undefined) return randomBytes(CHALLENGE);
  const bytes =
    challenge === undefined
      ? (await readInput(context.io, challengeFile!)).bytes
      : hexBytes("--challenge", challenge, CHALLENGE_MAX);
  if (bytes.length >= CHALLENGE_MIN && bytes.length <= CHALLENGE_MAX) return bytes;
  throw new UsageError(`A challenge has ${CHALLENGE_MIN} to ${CHALLENGE_MAX} bytes; this one has ${bytes.length}.`);
}

/** @throws ProtocolError when the statement is genuine and about something else */
function checkSubject({ instance, record }: Statement, device: Uint8Array, handle: Uint8Array | undefined): void {
  const same = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
    a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
  if (!same(instance, device) || !same(record?.handle, handle))
    throw new ProtocolError("The attestation is about another device or record; do not rely on it.");
}

function recordJson(record: NonNullable<Statement["record"]>): Record<string, unknown> {
  const { exportable, presence } = readPolicy(record.policy);
  return {
    handle: handleText(record.handle),
    usage: USAGES.word(record.usage),
    tier: TIERS.word(record.tier),
    exportable,
    presence: PRESENCES.word(presence),
    origin: ORIGINS.word(record.origin),
    epoch: record.epoch,
    sequence: record.sequence,
    created: record.created,
    publicKey: record.publicKey === undefined ? null : Buffer.from(record.publicKey).toString("base64"),
  };
}

function lines(statement: Statement, { identity }: Attestation, trust: Trust): string[] {
  const core = hex(statement.coreHash);
  const what: Record<Trust, string> = {
    known: "the key that was remembered for this device",
    new: "seen for the first time, and remembered now: compare it with the device's papers, if there are any",
    accepted: "not the one that was remembered; accepted because you said --trust",
  };
  const record = statement.record === undefined ? [] : Object.entries(recordJson(statement.record));
  return pairs([
    ["signature", "verified"],
    ["identity", hex(identity)],
    ["", what[trust]],
    ["instance", hex(statement.instance)],
    ["custody", CUSTODIES.word(statement.custody)],
    ["core", packageCore() === core ? `${core}, the core of this package` : core],
    ["unique id", hex(statement.uniqueId)],
    ...record.map(([name, value]) => [name, value === null ? "" : String(value)] as const),
  ]);
}

/** What somebody else needs to check the attestation: SPEC.md §12 says how. */
function bundle({ statement, signature, identity }: Attestation, challenge: Uint8Array): string {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  return `${JSON.stringify({
    format: "mbs-attest-v1",
    statement: text(statement),
    signature: text(signature),
    identity: text(identity),
    challenge: text(challenge),
  })}\n`;
}

const EXPLANATION = `
The signature and the challenge are checked here. The identity key of a device is remembered when it is first seen; another one for the
same device is refused from then on, until you say --trust.

Example:
  mbs attest release/sign --challenge-file challenge.bin --out proof.json`;
