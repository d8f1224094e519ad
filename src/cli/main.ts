#!/usr/bin/env bun
/** The command `bun-shm`. */
import { benchmarkPeer } from "./benchmark.ts";
import { Call, EXIT, UsageError, parseCall, type Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { candidates } from "./completion.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { complain, print } from "./output.ts";

/** The command whose name the arguments start with, and what follows. */
function find(args: readonly string[]): { command: Command; rest: readonly string[] } | undefined {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(" ");
    const command = COMMANDS.find((candidate) => candidate.name === name);
    if (command !== undefined) return { command, rest: args.slice(words) };
  }
  return undefined;
}

const CODES: Readonly<Record<string, number>> = {
  ENOENT: EXIT.missing,
  ENXIO: EXIT.missing,
  EACCES: EXIT.denied,
  EPERM: EXIT.denied,
  EBUSY: EXIT.busy,
  EEXIST: EXIT.busy,
};

/** One sentence, and the code that says which sort of failure it was. */
function report(error: unknown, command: Command | undefined): number {
  if (error instanceof UsageError || error instanceof RangeError || error instanceof TypeError) {
    const help = command === undefined ? "--help" : `${command.name} --help`;
    complain(`${error.message}. See bun-shm ${help}`);
    return EXIT.usage;
  }
  const { code, message } = error as { code?: string; message?: string };
  complain(message ?? String(error));
  return CODES[code ?? ""] ?? EXIT.failed;
}

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === "__complete") {
    for (const word of candidates(COMMANDS, args.slice(1))) print(word);
    return EXIT.ok;
  }
  if (args[0] === "__bench-peer") {
    benchmarkPeer(args[1] ?? "");
    return EXIT.ok;
  }
  const found = find(args);
  if (found === undefined) {
    const [first] = args;
    if (first === undefined || first === "--help" || first === "-h" || first === "help") {
      print(generalHelp(COMMANDS));
      return first === undefined ? EXIT.usage : EXIT.ok;
    }
    const related = COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
    const words = related.map(({ name }) => `"${name}"`).join(", ");
    complain(
      related.length > 0
        ? `"${first}" needs a second word: ${words}`
        : `There is no command "${first}". bun-shm --help lists them`,
    );
    return EXIT.usage;
  }
  const { command, rest } = found;
  try {
    const call: Call = parseCall(command, rest);
    if (call.has("help")) {
      print(commandHelp(command));
      return EXIT.ok;
    }
    return await command.run(call);
  } catch (error) {
    return report(error, command);
  }
}

process.exitCode = await main(process.argv.slice(2));
