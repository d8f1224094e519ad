/** A full-screen view, which draws without flicker, and always restores the terminal. */
import { paint, writeAll } from "./output.ts";

// Lines do not wrap: a terminal may draw a character wider than it should be.
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
// Terminals with synchronized updates show a frame at once; others ignore the sequences.
const BEGIN = "\x1b[?2026h\x1b[H";
const END = "\x1b[?2026l";
// Before a line and not behind it: behind a line of full width, they would take its last character.
const CLEAR_LINE = "\x1b[K";
const CLEAR_REST = "\x1b[J";

const encoder = new TextEncoder();
const write = (text: string): void => writeAll(1, encoder.encode(text));

export class Screen implements Disposable {
  #open = true;
  readonly #restore = (): void => this[Symbol.dispose]();

  constructor(onKey: (key: string) => void, onResize: () => void) {
    write(ENTER);
    // The terminal is restored however the process ends.
    process.once("exit", this.#restore);
    process.stdin.setRawMode?.(true);
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", (text: string) => {
      for (const key of text) onKey(key);
    });
    process.stdin.resume();
    process.stdout.on("resize", onResize);
  }

  get rows(): number {
    return process.stdout.rows || 24;
  }

  get columns(): number {
    return process.stdout.columns || 80;
  }

  /** Draws a frame: one write, each line cleared before it is drawn. */
  draw(lines: readonly string[]): void {
    if (!this.#open) return;
    const shown = lines.slice(0, this.rows);
    const last = shown.pop() ?? "";
    const above = shown.map((line) => `${CLEAR_LINE}${line}\r\n`);
    write(BEGIN + above.join("") + CLEAR_REST + last + END);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    process.off("exit", this.#restore);
    process.stdin.setRawMode?.(false);
    process.stdin.pause();
    write(LEAVE);
  }
}

/** @returns A level as a bar of `width` columns. */
export function barText(part: number, whole: number, width: number): string {
  if (whole <= 0) return " ".repeat(width);
  const share = Math.min(1, part / whole);
  const filled = share > 0 ? Math.max(1, Math.round(share * width)) : 0;
  const style = share > 0.9 ? "red" : share > 0.6 ? "yellow" : "green";
  return paint(style, "█".repeat(filled)) + paint("dim", "░".repeat(width - filled));
}
