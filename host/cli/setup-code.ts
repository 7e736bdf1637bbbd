/** The setup code of a device: 32 bytes that were flashed with its firmware, 64 hexadecimal digits in a file or in MBS_SETUP_CODE. */
import { PSK_SIZE } from "../../firmware/defs/session.js";
import type { Hello } from "../client/answers.js";
import { FileError, UsageError } from "../client/errors.js";
import type { Context } from "./context.js";

/** @throws FileError when the file does not hold a setup code and nothing else but white space */
export async function readSetupCodeFile(context: Context, file: string): Promise<Uint8Array> {
  const { bytes } = await context.readSecret(file);
  try {
    return parse(bytes.toString("latin1"), file);
  } finally {
    bytes.fill(0);
  }
}

function parse(text: string, where: string): Uint8Array {
  const digits = text.trim();
  if (/^[0-9a-f]+$/i.test(digits) && digits.length === 2 * PSK_SIZE) return Buffer.from(digits, "hex");
  throw new FileError(
    `${where} is no setup code: expected ${2 * PSK_SIZE} hex digits.`,
    "Make one:  openssl rand -hex 32 > FILE",
  );
}

/** The code for this device: the one that was given, or zeros, if the person accepts what they are worth.
 *  @throws UsageError when the device has a code and none was given, or the other way round; DeclinedError */
export async function readSetupCode(context: Context, { setupCode: hasCode }: Hello): Promise<Uint8Array> {
  const { io, setupCodeFile: file } = context;
  const text = io.env.MBS_SETUP_CODE;
  const given =
    file !== undefined ? await readSetupCodeFile(context, file) : text ? parse(text, "MBS_SETUP_CODE") : undefined;
  if (given?.some((byte) => byte !== 0)) {
    if (hasCode) return given;
    throw new UsageError(
      "A setup code was given, and the device says that it has none.",
      "Is it the right device? If it was flashed without a code, leave it out.",
    );
  }
  if (hasCode)
    throw new UsageError(
      "The device was flashed with a setup code, and none was given.",
      "Say --setup-code-file FILE, or set MBS_SETUP_CODE.",
    );
  await context.confirm("This board has no setup code: whoever is on the line could be it. Go on?");
  context.note("S1 on the board has to be touched, so that somebody is there.");
  return new Uint8Array(PSK_SIZE);
}
