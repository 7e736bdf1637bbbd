/** How libjaylink finds a J-Link on the network: it broadcasts on UDP port 19020 and listens there for a moment (discovery_tcp.c, 0.3).
 *  The broadcast itself is not waited for: the port is taken while it listens, and whatever says "Found" by then is taken for an answer.
 *  The beacon goes to this machine only. */
import { createSocket } from "node:dgram";

/** Where libjaylink connects to, TCP, and where it listens, UDP. */
export const JLINK_PORT = 19020;
/** libjaylink listens for 20 ms. */
const BEACON_MS = 4;
const FOUND = 128;
const HARDWARE_VERSION = 10000;

/** @param serial what `adapter serial` names: OpenOCD looks on the network only when it is given @returns what ends it */
export function startBeacon(serial: number): () => void {
  const found = Buffer.alloc(FOUND);
  found.write("Found", 0, "latin1");
  found.set([127, 0, 0, 1], 16);
  found.set([2, 0, 0, 0, 0, 1], 32); // MAC address
  found.writeUInt32LE(serial, 48);
  found.writeUInt32LE(HARDWARE_VERSION, 52);
  found.write("J-Link virtual", 64, "latin1");
  found.write("EK-RA6M5", 96, "latin1");
  const socket = createSocket("udp4");
  socket.on("error", () => {}); // nobody listens: the next one may be heard
  const timer = setInterval(() => socket.send(found, JLINK_PORT, "127.0.0.1", () => {}), BEACON_MS);
  return () => {
    clearInterval(timer);
    socket.close();
  };
}
