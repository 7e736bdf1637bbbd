/** A decoder of exactly the WebAssembly that the core may be made of: integers, one memory, bulk copy and fill (WebAssembly Core 1.0 §5 and its
 *  bulk-memory and sign-extension proposals). Whatever it does not know it refuses: an unknown operation is a failed build, never a skipped one. */

export type ValueType = "i32" | "i64";

export interface FunctionType {
  params: ValueType[];
  results: ValueType[];
}

export interface Instruction {
  /** Name as in the text format: `i32.add`, `local.get`, `br_if`. */
  op: string;
  /** Bytes from the start of the module. */
  at: number;
  /** Of a local, a global, a function; the depth of a label. */
  index?: number;
  /** br_table: the targets, the default last. */
  labels?: number[];
  /** Of a constant. */
  value?: number | bigint;
  /** Of a load or store. */
  offset?: number;
  /** Of a block, loop or if, and of call_indirect. */
  type?: FunctionType;
  /** Of a block, loop or if: where its `end` and its `else` stand in the code. */
  end?: number;
  else?: number;
}

export interface Func {
  index: number;
  /** From the name section, else of the import or export, else `func12`. */
  name: string;
  type: FunctionType;
  /** `module.name` when it is one. */
  import?: string;
  /** Parameters first. */
  locals: ValueType[];
  code: Instruction[];
  /** The bytes of the code. */
  body: Uint8Array;
}

export interface Module {
  types: FunctionType[];
  imports: { module: string; name: string; kind: Kind }[];
  functions: Func[];
  tables: { min: number; max: number | undefined }[];
  memories: { min: number; max: number | undefined; imported: boolean }[];
  /** `value`: what a constant initial value is; undefined when another global gives it. */
  globals: { type: ValueType; mutable: boolean; value: number | bigint | undefined; imported: boolean }[];
  exports: { name: string; kind: Kind; index: number }[];
  start?: number;
  elements: { offset: number; functions: number[] }[];
  data: { offset: number; bytes: Uint8Array }[];
  customs: { name: string; bytes: Uint8Array }[];
}

export type Kind = "function" | "table" | "memory" | "global";
const KINDS: readonly Kind[] = ["function", "table", "memory", "global"];

/** Operations without immediates, by their first byte. */
const PLAIN = new Map<number, string>();
const fill = (first: number, prefix: string, names: string) =>
  names.split(" ").forEach((name, i) => {
    PLAIN.set(first + i, `${prefix}${name}`);
  });
const COMPARE = "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const ARITHMETIC = "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";
fill(0x45, "i32.", COMPARE);
fill(0x50, "i64.", COMPARE);
fill(0x67, "i32.", ARITHMETIC);
fill(0x79, "i64.", ARITHMETIC);
fill(0xa7, "i32.", "wrap_i64");
fill(0xac, "i64.", "extend_i32_s extend_i32_u");
fill(0xc0, "", "i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s");
fill(0x1a, "", "drop select");
fill(0x0f, "", "return");
fill(0x00, "", "unreachable nop");

const ACCESS = new Map<number, string>();
const LOADS: readonly [number, string][] = [
  [0x28, "i32.load"],
  [0x29, "i64.load"],
  [0x36, "i32.store"],
  [0x37, "i64.store"],
];
for (const [code, name] of LOADS) ACCESS.set(code, name);
for (const [first, names] of [
  [
    0x2c,
    "i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u",
  ],
  [0x3a, "i32.store8 i32.store16 i64.store8 i64.store16 i64.store32"],
] as const)
  names.split(" ").forEach((name, i) => {
    ACCESS.set(first + i, name);
  });

/** Bytes that a load or store moves. */
export function width(op: string): number {
  const bits = /(?:load|store)(\d+)/.exec(op)?.[1];
  return bits === undefined ? (op.startsWith("i64") ? 8 : 4) : Number(bits) / 8;
}

/** Types that an operation without immediates takes and gives. */
export function signature(op: string): FunctionType {
  const type: ValueType = op.startsWith("i64") ? "i64" : "i32";
  if (op === "i32.wrap_i64") return { params: ["i64"], results: ["i32"] };
  if (op.startsWith("i64.extend_i32")) return { params: ["i32"], results: ["i64"] };
  if (op.endsWith(".eqz")) return { params: [type], results: ["i32"] };
  if (/\.(clz|ctz|popcnt|extend\d+_s)$/.test(op)) return { params: [type], results: [type] };
  if (/\.(eq|ne|[lg][te]_[su])$/.test(op)) return { params: [type, type], results: ["i32"] };
  return { params: [type, type], results: [type] };
}

class Reader {
  readonly #bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    const byte = this.at < this.end ? this.#bytes[this.at++] : undefined;
    if (byte === undefined) throw new Error(`the module ends early, at ${this.at}`);
    return byte;
  }

  #leb(bits: number, signed: boolean): bigint {
    let value = 0n;
    for (let shift = 0; ; shift += 7) {
      if (shift > bits) throw new Error(`a number is too long, at ${this.at}`);
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte >= 0x80) continue;
      return signed ? BigInt.asIntN(shift + 7, value) : value;
    }
  }

  u32 = (): number => Number(this.#leb(32, false));
  i32 = (): number => Number(this.#leb(32, true));
  i64 = (): bigint => this.#leb(64, true);
  /** A block type is a type index, or one byte that is negative as a number. */
  s33 = (): number => Number(this.#leb(33, true));

  take(length: number): Uint8Array {
    if (length > this.end - this.at) throw new Error(`the module ends early, at ${this.at}`);
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  text = (): string => new TextDecoder("utf-8", { fatal: true }).decode(this.take(this.u32()));

  list<T>(read: (index: number) => T): T[] {
    return Array.from({ length: this.u32() }, (_, i) => read(i));
  }
}

const TYPES = new Map<number, ValueType>([
  [0x7f, "i32"],
  [0x7e, "i64"],
]);

function valueType(byte: number): ValueType {
  const type = TYPES.get(byte);
  if (type === undefined) throw new Error(`value type 0x${byte.toString(16)} is none of i32 and i64`);
  return type;
}

/** The constant that an initial value is; undefined for another global's. */
function constant(reader: Reader): number | bigint | undefined {
  const code = reader.byte();
  let value: number | bigint | undefined;
  if (code === 0x41) value = reader.i32();
  else if (code === 0x42) value = reader.i64();
  else if (code === 0x23) reader.u32();
  else throw new Error(`0x${code.toString(16)} is not a constant, at ${reader.at}`);
  if (reader.byte() !== 0x0b) throw new Error(`a constant has more than one operation, at ${reader.at}`);
  return value;
}

/** Decodes one function's code, its last `end` included. */
function decodeCode(reader: Reader, types: readonly FunctionType[]): Instruction[] {
  const code: Instruction[] = [];
  const open: Instruction[] = [];
  const blockType = (): FunctionType => {
    const which = reader.s33();
    if (which === -64) return { params: [], results: [] };
    if (which < 0) return { params: [], results: [valueType(which & 0x7f)] };
    const type = types[which];
    if (type === undefined) throw new Error(`there is no type ${which}`);
    return type;
  };
  const zero = () => {
    if (reader.byte() !== 0) throw new Error(`a second memory or table, at ${reader.at}`);
  };
  let ended = false;
  while (reader.at < reader.end) {
    if (ended) throw new Error(`code behind the end of a function, at ${reader.at}`);
    const at = reader.at;
    const byte = reader.byte();
    const plain = PLAIN.get(byte);
    const access = ACCESS.get(byte);
    let one: Instruction;
    if (plain !== undefined) one = { op: plain, at };
    else if (access !== undefined) {
      reader.u32(); // the alignment is a hint
      one = { op: access, at, offset: reader.u32() };
    } else if (byte >= 0x02 && byte <= 0x04) {
      one = { op: ["block", "loop", "if"][byte - 2] as string, at, type: blockType() };
      open.push(one);
    } else if (byte === 0x05) {
      const block = open.at(-1);
      if (block?.op !== "if" || block.else !== undefined) throw new Error(`an else without its if, at ${at}`);
      block.else = code.length;
      one = { op: "else", at };
    } else if (byte === 0x0b) {
      const block = open.pop();
      if (block) block.end = code.length;
      else ended = true;
      one = { op: "end", at };
    } else if (byte === 0x0c || byte === 0x0d) one = { op: byte === 0x0c ? "br" : "br_if", at, index: reader.u32() };
    else if (byte === 0x0e) {
      const labels = reader.list(reader.u32);
      one = { op: "br_table", at, labels: [...labels, reader.u32()] };
    } else if (byte === 0x10) one = { op: "call", at, index: reader.u32() };
    else if (byte === 0x11) {
      const type = types[reader.u32()];
      if (type === undefined) throw new Error(`call_indirect of an unknown type, at ${at}`);
      zero();
      one = { op: "call_indirect", at, type };
    } else if (byte >= 0x20 && byte <= 0x24)
      one = {
        op: ["local.get", "local.set", "local.tee", "global.get", "global.set"][byte - 0x20] as string,
        at,
        index: reader.u32(),
      };
    else if (byte === 0x3f || byte === 0x40) {
      zero();
      one = { op: byte === 0x3f ? "memory.size" : "memory.grow", at };
    } else if (byte === 0x41) one = { op: "i32.const", at, value: reader.i32() };
    else if (byte === 0x42) one = { op: "i64.const", at, value: reader.i64() };
    else if (byte === 0xfc) {
      const which = reader.u32();
      if (which !== 10 && which !== 11) throw new Error(`operation 0xfc ${which} is not known, at ${at}`);
      zero();
      if (which === 10) zero();
      one = { op: which === 10 ? "memory.copy" : "memory.fill", at };
    } else throw new Error(`operation 0x${byte.toString(16)} is not known, at ${at}`);
    code.push(one);
  }
  if (!ended) throw new Error(`a function has no end, at ${reader.at}`);
  return code;
}

/** Decodes a module.
 *  @throws Error with the offset of whatever it does not know */
export function decode(bytes: Uint8Array): Module {
  const reader = new Reader(bytes);
  const magic = reader.take(8);
  if (Buffer.compare(magic, Buffer.from("0061736d01000000", "hex")) !== 0) throw new Error("not a module of version 1");
  const found: Module = {
    types: [],
    imports: [],
    functions: [],
    tables: [],
    memories: [],
    globals: [],
    exports: [],
    elements: [],
    data: [],
    customs: [],
  };
  const names = new Map<number, string>();
  const typeOf = (index: number): FunctionType => {
    const type = found.types[index];
    if (type === undefined) throw new Error(`there is no type ${index}`);
    return type;
  };
  const limits = () => {
    const flags = reader.byte();
    if (flags > 1) throw new Error(`limits of kind ${flags}`);
    return { min: reader.u32(), max: flags === 1 ? reader.u32() : undefined };
  };
  const table = () => {
    if (reader.byte() !== 0x70) throw new Error("a table of something else than functions");
    return limits();
  };
  const globalType = () => {
    const type = valueType(reader.byte());
    const flag = reader.byte();
    if (flag > 1) throw new Error(`a global of kind ${flag}`);
    return { type, mutable: flag === 1 };
  };
  const functionNamed = (type: FunctionType, from?: string) => {
    const index = found.functions.length;
    found.functions.push({
      index,
      name: from ?? `func${index}`,
      type,
      ...(from === undefined ? {} : { import: from }),
      locals: [...type.params],
      code: [],
      body: new Uint8Array(0),
    });
  };
  const sections: Record<number, (end: number) => void> = {
    0: (end) => {
      const name = reader.text();
      found.customs.push({ name, bytes: bytes.subarray(reader.at, end) });
      if (name === "name") readNames(bytes, reader.at, end, names);
      reader.at = end;
    },
    1: () => {
      found.types = reader.list(() => {
        if (reader.byte() !== 0x60) throw new Error("a type that is not a function's");
        return {
          params: reader.list(() => valueType(reader.byte())),
          results: reader.list(() => valueType(reader.byte())),
        };
      });
    },
    2: () => {
      found.imports = reader.list(() => {
        const module = reader.text();
        const name = reader.text();
        const kind = KINDS[reader.byte()];
        if (kind === "function") functionNamed(typeOf(reader.u32()), `${module}.${name}`);
        else if (kind === "table") found.tables.push(table());
        else if (kind === "memory") found.memories.push({ ...limits(), imported: true });
        else if (kind === "global") found.globals.push({ ...globalType(), value: undefined, imported: true });
        else throw new Error(`import ${module}.${name} is of an unknown kind`);
        return { module, name, kind };
      });
    },
    3: () => {
      for (const type of reader.list(reader.u32)) functionNamed(typeOf(type));
    },
    4: () => found.tables.push(...reader.list(table)),
    5: () => found.memories.push(...reader.list(() => ({ ...limits(), imported: false }))),
    6: () => found.globals.push(...reader.list(() => ({ ...globalType(), value: constant(reader), imported: false }))),
    7: () => {
      found.exports = reader.list(() => {
        const name = reader.text();
        const kind = KINDS[reader.byte()];
        if (kind === undefined) throw new Error(`export ${name} is of an unknown kind`);
        return { name, kind, index: reader.u32() };
      });
    },
    8: () => {
      found.start = reader.u32();
    },
    9: () => {
      found.elements = reader.list(() => {
        if (reader.u32() !== 0) throw new Error("elements that are not active");
        const offset = constant(reader);
        if (typeof offset !== "number") throw new Error("elements at a place that is not constant");
        return { offset, functions: reader.list(reader.u32) };
      });
    },
    10: () => {
      const own = found.functions.filter((one) => one.import === undefined);
      const bodies = reader.list((i) => {
        const size = reader.u32();
        const end = reader.at + size;
        const func = own[i];
        if (func === undefined) throw new Error("more code than functions");
        reader.list(() => {
          const count = reader.u32();
          const type = valueType(reader.byte());
          if (count > 1000) throw new Error(`${count} locals`);
          for (let n = 0; n < count; n++) func.locals.push(type);
        });
        func.body = bytes.subarray(reader.at, end);
        func.code = decodeCode(new Reader(bytes, reader.at, end), found.types);
        reader.at = end;
      });
      if (bodies.length !== own.length) throw new Error("fewer code than functions");
    },
    11: () => {
      found.data = reader.list(() => {
        if (reader.u32() !== 0) throw new Error("data that are not active");
        const offset = constant(reader);
        if (typeof offset !== "number") throw new Error("data at a place that is not constant");
        return { offset, bytes: reader.take(reader.u32()) };
      });
    },
    12: () => {
      reader.u32(); // how many data there are
    },
  };
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const size = reader.u32();
    const end = reader.at + size;
    const section = sections[id];
    if (section === undefined) throw new Error(`section ${id} is not known`);
    if (end > bytes.length) throw new Error(`the module ends early, in section ${id}`);
    section(end);
    if (reader.at !== end) throw new Error(`section ${id} is longer or shorter than it says`);
  }
  const hollow = found.functions.find((one) => one.import === undefined && one.code.length === 0);
  if (hollow) throw new Error(`${hollow.name} has no code`);
  for (const one of found.exports) {
    const func = one.kind === "function" ? found.functions[one.index] : undefined;
    if (func && func.import === undefined) func.name = one.name;
  }
  for (const [index, name] of names) {
    const func = found.functions[index];
    if (func && func.import === undefined) func.name = name;
  }
  return found;
}

/** Function names of a name section, into `names`. */
function readNames(bytes: Uint8Array, from: number, to: number, names: Map<number, string>): void {
  const reader = new Reader(bytes, from, to);
  while (reader.at < to) {
    const kind = reader.byte();
    const end = reader.u32() + reader.at;
    if (kind === 1)
      reader.list(() => {
        names.set(reader.u32(), reader.text());
      });
    reader.at = end;
  }
}
