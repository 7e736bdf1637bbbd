/** The J-Link protocol on a socket, byte by byte: no OpenOCD. */
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JLink } from "../../../board/virtual/probe/jlink.js";

const HELLO = `00010007${Buffer.from("virtual").toString("hex")}`;
const SELECT_SWD = "07c701";
const FREE_MEMORY = "0a080000"; // 2058

let jlink: JLink;
let clocks: (0 | 1 | undefined)[];
let releases: number;
let refusals: string[];
const sockets: Socket[] = [];
beforeEach(async () => {
  clocks = [];
  releases = 0;
  refusals = [];
  const connector = {
    // answers with what was driven, and alternates while the probe listens
    clock: (driven: 0 | 1 | undefined): 0 | 1 => {
      clocks.push(driven);
      return driven ?? ((clocks.length & 1) as 0 | 1);
    },
    release: () => {
      releases++;
    },
    scan: (tms: 0 | 1, tdi: 0 | 1): 0 | 1 => (tms ^ tdi) as 0 | 1,
    unplugged: () => false,
    millivolts: 3300,
  };
  const refused = (why: string): void => {
    refusals.push(why);
  };
  jlink = await JLink.listen(0, connector, { joined: () => {}, left: () => {}, refused });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await jlink.close();
});

/** A client; `read` waits for so many bytes, and answers them in hexadecimal; "closed" when none can come any more. */
function client(): { send: (hex: string) => void; read: (bytes: number) => Promise<string> } {
  const socket = connect({ port: jlink.port, host: "127.0.0.1", noDelay: true });
  sockets.push(socket);
  let got = "";
  let closed = false;
  let wake = (): void => {};
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    got += bytes.toString("hex");
    wake();
  });
  socket.on("close", () => {
    closed = true;
    wake();
  });
  return {
    send: (hex) => socket.write(Buffer.from(hex, "hex")),
    read: async (bytes) => {
      while (got.length < 2 * bytes && !closed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const answer = got.slice(0, 2 * bytes);
      got = got.slice(2 * bytes);
      return answer === "" && closed ? "closed" : answer;
    },
  };
}

describe("the J-Link on TCP", () => {
  it("greets, and says what it is and has", async () => {
    const { send, read } = client();
    expect(await read(11)).toBe(HELLO);
    send("0701");
    expect(Buffer.from((await read(26)).slice(4), "hex").toString()).toBe("J-Link virtual EK-RA6M5\0");
    send("07d4");
    expect(await read(4)).toBe(FREE_MEMORY);
    send("0707");
    expect(await read(8)).toBe("e40c000000000101");
  });

  it("clocks out what is driven, and answers the levels of all bits and a good status", async () => {
    const { send, read } = client();
    await read(11);
    send(SELECT_SWD);
    await read(4);
    send("07cf000a00" + "0f02" + "0502"); // ten bits: 1 0 1 0 driven, five listened to, 1 driven
    expect(await read(3)).toBe("550300");
    expect(clocks).toEqual([1, 0, 1, 0, ...new Array(5).fill(undefined), 1]);
  });

  it("speaks JTAG until SWD is selected: TMS and TDI go in, TDO comes out, with a status or, as older ones do, without", async () => {
    const { send, read } = client();
    await read(11);
    send("07c7ff");
    expect(await read(4)).toBe("03000000");
    send("07cf000a00" + "0f02" + "0503"); // the connector of this test answers TMS and TDI, one or the other
    expect(await read(3)).toBe("0a0100");
    send("07ce000a00" + "0f02" + "0503");
    expect(await read(2)).toBe("0a01");
    expect(clocks).toEqual([]);
    for (const before of ["00", "01"]) {
      send(SELECT_SWD);
      expect(await read(4)).toBe(`${before}000000`);
    }
  });

  it("understands commands that come in pieces, and several that come at once", async () => {
    const { send, read } = client();
    await read(11);
    send(SELECT_SWD);
    await read(4);
    for (const byte of ["07", "cf", "00", "08", "00", "ff"]) {
      send(byte);
      await new Promise((resolve) => setTimeout(resolve, 5)); // or the network makes one piece of them
    }
    send("a5" + "07d4" + "07d4" + "07");
    expect(await read(10)).toBe(`a500${FREE_MEMORY}${FREE_MEMORY}`);
    send("d4");
    expect(await read(4)).toBe(FREE_MEMORY);
  });

  it("resets the board when the reset line goes up again", async () => {
    const { send, read } = client();
    await read(11);
    send("07dd07d4");
    await read(4);
    expect(releases).toBe(0);
    send("07dc0707");
    expect(await read(8)).toBe("e40c000000000001");
    expect(releases).toBe(0);
    send("07dd07d4");
    await read(4);
    expect(releases).toBe(1);
  });

  it.each(["0742", "0801", "0000"])("sends a client away that says %s", async (hex) => {
    const { send, read } = client();
    await read(11);
    send(hex);
    expect(await read(1)).toBe("closed");
    expect(refusals).toEqual([`a command that the probe does not know: ${hex}`]);
  });

  it("serves one client at a time, and the next after it", async () => {
    const first = client();
    await first.read(11);
    expect(await client().read(1)).toBe("closed");
    expect(refusals).toEqual(["another client is there"]);
    first.send("0742");
    expect(await first.read(1)).toBe("closed");
    expect(await client().read(11)).toBe(HELLO);
  });

  it("says where it cannot listen", async () => {
    const events = { joined: () => {}, left: () => {}, refused: () => {} };
    const connector = { clock: (): 0 => 0, scan: (): 0 => 0, release: () => {}, unplugged: () => false, millivolts: 0 };
    await expect(JLink.listen(jlink.port, connector, events)).rejects.toThrow(
      `cannot listen on 127.0.0.1:${jlink.port}`,
    );
  });
});
