/** A Transport over TCP: the UART of a virtual board, or of a serial server. */
import { connect } from "node:net";
import { DisconnectedError } from "./errors.js";
import type { Transport } from "./transport.js";

const CONNECT_MS = 5000;

/** Connects. @throws DisconnectedError when nobody listens there */
export function openTcp(host: string, port: number): Promise<Transport> {
  const name = `tcp:${host}:${port}`;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    let receive: (bytes: Uint8Array) => void = () => {};
    let closed: (error?: Error) => void = () => {};
    let ended: { error?: Error } | undefined;
    let failure: Error | undefined;
    const refuse = (error: Error) => {
      const hint = "Start the board (`mbs board run`), or name another port with --port.";
      reject(new DisconnectedError("closed", `Nobody answers on ${name}: ${error.message}.`, hint, { cause: error }));
    };
    const timer = setTimeout(() => socket.destroy(new Error(`no connection after ${CONNECT_MS} ms`)), CONNECT_MS);
    socket.once("error", refuse);
    socket.on("error", (error) => {
      failure = error;
    });
    socket.on("data", (bytes) => receive(bytes));
    socket.on("close", () => {
      clearTimeout(timer);
      ended = failure === undefined ? {} : { error: failure };
      closed(failure);
    });
    socket.on("end", () => socket.destroy());
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", refuse);
      resolve({
        name,
        write: (bytes) =>
          new Promise((done, failed) => {
            socket.write(bytes, (error) => (error ? failed(error) : done()));
          }),
        onData: (callback) => {
          receive = callback;
        },
        onClose: (callback) => {
          closed = callback;
          if (ended !== undefined) callback(ended.error);
        },
        close: async () => {
          closed = () => {};
          socket.destroy();
        },
      });
    });
  });
}
