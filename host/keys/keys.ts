/** What a store of operator keys is on this computer, and what keys are called in it. open.ts makes one. */
import { isOperatorId } from "../client/answers.js";
import { UsageError } from "../client/errors.js";

/** A place where a key can be. */
export type Place = "keyring" | "file";

/** Keys by instance id (16 bytes) and operator id. A rotated key that was not used yet is kept beside the old one, as `nextOf(id)`. */
export interface KeyStore {
  /** Keeps a key, in place of an older one. @returns where it is now */
  put(instance: Uint8Array, id: string, key: Uint8Array): Promise<Place>;
  /** @returns the key, which the caller is to wipe; undefined when there is none */
  get(instance: Uint8Array, id: string): Promise<Uint8Array | undefined>;
  /** @returns whether there was one */
  remove(instance: Uint8Array, id: string): Promise<boolean>;
}

/** What the setting `keys` may be. auto: the keyring when it works, files otherwise. */
export const KEY_SETTINGS = ["auto", "keyring", "file"] as const;
export type KeySetting = (typeof KEY_SETTINGS)[number];

/** @throws UsageError that lists what there is */
export function parseKeySetting(text: string): KeySetting {
  const found = KEY_SETTINGS.find((known) => known === text);
  if (found === undefined) throw new UsageError(`keys: expected ${KEY_SETTINGS.join(", ")}; got "${text}".`);
  return found;
}

const NEXT = "+next";

/** Under this name a store keeps the key that an operator is being given, until it was used. */
export function nextOf(id: string): string {
  return id + NEXT;
}

export function isNext(id: string): boolean {
  return id.endsWith(NEXT);
}

/** What a key is called in every store: [instance in hexadecimal, operator id]. @throws UsageError */
export function keyName(instance: Uint8Array, id: string): readonly [string, string] {
  const plain = isNext(id) ? id.slice(0, -NEXT.length) : id;
  if (instance.length !== 16 || !isOperatorId(plain))
    throw new UsageError(`A key is kept for an operator id of 1 to 10 of a-z 0-9 . _ -; got "${plain}".`);
  return [Buffer.from(instance).toString("hex"), id];
}
