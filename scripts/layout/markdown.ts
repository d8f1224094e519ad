/** docs/LAYOUT.md from the descriptions. */
import { type Layout, fieldLength } from "../../src/layout/description.ts";
import type { Chapter } from "./registry.ts";
import { showNumber } from "./show-number.ts";

const INTRODUCTION = `# Layout

What lies where in shared memory. \`bun run layout\` writes this file and \`include/bun_shm.h\` from the descriptions in
\`src/layout/\`; do not edit either.

All words are little-endian and naturally aligned. Offsets and lengths are in bytes. A field that a structure's own writer
alone reads back is called a report: others may read it, and base no decision on it. Every number that is read out of shared memory
is checked before it is used.

## Locks

Roles and life are the kernel's word. Whoever uses an object holds a shared \`flock\` on it; whoever gives an empty object its size
holds it exclusively. A role (producer, consumer …) is an exclusive open-file-description lock (\`F_OFD_SETLK\`) on one byte of the
object, whether or not there is data at that offset, taken on a descriptor that was opened for it alone. The kernel releases all of
them when the process dies.
`;

type Align = "left" | "right";

/** A table as the formatter leaves it: columns padded. */
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

/** The text of docs/LAYOUT.md. */
export function markdown(chapters: readonly Chapter[]): string {
  const parts = chapters.flatMap(({ title, text, layouts, constants }) => {
    const numbers = Object.entries(constants).map(([name, n]) => [`\`${name}\``, showNumber(n)]);
    return [
      `## ${title}`,
      text.trim(),
      ...layouts.map(layoutTable),
      ...(numbers.length > 0 ? [table(["constant", "value"], numbers, ["left", "right"])] : []),
    ];
  });
  return `${INTRODUCTION}\n${parts.join("\n\n")}\n`;
}
