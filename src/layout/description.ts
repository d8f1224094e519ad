/**
 * Descriptions of layouts, as data. The tables of docs/LAYOUT.md, the C header and the hash in each
 * segment all come from them, and they use the same constants as the code.
 */
import { fnv1a } from "./hash.ts";

/** The type of a field in C. */
export type CType = "uint32_t" | "int32_t" | "uint64_t" | "uint8_t" | "double";

const FIELD_SIZES: Readonly<Record<CType, number>> = {
  uint8_t: 1,
  uint32_t: 4,
  int32_t: 4,
  uint64_t: 8,
  double: 8,
};

/** One field of a structure. */
export interface Field {
  /** The name in C: snake_case. */
  readonly name: string;
  readonly type: CType;
  /** Bytes from the start of the structure. */
  readonly offset: number;
  /** The elements of an array; absent for a single value. */
  readonly count?: number;
  /** Meaning and unit, who writes it, and on which order of stores readers may rely. */
  readonly text: string;
}

/** One structure of the binary contract. */
export interface Layout {
  /** The name in C, without the prefix: snake_case. */
  readonly name: string;
  readonly text: string;
  /** Bytes; what comes next starts at a multiple of the largest alignment inside. */
  readonly length: number;
  readonly fields: readonly Field[];
}

/** @returns A field of one 32-bit word, or of several. */
export function u32(name: string, offset: number, text: string, count?: number): Field {
  return { name, type: "uint32_t", offset, text, ...(count === undefined ? {} : { count }) };
}

/** A word of a structure: its name, its index, its text, and how many; or that it is an f64. */
type DescribedWord = readonly [name: string, word: number, text: string, count?: number | "double"];

/** @returns Fields whose places are told in words of 32 bits. */
export function wordFields(...described: DescribedWord[]): Field[] {
  return described.map(([name, word, text, count]) => ({
    name,
    type: count === "double" ? "double" : "uint32_t",
    offset: word * 4,
    text,
    ...(typeof count === "number" ? { count } : {}),
  }));
}

/** @returns A field of bytes. */
export function bytes(name: string, offset: number, count: number, text: string): Field {
  return { name, type: "uint8_t", offset, count, text };
}

/** @returns The bytes that a field takes. */
export function fieldLength(field: Field): number {
  return FIELD_SIZES[field.type] * (field.count ?? 1);
}

/**
 * @returns A number that changes when any name, type, offset or length changes. Builds whose hashes
 *   differ refuse each other's segments.
 */
export function layoutHash(...layouts: readonly Layout[]): number {
  const texts = layouts.map(({ name, length, fields }) => {
    const text = fields.map((f) => `${f.name} ${f.type} ${f.count ?? 1} ${f.offset}`).join("\n");
    return `${name} ${length}\n${text}\n`;
  });
  return fnv1a(texts.join(""));
}
