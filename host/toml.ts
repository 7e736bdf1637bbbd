/** Strict reading of TOML: each field once, with its type; errors name the file, the line and the field. Relies on smol-toml. */
import { parse, TomlError, type TomlTable } from "smol-toml";
import { FileError } from "./client/errors.js";

/** @throws FileError with line and column when `text` is no TOML */
export function parseToml(text: string, file: string): Table {
  try {
    return new Table(parse(text), { text, file, header: undefined, nth: 0 });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const what = cause.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    throw new FileError(`${file}, line ${cause.line}, column ${cause.column}: ${what}.`, "TOML: https://toml.io", {
      cause,
    });
  }
}

interface Place {
  text: string;
  file: string;
  /** Name of the table in brackets, and which of those with this name it is. */
  header: string | undefined;
  nth: number;
}

/** One table; `end` refuses fields that were not asked for. */
export class Table {
  readonly #left: Map<string, unknown>;
  readonly #place: Place;

  constructor(table: TomlTable, place: Place) {
    this.#left = new Map(Object.entries(table));
    this.#place = place;
  }

  has(key: string): boolean {
    return this.#left.has(key);
  }

  string(key: string): string {
    return this.#take(key, "a text", (value): value is string => typeof value === "string" && value !== "");
  }

  boolean(key: string): boolean {
    return this.#take(key, "true or false", (value): value is boolean => typeof value === "boolean");
  }

  integer(key: string, min: number, max: number): number {
    const is = (value: unknown): value is number =>
      Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
    return this.#take(key, `an integer from ${min} to ${max}`, is);
  }

  strings(key: string): string[] {
    const is = (value: unknown): value is string[] =>
      Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string" && item !== "");
    return this.#take(key, "a list of texts", is);
  }

  /** A `[key]` table; empty when it is missing. */
  table(key: string): Table {
    const value = this.has(key) ? this.#take(key, "a table", isTable) : {};
    return new Table(value, { ...this.#place, header: key, nth: 0 });
  }

  /** All `[[key]]` tables. */
  tables(key: string): Table[] {
    const is = (value: unknown): value is TomlTable[] => Array.isArray(value) && value.every(isTable);
    const values = this.has(key) ? this.#take(key, `[[${key}]] tables`, is) : [];
    return values.map((value, nth) => new Table(value, { ...this.#place, header: key, nth }));
  }

  /** Whatever stands there. */
  any(key: string): unknown {
    return this.#take(key, "a value", (value): value is unknown => value !== undefined);
  }

  end(): void {
    for (const key of this.#left.keys()) throw this.error(key, "is no field that belongs here");
  }

  /** An error about a field of this table, or about the table. */
  error(key: string | undefined, what: string, hint = ""): FileError {
    const { file, header } = this.#place;
    const field = key === undefined ? "" : ` ${key}`;
    return new FileError(
      `${file}, line ${this.#line(key)}:${header === undefined ? "" : ` [${header}]`}${field} ${what}.`,
      hint,
    );
  }

  #take<T>(key: string, expected: string, is: (value: unknown) => value is T): T {
    const value = this.#left.get(key);
    if (!is(value))
      throw this.error(key, this.has(key) ? `should be ${expected}` : `is missing; it should be ${expected}`);
    this.#left.delete(key);
    return value;
  }

  /** The parser keeps no positions, so the line is looked up: the header, then the key below it. 1 when it is written in another way. */
  #line(key: string | undefined): number {
    const { text, header, nth } = this.#place;
    const lines = text.split("\n").map((line) => line.trim());
    const headers = lines.flatMap((line, i) =>
      line.replace(/[[\]\s]|#.*/g, "") === header && line.startsWith("[") ? [i] : [],
    );
    const from = header === undefined ? 0 : (headers[nth] ?? 0);
    const below = lines.slice(from + 1).findIndex((line) => line.startsWith("["));
    const to = header === undefined || below < 0 ? lines.length : from + 1 + below;
    const isKey = (line: string) => key !== undefined && line.startsWith(key) && /^[\s=]/.test(line.slice(key.length));
    const found = lines.slice(from, to).findIndex((line) => isKey(line) || line.replace(/[[\]]/g, "") === key);
    return from + Math.max(found, 0) + 1;
  }
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
