import { SCRIPTS } from "../completion.ts";
import type { Call, Command } from "../command.ts";
import { EXIT, UsageError } from "../failure.ts";
import { print } from "../output.ts";

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
    const script = SCRIPTS[call.operands[0]!];
    if (script === undefined) {
      throw new UsageError(`There is no completion for "${call.operands[0]}": bash, zsh or fish`);
    }
    print(script);
    return EXIT.ok;
  },
};
