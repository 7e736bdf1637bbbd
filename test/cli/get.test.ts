/** Several records at once from the core: which touches are asked for, and when. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { Switch } from "../device/device.js";
import { STILL_MS } from "../device/person.js";
import { workDirectory } from "../host/keys.js";
import { BoardDesk, inV8 } from "./desk.js";

describe("mbs get of several", () => {
  const directory = workDirectory();
  const desk = new BoardDesk(directory, "several", inV8(5));
  const put = async (label: string, ...more: string[]) =>
    (await desk.ok(["put", "-", "--label", label, "--exportable", ...more], { input: `secret of ${label}` })).trim();
  const folder = (name: string) => {
    mkdirSync(join(directory, name));
    return join(directory, name);
  };

  /** Presses a switch for each touch that is asked for, one after the other. */
  function somebody(which: Switch): (text: string) => void {
    let last = Promise.resolve();
    return (text) => {
      if (text.includes("Touch S1")) last = last.then(press);
    };
    async function press() {
      const { device } = desk.port;
      await sleep(4 * STILL_MS); // released for a while, pressed for a while
      device.press(which);
      await sleep(4 * STILL_MS);
      device.release(which);
    }
  }
  beforeAll(async () => {
    desk.port.present = false;
    await put("apart");
  });

  it("asks for each touch once, by the name of its record, while it is awaited, and gives the records in their order", async () => {
    const labels = ["first", "second", "third", "fourth", "fifth"];
    await put("first", "--presence", "each");
    await put("second");
    const third = await put("third", "--presence", "cached");
    await put("fourth");
    await put("fifth", "--presence", "each");
    const into = folder("touched");
    const { exitCode, out, err } = await desk.mbs(["get", "first", "second", third, "fourth", "fifth", "-o", into], {
      seen: somebody("s1"),
    });
    expect([exitCode, err.trim().split("\n")]).toEqual([
      0,
      ["first", third, "fifth"].map((target) => `Touch S1 on the board: get ${target} (within 30 s)`),
    ]);
    const files = labels.map((label) => join(into, label));
    expect(out).toBe(files.map((file) => `${file}: ${readFileSync(file).length} bytes\n`).join(""));
    for (const [i, label] of labels.entries()) expect(readFileSync(files[i]!, "utf8")).toBe(`secret of ${label}`);
  });

  it("asks for no touch when a file exists that may not be replaced, or when a record is not named well enough", async () => {
    await put("again", "--presence", "each");
    await put("twice");
    await put("twice");
    const into = folder("again");
    for (const argv of [
      ["again", "twice"],
      ["again", "nothing"],
    ]) {
      const { exitCode, err } = await desk.mbs(["get", ...argv, "-o", into]);
      expect([exitCode > 0, err], argv.join(" ")).toEqual([true, expect.not.stringContaining("Touch S1")]);
    }
    writeFileSync(join(into, "again"), "precious");
    const { exitCode, err } = await desk.mbs(["get", "again", "apart", "-o", into]);
    expect([exitCode, err]).toEqual([1, expect.stringMatching(/^mbs: .*again exists already/)]);
    expect(readFileSync(join(into, "again"), "utf8")).toBe("precious");
  });

  it("tells of a touch that was refused, and of a record that is not there, and gets the others", async () => {
    const nobody = "0".repeat(32);
    const into = folder("refused");
    const absent = await desk.mbs(["get", nobody, "apart", "-o", into]);
    expect([absent.exitCode, absent.err]).toEqual([1, expect.stringContaining(`Record ${nobody}: `)]);
    expect(readdirSync(into)).toEqual(["apart"]);
    await put("near", "--presence", "each");
    const refused = await desk.mbs(["get", "near", "apart", "-o", into, "--force"], { seen: somebody("s2") });
    expect([refused.exitCode, refused.err]).toEqual([1, expect.stringMatching(/Record [0-9a-f]{32}: .*S2/)]);
    expect(refused.err.match(/Touch S1/g)).toHaveLength(1);
    expect(readdirSync(into)).toEqual(["apart"]);
  });
});
