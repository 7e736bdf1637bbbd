/** The board's UART as a pseudo-terminal behind a symbolic link, for programs that want a serial device. Linux, glibc.
 *  posix_openpt(3), termios(3). The slave is kept open, so that the master never sees a hang-up between clients. */
import { closeSync, constants, lstatSync, openSync, readlinkSync, symlinkSync, unlinkSync } from "node:fs";
import { ReadStream } from "node:tty";
import koffi from "koffi";

const PATH_BYTES = 128;
/** More than sizeof(struct termios) of any Linux. */
const TERMIOS_BYTES = 256;
const TCSANOW = 0;

function libc() {
  const lib = koffi.load("libc.so.6");
  return {
    open: lib.func("int posix_openpt(int flags)"),
    grant: lib.func("int grantpt(int fd)"),
    unlock: lib.func("int unlockpt(int fd)"),
    name: lib.func("int ptsname_r(int fd, void *buf, size_t buflen)"),
    get: lib.func("int tcgetattr(int fd, void *termios)"),
    raw: lib.func("void cfmakeraw(void *termios)"),
    set: lib.func("int tcsetattr(int fd, int actions, const void *termios)"),
  };
}

export class PtyUart {
  readonly #master: ReadStream;
  readonly #slave: number;

  /** Makes a pseudo-terminal and a link to it. A link that stands there already is replaced, anything else refused. */
  constructor(
    readonly link: string,
    received: (bytes: Buffer) => void,
  ) {
    const stands = lstatSync(link, { throwIfNoEntry: false });
    if (stands !== undefined && !stands.isSymbolicLink()) {
      throw new Error(`${link} exists and is no symbolic link; name another path for the pseudo-terminal`);
    }
    const c = libc();
    const fd = c.open(constants.O_RDWR | constants.O_NOCTTY) as number;
    const path = Buffer.alloc(PATH_BYTES);
    if (fd < 0 || c.grant(fd) !== 0 || c.unlock(fd) !== 0 || c.name(fd, path, path.length) !== 0) {
      throw new Error("this system gives no pseudo-terminal (posix_openpt); use --tcp");
    }
    this.device = path.toString("latin1", 0, path.indexOf(0));
    this.#slave = openSync(this.device, constants.O_RDWR | constants.O_NOCTTY);
    const termios = Buffer.alloc(TERMIOS_BYTES);
    c.get(this.#slave, termios);
    c.raw(termios);
    c.set(this.#slave, TCSANOW, termios);
    this.#master = new ReadStream(fd);
    this.#master.on("data", received);
    this.#master.on("error", () => this.#master.destroy());
    if (stands !== undefined) unlinkSync(link);
    symlinkSync(this.device, link);
  }

  /** The terminal that the link points to. */
  readonly device: string;

  send(bytes: Buffer): void {
    this.#master.write(bytes);
  }

  /** Removes the link, if it is still this one. */
  close(): void {
    this.#master.destroy();
    closeSync(this.#slave);
    try {
      if (readlinkSync(this.link) === this.device) unlinkSync(this.link);
    } catch {
      // somebody else removed it
    }
  }
}
