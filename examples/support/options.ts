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

function number(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() !== "" && value >= 0) return value;
  throw new RangeError(`--${name} ${text}: it must be a number of 0 or more`);
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
      count: number("count", values.count, Number.POSITIVE_INFINITY),
      intervalMs: number("interval", values.interval, intervalMs),
      message: values.message,
      waitMs: number("wait", values.wait, 0) * 1000,
      json: values.json,
    };
  } catch (error) {
    console.error(`${program}: ${(error as Error).message}\nTry: bun run ${program} --help`);
    process.exit(2);
  }
}
