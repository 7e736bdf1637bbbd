/** An operator from the environment, for programs without a keyring: MBS_OPERATOR names it, MBS_OPERATOR_KEY has its key as text.ts
 *  makes it. Unlike other variables a wrong one is an error: to go on as somebody else is not what was meant. */
import { isOperatorId } from "../client/answers.js";
import { UsageError } from "../client/errors.js";
import type { Operator } from "../client/session.js";
import { parseKey } from "./text.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns the id that MBS_OPERATOR names, undefined when it is not set. @throws UsageError when it is none */
export function operatorIdFrom(env: Environment): string | undefined {
  const id = env.MBS_OPERATOR;
  if (!id) return undefined;
  if (!isOperatorId(id))
    throw new UsageError(`MBS_OPERATOR: expected 1 to 10 of a-z 0-9 . _ -; got "${id}".`, "Mend it or unset it.");
  return id;
}

/** @returns id and key when both are set. @throws UsageError for a key without an id, FileError for a mistyped key */
export function operatorFrom(env: Environment): Operator | undefined {
  const id = operatorIdFrom(env);
  if (!env.MBS_OPERATOR_KEY) return undefined;
  if (id === undefined) throw new UsageError("MBS_OPERATOR_KEY is set, and MBS_OPERATOR does not say whose key it is.");
  return { id, key: parseKey(env.MBS_OPERATOR_KEY, "MBS_OPERATOR_KEY") };
}
