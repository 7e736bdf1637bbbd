/** The decisions of scripts/setup.mjs, apart from what they lead to. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  elevation,
  installArguments,
  missingPackages,
  nodeIsEnough,
  npmEnvironment,
  PACKAGES,
  peerProblems,
  plannedSizes,
  platformProblem,
} from "../scripts/setup.mjs";

const names = Object.keys(PACKAGES);
const root = new URL("../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");
const installed = (packages: string[]) => packages.map((name) => `ii \t${name}\t`).join("\n");

describe("nodeIsEnough", () => {
  it.each([
    ["20.0.0", ">=20", true],
    ["20.19.0", ">=20.19", true],
    ["22.1.0", ">=20.19", true],
    ["20.18.9", ">=20.19", false],
    ["18.20.4", ">=20", false],
    ["9.99.9", ">=20", false],
  ])("Node %s for %s: %s", (version, engines, enough) => {
    expect(nodeIsEnough(version, engines)).toBe(enough);
  });
});

describe("platformProblem", () => {
  it("goes on where apt is", () => {
    expect(platformProblem("linux", true)).toBeNull();
  });
  it("names every package on a Linux without apt, and the way to say that they are there", () => {
    const text = platformProblem("linux", false) ?? "";
    for (const name of names) expect(text).toContain(name);
    expect(text).toContain("MBS_SKIP_PACKAGES=1");
  });
  it.each(["darwin", "win32", "freebsd"])("refuses %s with the command that starts a Debian", (platform) => {
    expect(platformProblem(platform, false)).toContain("docker run");
    expect(platformProblem(platform, true)).toContain(platform);
  });
});

describe("missingPackages", () => {
  it("finds nothing missing when all are installed", () => {
    expect(missingPackages(installed(names))).toEqual([]);
  });
  it("finds all missing on an empty system", () => {
    expect(missingPackages("")).toEqual(names);
  });
  it("counts a removed package with its configuration left as missing", () => {
    const status = `${installed(names.filter((name) => name !== "openssl"))}\nrc \topenssl\t`;
    expect(missingPackages(status)).toEqual(["openssl"]);
  });
  it("counts a half-installed package as missing", () => {
    const status = `${installed(names.filter((name) => name !== "gcc"))}\niU \tgcc\t`;
    expect(missingPackages(status)).toEqual(["gcc"]);
  });
  it("takes a package that another one provides", () => {
    const rest = installed(names.filter((name) => name !== "libunicorn2"));
    expect(missingPackages(`${rest}\nii \tlibunicorn2t64\tlibunicorn (= 2), libunicorn2 (= 2.1.1-1)`)).toEqual([]);
  });
});

describe("elevation", () => {
  it("needs nothing as root, with or without sudo", () => {
    expect(elevation({ uid: 0, sudo: true, terminal: true })).toEqual([]);
    expect(elevation({ uid: 0, sudo: false, terminal: false })).toEqual([]);
  });
  it("lets sudo ask on a terminal", () => {
    expect(elevation({ uid: 1000, sudo: true, terminal: true })).toEqual(["sudo"]);
  });
  it("forbids sudo to ask where nobody can answer", () => {
    expect(elevation({ uid: 1000, sudo: true, terminal: false })).toEqual(["sudo", "-n"]);
  });
  it("knows no way without root and without sudo", () => {
    expect(elevation({ uid: 1000, sudo: false, terminal: true })).toBeNull();
  });
});

describe("installArguments", () => {
  it("never installs recommended packages", () => {
    expect(installArguments(["gcc"])).toEqual(["install", "-y", "--no-install-recommends", "gcc"]);
  });
});

describe("plannedSizes", () => {
  it("reads both sizes of a dry run", () => {
    const text =
      "Need to get 152 MB of archives.\nAfter this operation, 1,119 MB of additional disk space will be used.\n";
    expect(plannedSizes(text)).toEqual({ download: "152 MB", disk: "1,119 MB" });
  });
  it("takes the part that is still to be downloaded", () => {
    const text =
      "Need to get 12.1 kB/152 MB of archives.\nAfter this operation, 2 MB of additional disk space will be used.\n";
    expect(plannedSizes(text)?.download).toBe("12.1 kB");
  });
  it("answers null when apt does not know a package", () => {
    expect(plannedSizes("Reading package lists...\nE: Unable to locate package libunicorn2\n")).toBeNull();
  });
});

describe("npmEnvironment", () => {
  it("keeps registry, proxy and certificates, and NODE_ENV", () => {
    const env = { HOME: "/h", NODE_ENV: "production", npm_config_registry: "http://r", npm_config_cafile: "/ca" };
    expect(npmEnvironment(env)).toEqual(env);
  });
  it("drops what would leave development dependencies out or install somewhere else", () => {
    const env = {
      npm_config_omit: "dev",
      npm_config_production: "true",
      npm_config_dry_run: "true",
      npm_config_global: "true",
      npm_config_legacy_peer_deps: "false",
      NPM_CONFIG_OMIT: "dev",
    };
    expect(npmEnvironment(env)).toEqual({});
  });
});

describe("peerProblems", () => {
  it("accepts the peers of react-native-webassembly that are left out on purpose", () => {
    const react = ["react", "react-native"].map((n) => `missing: ${n}@*, required by react-native-webassembly@0.3.3`);
    expect(peerProblems(react)).toEqual([]);
  });
  it("reports an invalid peer and any other missing package", () => {
    const bad = ["invalid: vite@5.0.0 /x/node_modules/vite", "missing: react@*, required by other@1.0.0"];
    expect(peerProblems(bad)).toEqual(bad);
  });
});

describe("package.json", () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read("package.json"));

  it("runs set-up before every script", () => {
    for (const name of Object.keys(scripts).filter((one) => one !== "setup" && !one.startsWith("pre")))
      expect(scripts[`pre${name}`], name).toMatch(/^node scripts\/setup\.mjs\b/);
  });
});

describe("package-lock.json", () => {
  interface Locked {
    resolved?: string;
    optionalDependencies?: Record<string, string>;
  }
  const { packages }: { packages: Record<string, Locked> } = JSON.parse(read("package-lock.json"));

  it("holds every optional package, without which npm ci refuses it on some machine", () => {
    const optional = Object.values(packages).flatMap((one) => Object.keys(one.optionalDependencies ?? {}));
    const locked = Object.keys(packages);
    expect(optional.filter((name) => !locked.some((path) => path.endsWith(`node_modules/${name}`)))).toEqual([]);
  });

  it("names no download host", () => {
    expect(Object.values(packages).filter((one) => one.resolved?.startsWith("http"))).toEqual([]);
  });
});
