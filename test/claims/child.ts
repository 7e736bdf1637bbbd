/** A program that claims, for processes.test.ts: node child.js DIRECTORY AUTHORITY WASM KEY COUNT LOG [KILL]. Each range that it was
 *  given is a line of LOG. With KILL it ends by SIGKILL before its step number KILL of writing the cache. */
import { appendFileSync, readFileSync } from "node:fs";
import { ClaimCache } from "../../host/claims/cache.js";
import { Claimant } from "../../host/claims/claimant.js";
import { Core, inV8 } from "../../host/claims/core.js";
import { Disk } from "../../host/claims/disk.js";
import { ConfigPassword } from "../../host/claims/password.js";
import { readHead } from "./authority.js";
import { FileAuthority } from "./file-authority.js";

const [directory = "", authorityFile = "", wasm = "", key = "", count = "", log = "", kill] = process.argv.slice(2);
const core = new Core(inV8(readFileSync(wasm)));
const authority = new FileAuthority(authorityFile, 3);
let steps = 0;
const disk = new Disk(() => {
  if (kill !== undefined && steps++ === Number(kill)) process.kill(process.pid, "SIGKILL");
});
const password = new ConfigPassword(process.env);
const claimant = new Claimant(
  new ClaimCache(directory, password, core, disk),
  { core, readHead },
  async () => authority,
);
const sizes = { performance: 400n, offline: 300n };
for (let i = 0; i < Number(count); i++) {
  const size = BigInt(1 + Math.floor(Math.random() * 90));
  const { range } = await claimant.claim({ key: Buffer.from(key, "hex"), size, sizes, offlineMode: false });
  appendFileSync(log, `${range.start} ${range.end} ${size}\n`);
}
