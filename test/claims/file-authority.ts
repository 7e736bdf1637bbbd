/** The mock authority in a file, for several programs at once: each call reads it, answers and writes it under a lock. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Authority, Delta, Range } from "../../host/claims/authority.js";
import { withExclusive } from "../../host/claims/lock.js";
import { MockAuthority } from "./authority.js";

export class FileAuthority implements Authority {
  readonly name = "file";

  /** @param delayMs before each answer, when it has been kept already */
  constructor(
    readonly path: string,
    readonly delayMs = 0,
  ) {}

  create(capacity: bigint): Promise<Uint8Array> {
    return this.#with((mock) => mock.create(capacity));
  }
  deltas(key: Uint8Array): Promise<readonly Delta[]> {
    return this.#with((mock) => mock.deltas(key));
  }
  reserve(key: Uint8Array, sequence: number, size: bigint, request: Uint8Array): Promise<Range> {
    return this.#with((mock) => mock.reserve(key, sequence, size, request));
  }
  renew(key: Uint8Array, expected: number, id: Uint8Array): Promise<Delta> {
    return this.#with((mock) => mock.renew(key, expected, id));
  }
  forward(key: Uint8Array, sequence: number, size: bigint): Promise<bigint> {
    return this.#with((mock) => mock.forward(key, sequence, size));
  }
  container(key: Uint8Array, sequence: number): Promise<Uint8Array> {
    return this.#with((mock) => mock.container(key, sequence));
  }
  open(key: Uint8Array, container: Uint8Array): Promise<Uint8Array> {
    return this.#with((mock) => mock.open(key, container));
  }

  async #with<T>(use: (mock: MockAuthority) => T | Promise<T>): Promise<T> {
    const answer = await withExclusive(`${this.path}.lock`, async () => {
      const mock = new MockAuthority(this.name);
      if (existsSync(this.path)) load(mock, readFileSync(this.path, "utf8"));
      const answer = await use(mock);
      writeFileSync(`${this.path}.new`, dump(mock));
      renameSync(`${this.path}.new`, this.path);
      return answer;
    });
    await sleep(Math.random() * this.delayMs);
    return answer;
  }
}

/** Numbers of 64 bits as "123n", bytes as "0x…". */
function dump(mock: MockAuthority): string {
  return JSON.stringify([...mock.keys], (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    return value instanceof Uint8Array ? `0x${Buffer.from(value).toString("hex")}` : value;
  });
}

function load(mock: MockAuthority, text: string): void {
  const keys = JSON.parse(text, (_, value: unknown) => {
    if (typeof value !== "string") return value;
    if (/^-?[0-9]+n$/.test(value)) return BigInt(value.slice(0, -1));
    return value.startsWith("0x") ? Uint8Array.from(Buffer.from(value.slice(2), "hex")) : value;
  }) as Iterable<[string, never]>;
  for (const [name, key] of keys) mock.keys.set(name, key);
}
