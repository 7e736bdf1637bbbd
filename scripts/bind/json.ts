/** A strict reader of JSON objects: each key is asked for with what it should be, and none may be left over. */
export class ManifestError extends Error {
  override name = "ManifestError";
}

export class JsonObject {
  readonly #values: Map<string, unknown>;

  /** @param where names the object in errors. @throws ManifestError */
  constructor(
    value: unknown,
    readonly where: string,
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new ManifestError(`${where} should be an object`);
    this.#values = new Map(Object.entries(value));
  }

  static parse(text: string, file: string): JsonObject {
    try {
      return new JsonObject(JSON.parse(text), file);
    } catch (cause) {
      if (cause instanceof ManifestError) throw cause;
      throw new ManifestError(`${file} is not JSON: ${(cause as Error).message}`, { cause });
    }
  }

  word<T extends string>(key: string, allowed: readonly T[]): T {
    const value = this.#take(key);
    const found = allowed.find((one) => one === value);
    return found ?? this.#refuse(key, `should be one of ${allowed.join(", ")}`, value);
  }

  text(key: string): string {
    const value = this.#take(key);
    return typeof value === "string" && value.length > 0 ? value : this.#refuse(key, "should be text", value);
  }

  integer(key: string, least: number): number {
    const value = this.#take(key);
    return typeof value === "number" && Number.isSafeInteger(value) && value >= least
      ? value
      : this.#refuse(key, `should be a whole number from ${least} on`, value);
  }

  object(key: string): JsonObject {
    return new JsonObject(this.#take(key), `${this.where}: ${key}`);
  }

  /** What `read` makes of an object that may be missing; nothing may be left over in it. */
  optional<T>(key: string, read: (object: JsonObject) => T): T | undefined {
    if (!this.#values.has(key)) return undefined;
    const object = this.object(key);
    const made = read(object);
    object.end();
    return made;
  }

  /** @throws ManifestError when a key was not asked for */
  end(): void {
    const left = [...this.#values.keys()];
    if (left.length > 0) throw new ManifestError(`${this.where}: there is no key "${left.join('", "')}"`);
  }

  #take(key: string): unknown {
    if (!this.#values.has(key)) throw new ManifestError(`${this.where}: "${key}" is missing`);
    const value = this.#values.get(key);
    this.#values.delete(key);
    return value;
  }

  #refuse(key: string, should: string, value: unknown): never {
    throw new ManifestError(`${this.where}: "${key}" ${should}; it is ${JSON.stringify(value)}`);
  }
}
