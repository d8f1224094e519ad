/** Standard output and error: whole writes, quiet ends, colour where a person looks. */
import { writeSync } from "node:fs";
import { isatty } from "node:tty";

/** Whether to colour: only on a terminal, and never against NO_COLOR. */
const COLOR: boolean = isatty(1) && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";

/** Columns of the terminal; wide for pipes, which nobody wraps. */
export function terminalWidth(): number {
  if (!isatty(1)) return Number.POSITIVE_INFINITY;
  return process.stdout.columns || 80;
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36, inverse: 7 };

/** Text in a colour, or as it is. */
export function paint(style: keyof typeof CODES, text: string): string {
  return COLOR ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
}

/** Whoever read our output has enough (`head`): the end, without a word. */
function endQuietly(): never {
  process.exit(0);
}

/** Writes every byte to a descriptor. A reader that went away ends the process quietly. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written, bytes.length - written);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "EPIPE") endQuietly();
      if (code !== "EAGAIN") throw error;
      // Somebody made the pipe non-blocking: let its reader run.
      Bun.sleepSync(1);
    }
  }
}

/**
 * The most bytes that are read at once: an object may be larger than memory should be taken for.
 */
export const PIECE_LENGTH: number = 1 << 20;

const encoder = new TextEncoder();

/** Prints text and a line end. */
export function print(text: string): void {
  writeAll(1, encoder.encode(`${text}\n`));
}

/** Prints a value as JSON, with big integers as numbers in text. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v), 2));
}

/** Prints one sentence to standard error. */
export function complain(text: string): void {
  const painted = isatty(2) && !process.env["NO_COLOR"] ? `\x1b[31m${text}\x1b[0m` : text;
  try {
    writeSync(2, `bun-shm: ${painted}\n`);
  } catch {
    // Nobody listens.
  }
}

/** Prints an answer: as JSON if that is asked for, else as text. */
export function answer(json: boolean, value: unknown, text: string): void {
  if (json) printJson(value);
  else print(text);
}
