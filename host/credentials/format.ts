/** What a credential file can be, and how a reader asks for the passphrase of an encrypted one. */
export const FORMATS = ["auto", "openssh", "pkcs8", "pem-chain", "raw"] as const;
export type Format = (typeof FORMATS)[number];

/** A file that was read: its name for errors, and its bytes. */
export interface Source {
  name: string;
  bytes: Buffer;
}

/** Called once for a file that is encrypted. */
export type Passphrase = (file: string) => Promise<string>;
