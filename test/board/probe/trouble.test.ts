/** What the real OpenOCD 0.12 says and how it ends when something goes wrong at the wire: what `mbs flash` has to recognise. Some of it ends
 *  with exit code 0, and some lines that begin with "Error" are none. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { VirtualBoard } from "../../../board/virtual/board.js";
import { tears } from "../../../board/virtual/nor.js";
import { DebugProbe } from "../../../board/virtual/probe/probe.js";
import type { Plan } from "../../../board/virtual/probe/trouble.js";
import { builtPath } from "../../device/built.js";
import { missing, Namespace, type Session } from "./openocd.js";

const SEED = 5;
const AT = 0x000f0000; // in the image region
const LENGTH = 300;
/** What `attach` reads when the target was examined, and what `flash` writes when it begins to program. */
const ATTACHED = 0x010080f0;
const PROGRAMS = 0x407e0000;
const NEVER_EXAMINED = ["Warn : target ra6m5.cpu examination failed", "Error: Target not examined yet"];

/** A probe that is gone makes OpenOCD say so thousands of times. */
const KEPT = 20_000;

/** Plan, what is done, exit code, what is said. */
type Row = [what: string, plan: Plan, doing: "attach" | "flash", code: number, says: (string | RegExp)[]];

const ROWS: Row[] = [
  ["nothing is wrong", {}, "attach", 0, ["SWD DPIDR 0x6ba02477", "0xe000ed00: 410fd214"]],
  [
    "nothing is wrong, but without a work area there is a line that begins with Error",
    {},
    "flash",
    0,
    ["Error: No working memory available. Specify -work-area-phys to target.", "programmed and verified"],
  ],
  [
    "the probe is unplugged before the first answer",
    { dies: 0 },
    "attach",
    1,
    ["Error: Failed to receive data from device: remote connection closed", "Error: jaylink_swd_io() failed"],
  ],
  [
    "the probe is unplugged while the target is examined",
    { dies: 20 },
    "attach",
    1,
    ["Error: jaylink_swd_io() failed", ...NEVER_EXAMINED],
  ],
  [
    "the probe is unplugged after that: zeros are read, and all seems well",
    { after: ATTACHED, dies: 0 },
    "attach",
    0,
    ["Error: jaylink_swd_io() failed: input/output error", "0xe000ed00: 00000000"],
  ],
  [
    "the probe is unplugged while flash is programmed, which only an answer that is never zero tells",
    { after: PROGRAMS, dies: 100 },
    "flash",
    1,
    ["Error: transport_write() failed: input/output error", "did not end within"],
  ],
  ["the access port is busy for ever", { waits: { from: 0 } }, "attach", 1, NEVER_EXAMINED],
  [
    "the access port is busy three times while flash is programmed",
    { after: PROGRAMS, waits: { from: 100, count: 3 } },
    "flash",
    1,
    [/^Error: Failed to (write memory at 0x407e0000|read memory at 0x407fe080)$/m],
  ],
  ["every access meets an error", { errors: { from: 0 } }, "attach", 1, NEVER_EXAMINED],
  [
    "one access meets an error while flash is programmed",
    { after: PROGRAMS, errors: { from: 100, count: 1 } },
    "flash",
    1,
    [/^Error: Failed to (write memory at 0x407e0000|read memory at 0x407fe080)$/m],
  ],
  [
    "every access meets an error from some moment on",
    { after: PROGRAMS, errors: { from: 100 } },
    "flash",
    1,
    [/^Error: Failed to (write|read) memory and, additionally, failed to find out where$/m, "DP initialisation failed"],
  ],
  [
    "one read has the wrong parity, which is survived",
    { parity: { from: 0, count: 1 } },
    "attach",
    0,
    ["Error: SWD: Read data parity mismatch", "0xe000ed00: 410fd214"],
  ],
  [
    "all reads have the wrong parity",
    { parity: { from: 0 } },
    "attach",
    1,
    ["Error: SWD: Read data parity mismatch", "Error: Error connecting DP: cannot read IDR"],
  ],
  [
    "the debug port is another one, which -expected-id lets pass",
    { dpidr: 0x2ba01477 },
    "attach",
    0,
    ["Info : SWD DPIDR 0x2ba01477"],
  ],
  [
    "the part refuses debuggers its memory",
    { locked: true },
    "attach",
    1,
    ["SWD DPIDR 0x6ba02477", "Error: Failed to read memory at 0xe000ed00", ...NEVER_EXAMINED],
  ],
  [
    "flash reads other bits than were programmed",
    { alters: { address: AT + 4, mask: 0x100 } },
    "flash",
    1,
    ["Error: checksum mismatch", "diff 0 address 0x000f0005. Was 0x5b instead of 0x5a", "No more differences found."],
  ],
];

describe.skipIf(missing !== undefined)(`OpenOCD, when${missing === undefined ? "" : `: ${missing}`}`, () => {
  let board: VirtualBoard;
  let probe: DebugProbe;
  let namespace: Namespace;
  let file: string;
  beforeAll(async () => {
    board = VirtualBoard.create({ elf: builtPath("ek-ra6m5.elf"), seed: SEED });
    namespace = new Namespace();
    file = join(namespace.folder, "image");
    writeFileSync(file, Buffer.alloc(LENGTH, 0x5a));
    probe = await DebugProbe.attach(board, { where: namespace.socket });
    board.powerOn();
    board.start();
  });
  afterEach(() => {
    probe.trouble.cause({});
    board.powerOff();
    board.powerOn();
  });
  afterAll(async () => {
    await probe.close();
    board.close();
    namespace.remove();
  });

  const attach = (): Promise<Session> => namespace.run("halt", "mdw 0x010080F0", "mdw 0xE000ED00", "resume");
  const flash = (): Promise<Session> => namespace.script("flash.tcl", `ra6m5_flash ${file} ${AT}`);

  it.each(ROWS)("%s", async (_what, plan, doing, code, says) => {
    probe.trouble.cause(plan);
    const ended = await (doing === "attach" ? attach() : flash());
    const { log } = ended;
    const shown = log.length > KEPT ? `${log.slice(0, KEPT / 2)}…${log.slice(-KEPT / 2)}` : log;
    for (const text of says) {
      if (typeof text === "string") expect(shown).toContain(text);
      else expect(shown).toMatch(text);
    }
    expect(ended.code).toBe(code);
    probe.trouble.cause({});
    const again = await flash();
    expect(again.code, again.log).toBe(0);
    expect(board.peek(AT, LENGTH)!.equals(Buffer.alloc(LENGTH, 0x5a))).toBe(true);
  });

  it("power fails while flash is programmed", async () => {
    board.cutPower({ operation: 2, tear: tears.half, marginal: true });
    const { code, log } = await flash();
    expect(code).toBe(1);
    expect(log).toContain("Error: Error connecting DP: cannot read IDR");
    expect(log).toContain("Error: read_memory: read at 0x407fe080 with width=32 and count=1 failed");
    board.powerOn();
    expect((await flash()).code).toBe(0);
  });

  it("nothing supplies the board", async () => {
    board.powerOff();
    const { code, log } = await attach();
    expect(code).toBe(1);
    expect(log).toMatch(/VTarget = 0\.000 V[\s\S]*Error: Error connecting DP: cannot read IDR/);
  });

  it("nobody is behind the socket", async () => {
    await probe.close();
    const { code, log } = await attach();
    expect(code).toBe(1);
    expect(log).toMatch(/Error: Failed to receive hello message[\s\S]*Error: No J-Link device found/);
  });
});
