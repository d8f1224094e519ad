/** Makes include/bun_shm.h: puts the generated declarations into the hand-written template. */
import { type Field, type Layout, fieldLength } from "../../src/layout/description.ts";
import { type Chapter, constantsOf } from "./registry.ts";
import { showNumber } from "./show-number.ts";

/** Where the declarations go in the template. */
const MARK = "/* @generated */\n";

function comment(text: string, indent = ""): string {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1)!;
    if (line !== "" && indent.length + line.length + word.length > 90) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  if (lines.length === 1) return `${indent}/* ${lines[0]} */`;
  return `${indent}/* ${lines.join(`\n${indent} * `)} */`;
}

const member = ({ type, name, count }: Field): string =>
  `  ${type} ${name}${count === undefined ? "" : `[${count}]`};`;

function struct({ name, text, length, fields }: Layout): string {
  const type = `bun_shm_${name}`;
  const lines: string[] = [comment(text), `typedef struct ${type} {`];
  let end = 0;
  const reserve = (to: number): void => {
    if (to > end) lines.push(`  uint8_t reserved_at_${end}[${to - end}];`);
  };
  for (const field of fields.toSorted((a, b) => a.offset - b.offset)) {
    reserve(field.offset);
    lines.push(comment(field.text, "  "), member(field));
    end = field.offset + fieldLength(field);
  }
  reserve(length);
  lines.push(`} ${type};`, `BUN_SHM_ASSERT(sizeof(${type}) == ${length}, "${name}");`);
  for (const field of fields) {
    const at = `offsetof(${type}, ${field.name}) == ${field.offset}`;
    lines.push(`BUN_SHM_ASSERT(${at}, "${name}.${field.name}");`);
  }
  return lines.join("\n");
}

function define([name, value]: [string, number]): string {
  return `#define BUN_SHM_${name} ${literal(value)}`;
}

function literal(value: number): string {
  const text = showNumber(value);
  if (!text.startsWith("0x")) return value < 0 ? `(${text})` : text;
  return `${text}${value >= 2 ** 32 ? "ull" : "u"}`;
}

/** @returns The text of include/bun_shm.h. */
export function cHeader(template: string, chapters: readonly Chapter[]): string {
  const [before, after, ...more] = template.split(MARK);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`The template must have one line ${MARK}`);
  }
  const parts = chapters.map((chapter) => {
    const constants = constantsOf(chapter);
    return [
      `/* ---- ${chapter.title} ---- */`,
      ...(constants.length > 0 ? [constants.map(define).join("\n")] : []),
      ...chapter.layouts.map(struct),
    ].join("\n\n");
  });
  return `${before}${parts.join("\n\n")}\n${after}`;
}
