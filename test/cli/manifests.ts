/** Manifests that several tests provision boards and build images from. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** A board with an admin and a user. */
export const OPERATORS = `[instance]
name = "board"
[[operator]]
id = "ops"
role = "admin"
[[operator]]
id = "deploy"
role = "user"
`;

export const credential = (label: string, more: string) => `[[credential]]\nlabel = "${label}"\n${more}\n`;

/** What "api/token" holds. */
export const TOKEN = "a token that nobody else should read";

/** Writes a manifest with a token, plain.toml, and one with a key besides that the board makes, making.toml. */
export function writeManifests(folder: string): { plain: string; making: string } {
  const [plain, making] = [join(folder, "plain.toml"), join(folder, "making.toml")];
  const token = credential("api/token", 'file = "token"\nformat = "raw"\nexportable = true');
  const key = credential("ssh/deploy", 'generate = true\nusage = "sshsig"');
  writeFileSync(join(folder, "token"), TOKEN);
  writeFileSync(plain, `[instance]\nname = "images"\n${token}`);
  writeFileSync(making, `[instance]\nname = "images"\n${token}${key}`);
  return { plain, making };
}
