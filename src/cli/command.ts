/** Commands: their words and options, what they do, and how a command line is parsed. */
import { parseArgs } from "node:util";
import { UsageError } from "./failure.ts";
import { objectName } from "./names.ts";

/** One option of a command. */
export interface Option {
  /** A placeholder such as "SIZE" of an option that takes a value; absent for a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly text: string;
}

/** One command. */
export interface Command {
  /** What is typed; it may have two words: "sem get". */
  readonly name: string;
  readonly summary: string;
  /** The operands, as the usage line shows them: "NAME [OFFSET]". */
  readonly operands?: string;
  /** The fewest and the most operands. */
  readonly count: readonly [number, number];
  readonly options?: Readonly<Record<string, Option>>;
  /** Command lines, and what each one does. */
  readonly examples: readonly (readonly [line: string, text: string])[];
  /** What the operands are, for shell completion. */
  readonly completes?: "objects" | "semaphores" | "files";
  /** @returns The exit code. */
  run(call: Call): number | Promise<number>;
}

/** The longest time that can be typed, in seconds: longer timers overflow. */
const MAX_SECONDS = 2_000_000;
/** The largest count that can be typed: the largest int in C. */
export const MAX_COUNT: number = 2 ** 31 - 1;

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

  /** The first operand, as an object's name with its slash. */
  get object(): string {
    return objectName(this.operands[0]!);
  }

  /** @returns Whether a switch is set. */
  has(option: string): boolean {
    return this.#values[option] === true;
  }

  /** @returns An option's value; undefined when it is not given. */
  text(option: string): string | undefined {
    const value = this.#values[option];
    return typeof value === "string" ? value : undefined;
  }

  /** @returns An option's value as one of a few words; the first one when it is not given. */
  oneOf<const T extends string>(option: string, words: readonly [T, ...T[]]): T {
    const text = this.text(option) ?? words[0];
    const word = words.find((each) => each === text);
    if (word !== undefined) return word;
    throw new UsageError(`--${option} is "${text}", and must be ${words.join(" or ")}`);
  }

  /** @returns An option's value as a count of 1 or more; undefined when it is not given. */
  count(option: string): number | undefined {
    const text = this.text(option);
    if (text === undefined) return undefined;
    const count = parseNumber(`--${option}`, text, 1, MAX_COUNT);
    if (Number.isInteger(count)) return count;
    throw new UsageError(`--${option} is "${text}", and must be a whole number`);
  }

  /** @returns An option's value, which is typed in seconds, in milliseconds. */
  milliseconds(option: string, least = 0): number | undefined {
    const text = this.text(option);
    if (text === undefined) return undefined;
    return parseNumber(`--${option}`, text, least, MAX_SECONDS) * 1000;
  }

  /** @returns An option's value as a number of bytes: 4096, 0x1000, 64K, 1M, 2G. */
  bytes(option: string): number | undefined {
    const text = this.text(option);
    return text === undefined ? undefined : parseBytes(`--${option}`, text);
  }
}

/** @returns A number that was typed. @throws UsageError when it is none, or out of range. */
export function parseNumber(what: string, text: string, least: number, most: number): number {
  const number = Number(text);
  const isNumber = text.trim() !== "" && Number.isFinite(number);
  if (isNumber && number >= least && number <= most) return number;
  const range = Number.isFinite(most) ? ` from ${least} to ${most}` : "";
  throw new UsageError(`${what} is "${text}", and must be a number${range}`);
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** @returns A number of bytes that was typed. @throws UsageError. */
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

/** Parses what follows the command's name. @throws UsageError. */
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
    // The first line says what is wrong, and the others repeat it.
    throw new UsageError((error as Error).message.split("\n")[0]!.replace(/\.$/, ""));
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
