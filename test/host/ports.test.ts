/** Which port, and which configuration. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configDirectory, readConfig, writeSetting } from "../../host/config.js";
import { choosePort, openPort, parsePort } from "../../host/ports.js";
import { workDirectory } from "./keys.js";

const directory = workDirectory();

function warnings() {
  const heard: string[] = [];
  return { heard, warn: (text: string) => void heard.push(text) };
}

describe("parsePort", () => {
  it.each([
    ["tcp:127.0.0.1:7420", { kind: "tcp", host: "127.0.0.1", port: 7420 }],
    ["tcp:localhost:1", { kind: "tcp", host: "localhost", port: 1 }],
    ["tcp:[::1]:65535", { kind: "tcp", host: "::1", port: 65535 }],
    ["/dev/ttyUSB0", { kind: "serial", path: "/dev/ttyUSB0" }],
    ["./board.pty", { kind: "serial", path: "./board.pty" }],
    ["COM3", { kind: "serial", path: "COM3" }],
  ])("reads %s", (text, port) => {
    expect(parsePort(text)).toEqual(port);
  });

  it.each([
    "",
    "tcp:",
    "tcp:host",
    "tcp:host:0",
    "tcp:host:65536",
    "tcp:host:port",
    "tcp::1:2:3",
    "ttyUSB0",
    "tcp:/dev/x",
  ])("refuses %j", (text) => {
    expect(() => parsePort(text)).toThrow("expected tcp:HOST:PORT");
  });
});

describe("choosePort", () => {
  const sources = { warn: () => {}, list: async () => ["/dev/ttyUSB0"] };

  it("goes by --port, MBS_PORT, config and the only device found, in this order", async () => {
    const all = { ...sources, option: "tcp:localhost:1", environment: "tcp:localhost:2", config: "tcp:localhost:3" };
    expect(await choosePort(all)).toMatchObject({ port: 1 });
    expect(await choosePort({ ...all, option: undefined })).toMatchObject({ port: 2 });
    expect(await choosePort({ ...all, option: undefined, environment: "" })).toMatchObject({ port: 3 });
    expect(await choosePort(sources)).toEqual({ kind: "serial", path: "/dev/ttyUSB0" });
  });

  it("warns of a wrong MBS_PORT and ignores it, but refuses a wrong --port", async () => {
    const { heard, warn } = warnings();
    expect(await choosePort({ ...sources, warn, environment: "nonsense" })).toEqual({
      kind: "serial",
      path: "/dev/ttyUSB0",
    });
    expect(heard).toEqual([expect.stringMatching(/^MBS_PORT is ignored: .*"nonsense"/)]);
    await expect(choosePort({ ...sources, option: "nonsense" })).rejects.toMatchObject({ exitCode: 2 });
  });

  it("lists the devices when there is not exactly one", async () => {
    await expect(choosePort({ ...sources, list: async () => [] })).rejects.toMatchObject({
      message: "No device was found.",
      exitCode: 3,
    });
    await expect(choosePort({ ...sources, list: async () => ["/dev/a", "/dev/b"] })).rejects.toThrow(
      "2 devices were found: /dev/a, /dev/b",
    );
  });
});

describe("openPort", () => {
  it.each(["example.com", "10.0.0.1", "127.0.0.1.example.com", "::2"])(
    "does not leave this computer for %s without --allow-remote",
    async (host) => {
      await expect(openPort({ kind: "tcp", host, port: 1 })).rejects.toThrow("is not this computer");
    },
  );

  it("says that nobody answers where nobody listens", async () => {
    await expect(openPort({ kind: "tcp", host: "127.0.0.1", port: 1 })).rejects.toMatchObject({
      name: "DisconnectedError",
      exitCode: 3,
    });
  });
});

describe("configDirectory", () => {
  const file = join(directory, "file");
  writeFileSync(file, "");

  it("goes by --config-dir, MBS_CONFIG_DIR, XDG_CONFIG_HOME and HOME, in this order", () => {
    const env = { MBS_CONFIG_DIR: "/one", XDG_CONFIG_HOME: "/two", HOME: "/three" };
    const { heard, warn } = warnings();
    expect(configDirectory("/zero", env, warn)).toBe("/zero");
    expect(configDirectory(undefined, env, warn)).toBe("/one");
    expect(configDirectory(undefined, { ...env, MBS_CONFIG_DIR: "" }, warn)).toBe("/two/mbs");
    expect(configDirectory(undefined, { HOME: "/three" }, warn)).toBe("/three/.config/mbs");
    expect(heard).toEqual([]);
  });

  it("warns of wrong values in the environment and ignores them, but refuses a wrong --config-dir", () => {
    const { heard, warn } = warnings();
    const env = { HOME: "/three", XDG_CONFIG_HOME: "relative" };
    expect(configDirectory(undefined, { ...env, MBS_CONFIG_DIR: "relative" }, warn)).toBe("/three/.config/mbs");
    expect(configDirectory(undefined, { HOME: "/three", MBS_CONFIG_DIR: file }, warn)).toBe("/three/.config/mbs");
    expect(heard).toHaveLength(3);
    expect(() => configDirectory(file, {}, warn)).toThrow("is a file");
  });
});

describe("config.toml", () => {
  it("is empty when it is missing, keeps what is set, for this person alone, and forgets what is removed", async () => {
    const place = join(directory, "new", "mbs");
    expect(await readConfig(place)).toEqual({});
    await writeSetting(place, "port", "tcp:localhost:7420");
    expect(await readConfig(place)).toEqual({ port: "tcp:localhost:7420" });
    expect(statSync(join(place, "config.toml")).mode & 0o777).toBe(0o600);
    expect(statSync(place).mode & 0o777).toBe(0o700);
    await writeSetting(place, "port", undefined);
    expect(await readConfig(place)).toEqual({});
  });

  it("refuses unknown settings and wrong values, by name, and a wrong value to be set", async () => {
    const place = join(directory, "wrong");
    mkdirSync(place);
    const write = (text: string) => writeFileSync(join(place, "config.toml"), text);
    write("prot = 1\n");
    await expect(readConfig(place)).rejects.toThrow("config.toml, line 1: prot is no field");
    write('port = "x"\n');
    await expect(readConfig(place)).rejects.toThrow("expected tcp:HOST:PORT");
    write('port = "/dev/ttyUSB0"\n');
    await expect(writeSetting(place, "port", "x")).rejects.toThrow("expected tcp:HOST:PORT");
    expect(readFileSync(join(place, "config.toml"), "utf8")).toBe('port = "/dev/ttyUSB0"\n');
  });
});
