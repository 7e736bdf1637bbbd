/** Finding Renode, and what is said without it. The tests in Renode itself are `npm run test:renode`. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findRenode, INSTALL, NoRenode, VERSION } from "../../scripts/renode/find.js";
import { readOptions, renodeArguments, UsageError } from "../../scripts/renode/options.js";
import { countTests } from "../../scripts/renode/results.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mbs-find-renode-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(...path: string[]): string {
  const file = join(folder, ...path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, "#!/bin/sh\nexit 0\n");
  chmodSync(file, 0o755);
  return file;
}

describe("findRenode", () => {
  it("takes the program that RENODE_PATH names, or the one in the folder that it names", () => {
    const renode = program("r", "renode");
    expect(findRenode({ RENODE_PATH: renode })).toEqual({ renode, test: undefined });
    const test = program("r", "renode-test");
    expect(findRenode({ RENODE_PATH: join(folder, "r") })).toEqual({ renode, test });
  });

  it("takes the first one on PATH otherwise", () => {
    const renode = program("b", "renode");
    program("c", "renode");
    const PATH = ["a", "b", "c"].map((one) => join(folder, one)).join(":");
    expect(findRenode({ PATH })).toEqual({ renode, test: undefined });
    expect(findRenode({ PATH, RENODE_PATH: "" })?.renode).toBe(renode);
  });

  it("finds none where there is none, and takes neither folders nor files that cannot be run", () => {
    expect(findRenode({ PATH: folder })).toBeUndefined();
    expect(findRenode({})).toBeUndefined();
    mkdirSync(join(folder, "x", "renode"), { recursive: true });
    expect(findRenode({ PATH: join(folder, "x") })).toBeUndefined();
    chmodSync(program("y", "renode"), 0o644);
    expect(findRenode({ PATH: join(folder, "y") })).toBeUndefined();
  });

  it("refuses a RENODE_PATH that leads nowhere, even with another Renode on PATH", () => {
    program("b", "renode");
    const env = { PATH: join(folder, "b"), RENODE_PATH: join(folder, "gone") };
    expect(() => findRenode(env)).toThrow(NoRenode);
    expect(() => findRenode(env)).toThrow(join(folder, "gone"));
  });
});

describe("npm run renode", () => {
  const run = (script: string, ...args: string[]) =>
    spawnSync(process.execPath, [`${root}dist/scripts/${script}.js`, ...args], {
      encoding: "utf8",
      env: { PATH: folder, INIT_CWD: folder },
    });

  it("says what to install without Renode, and exits 1", () => {
    const { status, stderr } = run("renode");
    expect(stderr.trim()).toBe(INSTALL);
    expect(status).toBe(1);
  });

  it("refuses wrong arguments with exit code 2", () => {
    for (const args of [["--port", "70000"], ["--presence", "maybe"], ["--elf", "a", "--image", "b"], ["--what"]]) {
      expect(run("renode", ...args).status, args.join(" ")).toBe(2);
    }
    expect(run("renode", "--elf", "gone.elf").stderr).toContain(`${join(folder, "gone.elf")} does not exist`);
  });

  it("counts its tests as skipped without Renode, and as failed where they are required", () => {
    const skipped = run("test-renode");
    expect(skipped.stdout).toContain(INSTALL);
    expect(skipped.stdout.trimEnd().split("\n").at(-1)).toBe("0 passed, 0 failed, 1 skipped");
    expect(skipped.status).toBe(0);
    const failed = run("test-renode", "--required");
    expect(failed.stdout.trimEnd().split("\n").at(-1)).toBe("0 passed, 1 failed");
    expect(failed.status).toBe(1);
  });

  it("does not take a runner that fails, or that runs no test, for a success", () => {
    program("renode");
    writeFileSync(program("renode-test"), "#!/bin/sh\nexit 3\n");
    expect(run("test-renode", "--results", join(folder, "results")).status).toBe(1);
    writeFileSync(join(folder, "renode-test"), "#!/bin/sh\nexit 0\n");
    const nothing = run("test-renode", "--results", join(folder, "results"));
    expect(nothing.stdout.trimEnd().split("\n").at(-1)).toBe("0 passed, 1 failed");
    expect(nothing.status).toBe(1);
  });
});

describe("renodeArguments", () => {
  it("quotes what the monitor reads, and refuses what cannot be quoted", () => {
    const options = readOptions(["--flash", "my flash", "--port", "0", "--presence", "never"], "/w", "/b/f.elf");
    const [, , , commands] = renodeArguments(options!, "/p q/x.resc");
    expect(commands).toContain('$flash="/w/my flash"; $port=0');
    expect(commands).toContain("include @/p\\ q/x.resc; port0.person Present false; start");
    expect(() => readOptions(["--flash", 'a"; quit'], "/w", "/b/f.elf")).toThrow(UsageError);
  });
});

describe("countTests", () => {
  it("takes the last status inside each test, and no status for a failure", () => {
    const test = (...status: string[]): string =>
      `<test id="s1-t1" name="x"><kw>${status.map((one) => `<status status="${one}" elapsed="1"/>`).join("")}</kw></test>`;
    const xml = `<suite>${test("PASS", "FAIL")}${test("FAIL", "PASS")}${test("SKIP")}${test()}<status status="FAIL"/></suite>`;
    expect(countTests(xml)).toEqual({ passed: 1, failed: 2, skipped: 1 });
  });
});

describe("renode/", () => {
  it("loads every model, each once, and only after what it builds on", () => {
    const script = readFileSync(`${root}renode/ek-ra6m5.resc`, "utf8");
    const loaded = [...script.matchAll(/^include \$ORIGIN\/models\/(\w+\.cs)$/gm)].map(([, name]) => name!);
    expect([...loaded].sort()).toEqual(readdirSync(`${root}renode/models`).sort());
    const place = (name: string): number => loaded.indexOf(`${name}.cs`);
    expect(place("Registers")).toBe(0);
    expect(place("Faci")).toBeGreaterThan(Math.max(...["Nor", "Waiting", "System", "Caches", "Hex"].map(place)));
    expect(place("Watchdog")).toBeGreaterThan(place("System"));
  });

  it("is run by CI with the release that the scripts name, which is checked against its hash", () => {
    const workflow = readFileSync(`${root}.github/workflows/renode.yml`, "utf8");
    expect(workflow).toContain(`RENODE_VERSION: ${VERSION}`);
    expect(workflow).toMatch(/RENODE_SHA256: [0-9a-f]{64}\n/);
    expect(workflow).toContain("sha256sum --check");
    expect(workflow).toContain("npm run test:renode -- --required");
  });
});
