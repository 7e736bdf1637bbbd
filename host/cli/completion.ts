/** completion: scripts for bash, zsh and fish, made from the commands themselves. They complete commands and options, and files elsewhere. */
import type { Command } from "commander";
import { UsageError } from "../client/errors.js";
import type { Context } from "./context.js";

const SHELLS = new Map([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
]);

export function addCompletion(program: Command, context: () => Context): void {
  program
    .command("completion")
    .argument("<shell>", "bash, zsh or fish")
    .description("print a completion script")
    .addHelpText(
      "after",
      '\nExamples:\n  eval "$(mbs completion bash)"\n  mbs completion fish > ~/.config/fish/completions/mbs.fish',
    )
    .action((shell: string) => {
      const make = SHELLS.get(shell);
      if (make === undefined) throw new UsageError(`shell: expected bash, zsh or fish; got "${shell}".`);
      context().io.stdout.write(make(program));
    });
}

/** The commands that help lists. */
function shown(command: Command): Command[] {
  const visible = command.createHelp().visibleCommands(command);
  return command.commands.filter((sub) => visible.includes(sub));
}

/** Every command with the words that may follow it. */
function words(program: Command): { path: string; follow: string[] }[] {
  const options = (command: Command) => command.options.flatMap(({ long }) => (long ? [long] : []));
  return shown(program).flatMap((command) => [
    {
      path: command.name(),
      follow: [...shown(command).map((sub) => sub.name()), ...options(command), ...options(program)],
    },
    ...shown(command).map((sub) => ({
      path: `${command.name()} ${sub.name()}`,
      follow: [...options(sub), ...options(program)],
    })),
  ]);
}

function bash(program: Command): string {
  const cases = words(program)
    .reverse() // "config set" has to be tried before "config"
    .map(({ path, follow }) => `    "${path} "*) words="${follow.join(" ")}" ;;`);
  return `_mbs() {
  local line="\${COMP_WORDS[*]:1:COMP_CWORD-1} " words
  case "$line" in
    " ") words="${shown(program)
      .map((command) => command.name())
      .join(" ")}" ;;
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _mbs mbs
`;
}

function zsh(program: Command): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bash(program)}`;
}

function fish(program: Command): string {
  const quote = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = shown(program).flatMap((command) => {
    const inside = `-n ${quote(`__fish_seen_subcommand_from ${command.name()}`)}`;
    const options = command.options.flatMap(({ long, description }) =>
      long ? [`complete -c mbs ${inside} -l ${long.slice(2)} -d ${quote(description)}`] : [],
    );
    const subs = shown(command).map(
      (sub) => `complete -c mbs ${inside} -a ${sub.name()} -d ${quote(sub.description())}`,
    );
    return [
      `complete -c mbs -n __fish_use_subcommand -f -a ${command.name()} -d ${quote(command.description())}`,
      ...options,
      ...subs,
    ];
  });
  return `${lines.join("\n")}\n`;
}
