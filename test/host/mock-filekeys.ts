/** What a mock store answers about filekeys: SPEC.md §17 without its refusals, and Deltas that are not sealed. */
import { randomBytes } from "node:crypto";
import { FILEKEY_HEAD, LISTED_DELTA, SEALED_DELTA } from "../../firmware/defs/filekey.js";
import { Status } from "../../firmware/defs/status.js";
import { Command, Key } from "../../firmware/defs/wire.js";
import { type Message, message } from "../../host/client/message.js";
import type { Refusal } from "./mock-session.js";

interface MockFilekey {
  handle: Uint8Array;
  id: Uint8Array;
  capacity: bigint;
  pointer: bigint;
  deltas: Uint8Array[];
}

const positions = (...all: bigint[]): Buffer => {
  const bytes = Buffer.alloc(8 * all.length);
  for (const [i, position] of all.entries()) bytes.writeBigInt64LE(position, 8 * i);
  return bytes;
};

export class MockFilekeys {
  readonly #all: MockFilekey[] = [];

  /** Undefined: the command is none of these. */
  answer(command: Command, request: Message): Refusal | Message | undefined {
    if (command < Command.FilekeyCreate || command > Command.FilekeyDelete) return undefined;
    if (command === Command.FilekeyCreate || command === Command.FilekeyImport) return this.#make(request);
    const handle = request.get(Key.Handle) as Uint8Array;
    const filekey = this.#all.find((one) => Buffer.compare(one.handle, handle) === 0);
    return filekey === undefined ? Status.NoSuchHandle : this.#of(filekey, command, request);
  }

  #make(request: Message): Message {
    const [handle, id, data] = [randomBytes(16), randomBytes(16), Buffer.from(request.get(Key.Data) as Uint8Array)];
    const filekey = { handle, id, capacity: data.readBigInt64LE(data.length - 8), pointer: -1n, deltas: [] };
    this.#all.push(filekey);
    this.#renew(filekey, id);
    return message([
      [Key.Handle, handle],
      [Key.Sequence, 1],
      [Key.Filekey, id],
    ]);
  }

  #renew({ capacity, deltas }: MockFilekey, id: Uint8Array): Uint8Array {
    const start = BigInt(deltas.length) * capacity;
    const made = Buffer.concat([id, positions(start, start + capacity - 1n)]);
    deltas.push(made);
    return made;
  }

  #of(filekey: MockFilekey, command: Command, request: Message): Message {
    const { id, pointer, deltas } = filekey;
    if (command === Command.FilekeyDeltas)
      return message([
        [Key.Filekey, id],
        [Key.Pointer, positions(pointer)],
        [Key.Deltas, Buffer.concat(deltas, deltas.length * LISTED_DELTA)],
      ]);
    if (command === Command.FilekeyReserve) {
      filekey.pointer += Buffer.from(request.get(Key.Data) as Uint8Array).readBigInt64LE(0);
      return message([[Key.Data, positions(pointer + 1n, filekey.pointer)]]);
    }
    if (command === Command.FilekeyRenew) {
      const made = this.#renew(filekey, request.get(Key.Token) as Uint8Array);
      return message([
        [Key.Sequence, deltas.length],
        [Key.Data, made],
      ]);
    }
    if (command === Command.FilekeyContainer) return message([[Key.Data, randomBytes(SEALED_DELTA)]]);
    if (command === Command.FilekeyOpen) return message([[Key.Secret, randomBytes(32)]]);
    if (command === Command.FilekeyExport) return message([[Key.Data, randomBytes(FILEKEY_HEAD)]]);
    return message([[Key.Destroyed, request.get(Key.Destroy)]]);
  }
}
