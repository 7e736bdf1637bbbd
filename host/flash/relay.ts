/** Inside a network namespace: makes a J-Link that listens on a Unix socket outside reachable where OpenOCD looks, and runs OpenOCD.
 *  Arguments: the socket, the serial number, then the command. Exits as the command does. Only the virtual probe needs it, whose beacon it is. */
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { JLINK_PORT, startBeacon } from "../../board/virtual/probe/beacon.js";

const [path = "", serial = "", command = "", ...args] = process.argv.slice(2);

const server = createServer({ noDelay: true }, (client) => {
  const probe = connect(path);
  client.pipe(probe).pipe(client);
  for (const [one, other] of [
    [client, probe],
    [probe, client],
  ] as const) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
});
server.listen(JLINK_PORT, "127.0.0.1", () => {
  startBeacon(Number(serial));
  const child = spawn(command, args, { stdio: "inherit" });
  child.on("error", () => process.exit(127));
  child.on("close", (code) => process.exit(code ?? 1));
});
