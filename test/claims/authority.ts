/** A mock of the board as an authority: filekeys, Deltas and pointers in memory, by the rules of host/claims/authority.ts. It can be
 *  unavailable, slow, wrong or replaying, and somebody else can be quicker. Its sealed Deltas are its own form, not the board's. */
import { createHmac, randomBytes } from "node:crypto";
import type { Delta, Range } from "../../host/claims/authority.js";
import type { DeltaHead } from "../../host/claims/deltas.js";
import { fail, TestAuthority } from "./test-authority.js";

export { fail, failing } from "./test-authority.js";

interface Kept {
  sequence: number;
  id: Uint8Array;
  start: bigint;
  end: bigint;
  latest: bigint;
}

interface Key {
  alpha: Uint8Array;
  capacity: bigint;
  deltas: Kept[];
  last?: { request: string; size: bigint; range: Range };
}

const HEAD = 56;

export class MockAuthority extends TestAuthority {
  readonly readHead = readHead;
  readonly keys = new Map<string, Key>();

  constructor(readonly name = "mock") {
    super();
  }

  create(capacity: bigint, key: Uint8Array = bytes(16)): Uint8Array {
    this.keys.set(hex(key), { alpha: bytes(32), capacity, deltas: [] });
    this.add(key);
    return key;
  }

  /** Makes the next Delta, as if another computer had. */
  add(key: Uint8Array, id: Uint8Array = bytes(16)): Kept {
    const { deltas, capacity } = this.key(key);
    const start = (deltas.at(-1)?.end ?? -1n) + 1n;
    const delta = {
      sequence: deltas.length + 1,
      id: Uint8Array.from(id),
      start,
      end: start + capacity - 1n,
      latest: start - 1n,
    };
    deltas.push(delta);
    return delta;
  }

  key(key: Uint8Array): Key {
    const found = this.keys.get(hex(key));
    if (found === undefined) throw fail("NoSuchFilekey");
    return found;
  }

  newest(key: Uint8Array): Kept {
    return this.key(key).deltas.at(-1)!;
  }

  async deltas(key: Uint8Array): Promise<readonly Delta[]> {
    await this.called("deltas");
    return this.key(key).deltas.map((delta) => ({ ...delta }));
  }

  /** Whether a reserve for another Delta than the newest is refused, as a board does. */
  checks = false;

  async reserve(key: Uint8Array, sequence: number, size: bigint, request: Uint8Array): Promise<Range> {
    await this.called("reserve", size);
    const found = this.key(key);
    if (found.last?.request === hex(request)) return found.last.range;
    if (this.checks && this.newest(key).sequence !== sequence) throw fail("Conflict");
    const range = this.take(key, size);
    found.last = { request: hex(request), size, range };
    return this.twist(range);
  }

  take(key: Uint8Array, size: bigint): Range {
    const newest = this.newest(key);
    if (size < 1n || size > newest.end - newest.latest) throw fail("TooLarge");
    const start = newest.latest + 1n;
    newest.latest += size;
    return { start, end: newest.latest };
  }

  async renew(key: Uint8Array, expected: number, id: Uint8Array): Promise<Delta> {
    await this.called("renew", expected);
    if (this.newest(key).sequence !== expected) throw fail("Conflict");
    return { ...this.add(key, id) };
  }

  async forward(key: Uint8Array, _sequence: number, size: bigint): Promise<bigint> {
    await this.called("forward", size);
    return this.take(key, size).end;
  }

  async container(key: Uint8Array, sequence: number): Promise<Uint8Array> {
    await this.called("container", sequence);
    return this.sealed(key, sequence);
  }

  async open(key: Uint8Array, container: Uint8Array): Promise<Uint8Array> {
    await this.called("open");
    return this.secret(key, container);
  }

  /** The sealed Delta: its head in clear, and a tag under the Alpha. */
  sealed(key: Uint8Array, sequence: number): Uint8Array {
    const { alpha, deltas } = this.key(key);
    const delta = deltas[sequence - 1];
    if (delta === undefined) throw fail("NoSuchFilekey");
    const head = Buffer.alloc(HEAD);
    head.set(key);
    head.writeUInt32LE(sequence, 16);
    head.set(delta.id, 20);
    head.writeBigInt64LE(delta.start, 36);
    head.writeBigInt64LE(delta.end, 44);
    return Buffer.concat([head, mac(alpha, "seal", head)]);
  }

  secret(key: Uint8Array, container: Uint8Array): Uint8Array {
    const { alpha } = this.key(key);
    const head = container.subarray(0, HEAD);
    if (!mac(alpha, "seal", head).equals(container.subarray(HEAD))) throw fail("NotGenuine");
    return mac(alpha, "secret", head);
  }
}

/** Reads the head of the mock's containers. */
export function readHead(container: Uint8Array): DeltaHead {
  const view = Buffer.from(container);
  if (view.length !== HEAD + 32) throw fail("NotGenuine");
  return {
    key: Uint8Array.from(view.subarray(0, 16)),
    sequence: view.readUInt32LE(16),
    id: Uint8Array.from(view.subarray(20, 36)),
    start: view.readBigInt64LE(36),
    end: view.readBigInt64LE(44),
  };
}

function mac(key: Uint8Array, label: string, bytes: Uint8Array): Buffer {
  return createHmac("sha256", key).update(label).update(bytes).digest();
}

/** Random ones; no Buffer, so that they equal what is read back. */
function bytes(size: number): Uint8Array {
  return Uint8Array.from(randomBytes(size));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
