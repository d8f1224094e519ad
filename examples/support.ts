/** What the demonstration programs share. */
import { parseArgs } from "node:util";
import type { MessageQueueEvent } from "../src/index.ts";

/** Options of a program, by their long names. */
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

/** Reads the command line; ends the program on --help and on mistakes (exit code 2). */
export function readOptions(program: string, help: string): ProgramOptions {
  try {
    const { values } = parseArgs({
      options: {
        name: { type: "string" },
        count: { type: "string" },
        interval: { type: "string" },
        message: { type: "string" },
        wait: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help === true) {
      console.log(help);
      process.exit(0);
    }
    return {
      name: values.name ?? "/messagequeue",
      count: number("count", values.count, Number.POSITIVE_INFINITY),
      intervalMs: number("interval", values.interval, 500),
      message: values.message ?? "Message",
      waitMs: number("wait", values.wait, 0) * 1000,
      json: values.json === true,
    };
  } catch (error) {
    console.error(`${program}: ${(error as Error).message}\nTry: bun run ${program} --help`);
    process.exit(2);
  }
}

/** Aborted by SIGINT and SIGTERM. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => controller.abort());
  }
  return controller.signal;
}

/** Says something: as text, or as one JSON object a line. */
export type Say = (text: string, details: Readonly<Record<string, unknown>>) => void;

export function sayAs(json: boolean): Say {
  return (text, details) => console.log(json ? JSON.stringify(details) : text);
}

/** Says what goes wrong on stderr, and ends the program. */
export function refuse(text: string, json: boolean): never {
  console.error(json ? JSON.stringify({ event: "error", message: text }) : text);
  process.exit(1);
}

/** Queue events on stderr. */
export function logTo(json: boolean): (event: MessageQueueEvent) => void {
  return (event) => {
    console.error(json ? JSON.stringify({ event: event.type, ...event }) : event.message);
  };
}

/** The exit code of a run that a signal did not let end by itself is 0: it stopped cleanly. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && error === signal.reason;
}

/** Waits, unless stopped. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || milliseconds <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
