/** How the command fails: its exit codes and its messages. */
import { SystemError } from "../index.ts";

/** The exit codes. docs/CLI.md documents them, and they are stable. */
export const EXIT = {
  ok: 0,
  /** The answer is no: nothing was found, a wait timed out, something must be mended. */
  no: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** The object is not there. */
  missing: 3,
  /** Permission is missing. */
  denied: 4,
  /** A live process has the object, or the name is taken. */
  busy: 5,
  /** Anything else that the system refused. */
  failed: 6,
} as const;

/** A refusal of the command itself, with its exit code. */
export class Failure extends Error {
  override readonly name: string = "Failure";
  readonly exit: number;

  constructor(exit: number, message: string) {
    super(message);
    this.exit = exit;
  }
}

/** The command line is wrong. The message is followed by the way to the help. */
export class UsageError extends Failure {
  override readonly name = "UsageError";

  constructor(message: string) {
    super(EXIT.usage, message);
  }
}

const EXITS: Readonly<Record<string, number>> = {
  ENOENT: EXIT.missing,
  ENXIO: EXIT.missing,
  EACCES: EXIT.denied,
  EPERM: EXIT.denied,
  EBUSY: EXIT.busy,
  EEXIST: EXIT.busy,
};

/** @returns The `code` of an error; "" when it has none. */
export function codeOf(error: unknown): string {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === "string" ? code : "";
}

/** @returns The exit code for an error. */
export function exitOf(error: unknown): number {
  if (error instanceof Failure) return error.exit;
  if (error instanceof RangeError || error instanceof TypeError) return EXIT.usage;
  return EXITS[codeOf(error)] ?? EXIT.failed;
}

/** Finds the library's advice to programs: its names, and options as an object. */
const FOR_PROGRAMS =
  /\b(?:Segment|Semaphore|RingBuffer|MessageQueue|SharedMap)\b|\b(?:openOrCreate|unlink)\b|\{ /;

/** The command's advice instead. */
const HINTS: Readonly<Record<string, string>> = {
  ENOENT: "`bun-shm ls` lists what there is",
  EEXIST: "`bun-shm rm` removes it",
  EPERM: "It takes the owner of the object, or root",
};

/** @returns An error in a sentence or two, with a way out that can be typed. */
export function textOf(error: unknown): string {
  const message = (error as { message?: string }).message ?? String(error);
  // The library's own hint follows what failed, as a sentence of its own.
  const [what = message, ...hints] = message.split(/\. (?=[A-Z])/);
  if (error instanceof Failure || !hints.some((hint) => FOR_PROGRAMS.test(hint))) return message;
  const own = error instanceof SystemError ? HINTS[error.code] : undefined;
  return own === undefined ? what : `${what}. ${own}`;
}
