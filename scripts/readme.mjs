/** `npm run readme`: runs what the README shows and writes it back there, so that every transcript was really run. Each block stands behind
 *  a comment that names it: demo, flash, board, host, files, proofs, sizes, bench; torture quotes its results, and stands in firmware/DESIGN.md as well. Needs a
 *  finished build. */
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "mbs-readme-"));
const PORT = 7420;
const env = {
  ...process.env,
  MBS_PORT: `tcp:127.0.0.1:${PORT}`,
  NO_COLOR: "1",
  MBS_CONFIG_DIR: folder,
  MBS_CONFIG_PASSWORD: "only for this transcript",
};
const cli = join(root, "dist/host/cli/main.js");
/** Results of long runs (`npm run torture`): quoted from their files, not run here. */
const tortureFile = join(root, "bench/results/torture.json");
const torture = existsSync(tortureFile) ? JSON.parse(readFileSync(tortureFile, "utf8")) : undefined;

function run(program, args, cwd = root) {
  const { stdout, stderr, status } = spawnSync(program, args, { cwd, env, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  return stdout.trimEnd();
}

/** Lines that a person types at the host, in one folder; `mbs` is the built CLI. */
const HOST = [
  "export MBS_PORT=tcp:127.0.0.1:7420",
  "ssh-keygen -q -t ed25519 -N '' -C deploy -f id_ed25519",
  `printf '[instance]\\nname = "mine"\\n\\n[[credential]]\\nlabel = "ssh/deploy"\\nfile = "id_ed25519"\\n' > mine.toml`,
  "mbs config set keys file",
  "mbs provision mine.toml --yes",
  "mbs generate --usage sshsig --label release --presence each",
  "echo 'version 1.0' > notes.txt",
  "mbs sign release notes.txt",
  `echo "release $(mbs public release)" > signers`,
  "ssh-keygen -Y verify -f signers -I release -n file -s notes.txt.sig < notes.txt",
  "mbs attest release",
  "openssl rand -hex 32 | mbs put - --label api/token --exportable",
  "mbs list",
  "mbs find --prefix api/ --json",
  "mbs show ssh/deploy",
  "mbs get api/token",
  "mbs get ssh/deploy",
  "mbs evict api/token --destroy --yes",
  "mbs operator list",
  "mbs info",
];

/** The same for files, after those. */
const FILES = [
  "export MBS_CONFIG_PASSWORD='only for this transcript'",
  "mbs filekey create archive",
  "mbs encrypt notes.txt --output notes.mbs",
  "mbs decrypt notes.mbs --output notes.back",
  "cmp notes.txt notes.back && echo the same",
  "mbs filekey list",
  "mbs filekey show",
  "mbs claim reserve archive 64MiB",
  "mbs claim status",
];

/** A blank board behind a probe. */
const FLASH = [
  "mbs flash write ek-ra6m5.elf --probe virtual",
  "mbs info --transport-key -o board.pub --yes",
  "mbs image build mine.toml --for board.pub -o device.hex",
  "mbs flash write device.hex --probe virtual",
  "sleep 5",
  "mbs list",
  "mbs flash verify device.hex --probe virtual",
  "mbs flash read -o forensics --probe virtual",
];

/** What a person sees who types lines while a board runs. @param ready what the board says when it is up */
async function board(options, ready, ...lists) {
  const child = spawn(process.execPath, [cli, "board", "run", ...options, "--tcp", String(PORT)], {
    cwd: folder,
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  let log = "";
  child.stdout.on("data", (bytes) => {
    log += bytes;
  });
  for (let tries = 0; !log.includes(ready); tries++) {
    if (tries > 200) throw new Error(`the board did not start:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const started = log.trimEnd();
  const shell = `mbs() { '${process.execPath}' '${cli}' "$@"; }\n`;
  const type = (line) => {
    const script = `${shell}exec 2>&1\n${line.startsWith("export") ? "" : line}`;
    const { stdout } = spawnSync("bash", ["-c", script], { cwd: folder, env, encoding: "utf8" });
    return `$ ${line}\n${stdout}`.trimEnd();
  };
  const typed = lists.map((lines) => lines.map(type).join("\n"));
  child.stdin.write("quit\n");
  await new Promise((resolve) => child.on("close", resolve));
  return [`$ mbs board run ${options.join(" ")} --tcp ${PORT}\n${started}`, ...typed];
}

async function boards() {
  const [begun, host, files] = await board(["--flash", "board.img", "--presence", "always"], "lights", HOST, FILES);
  return { board: begun, host, files };
}

async function flashing() {
  copyFileSync(join(root, "build/ek-ra6m5.elf"), join(folder, "ek-ra6m5.elf"));
  const [, flash] = await board(["--blank", "--probe", "--presence", "always"], "power on", FLASH);
  return { flash };
}

function replaceBlock(text, name, content) {
  const pattern = new RegExp(`(<!-- ${name} -->\\n+\`\`\`[a-z]*\\n)(?:(?!\`\`\`)[^]*?\\n)?(\`\`\`)`);
  if (!pattern.test(text)) throw new Error(`there is no block behind <!-- ${name} -->`);
  return text.replace(pattern, (_, before, after) => `${before}${content}\n${after}`);
}

try {
  let readme = readFileSync(join(root, "README.md"), "utf8");
  // --quote: only what is quoted from files; --flash: and the board that is flashed
  const blocks = process.argv.some((word) => word === "--quote" || word === "--flash")
    ? process.argv.includes("--flash")
      ? { ...(await boards()), ...(await flashing()) }
      : {}
    : {
        demo: run(process.execPath, ["dist/scripts/demo.js"]),
        ...(await boards()),
        ...(await flashing()), // with the manifest of the one before
        proofs: run(process.execPath, ["dist/scripts/prove.js"]),
        sizes: run(process.execPath, ["scripts/size.mjs"]),
        bench: run(process.execPath, ["dist/scripts/bench.js"]),
      };
  if (torture !== undefined) {
    const { damageTable, outcomes, total } = await import(
      new URL("dist/scripts/torture/report.js", `file://${root}/`).href
    );
    const tortured = (tell) =>
      Object.entries(torture.targets)
        .map(([target, report]) => tell(target, report))
        .join("\n\n");
    blocks.torture = tortured(total);
    const file = join(root, "firmware/DESIGN.md");
    const design = replaceBlock(readFileSync(file, "utf8"), "torture", tortured(outcomes));
    const damaged = torture.damage === undefined ? design : replaceBlock(design, "damage", damageTable(torture.damage));
    writeFileSync(file, damaged);
  }
  for (const [name, content] of Object.entries(blocks)) readme = replaceBlock(readme, name, content.trim());
  writeFileSync(join(root, "README.md"), readme);
  console.log(`README.md: ${Object.keys(blocks).join(", ")} written anew`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
