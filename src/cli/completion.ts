/** Shell completion: one function here, and a few lines of script in each shell. */
import { shellWord, visible } from "../arguments.ts";
import { usage } from "../index.ts";
import { backingOf } from "../inspection/inspect.ts";
import { COMMON_OPTIONS, type Command } from "./command.ts";

/** @returns Names as they are typed: without the slash, unless the word begins with one. */
function objectNames(semaphores: boolean, current: string): string[] {
  return usage({ kinds: false })
    .filter(({ type }) => !semaphores || type === "semaphore")
    .map(({ name }) => {
      const bare = name.slice(1);
      if (current.startsWith("/")) return name;
      // With its slash it is no option, and no name of another kind of memory.
      return bare.startsWith("-") || backingOf(bare) !== "posix" ? name : bare;
    });
}

/** @returns A word as the shell means it, of which only the beginning may have been typed. */
function meaningOf(typed: string): string {
  if (typed.startsWith("'")) return typed.slice(1).replaceAll("'\\''", "'");
  return typed.replace(/^"/, "").replaceAll(/\\(.)/gs, "$1");
}

/** @returns A word as a shell's command line must have it, behind the quote that was typed. */
function insertion(shell: string, word: string, typed: string): string | undefined {
  const quote = typed[0];
  const isPlain = visible(word) === word;
  // fish quotes by itself what it inserts; and between quotes, what cannot be seen has no form.
  if (shell === "fish") return isPlain ? word : undefined;
  if (quote !== "'" && quote !== '"') return shellWord(word);
  // In double quotes an interactive shell takes "!" for an old command, and no escape helps.
  if (!isPlain || (quote === '"' && word.includes("!"))) return undefined;
  return quote === "'" ? word.replaceAll("'", "'\\''") : word.replaceAll(/["$`\\]/g, "\\$&");
}

/**
 * @param shell The shell that asks: each word is answered as its command line must have it.
 * @param words The words of the line up to the cursor, as they were typed.
 * @returns The candidates for the last word, which may be empty: one a line, none of which is more
 *   than a word to the shell.
 */
export function completions(
  commands: readonly Command[],
  shell: string,
  words: readonly string[],
): string[] {
  const typed = words.at(-1) ?? "";
  const meant = [...words.slice(0, -1), meaningOf(typed)];
  return candidates(commands, meant)
    .map((word) => insertion(shell, word, typed))
    .filter((word) => word !== undefined);
}

function candidates(commands: readonly Command[], words: readonly string[]): string[] {
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
        ? objectNames(completes === "semaphores", current)
        : [];
  }
  return [...new Set(all)].filter((word) => word !== "" && word.startsWith(current)).sort();
}

/** The scripts that connect a shell to `bun-shm __complete`. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bun-shm completion bash >> ~/.bashrc
_bun_shm() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <(bun-shm __complete bash "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _bun_shm bun-shm`,
  zsh: `# bun-shm completion zsh >> ~/.zshrc
_bun_shm() {
  local -a found
  found=("\${(@f)$(bun-shm __complete zsh "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found[1]" ]]; then compadd -Q -U -- "\${found[@]}"; else _files; fi
}
compdef _bun_shm bun-shm`,
  fish: `# bun-shm completion fish > ~/.config/fish/completions/bun-shm.fish
function __bun_shm
  bun-shm __complete fish (commandline -opc)[2..] (commandline -ct) 2>/dev/null
end
complete -c bun-shm -f -a '(__bun_shm)'`,
};
