/** Answers that are refusals, as exceptions. */
import { Status } from "../../firmware/defs/status.js";
import { Key } from "../../firmware/defs/wire.js";
import type { Message, Value } from "../../host/client/message.js";

/** A refusal of the device. */
export class Refusal extends Error {
  override name = "Refusal";
  constructor(
    readonly status: Status,
    readonly detail?: Value,
  ) {
    super(Status[status]);
  }
}

/** @throws Refusal when the answer is one */
export function accepted(answer: Message): Message {
  const status = answer.get(Key.Command) as Status;
  if (status !== Status.Ok) throw new Refusal(status, answer.get(Key.Detail));
  return answer;
}
