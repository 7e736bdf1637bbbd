/** Small modules from the text format, for the checks that read modules. */
import binaryen from "binaryen";

/** The bytes of a module of these parts, with the names that the text gives. */
export function assembled(...parts: string[]): Uint8Array {
  binaryen.setDebugInfo(true);
  const module = binaryen.parseText(`(module ${parts.join("\n")})`);
  try {
    module.setFeatures(binaryen.Features.All);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}
