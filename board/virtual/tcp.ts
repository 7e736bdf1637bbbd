/** The board's UART as a TCP port on 127.0.0.1: one client at a time, others are closed at once; outlives reconnects. */
import { createServer, type Server, type Socket } from "node:net";

export interface TcpEvents {
  received(bytes: Buffer): void;
  joined(): void;
  left(): void;
  /** Another client came while one was there, and was sent away. */
  refused(): void;
}

/** How long a second client may wait for the first one to leave. */
const PATIENCE_MS = 100;

export class TcpUart {
  readonly #server: Server;
  #client: Socket | undefined;

  private constructor(
    server: Server,
    private readonly events: TcpEvents,
  ) {
    this.#server = server;
    server.on("connection", (socket) => this.#arrive(socket));
  }

  /** Listens on `port`, 0 for a free one. @throws Error that says which port is taken. */
  static async listen(port: number, events: TcpEvents): Promise<TcpUart> {
    const server = createServer({ noDelay: true });
    const uart = new TcpUart(server, events);
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        const why =
          error.code === "EADDRINUSE" ? "it is in use; name another with --tcp, or 0 for a free one" : error.message;
        reject(new Error(`cannot listen on 127.0.0.1:${port}: ${why}`));
      });
      server.listen(port, "127.0.0.1", resolve);
    });
    return uart;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get connected(): boolean {
    return this.#client !== undefined;
  }

  send(bytes: Buffer): void {
    this.#client?.write(bytes);
  }

  async close(): Promise<void> {
    this.#client?.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #arrive(socket: Socket): void {
    socket.on("error", () => socket.destroy()); // a client that vanished; "close" follows
    if (this.#client === undefined) {
      this.#join(socket);
      return;
    }
    // a client that comes back at once may arrive before its own farewell: it gets a moment
    const patience = setTimeout(() => {
      this.#client?.removeListener("close", retry);
      socket.destroy();
      this.events.refused();
    }, PATIENCE_MS);
    const retry = (): void => {
      clearTimeout(patience);
      this.#arrive(socket);
    };
    this.#client.once("close", retry);
  }

  #join(socket: Socket): void {
    if (socket.destroyed) return; // it lost patience first
    this.#client = socket;
    socket.on("data", (bytes) => this.events.received(bytes));
    socket.on("close", () => {
      this.#client = undefined;
      this.events.left();
    });
    this.events.joined();
  }
}
