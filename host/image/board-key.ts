/** The key of a board that images are sealed to, as a file: one line, "mbs-board-v1 UNIQUE-ID PUBLIC-KEY", in hexadecimal digits. Nothing of
 *  it is secret, and nothing proves it: who changes it on its way gets the credentials. */
import type { TransportKey } from "../client/answers.js";
import { FileError } from "../client/errors.js";

const WORD = "mbs-board-v1";

export function boardKeyText({ uniqueId, publicKey }: TransportKey): string {
  return `${WORD} ${Buffer.from(uniqueId).toString("hex")} ${Buffer.from(publicKey).toString("hex")}\n`;
}

/** @throws FileError */
export function parseBoardKey(text: string, file: string): TransportKey {
  const [, id, key] = new RegExp(`^${WORD} ([0-9a-f]{32}) ([0-9a-f]{64})\\s*$`).exec(text) ?? [];
  if (id === undefined || key === undefined)
    throw new FileError(
      `${file} is not the transport key of a board.`,
      `It should be one line, "${WORD} UNIQUE-ID PUBLIC-KEY"; \`mbs info --transport-key -o BOARD.pub\` writes it.`,
    );
  return { uniqueId: Buffer.from(id, "hex"), publicKey: Buffer.from(key, "hex") };
}
