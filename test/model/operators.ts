/** Operators as the model sees them: who they are, what they may do, and which of their keys counts. SPEC.md §11. No crypto: a key is
 *  compared, and `use` stands for a session that was opened with it. */
import { OPERATOR_PLACES, OPERATORS_MAX } from "../../firmware/defs/operator.js";
import { OPERATOR_ID, PSK_SIZE, Role } from "../../firmware/defs/session.js";
import { Status } from "../../firmware/defs/status.js";
import { Key } from "../../firmware/defs/wire.js";
import { type Message, message } from "../../host/client/message.js";
import { Refusal } from "../device/talk.js";

export interface Operator {
  role: number;
  /** Its used key; undefined until the first one is used. */
  key: string | undefined;
  /** A new or rotated key that was not used yet. */
  pending: string | undefined;
}

const ROLES = [Role.Auditor, Role.User, Role.Admin] as number[];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

export class Operators {
  readonly #operators = new Map<string, Operator>();

  /** Whether an admin's key was used. */
  get administered(): boolean {
    return [...this.#operators.values()].some(isAdmin);
  }
  get ids(): string[] {
    return [...this.#operators.keys()];
  }

  /** Checks what OperatorAdd, OperatorRotate, OperatorRole and OperatorRemove ask, as far as the state does not matter. @throws Refusal */
  static check(asked: Message): void {
    const role = asked.get(Key.Role) as number | undefined;
    if (role !== undefined && !ROLES.includes(role)) throw new Refusal(Status.BadArgument, Key.Role);
    const id = asked.get(Key.Operator) as string;
    if (!/^[a-z0-9._-]+$/.test(id) || id.length > OPERATOR_ID) throw new Refusal(Status.BadArgument, Key.Operator);
    const secret = asked.get(Key.Secret) as Uint8Array | undefined;
    if (secret?.every((byte) => byte === 0)) throw new Refusal(Status.BadArgument, Key.Secret);
  }

  /** @returns whether something changed @throws Refusal */
  add(asked: Message): boolean {
    const [id, role, key] = [idOf(asked), asked.get(Key.Role) as number, keyOf(asked)];
    const known = this.#operators.get(id);
    if (known !== undefined) {
      if (known.role === role && [known.key, known.pending].includes(key)) return false;
      throw new Refusal(Status.OperatorExists);
    }
    if (this.#operators.size >= OPERATORS_MAX) throw new Refusal(Status.OperatorsFull);
    this.#takePlace();
    this.#operators.set(id, { role, key: undefined, pending: key });
    return true;
  }

  /** @returns whether something changed @throws Refusal */
  rotate(asked: Message): boolean {
    const [known, key] = [this.#find(asked), keyOf(asked)];
    if (known.pending === key || (known.key === key && known.pending === undefined)) return false;
    if (known.key === key) {
      known.pending = undefined; // back to the old key: the new one is given up
      return true;
    }
    this.#takePlace();
    known.pending = key;
    return true;
  }

  /** @returns whether something changed @throws Refusal */
  setRole(asked: Message): boolean {
    const [known, role] = [this.#find(asked), asked.get(Key.Role) as number];
    if (known.role === role) return false;
    if (role !== Role.Admin) this.#keepAnAdmin(known);
    this.#takePlace();
    known.role = role;
    return true;
  }

  /** @throws Refusal */
  remove(asked: Message): void {
    this.#keepAnAdmin(this.#find(asked));
    this.#operators.delete(idOf(asked));
  }

  /** A session is opened with this key, and something is asked in it. @returns whether the key is right, and whether it was pending */
  use(id: string, key: Uint8Array): "unknown" | "used" | "first use" {
    const known = this.#operators.get(id);
    if (known === undefined || key.length !== PSK_SIZE) return "unknown";
    if (known.key === hex(key)) return "used";
    if (known.pending !== hex(key)) return "unknown";
    known.key = known.pending;
    known.pending = undefined;
    return "first use";
  }

  /** One entry for each key. */
  list(): Message[] {
    return [...this.#operators].flatMap(([id, { role, key, pending }]) =>
      [false, true]
        .filter((waits) => (waits ? pending : key) !== undefined)
        .map((waits) =>
          message([
            [Key.Role, role],
            [Key.Operator, id],
            [Key.Pending, waits],
          ]),
        ),
    );
  }

  /** What is written needs a free place, also when it takes the place of another key then. @throws Refusal */
  #takePlace(): void {
    const taken = [...this.#operators.values()].reduce((sum, one) => sum + (one.key && one.pending ? 2 : 1), 0);
    if (taken >= OPERATOR_PLACES) throw new Refusal(Status.OperatorsFull);
  }

  #find(asked: Message): Operator {
    const known = this.#operators.get(idOf(asked));
    if (known === undefined) throw new Refusal(Status.NoSuchOperator);
    return known;
  }

  #keepAnAdmin(without: Operator): void {
    const others = [...this.#operators.values()].filter((one) => one !== without);
    if (isAdmin(without) && !others.some(isAdmin)) throw new Refusal(Status.LastAdmin);
  }
}

const isAdmin = ({ role, key }: Operator): boolean => role === Role.Admin && key !== undefined;
const idOf = (asked: Message): string => asked.get(Key.Operator) as string;
const keyOf = (asked: Message): string => hex(asked.get(Key.Secret) as Uint8Array);
