/** The board's flash file: what was answered is in it, whatever happens to the process. Real processes, real SIGKILL. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { Tier, Usage } from "../../firmware/defs/record.js";
import { PSK_SIZE, Role } from "../../firmware/defs/session.js";
import { Client } from "../../host/client/client.js";
import { openTcp } from "../../host/client/tcp.js";
import { encodeParts } from "../../host/record.js";

const folder = mkdtempSync(join(tmpdir(), "mbs-durable-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cli = fileURLToPath(new URL("../../dist/host/cli/main.js", import.meta.url));

/** No setup code was flashed: the board's simulated person touches S1 instead. */
const SETUP = { id: "", key: new Uint8Array(PSK_SIZE) };
const ADMIN = { id: "admin", key: new Uint8Array(PSK_SIZE).fill(1) };
const USER = { id: "user", key: new Uint8Array(PSK_SIZE).fill(2) };

/** Starts `mbs board run`; resolves with its port, or rejects with what it said before it ended. */
function start(flash: string): Promise<{ port: number; kill: () => Promise<void> }> {
  const child = spawn(process.execPath, [cli, "board", "run", "--presence", "always", "--flash", flash, "--tcp", "0"], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let said = "";
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return new Promise((resolve, reject) => {
    const hear = (bytes: Buffer) => {
      said += bytes;
      const port = /UART on tcp:127\.0\.0\.1:(\d+)[\s\S]*lights/.exec(said)?.[1];
      if (port === undefined) return;
      const kill = async () => {
        child.kill("SIGKILL");
        await gone;
      };
      resolve({ port: Number(port), kill });
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("close", () => reject(new Error(said)));
  });
}

describe("the flash file of a running board", () => {
  it("holds a record once its put was answered, even if the board is killed that moment", async () => {
    const flash = join(folder, "killed.img");
    const board = await start(flash);
    const client = new Client(() => openTcp("127.0.0.1", board.port), { operator: async () => SETUP });
    await client.provisionBegin(new Uint8Array(16), [{ slotSize: 4096, blocks: 2 }]);
    await client.operatorAdd({ ...ADMIN, role: Role.Admin });
    await client.operatorAdd({ ...USER, role: Role.User });
    client.as(ADMIN);
    const body = encodeParts([{ kind: 4, secret: false, algorithm: 0, content: Buffer.from("kept") }]);
    const { handle } = await client.put({ body, usage: Usage.Opaque, tier: Tier.Private, policy: 1 });
    await board.kill();
    const again = await start(flash); // the lock that the killed one left behind does not hold it up
    const later = new Client(() => openTcp("127.0.0.1", again.port), { operator: async () => USER });
    expect((await later.get(handle)).body).toEqual(new Uint8Array(body));
    await later.close();
    await again.kill();
    await client.close();
  });

  it("belongs to one board at a time, and must be writable before anything is promised", async () => {
    const flash = join(folder, "one.img");
    const board = await start(flash);
    await expect(start(flash)).rejects.toThrow(/in use by the board with pid \d+/);
    await board.kill();
    await expect(start(join(folder, "nowhere", "x.img"))).rejects.toThrow(/was not started/);
    await expect(start(folder)).rejects.toThrow(/is not a file/);
  });
});
