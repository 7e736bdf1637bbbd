/** Files of several records: how they are called, and what is said when one of them cannot be written. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { fileName } from "../../host/cli/get-several.js";
import { handleText } from "../../host/client/client.js";
import { usableName } from "../../host/file/name.js";
import { workDirectory } from "./keys.js";
import { Desk } from "./terminal.js";

const handle = Uint8Array.from({ length: 16 }, (_, i) => i);
const DEVICES = ["CON", "prn", "Aux", "NUL", "COM1", "com0", "LPT9"];

describe("fileName", () => {
  const named = (label: string, platform: NodeJS.Platform, taken: string[] = []) =>
    fileName({ label, handle }, new Set(taken), platform);

  it("takes the label, with one sign in the place of each that is not for names of files", () => {
    expect(named("tls/web-1", "linux")).toBe("tls_web-1");
    expect(named("a:b c\\d*é", "win32")).toBe("a_b_c_d__");
    expect(named("dot.", "win32")).toBe("dot_");
    expect(named("space ", "win32")).toBe("space_");
    expect(named("..", "linux")).toBe("__");
  });

  it("takes the handle for a label that is the name of a device on Windows, with any extension, and there alone", () => {
    for (const label of [...DEVICES, ...DEVICES.map((name) => `${name}.key`), "nul.tar.gz"]) {
      expect(named(label, "win32"), label).toBe(handleText(handle));
      expect(named(label, "linux"), label).toBe(label);
    }
    for (const label of ["console", "com", "com10", "lpt", "nul_", "a.con"]) expect(named(label, "win32")).toBe(label);
  });

  it("takes the handle for no label, and for one that another record had or that looks like a handle", () => {
    expect(fileName({ handle }, new Set(), "linux")).toBe(handleText(handle));
    expect(named("Key", "linux", ["key"])).toBe(handleText(handle));
    expect(named("AB".repeat(16), "linux")).toBe(handleText(handle));
  });
});

describe("usableName", () => {
  it("refuses on Windows every spelling of a device, and ends that Windows drops", () => {
    const spelled = DEVICES.flatMap((name) => [name, `${name}.txt`, `${name}.`, `${name} `, `${name} .txt`]);
    for (const name of [...spelled, "COM¹", "lpt³.log", "conin$", "CONOUT$.txt", "end.", "end ", "..."]) {
      expect(usableName(Buffer.from(name), "win32"), name).toBeUndefined();
      expect(usableName(Buffer.from(name), "linux"), name).toBe(name);
    }
    for (const name of ["conin", "conout$x", "COM⁴", " con", "con-1.txt"])
      expect(usableName(Buffer.from(name), "win32"), name).toBe(name);
  });
});

describe("mbs get of several", () => {
  const desk = new Desk(workDirectory());
  const { mbs, ok, path } = desk;
  beforeEach(() => desk.ready());
  const put = (label: string) => ok(["put", "-", "--label", label, "--exportable"], { input: `secret of ${label}` });

  it("names what it wrote and what it did not when one file cannot be written, and leaves no half of it", async () => {
    for (const label of ["a", "b", "c"]) await put(label);
    const into = path("several");
    mkdirSync(join(into, "b"), { recursive: true });
    const { exitCode, out, err } = await mbs(["get", "a", "b", "c", "-o", into, "--force"]);
    expect([exitCode, out]).toEqual([1, ""]);
    expect(err).toContain(`Cannot write ${join(into, "b")}: it is a directory.`);
    expect(err).toContain(`Written: ${join(into, "a")}. Not written: ${join(into, "b")}, ${join(into, "c")}.`);
    expect(err).toContain("Get those that are missing");
    expect(readdirSync(into).sort()).toEqual(["a", "b"]);
    expect(readFileSync(join(into, "a"), "utf8")).toBe("secret of a");
    expect(readdirSync(join(into, "b"))).toEqual([]);
  });

  it("says that nothing was written when the first file cannot be, and keeps the one that was there", async () => {
    for (const label of ["first", "second"]) await put(label);
    const into = path("none");
    mkdirSync(join(into, "first"), { recursive: true });
    writeFileSync(join(into, "second"), "precious");
    const { exitCode, err } = await mbs(["get", "first", "second", "-o", into, "--force", "--json"]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(err)).toMatchObject({
      code: "file",
      message: expect.stringContaining(
        `Nothing was written. Not written: ${join(into, "first")}, ${join(into, "second")}.`,
      ),
    });
    expect(readFileSync(join(into, "second"), "utf8")).toBe("precious");
  });
});
