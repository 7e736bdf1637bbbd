/** From the parts of a record back to a file that other programs read. */
import { PartKind, Usage } from "../../firmware/defs/record.js";
import type { Part } from "../record.js";
import { writeChain } from "./chain.js";
import { writeOpenssh } from "./openssh.js";
import { writePkcs8 } from "./pkcs8.js";
import { writeRaw } from "./raw.js";

/** openssh: a private key for ssh. pkcs8: the key as PEM. pem: key, if there is one, and chain. raw: the content as it was stored. */
export const EXPORTS = ["openssh", "pkcs8", "pem", "raw"] as const;
export type Export = (typeof EXPORTS)[number];

/** What a record is written as when nobody says otherwise. */
export function usualExport(parts: readonly Part[], usage: Usage): Export {
  const keys = parts.filter((part) => part.secret && part.kind !== PartKind.Opaque);
  if (keys.length === 1 && (usage === Usage.SshUserAuth || usage === Usage.SshSig)) return "openssh";
  if (keys.length === 1 || parts.some((part) => part.kind === PartKind.Chain)) return "pem";
  return "raw";
}

/** @param comment goes into an OpenSSH key. @throws FileError when the parts do not have that form */
export async function writeCredential(parts: readonly Part[], as: Export, comment: string): Promise<Uint8Array> {
  switch (as) {
    case "raw":
      return writeRaw(parts);
    case "openssh":
      return Buffer.from(await writeOpenssh(parts, comment));
    case "pkcs8":
      return Buffer.from(writePkcs8(parts));
    case "pem": {
      const hasKey = parts.some((part) => part.secret && part.kind !== PartKind.Opaque);
      const hasChain = parts.some((part) => part.kind === PartKind.Chain);
      return Buffer.from((hasKey ? writePkcs8(parts) : "") + (hasChain || !hasKey ? writeChain(parts) : ""));
    }
  }
}
