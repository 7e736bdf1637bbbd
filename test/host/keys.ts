/** Real keys and certificates for tests, made by ssh-keygen and openssl in a directory that goes away with the test file. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Source } from "../../host/credentials/format.js";

/** A directory of its own for a test file. @returns its path */
export function workDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "mbs-test-"));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function run(cwd: string, command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

export function sshKeygen(directory: string, name: string, ...args: string[]): Source {
  run(directory, "ssh-keygen", "-q", "-C", "somebody", "-N", "", ...args, "-f", name);
  return source(directory, name);
}

export function openssl(directory: string, name: string, ...args: string[]): Source {
  run(directory, "openssl", ...args, "-out", name);
  return source(directory, name);
}

export function source(directory: string, name: string): Source {
  return { name, bytes: readFileSync(join(directory, name)) };
}

/** Makes leaf.key, and chain.pem of leaf, intermediate and root. */
export function makeChain(directory: string): void {
  const subject = (name: string) => ["-subj", `/O=mbs test/CN=${name}`];
  const ca = ["-addext", "basicConstraints=critical,CA:TRUE"];
  const request = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "30"];
  run(directory, "openssl", ...request, "-keyout", "root.key", "-out", "root.pem", ...subject("root"), ...ca);
  const signed = (issuer: string) => ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`];
  run(
    directory,
    "openssl",
    ...request,
    ...signed("root"),
    "-keyout",
    "inter.key",
    "-out",
    "inter.pem",
    ...subject("inter"),
    ...ca,
  );
  run(
    directory,
    "openssl",
    ...request,
    ...signed("inter"),
    "-keyout",
    "leaf.key",
    "-out",
    "leaf.pem",
    ...subject("leaf"),
  );
}
