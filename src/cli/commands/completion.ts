import { SCRIPTS } from "../completion.ts";
import type { Call, Command } from "../command.ts";
import { EXIT, UsageError } from "../failure.ts";
import { print, printJson } from "../output.ts";

export const completion: Command = {
  name: "completion",
  summary: "Print the script that makes a shell complete commands, options and object names.",
  operands: "bash|zsh|fish",
  count: [1, 1],
  examples: [
    ["bun-shm completion bash >> ~/.bashrc", "for bash"],
    ["bun-shm completion fish > ~/.config/fish/completions/bun-shm.fish", "for fish"],
  ],
  run(call: Call): number {
    const shell = call.operands[0]!;
    const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
    if (script === undefined) {
      throw new UsageError(`There is no completion for "${shell}": bash, zsh or fish`);
    }
    if (call.has("json")) printJson({ shell, script });
    else print(script);
    return EXIT.ok;
  },
};
