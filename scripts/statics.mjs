/** A transform of asc: writes where the static data of a module stands, by name, to the file that MBS_STATICS names. The proofs need to know,
 *  and the module does not tell. */
import { writeFileSync } from "node:fs";
import { ElementKind } from "assemblyscript";
import { Transform } from "assemblyscript/transform";

export default class extends Transform {
  /** @param module binaryen's, before it is optimised: constants are still globals */
  afterCompile(module) {
    const file = process.env.MBS_STATICS;
    if (file === undefined) return;
    const { binaryen, program } = this;
    const found = {};
    for (const [name, element] of program.elementsByName) {
      if (element.kind !== ElementKind.Global) continue;
      if (!element.declaration.initializer?.range.toString().startsWith("memory.data")) continue; // names inside others
      const global = module.getGlobal(name);
      if (global === 0) continue;
      found[name] = binaryen.getExpressionInfo(binaryen.getGlobalInfo(global).init).value;
    }
    writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
  }
}
