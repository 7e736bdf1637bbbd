/** What sessions and the use of keys cost on the virtual board, in instructions from the first byte of the request to rest. */
import { Tier, Usage } from "../../firmware/defs/record.js";
import { QUIET_MS } from "../../firmware/defs/session.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Cost } from "./cost.js";
import { CountingBoard, Host, imageOf } from "./host.js";

const RECORDS = 3;

/** @throws Refusal when the core does not do what is measured */
export function measureSessions(elf: Buffer): Cost[] {
  const { host, device } = Host.provisioned();
  for (let i = 0; i < RECORDS; i++) host.put(64);
  const board = new CountingBoard(imageOf(device), RECORDS, elf);
  const costs: Cost[] = [];
  try {
    useEverything(board.host, (name, work) => {
      const { result, ...cost } = board.count(work);
      costs.push({ group: "sessions", name, ...cost });
      return result;
    });
    return costs;
  } finally {
    board.close();
  }
}

/** Hello, handshakes and every use of keys, on a host that has not opened its link yet.
 *  @param count does one operation */
export function useEverything(host: Host, count: <T>(operation: string, work: () => T) => T): void {
  const { talk } = host;
  count("first hello after power-up", () => talk.ask(Command.Hello));
  count("hello", () => talk.ask(Command.Hello));
  count("hello and handshake", () => host.openAs("admin"));
  count("info", () => talk.ask(Command.Info));
  const ed25519 = count("generate, sshsig", () => generate(host, Usage.SshSig));
  const x25519 = count("generate, agree", () => generate(host, Usage.Agree));
  count("public", () => talk.ask(Command.Public, [[Key.Handle, ed25519.handle]]));
  host.openAs("user");
  talk.ask(Command.Info); // the first message of a session ends the one before
  count("sign, sshsig", () =>
    talk.ask(Command.Sign, [
      [Key.Handle, ed25519.handle],
      [Key.Data, new Uint8Array(32)], // a SHA-256
      [Key.Namespace, "file"],
    ]),
  );
  count("agree", () =>
    talk.ask(Command.Agree, [
      [Key.Handle, x25519.handle],
      [Key.Public, x25519.publicKey],
    ]),
  );
  count("attest", () =>
    talk.ask(Command.Attest, [
      [Key.Handle, ed25519.handle],
      [Key.Challenge, new Uint8Array(32)],
    ]),
  );
  count("close", () => talk.ask(Command.Close));
  count("refused handshake, hello included", () => host.refused());
  talk.reset();
  count("first connection: open, hello, handshake, info", () => host.openAs("user").talk.ask(Command.Info));
  host.device.wait(2 * QUIET_MS); // in which the key pair of the next handshake is made
  count("hello and handshake after a quiet time", () => host.openAs("user"));
}

/** Makes a key on the device. */
function generate(host: Host, usage: Usage): { handle: Uint8Array; publicKey: Uint8Array } {
  const token = host.token();
  const answer = host.talk.ask(Command.Generate, [
    [Key.Token, token],
    [Key.Label, host.label()],
    [Key.Usage, usage],
    [Key.Tier, Tier.Private],
    [Key.Policy, 0],
  ]);
  return { handle: answer.get(Key.Handle) as Uint8Array, publicKey: answer.get(Key.Public) as Uint8Array };
}
