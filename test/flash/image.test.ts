/** From a manifest to a board that answers with its credentials: mbs image build, the real OpenOCD, the very firmware, its UART. */
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, why } from "../board/probe/openocd.js";
import { TOKEN, writeManifests } from "../cli/manifests.js";
import { ELF, FlashDesk } from "./desk.js";

const SETUP_CODE = Buffer.alloc(32, 0x5e);
const LOOKS = 60;
const PATIENCE = 3;
const UNREACHED = 3; // exit code

describe.skipIf(missing !== undefined)(
  `a board that is flashed with its credentials${why}`,
  { timeout: 300_000 },
  () => {
    let desk: FlashDesk;
    const env = { MBS_SETUP_CODE: SETUP_CODE.toString("hex") };
    beforeAll(async () => {
      desk = await FlashDesk.open({ seed: 75, setupCode: SETUP_CODE });
      writeManifests(desk.folder);
    });
    afterAll(() => desk.close());

    /** A command that may be asked again, on a machine that is too busy for the board to answer in time. */
    async function ok(...argv: string[]): Promise<string> {
      let ended = await desk.mbs(argv, { input: "", env });
      for (let i = 0; i < PATIENCE && ended.exitCode === UNREACHED; i++)
        ended = await desk.mbs(argv, { input: "", env });
      const { exitCode, out, err } = ended;
      const told = err.replace(/^(The device does not answer; asking again|THIS FILE IS A SECRET: .*)\.\n/gm, "");
      expect([exitCode, told]).toEqual([0, ""]);
      return out;
    }
    /** What info tells when the board answers again. */
    async function answered(): Promise<{ state: string; custody: string; image: { state: string } }> {
      for (let i = 0; i < LOOKS; i++) {
        const { exitCode, out } = await desk.mbs(["info", "--json"], { input: "", env });
        if (exitCode === 0) return JSON.parse(out);
        await setTimeout(1000);
      }
      throw new Error("the board does not answer");
    }
    const labels = async () =>
      JSON.parse(await ok("list", "--json")).entries.map((one: { label: string }) => one.label);

    it("opens what was sealed to it, and answers over its UART with the credentials of the manifest", async () => {
      await desk.ok(["write", ELF]);
      await desk.runs();
      await ok("info", "--transport-key", "-o", desk.path("board.pub"));
      await ok(
        "image",
        "build",
        desk.path("making.toml"),
        "--for",
        desk.path("board.pub"),
        "-o",
        desk.path("device.hex"),
      );
      expect(await desk.ok(["write", desk.path("device.hex")])).toMatchObject({ kind: "sealed", verified: true });
      expect(await answered()).toMatchObject({ state: "ready", image: { state: "none" } });
      expect(await labels()).toEqual(["api/token", "ssh/deploy"]);
      expect(await ok("get", "api/token")).toBe(TOKEN);
      expect(await ok("public", "ssh/deploy")).toContain("ssh-ed25519 ");
      expect(readFileSync(desk.path("device.hex")).includes(Buffer.from(TOKEN).toString("hex").toUpperCase())).toBe(
        false,
      );
      expect(desk.faults).toEqual([]);
    });

    it("is not provisioned twice: the same file is refused now, and verify says what became of it", async () => {
      const again = await desk.unchanged(["write", desk.path("device.hex")]);
      expect([again.exitCode, again.err]).toEqual([1, expect.stringContaining("mbs reset")]);
      const { exitCode, out } = await desk.flash(["verify", desk.path("device.hex")]);
      expect([exitCode, out]).toEqual([0, expect.stringContaining("opened")]);
      await desk.runs();
    });

    it("takes a whole store in the place of its own, when that may be lost, and says for good where the root is from", async () => {
      const file = desk.path("store.SECRET.hex");
      await ok("image", "build", desk.path("plain.toml"), "--custody", "injected", "-o", file);
      const refused = await desk.unchanged(["write", file, "--yes"]);
      expect([refused.exitCode, refused.err]).toEqual([2, expect.stringContaining("--erase-store")]);
      expect(await desk.ok(["write", file, "--erase-store", "--yes"])).toMatchObject({ kind: "store", verified: true });
      expect(await answered()).toMatchObject({ state: "ready", custody: "injected" });
      expect(await labels()).toEqual(["api/token"]);
      expect(await ok("get", "api/token")).toBe(TOKEN);
      expect(desk.faults).toEqual([]);
    });
  },
);
