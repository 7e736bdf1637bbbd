/** A transform of asc: what the core needs of its target, said by decorators, checked against its calls, and written into core.wasm.
 *
 *  A decorator names an effect: `@durable("slots")` above a function says that what it does there survives power loss. Three rules hold:
 *  1. A function that declares an effect reaches a call that grounds it. 2. Each call that grounds an effect lies, on every way from an
 *  export to it, behind a function that declares the effect. 3. The imports of firmware/board.ts declare exactly what they ground here.
 *  So nothing is claimed that the code does not do, and nothing is done that is not claimed. Which effects an export needs, and by which
 *  way, goes into the custom section `mbs.coeffects`: SPEC.md §18. The code itself stays byte for byte as it is without this transform.
 *
 *  The calls are those of the compiled module before it is optimised: inlining takes edges away later. */
import { DecoratorFlags, DecoratorKind, DiagnosticCode, ElementKind, NodeKind } from "assemblyscript";

export const SECTION = "mbs.coeffects";
export const SECTION_VERSION = 1;

/** The effects, and what may stand in their parentheses. */
export const EFFECTS = {
  durable: ["slots", "data"],
  atomic: ["journal"],
  sealed: ["record", "delta", "image"],
  custody: [],
  entropy: [],
  presence: [],
  clock: [],
  diagnostic: [],
  facts: [],
};

/** What a call of an import grounds: of one that takes a region, by the number of the region (enum Region, defs/boundary.ts). null: the
 *  import does not take that region. To read grounds no promise about a medium: what is read was written under one; nor does it to erase an
 *  image, of which only the key must go. */
const [SLOTS, DATA] = ["durable slots", "durable data"];
export const IMPORTS = {
  "board.read": [[], [], ["custody"], ["facts"], []],
  "board.program": [[SLOTS], [DATA, "atomic journal"], ["custody"], null, null],
  "board.erase": [[SLOTS], [DATA], ["custody"], null, []],
  "board.blank": [null, [], ["custody"], null, null],
  "board.entropy": ["entropy"],
  "board.presence": ["presence"],
  "board.clock": ["clock"],
  "board.diag": ["diagnostic"],
  "board.rate": [], // how fast bytes are said is nobody's promise
};

/** Sealing needs no import: it is code of the core. Calls of these functions ground it; the key that they take follows from custody. */
export const SEALING = ["seal", "open", "openLater"].map((name) => `firmware/crypto/xchacha20poly1305/${name}`);

/** Effects that say no more when a function repeats them: the decorator of the import is enough. */
const PLAIN = ["clock", "diagnostic", "facts"];
/** Effects that say how another one is met: no call has to be behind them. */
const OPTIONAL = ["atomic journal"];

const takesRegion = (name) => IMPORTS[name].length > 1;
const groundedBy = (name) => [...new Set(IMPORTS[name].flat())].filter((one) => one !== null);

/** The children of each kind of expression of binaryen; `*` is a list. A kind that is not here is an error, never skipped. */
const CHILDREN = {
  ...{ Nop: [], Unreachable: [], Const: [], LocalGet: [], GlobalGet: [], MemorySize: [] },
  ...{ Block: ["*children"], If: ["condition", "ifTrue", "ifFalse"], Loop: ["body"], Break: ["condition", "value"] },
  ...{ Switch: ["condition", "value"], Call: ["*operands"], CallIndirect: ["target", "*operands"], Return: ["value"] },
  ...{ LocalSet: ["value"], GlobalSet: ["value"], Load: ["ptr"], Store: ["ptr", "value"], Unary: ["value"] },
  ...{ Binary: ["left", "right"], Select: ["ifTrue", "ifFalse", "condition"], Drop: ["value"], MemoryGrow: ["delta"] },
  ...{ MemoryCopy: ["dest", "source", "size"], MemoryFill: ["dest", "value", "size"] },
};

/** Calls `see` with each expression of a tree. */
function visit(binaryen, root, see) {
  const kinds = new Map(Object.entries(CHILDREN).map(([name, fields]) => [binaryen[`${name}Id`], fields]));
  const walk = (expression) => {
    if (!expression) return;
    const id = binaryen.getExpressionId(expression);
    const fields = kinds.get(id);
    if (fields === undefined) throw new Error(`${SECTION}: expression kind ${id} of binaryen is not known`);
    if (fields.length === 0) return; // of some of these binaryen gives no info
    const info = binaryen.getExpressionInfo(expression);
    see(info);
    for (const field of fields) {
      if (field[0] === "*") info[field.slice(1)].forEach(walk);
      else walk(info[field]);
    }
  };
  walk(root);
}

/** Row of what engines run before any export. */
const START = "(start)";

/** firmware/store/journal/commit -> journal.commit */
const shortName = (name) => name.split("/").slice(-2).join(".");

class Coeffects {
  /** What is declared: AST node -> effects. */
  #declared = new Map();
  #complaints = [];

  afterParse(parser) {
    for (const source of parser.sources) if (!source.isLibrary) this.#collect(source.statements);
  }

  #collect(statements) {
    for (const statement of statements) {
      if (statement.members) this.#collect(statement.members);
      const custom = (statement.decorators ?? []).filter((one) => one.decoratorKind === DecoratorKind.Custom);
      const effects = custom.map((one) => this.#effect(one, statement)).filter((one) => one !== undefined);
      if (effects.length > 0) this.#declared.set(statement, effects);
    }
  }

  /** "durable slots" of `@durable("slots")`. */
  #effect(decorator, statement) {
    const name = decorator.name.text;
    const complain = (text) => void this.#complaints.push([decorator.range, text]);
    if (!Object.hasOwn(EFFECTS, name))
      return complain(`There is no decorator '@${name}'; the effects are ${Object.keys(EFFECTS).join(", ")}.`);
    const isFunction = statement.kind === NodeKind.FunctionDeclaration || statement.kind === NodeKind.MethodDeclaration;
    if (!isFunction) return complain(`'@${name}' goes above functions only.`);
    const allowed = EFFECTS[name];
    const given = (decorator.args ?? []).map((one) => one.value);
    const fits = allowed.length === 0 ? given.length === 0 : given.length === 1 && allowed.includes(given[0]);
    if (fits) return [name, ...given].join(" ");
    const wanted = allowed.length === 0 ? "nothing" : `one of ${allowed.map((one) => `"${one}"`).join(", ")}`;
    return complain(`'@${name}' takes ${wanted} in parentheses.`);
  }

  afterInitialize(program) {
    for (const [range, text] of this.#complaints) program.error(DiagnosticCode.User_defined_0, range, text);
  }

  afterCompile(module) {
    const graph = new Graph(this.binaryen, module);
    const rules = new Rules(this.program, graph, this.#declared);
    if (rules.check()) module.addCustomSection(SECTION, encode(rules.needs()));
  }
}

/** Who calls whom in the compiled module, and what grounds effects. */
class Graph {
  /** function -> { calls: Set of functions, grounds: Set of effects, imported: "board.read" | undefined } */
  functions = new Map();
  roots = [];

  constructor(binaryen, module) {
    const infos = Array.from({ length: module.getNumFunctions() }, (_, i) =>
      binaryen.getFunctionInfo(module.getFunctionByIndex(i)),
    );
    for (const { name, module: from, base } of infos)
      this.functions.set(name, {
        calls: new Set(),
        grounds: new Set(),
        imported: base ? `${from}.${base}` : undefined,
      });
    const inTables = Array.from({ length: module.getNumElementSegments() }, (_, i) => {
      return binaryen.getElementSegmentInfo(module.getElementSegmentByIndex(i)).data;
    }).flat();
    // what is called through a table, or from outside, would be grounded nowhere
    const direct = (name, where) => {
      if (SEALING.includes(name) || this.functions.get(name)?.imported !== undefined)
        throw new Error(`${name} is ${where}: its effect would be in no function's declaration`);
    };
    for (const name of inTables) direct(name, "in a table of functions");
    for (const { name, body } of infos) {
      const own = this.functions.get(name);
      if (body)
        visit(binaryen, body, (info) => {
          if (info.id === binaryen.CallId) this.#call(binaryen, module, own, info);
          // which entry is not known: it may be any
          else if (info.id === binaryen.CallIndirectId) for (const target of inTables) own.calls.add(target);
        });
    }
    for (let i = 0; i < module.getNumExports(); i++) {
      const { kind, name, value } = binaryen.getExportInfo(module.getExportByIndex(i));
      if (kind === binaryen.ExternalFunction) direct(value, `exported as ${name}`);
      if (kind === binaryen.ExternalFunction) this.roots.push({ name, entry: value });
    }
    const start = module.getStart();
    // asc's own start function, when there is something to initialise
    if (start) this.roots.push({ name: START, entry: binaryen.getFunctionInfo(start).name });
  }

  #call(binaryen, module, from, { target, operands }) {
    from.calls.add(target);
    if (SEALING.includes(target)) from.grounds.add("sealed");
    const { imported } = this.functions.get(target);
    if (imported === undefined) return;
    if (!Object.hasOwn(IMPORTS, imported))
      throw new Error(`${SECTION}: nothing says what the import ${imported} grounds`);
    if (!takesRegion(imported)) {
      for (const effect of IMPORTS[imported]) from.grounds.add(effect);
      return;
    }
    const region = constant(binaryen, module, operands[0]);
    // a region that is not known may be any
    const effects = region === undefined ? groundedBy(imported) : IMPORTS[imported][region];
    if (!effects) throw new Error(`${SECTION}: ${imported} is called with region ${region}, which it does not take`);
    for (const effect of effects) from.grounds.add(effect);
  }

  /** Functions that can be reached, each with the one that it was first reached from; goes no further behind those that `stops`. */
  reach(entry, stops = () => false) {
    const from = new Map([[entry, undefined]]);
    for (const name of from.keys()) {
      if (stops(name)) continue;
      for (const next of this.functions.get(name).calls) if (!from.has(next)) from.set(next, name);
    }
    return from;
  }
}

/** The number that an expression always is, or undefined. */
function constant(binaryen, module, expression) {
  const id = binaryen.getExpressionId(expression);
  if (id !== binaryen.ConstId && id !== binaryen.GlobalGetId) return undefined;
  const info = binaryen.getExpressionInfo(expression);
  if (id === binaryen.ConstId) return info.value;
  const { mutable, init } = binaryen.getGlobalInfo(module.getGlobal(info.name));
  return mutable || !init ? undefined : constant(binaryen, module, init);
}

/** The way that led to a function. */
function way(from, to) {
  const path = [];
  for (let name = to; name !== undefined; name = from.get(name)) path.unshift(name);
  return path;
}

class Rules {
  #fine = true;
  /** function -> effects that it declares */
  #effects = new Map();
  #nodes = new Map();

  constructor(program, graph, declared) {
    this.program = program;
    this.graph = graph;
    this.declared = declared;
  }

  #error(node, text) {
    this.#fine = false;
    this.program.error(DiagnosticCode.User_defined_0, node.name.range, text);
  }

  /** Whether all rules hold; complains about each that does not. */
  check() {
    this.#findCompiled();
    for (const [name, effects] of this.#effects) {
      const { imported } = this.graph.functions.get(name);
      if (imported === undefined) this.#checkGrounded(name, effects);
      else this.#checkImport(name, imported, effects);
    }
    for (const root of this.graph.roots) this.#checkDeclared(root);
    return this.#fine;
  }

  #findCompiled() {
    const compiled = new Set();
    for (const element of this.program.instancesByName.values()) {
      if (element.kind !== ElementKind.Function) continue;
      const { prototype, internalName } = element;
      const node = prototype.declaration;
      this.#nodes.set(internalName, node);
      const isInlined = (prototype.decoratorFlags & DecoratorFlags.Inline) !== 0;
      const effects = this.declared.get(node);
      if (isInlined && (effects !== undefined || SEALING.includes(internalName)))
        this.#error(node, `'${shortName(internalName)}' is inlined, and its effects would be lost; let it be called.`);
      else if (effects !== undefined && this.graph.functions.has(internalName))
        this.#effects.set(internalName, effects);
      else continue;
      compiled.add(node);
    }
    for (const [node, effects] of this.declared)
      if (!compiled.has(node))
        this.#error(node, `'${node.name.text}' declares ${effects.join(", ")}, and nothing calls it; take it away.`);
  }

  /** Rule 1. */
  #checkGrounded(name, effects) {
    const reached = [...this.graph.reach(name).keys()].flatMap((one) => [...this.graph.functions.get(one).grounds]);
    for (const effect of effects)
      if (!reached.includes(groundOf(effect)))
        this.#error(
          this.#nodes.get(name),
          `'${shortName(name)}' declares ${effect}, and no call in it or behind it grounds that; see scripts/coeffects.mjs.`,
        );
  }

  /** Rule 3. */
  #checkImport(name, imported, effects) {
    const grounds = groundedBy(imported);
    if (effects.length === grounds.length && grounds.every((one) => effects.includes(one))) return;
    this.#error(
      this.#nodes.get(name),
      `The import ${imported} declares ${effects.join(", ")}, and scripts/coeffects.mjs says that it grounds ${grounds.join(", ")}.`,
    );
  }

  /** Rule 2. */
  #checkDeclared({ name: root, entry }) {
    const keys = new Set([...this.graph.functions.values()].flatMap(({ grounds }) => [...grounds]));
    for (const key of keys) {
      if (PLAIN.includes(key) || OPTIONAL.includes(key)) continue;
      const declares = (name) => (this.#effects.get(name) ?? []).some((effect) => groundOf(effect) === key);
      const from = this.graph.reach(entry, declares);
      for (const name of from.keys()) {
        if (declares(name) || !this.graph.functions.get(name).grounds.has(key)) continue;
        const path = way(from, name).map(shortName).join(" -> ");
        this.#error(
          this.#nodes.get(name),
          `'${shortName(name)}' needs ${key}, and nothing on the way from the export '${root}' declares that: ${path}`,
        );
      }
    }
    for (const name of this.graph.reach(entry).keys()) {
      const { imported } = this.graph.functions.get(name);
      if (imported === undefined || groundedBy(imported).length === 0 || this.#effects.has(name)) continue;
      this.#error(this.#nodes.get(name), `The import ${imported} declares no effect.`);
    }
  }

  /** What each export needs, with the shortest way to a function that declares it, or that calls the import. */
  needs() {
    const all = this.graph.roots.map(({ name: root, entry }) => {
      const from = this.graph.reach(entry);
      const ways = new Map();
      for (const name of from.keys()) {
        if (this.graph.functions.get(name).imported !== undefined) continue;
        const plain = [...this.graph.functions.get(name).grounds].filter((one) => PLAIN.includes(one));
        for (const effect of [...(this.#effects.get(name) ?? []), ...plain])
          if (!ways.has(effect)) ways.set(effect, way(from, name).map(shortName));
      }
      return { root, ways };
    });
    return all.filter(({ root, ways }) => root !== START || ways.size > 0);
  }
}

/** What a call must ground for an effect to be true: sealing is one thing, whatever is sealed. */
function groundOf(effect) {
  return effect.startsWith("sealed ") ? "sealed" : effect;
}

/** Names by file: journal.commit and journal.settle are "journal commit settle". */
function grouped(names) {
  const files = new Map();
  for (const [file, name] of names.map((one) => one.split(".")))
    files.set(file, [...(files.get(file) ?? [file]), name]);
  return [...files.values()].map((words) => words.join(" "));
}

/** The bytes of the section: SPEC.md §18. */
export function encode(needs) {
  const effects = [...new Set(needs.flatMap(({ ways }) => [...ways.keys()]))].sort();
  const paths = needs.flatMap(({ ways }) => [...ways.values()]);
  const names = [...new Set(paths.flat())].sort();
  const nodes = []; // [name, parent + 1]: each way is a node, and shares its beginning with others
  const nodeOf = (path) => {
    let parent = 0;
    for (const name of path) {
      const known = nodes.findIndex(([n, p]) => n === names.indexOf(name) && p === parent);
      parent = 1 + (known >= 0 ? known : nodes.push([names.indexOf(name), parent]) - 1);
    }
    return parent - 1;
  };
  const exports = needs.map(({ root, ways }) => {
    const found = effects.flatMap((effect, i) => (ways.has(effect) ? [[i, nodeOf(ways.get(effect))]] : []));
    return { root, found };
  });
  const bytes = [SECTION_VERSION];
  const count = (n) => {
    if (n > 255) throw new Error(`${SECTION}: ${n} does not fit into a byte; SPEC.md §18 needs a new version`);
    bytes.push(n);
  };
  const texts = (list) => {
    count(list.length);
    for (const text of list) {
      count(text.length);
      bytes.push(...new TextEncoder().encode(text));
    }
  };
  texts(effects);
  texts(grouped(names));
  count(nodes.length);
  for (const node of nodes) node.forEach(count);
  texts(exports.map(({ root }) => root));
  for (const { found } of exports) {
    count(found.length);
    for (const pair of found) pair.forEach(count);
  }
  return Uint8Array.from(bytes);
}

export default Coeffects;
