/** Standard output and error: whole writes, a quiet end of pipes, colour on terminals. */
import { isUtf8 } from "node:buffer";
import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { visible, visibleJson } from "../arguments.ts";

/** Whether to colour: on terminals only, and not if NO_COLOR is set. */
const COLOR: boolean = isatty(1) && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";

/** @returns The columns of the terminal; Infinity for pipes, where nothing is cut. */
export function terminalWidth(): number {
  if (!isatty(1)) return Number.POSITIVE_INFINITY;
  return process.stdout.columns || 80;
}

const encoder = new TextEncoder();

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36, inverse: 7 };

/** @returns Text in a style; plain text where there is no colour. */
export function paint(style: keyof typeof CODES, text: string): string {
  return COLOR ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
}

/** Ends the process without a word: the reader of its output, such as `head`, has enough. */
function endQuietly(): never {
  process.exit(0);
}

/** Writes every byte to a descriptor. If the reader went away, it ends the process quietly. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written, bytes.length - written);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "EPIPE") endQuietly();
      if (code !== "EAGAIN") throw error;
      // The pipe is non-blocking and full: let its reader run.
      Bun.sleepSync(1);
    }
  }
}

/**
 * @returns A record's bytes for standard output: as they are for a pipe or file; for a terminal,
 *   with escapes for everything that it would obey, except line ends and tabs.
 */
export function showable(bytes: Uint8Array): Uint8Array {
  if (!isatty(1)) return bytes;
  if (isUtf8(bytes)) {
    return encoder.encode(new TextDecoder().decode(bytes).replaceAll(/[^\n\t]+/g, visible));
  }
  const byteText = (byte: string): string => `\\x${byte.charCodeAt(0).toString(16)}`;
  const text = Buffer.from(bytes)
    .toString("latin1")
    .replaceAll(/[\x80-\xff]/g, byteText);
  return encoder.encode(text.replaceAll(/[^\n\t]+/g, visible));
}

/**
 * The most bytes that are read at once: an object may be larger than memory should be taken for.
 */
export const PIECE_LENGTH: number = 1 << 20;

/** Prints text and a line end. */
export function print(text: string): void {
  writeAll(1, encoder.encode(`${text}\n`));
}

/** Prints a value as JSON, over several lines unless `indent` is 0; bigints become strings. */
export function printJson(value: unknown, indent = 2): void {
  const text = JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v), indent);
  print(visibleJson(text));
}

/** What the language has, and its declarations not yet. */
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): object };

/** A number as JSON has it, with each of its digits, also above 2^53; null when there is none. */
export function exactNumber(value: unknown): unknown {
  return typeof value === "bigint" ? rawJSON(String(value)) : (value ?? null);
}

/** Prints one sentence to standard error. */
export function complain(text: string): void {
  const shown = visible(text);
  const painted = isatty(2) && !process.env["NO_COLOR"] ? `\x1b[31m${shown}\x1b[0m` : shown;
  try {
    writeSync(2, `bun-shm: ${painted}\n`);
  } catch {
    // There is no standard error to print to.
  }
}

/** Prints an answer: as JSON if `json` is set, and otherwise as text. */
export function answer(json: boolean, value: unknown, text: string): void {
  if (json) printJson(value);
  else print(visible(text));
}
