/** What tests of cut and failing changes share: a look at everything that a host can see, the media to go back to, and one more record. */
import type { Random } from "../../board/virtual/prng.js";
import { type CutPlan, tears } from "../../board/virtual/supply.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import type { Message } from "../../host/client/message.js";
import { encodeParts } from "../../host/record.js";
import { Refusal, type Talk } from "../device/talk.js";

/** A change to be cut: what it asks, and nothing else. */
export type Change = (talk: Talk) => void;

/** What a host can see of a store: every entry with its body, the state, what info counts. As text, to compare. */
export function look(talk: Talk): string {
  const hello = talk.ask(Command.Hello);
  const lines = [`state ${hello.get(Key.State)} instance ${hex(hello.get(Key.Instance))}`];
  let entries: Message[] = [];
  try {
    entries = talk.ask(Command.List).get(Key.Entries) as Message[];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `${lines[0]} ${error.message}`;
  }
  for (const entry of entries) {
    const handle = entry.get(Key.Handle) as Uint8Array;
    let body: string;
    try {
      body = hex(talk.ask(Command.Get, [[Key.Handle, handle]]).get(Key.Body));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      body = error.message;
    }
    const attributes = [Key.Origin, Key.Label, Key.Usage, Key.Tier, Key.Policy, Key.Epoch, Key.Sequence, Key.Created];
    lines.push(`${hex(handle)} ${attributes.map((key) => entry.get(key)).join(" ")} ${body}`);
  }
  for (const one of talk.ask(Command.OperatorList).get(Key.Operators) as Message[])
    lines.push(`operator ${[Key.Operator, Key.Role, Key.Pending].map((key) => one.get(key)).join(" ")}`);
  const info = talk.ask(Command.Info);
  lines.push(`epochSet ${info.get(Key.EpochSet)} accepted ${info.get(Key.Accepted)} corrupt ${info.get(Key.Corrupt)}`);
  return [lines[0], ...lines.slice(1).sort()].join("\n");
}

function hex(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
}

/** Stores one more record, to see that the store still takes one; evicts one first when it is full. */
export function putOne(talk: Talk, random: Random): void {
  const token = Uint8Array.from({ length: 16 }, () => random() >>> 24);
  const body = encodeParts([{ kind: 4, secret: false, algorithm: 0, content: token }]);
  const fields = [
    [Key.Token, token],
    [Key.Usage, 0],
    [Key.Tier, 1],
    [Key.Policy, 1],
    [Key.Body, body],
  ] as const;
  let handle: Uint8Array;
  try {
    handle = talk.ask(Command.Put, fields).get(Key.Handle) as Uint8Array;
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== Status.StoreFull) throw error;
    const [first] = talk.ask(Command.List).get(Key.Entries) as Message[];
    talk.ask(Command.Evict, [
      [Key.Handle, first!.get(Key.Handle)],
      [Key.Destroy, false],
    ]);
    handle = talk.ask(Command.Put, fields).get(Key.Handle) as Uint8Array;
  }
  if (hex(talk.ask(Command.Get, [[Key.Handle, handle]]).get(Key.Body)) !== hex(body))
    throw new Error("the record stored after the cut reads differently");
}

/** What becomes of a flash operation that reports an error while power stays. */
export const failures = (random: Random): Record<string, Omit<CutPlan, "operation">> => ({
  "not begun": { tear: "before" },
  done: { tear: "after" },
  torn: { tear: tears.random(random) },
  marginal: { tear: tears.random(random), marginal: true },
  unreadable: { tear: tears.half, unreadable: true },
});
