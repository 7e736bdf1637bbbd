/** The system's own keyring: GNOME keyring on a session bus of its own, which only this file's process may use, because libdbus keeps
 *  the first bus that a process names. Needs dbus-run-session, dbus-send, gnome-keyring-daemon and secret-tool. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { KeyringStore } from "../../host/keys/keyring.js";
import { openKeys } from "../../host/keys/open.js";
import { formatKey } from "../../host/keys/text.js";
import { workDirectory } from "./keys.js";

const home = workDirectory();
const instance = Buffer.alloc(16, 0x15);
const key = (fill: number) => new Uint8Array(32).fill(fill);
const tools = ["dbus-run-session", "dbus-send", "gnome-keyring-daemon", "secret-tool"];
const missing = tools.filter((tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0);
const skipped = missing.length > 0 ? ` (skipped: this computer has no ${missing.join(", ")})` : "";

// unlocked before anybody asks: otherwise the bus starts a second daemon, without a collection
const SCRIPT = `
printf pw | gnome-keyring-daemon --unlock --components=secrets --foreground >/dev/null &
keyring=$!
until dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
  string:org.freedesktop.secrets | grep -q true; do sleep 0.1; done
echo "$DBUS_SESSION_BUS_ADDRESS"
read -r end
kill $keyring
wait $keyring
`;

/** Starts bus and keyring. @returns the bus's address, and what ends both */
async function startKeyring() {
  for (const name of ["run", "data"]) mkdirSync(join(home, name), { mode: 0o700 });
  const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: join(home, "run"), XDG_DATA_HOME: join(home, "data") };
  const bus = spawn("dbus-run-session", ["--", "sh", "-c", SCRIPT], { env, stdio: ["pipe", "pipe", "ignore"] });
  const address = await new Promise<string>((resolve, reject) => {
    bus.stdout.once("data", (bytes: Buffer) => resolve(bytes.toString().trim()));
    bus.once("exit", () => reject(new Error("the keyring did not start")));
  });
  const stop = () =>
    new Promise<void>((resolve) => {
      bus.once("exit", () => resolve());
      bus.stdin.end("end\n");
    });
  return { address, stop };
}

describe.skipIf(missing.length > 0)(`KeyringStore on GNOME keyring${skipped}`, () => {
  it("keeps keys where secret-tool sees them, replaces and removes them", async () => {
    const { address, stop } = await startKeyring();
    process.env.DBUS_SESSION_BUS_ADDRESS = address;
    try {
      const store = openKeys("auto", home, (text) => expect.unreachable(text));
      const seen = () => {
        const words = ["lookup", "service", "mbs", "username", `${"15".repeat(16)}/admin`];
        return spawnSync("secret-tool", words, { encoding: "utf8", timeout: 10_000 }).stdout;
      };
      expect(await store.get(instance, "admin")).toBeUndefined();
      expect(await store.put(instance, "admin", key(8))).toBe("keyring");
      expect(await store.put(instance, "admin", key(9))).toBe("keyring");
      expect(await new KeyringStore().get(instance, "admin")).toEqual(key(9));
      expect(seen()).toBe(formatKey(key(9)));
      expect(await store.remove(instance, "admin")).toBe(true);
      expect(await store.remove(instance, "admin")).toBe(false);
      expect(seen()).toBe("");
    } finally {
      await stop();
    }
  });
});
