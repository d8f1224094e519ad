/** Shell completion: one function here, and a few lines of script in each shell. */
import { usage } from "../index.ts";
import { COMMON_OPTIONS, type Command } from "./command.ts";

/** @returns Names as they are typed: without the slash, which shells take for a path. */
function objectNames(semaphores: boolean): string[] {
  return usage({ kinds: false })
    .filter(({ type }) => !semaphores || type === "semaphore")
    .map(({ name }) => name.slice(1));
}

/** @returns The candidates for the last of the words, which may be empty. */
export function candidates(commands: readonly Command[], words: readonly string[]): string[] {
  const done = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const command = commands.find(({ name }) => {
    const parts = name.split(" ");
    return parts.length <= done.length && parts.every((part, at) => part === done[at]);
  });
  let all: string[];
  if (command === undefined) {
    all = commands
      .map(({ name }) => name.split(" "))
      .filter((parts) => done.every((word, at) => parts[at] === word))
      .map((parts) => parts[done.length] ?? "");
  } else if (current.startsWith("-")) {
    all = Object.keys({ ...command.options, ...COMMON_OPTIONS }).map((name) => `--${name}`);
  } else {
    const { completes } = command;
    all =
      completes === "objects" || completes === "semaphores"
        ? objectNames(completes === "semaphores")
        : [];
  }
  return [...new Set(all)].filter((word) => word !== "" && word.startsWith(current)).sort();
}

/** The scripts that connect a shell to `bun-shm __complete`. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bun-shm completion bash >> ~/.bashrc
_bun_shm() {
  local IFS=$'\\n'
  COMPREPLY=($(bun-shm __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _bun_shm bun-shm`,
  zsh: `# bun-shm completion zsh >> ~/.zshrc
_bun_shm() {
  local -a found
  found=(\${(f)"$(bun-shm __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -- $found; else _files; fi
}
compdef _bun_shm bun-shm`,
  fish: `# bun-shm completion fish > ~/.config/fish/completions/bun-shm.fish
function __bun_shm
  bun-shm __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null
end
complete -c bun-shm -f -a '(__bun_shm)'`,
};
