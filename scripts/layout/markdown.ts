/** docs/LAYOUT.md from the descriptions. */
import { type Layout, fieldLength } from "../../src/layout/description.ts";
import type { LockByte } from "../../src/layout/lock-bytes.ts";
import type { Chapter } from "./registry.ts";
import { showNumber } from "./show-number.ts";

const INTRODUCTION = `# Layout

This document says what lies where in shared memory. \`bun run layout\` writes it and
\`include/bun_shm.h\` from the descriptions in \`src/layout/\`; do not edit either file.

All words are little-endian and naturally aligned. Offsets and lengths are in bytes. The meaning of
a field names the one who writes it. "With release" means that whoever loads the field sees all that
its writer stored before. A report is a field that others may read, but base no decision on. Every
number that is read out of shared memory is checked before it is used.
`;

const LINE_LENGTH = 100;

/** Wraps the paragraphs of a text. Indented ones stay as they are. */
function wrap(text: string): string {
  const paragraphs = text.trim().split(/\n{2,}/);
  return paragraphs.map((each) => (/^ {4}/m.test(each) ? each : wrapParagraph(each))).join("\n\n");
}

function wrapParagraph(text: string): string {
  const lines = [""];
  // A word that would begin a list or a heading stays on the line of the word before it.
  for (const word of text.replaceAll(/\s+([-+*#>]|\d+[.)])(?=\s)/g, "\u00a0$1").split(/[ \n]+/)) {
    const line = lines.at(-1)!;
    if (line !== "" && line.length + 1 + word.length > LINE_LENGTH) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join("\n").replaceAll("\u00a0", " ");
}

type Align = "left" | "right";

/** @returns A table with padded columns, as the formatter leaves it. */
function table(
  head: readonly string[],
  rows: readonly string[][],
  aligns: readonly Align[],
): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, at) =>
    Math.max(3, ...cells.map((row) => Bun.stringWidth(row[at] ?? ""))),
  );
  const line = (row: readonly string[]): string => {
    const padded = row.map((cell, at) => {
      const fill = " ".repeat(widths[at]! - Bun.stringWidth(cell));
      return aligns[at] === "right" ? fill + cell : cell + fill;
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width, at) =>
    aligns[at] === "right" ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  const [first, ...others] = cells.map(line);
  return [first, line(rule), ...others].join("\n");
}

function layoutTable({ name, text, length, fields }: Layout): string {
  const rows = fields.map((field) => [
    String(field.offset),
    `\`${field.name}\``,
    field.count === undefined ? field.type : `${field.type}[${field.count}]`,
    String(fieldLength(field)),
    field.text,
  ]);
  return [
    `### ${name}`,
    `${text} ${length} bytes.`,
    table(["offset", "field", "type", "bytes", "meaning"], rows, [
      "right",
      "left",
      "left",
      "right",
      "left",
    ]),
  ].join("\n\n");
}

function lockTable(lockBytes: readonly LockByte[]): string {
  const rows = lockBytes.map(({ name, byte, from, text }) => [
    showNumber(byte),
    `\`${name}\``,
    from,
    text,
  ]);
  return table(["byte", "constant", "from the start of the", "held by"], rows, [
    "right",
    "left",
    "left",
    "left",
  ]);
}

/** @returns The text of docs/LAYOUT.md. */
export function markdown(chapters: readonly Chapter[]): string {
  const parts = chapters.flatMap(({ title, text, layouts, constants, lockBytes }) => {
    const numbers = Object.entries(constants).map(([name, n]) => [`\`${name}\``, showNumber(n)]);
    return [
      `## ${title}`,
      wrap(text),
      ...layouts.map(layoutTable),
      ...(numbers.length > 0 ? [table(["constant", "value"], numbers, ["left", "right"])] : []),
      ...(lockBytes.length > 0 ? [lockTable(lockBytes)] : []),
    ];
  });
  return `${INTRODUCTION}\n${parts.join("\n\n")}\n`;
}
