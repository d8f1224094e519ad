#!/usr/bin/env bun
/** The command `bun-shm`. */
import { benchmarkPeer } from "./benchmark.ts";
import { type Call, type Command, parseCall } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { completions } from "./completion.ts";
import { EXIT, exitOf, textOf } from "./failure.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { complain, print } from "./output.ts";

const { version } = require("../../package.json") as { version: string };

/** @returns The command that the arguments begin with, and the arguments after its name. */
function find(args: readonly string[]): { command: Command; rest: readonly string[] } | undefined {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(" ");
    const command = COMMANDS.find((candidate) => candidate.name === name);
    if (command !== undefined) return { command, rest: args.slice(words) };
  }
  return undefined;
}

/** Prints what failed in a sentence. @returns The exit code. */
function report(error: unknown, command: Command): number {
  const exit = exitOf(error);
  const text = textOf(error);
  complain(exit === EXIT.usage ? `${text}. See bun-shm ${command.name} --help` : text);
  return exit;
}

/** Answers a command line that names no command. @returns The exit code. */
function explain(first: string | undefined): number {
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    print(generalHelp(COMMANDS));
    return first === undefined ? EXIT.usage : EXIT.ok;
  }
  if (first === "--version" || first === "-V") {
    print(`bun-shm ${version}`);
    return EXIT.ok;
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

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === "__complete") {
    const [shell = "", ...words] = args.slice(1);
    for (const word of completions(COMMANDS, shell, words)) print(word);
    return EXIT.ok;
  }
  if (args[0] === "__bench-peer") {
    benchmarkPeer(args[1] ?? "");
    return EXIT.ok;
  }
  const found = find(args);
  if (found === undefined) return explain(args[0]);
  const { command, rest } = found;
  try {
    const call: Call = parseCall(command, rest);
    if (!call.has("help")) return await command.run(call);
    print(commandHelp(command));
    return EXIT.ok;
  } catch (error) {
    return report(error, command);
  }
}

process.exitCode = await main(process.argv.slice(2));
