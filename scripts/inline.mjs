/** A transform of asc. The core is compiled to be small (asconfig.json, shrinkLevel), which leaves small functions as calls. A call costs
 *  some 100 instructions in wasm3; these are called per byte, round, digit or slot, and inlined whatever asc thinks of it. */
import { DecoratorFlags } from "assemblyscript";

const FUNCTIONS = [
  "firmware/command/cbor/reserve",
  "firmware/command/entry/writeByte",
  "firmware/command/entry/writeWord",
  "firmware/command/request/has",
  "firmware/crypto/declassify/declassify",
  "firmware/crypto/declassify/expectPublic",
  "firmware/crypto/declassify/publish",
  "firmware/crypto/declassify/reveal",
  "firmware/crypto/multiples25519/digit",
  "firmware/crypto/multiples25519/same",
  "firmware/crypto/sha256/bigEndian",
  "firmware/crypto/sha256/bigSigma0",
  "firmware/crypto/sha256/bigSigma1",
  "firmware/crypto/sha256/choose",
  "firmware/crypto/sha256/sigma0",
  "firmware/crypto/sha256/sigma1",
  "firmware/crypto/x25519/choose",
  "firmware/crypto/x25519/chooseWord",
  "firmware/link/crc32/crcStep",
  "firmware/store/geometry/field",
  "firmware/store/state/bit",
];

export default {
  /** @param program asc's, with all names known and nothing compiled yet */
  afterInitialize(program) {
    for (const name of FUNCTIONS) {
      const file = name.slice(0, name.lastIndexOf("/"));
      if (!program.filesByName.has(file)) continue; // a probe that does not need it
      const found = program.elementsByName.get(name);
      if (found === undefined) throw new Error(`scripts/inline.mjs: there is no function ${name}`);
      found.decoratorFlags |= DecoratorFlags.Inline;
    }
  },
};
