/** Formats numbers, ages, modes and tables for people. */
import { visible } from "../arguments.ts";
import { paint, terminalWidth } from "./output.ts";

const SUFFIXES = ["B", "K", "M", "G", "T"];

/** 4096 is "4.0K". */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < SUFFIXES.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0
    ? `${bytes}B`
    : `${value < 10 ? value.toFixed(1) : Math.round(value)}${SUFFIXES[unit]}`;
}

/** 1234567 is "1.2M". */
export function countText(count: number): string {
  if (count < 10_000) return String(Math.round(count * 10) / 10);
  if (count < 1e6) return `${(count / 1e3).toFixed(1)}k`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)}M` : `${(count / 1e9).toFixed(1)}G`;
}

/** How long ago, in the largest unit: "3m", "2d". */
export function ageText(since: Date, now: number = Date.now()): string {
  const seconds = Math.max(0, Math.floor((now - since.getTime()) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** 0o600 is "rw-------". */
export function modeText(mode: number): string {
  return [6, 3, 0]
    .map((shift) => {
      const bits = (mode >> shift) & 7;
      return `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${bits & 1 ? "x" : "-"}`;
    })
    .join("");
}

/** A column of a table. */
export interface Column<Row> {
  readonly head: string;
  /** Whether the text is aligned to the right, as numbers are. */
  readonly right?: boolean;
  text(row: Row): string;
  style?(row: Row): Parameters<typeof paint>[0] | undefined;
}

/** @returns Text that is cut to a width, in columns of a terminal, with an ellipsis. */
export function cut(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  let kept = "";
  let taken = 1;
  for (const character of text) {
    taken += Bun.stringWidth(character);
    if (taken > width) break;
    kept += character;
  }
  return width > 0 ? `${kept}…` : "";
}

/** @returns The lines of a table; the last column takes the width that the terminal has left. */
export function tableLines<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const cells = rows.map((row) => columns.map((column) => visible(column.text(row))));
  const widths = columns.map(({ head }, at) =>
    Math.max(head.length, ...cells.map((line) => Bun.stringWidth(line[at]!))),
  );
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const last = Math.max(10, terminalWidth() - before);
  const lay = (line: readonly string[], row?: Row): string =>
    line
      .map((text, at) => {
        const column = columns[at]!;
        const isLast = at === columns.length - 1;
        const shown = isLast ? cut(text, last) : text;
        const padding = " ".repeat(Math.max(0, isLast ? 0 : widths[at]! - Bun.stringWidth(shown)));
        const style = row === undefined ? "bold" : column.style?.(row);
        const painted = style === undefined ? shown : paint(style, shown);
        return column.right ? padding + painted : painted + padding;
      })
      .join("  ")
      .trimEnd();
  return [lay(columns.map(({ head }) => head)), ...cells.map((line, at) => lay(line, rows[at]))];
}
