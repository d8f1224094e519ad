/** The command lines of the producer and the consumer. */
import { parseArgs } from "node:util";

/** A program's options. */
export interface ProgramOptions {
  readonly name: string;
  readonly count: number;
  readonly intervalMs: number;
  readonly message: string;
  readonly waitMs: number;
  readonly json: boolean;
}

/** The longest time of a timer, in ms: a longer one would be over at once. */
const MAX_MS = 2 ** 31 - 1;

function number(name: string, text: string | undefined, fallback: number, most: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  const fits = text.trim() !== "" && value >= 0 && value <= most;
  if (fits && (name !== "count" || Number.isInteger(value))) return value;
  const whole = name === "count" ? ", without a fraction" : "";
  throw new RangeError(
    `--${name} ${text}: it must be a number of 0 or more, up to ${most}${whole}`,
  );
}

/** Reads the command line; --help ends the program, and so does a mistake, with exit code 2. */
export function readOptions(program: string, help: string, intervalMs: number): ProgramOptions {
  try {
    const { values } = parseArgs({
      options: {
        name: { type: "string", default: "/messagequeue" },
        count: { type: "string" },
        interval: { type: "string" },
        message: { type: "string", default: "Message" },
        wait: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(help);
      process.exit(0);
    }
    return {
      name: values.name,
      count: number("count", values.count, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER),
      intervalMs: number("interval", values.interval, intervalMs, MAX_MS),
      message: values.message,
      waitMs: number("wait", values.wait, 0, MAX_MS / 1000) * 1000,
      json: values.json,
    };
  } catch (error) {
    console.error(`${program}: ${(error as Error).message}\nTry: bun run ${program} --help`);
    process.exit(2);
  }
}
