/** What can be wrong with an encrypted file. A wrong key and damage are different answers. */
import { MbsError } from "../client/errors.js";

export type EncryptedFileFailure =
  /** It does not begin as such files do. */
  | "not-encrypted"
  /** Another version of the format. */
  | "wrong-version"
  /** The header does not fit the key: the key is another one, or the header was changed. */
  | "wrong-key"
  /** The header fits the key, and a segment is changed, missing, moved or too many. */
  | "damaged"
  /** All tags fit, and the content breaks the format: whoever made it has the key and another program. */
  | "malformed"
  /** The stored name cannot be given to a file here. */
  | "name-refused";

export class EncryptedFileError extends MbsError {
  constructor(
    readonly code: EncryptedFileFailure,
    message: string,
    hint = "",
    options?: ErrorOptions,
  ) {
    super(message, hint, options);
  }
}
