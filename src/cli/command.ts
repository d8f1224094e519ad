/** What a command is: its words, its options, and what it does. */
import { parseArgs } from "node:util";

/** How the process ends. Documented in docs/CLI.md, and stable. */
export const EXIT = {
  ok: 0,
  /** The answer is no: nothing found, timed out, something to be mended. */
  no: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** The object is not there. */
  missing: 3,
  /** Permission is missing. */
  denied: 4,
  /** Somebody alive has the object. */
  busy: 5,
  /** Anything else that the system refused. */
  failed: 6,
} as const;

/** One option of a command. */
export interface Option {
  /** A placeholder such as "SIZE" for an option that takes a value; absent for a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly text: string;
}

/** One command. */
export interface Command {
  /** As it is typed; may have two words: "sem get". */
  readonly name: string;
  readonly summary: string;
  /** Operands as the usage line shows them: "NAME [OFFSET]". */
  readonly operands?: string;
  /** Fewest and most operands. */
  readonly count: readonly [number, number];
  readonly options?: Readonly<Record<string, Option>>;
  /** A command line, and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /** What its operands are, for shell completion. */
  readonly completes?: "objects" | "semaphores" | "files";
  run(call: Call): number | Promise<number>;
}

/** The command line is wrong; said with the way to the help. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A parsed command line. */
export class Call {
  readonly command: Command;
  readonly operands: readonly string[];
  readonly #values: Readonly<Record<string, string | boolean | undefined>>;

  constructor(
    command: Command,
    operands: readonly string[],
    values: Readonly<Record<string, string | boolean | undefined>>,
  ) {
    this.command = command;
    this.operands = operands;
    this.#values = values;
  }

  /** Whether a switch is set. */
  has(option: string): boolean {
    return this.#values[option] === true;
  }

  /** An option's value. */
  text(option: string): string | undefined {
    const value = this.#values[option];
    return typeof value === "string" ? value : undefined;
  }

  /** An option's value as a number of at least `least`. */
  number(option: string, least = 0): number | undefined {
    const text = this.text(option);
    return text === undefined ? undefined : parseNumber(`--${option}`, text, least);
  }

  /** An option's value as a number of bytes: 4096, 0x1000, 64K, 1M, 2G. */
  bytes(option: string): number | undefined {
    const text = this.text(option);
    return text === undefined ? undefined : parseBytes(`--${option}`, text);
  }
}

export function parseNumber(what: string, text: string, least = 0): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number) && number >= least) return number;
  throw new UsageError(`${what} is "${text}", and must be a number of ${least} or more`);
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

export function parseBytes(what: string, text: string): number {
  const match = /^(0x[0-9a-f]+|\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = match ? Number(match[1]) * UNITS[match[2]!.toLowerCase()]! : Number.NaN;
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(`${what} is "${text}", and must be bytes, such as 4096, 64K, 1M or 2G`);
}

/** Options that every command has. */
export const COMMON_OPTIONS: Readonly<Record<string, Option>> = {
  json: { text: "Print JSON, whose form is stable." },
  help: { short: "h", text: "Explain the command." },
};

/** Parses what follows the command's name. @throws UsageError */
export function parseCall(command: Command, args: readonly string[]): Call {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const [name, option] of Object.entries({ ...COMMON_OPTIONS, ...command.options })) {
    options[name] = {
      type: option.value === undefined ? "boolean" : "string",
      ...(option.short === undefined ? {} : { short: option.short }),
    };
  }
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const values = parsed.values as Record<string, string | boolean>;
  const operands = parsed.positionals;
  const [fewest, most] = command.count;
  if (values["help"] !== true && (operands.length < fewest || operands.length > most)) {
    const wanted = command.operands ?? "no operands";
    throw new UsageError(`"${command.name}" takes ${wanted}; ${operands.length} were given`);
  }
  return new Call(command, operands, values);
}
