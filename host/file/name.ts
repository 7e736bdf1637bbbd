/** Names that encrypted files carry: the base name of the original, which somebody else may have written. */
import { UsageError } from "../client/errors.js";
import { EncryptedFileError } from "./errors.js";
import { isNameLength } from "./format.js";

/** Bytes of a name to store; "" stands for none. @throws UsageError for a name that would be refused when decrypting */
export function encodeName(name: string): Buffer {
  const bytes = Buffer.from(name);
  if (name === "") return bytes;
  const why = bytes.toString() === name ? fault(bytes) : "it is not valid Unicode";
  if (why === undefined) return bytes;
  throw new UsageError(
    `The file's name cannot be stored: ${why}. Nothing was written.`,
    "Rename the file, or send its content through stdin: mbs encrypt - --max-size SIZE",
  );
}

/** @returns the stored name, when a file may have it here */
export function usableName(bytes: Uint8Array, platform: NodeJS.Platform = process.platform): string | undefined {
  return fault(bytes, platform) === undefined ? Buffer.from(bytes).toString() : undefined;
}

/** @throws EncryptedFileError name-refused */
export function storedName(bytes: Uint8Array, platform: NodeJS.Platform = process.platform): string {
  const why = fault(bytes, platform);
  if (why === undefined) return Buffer.from(bytes).toString();
  throw new EncryptedFileError(
    "name-refused",
    `The file's stored name is not used: ${why}. Nothing was written.`,
    "Say --output FILE.",
  );
}

/** What Windows does with such names is not what they say: characters with a meaning, ends that it drops, and devices, with any extension. */
const WINDOWS = /[<>:"\\|?*]|[. ]$|^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d¹²³]) *(?:\.|$)/i;

/** @returns why no file may have this name */
function fault(bytes: Uint8Array, platform: NodeJS.Platform = process.platform): string | undefined {
  if (bytes.length === 0) return "there is none, as is usual for what came through stdin";
  if (!isNameLength(bytes.length)) return "it is too long";
  const name = Buffer.from(bytes).toString();
  if (!Buffer.from(name).equals(bytes)) return "it is not valid UTF-8";
  if (name === "." || name === "..") return "it names a directory";
  if (name.includes("/")) return "it contains a slash";
  if (/\p{Cc}/u.test(name)) return "it contains a control character";
  if (platform === "win32" && WINDOWS.test(name)) return "Windows gives it another meaning";
  return undefined;
}
