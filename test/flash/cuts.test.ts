/** An update of the firmware is cut at some of its flash operations; `npm run flash-cuts` takes all of them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SETUP_AT } from "../../host/flash/descriptor.js";
import { missing, why } from "../board/probe/openocd.js";
import { cutUpdate, HOWS } from "./cuts.js";
import { FlashDesk, nextFirmware } from "./desk.js";

const SETUP_CODE = Buffer.alloc(32, 0x5e);

describe.skipIf(missing !== undefined)(`an update that power cuts${why}`, { timeout: 240_000 }, () => {
  let desk: FlashDesk;
  let records: unknown;
  let files: string[];
  /** Flash operations of an update. */
  let operations: number;
  beforeAll(async () => {
    desk = await FlashDesk.open({ seed: 78, setupCode: SETUP_CODE });
    await desk.provision();
    records = await desk.records();
    files = [nextFirmware(1), nextFirmware(2)].map((bytes, i) => desk.hex(`${i}.hex`, { address: 0, bytes }));
    const { code } = desk.board;
    const before = code.totalErases + code.totalPrograms;
    await desk.ok(["write", files[0]!]);
    operations = code.totalErases + code.totalPrograms - before;
  });
  afterAll(() => desk.close());

  it.each([
    ["the erase of the first block", 0, 2],
    ["the erase of the first block", 0, 1],
    ["the second erase", 1, 4],
    ["a unit of the second block", 5, 3],
    ["a unit in the middle", 300, 5],
    ["the vector table", -1, 4],
    ["the vector table", -1, 0],
  ])("at %s (operation %i) is repaired by the same command, and keeps the store", async (_what, at, how) => {
    const operation = at < 0 ? operations + at : at;
    expect(await cutUpdate(desk, files[how % 2]!, operation, HOWS[how]![1])).toBe(true);
    expect(desk.board.peek(SETUP_AT, 32)!.equals(SETUP_CODE)).toBe(true);
  });

  it("has no operation behind the vector table", async () => {
    expect(operations).toBeGreaterThan(nextFirmware(1).length / 128 / 2);
    expect(await cutUpdate(desk, files[0]!, operations, HOWS[0]![1])).toBe(false);
  });

  it("is repaired without the loader as well", async () => {
    desk.board.cutPower({ operation: 40, ...HOWS[4]![1] });
    expect((await desk.flash(["write", files[1]!])).exitCode).toBe(3);
    desk.board.powerOn();
    expect(await desk.ok(["write", files[1]!, "--no-loader"])).toMatchObject({ verified: true, by: "debugger" });
  });

  it("leaves every record as it was", async () => {
    expect(await desk.records()).toEqual(records);
  });
});
