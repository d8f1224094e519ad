/**
 * How a layout is described: once, as data. The constants that code uses, the tables of
 * docs/LAYOUT.md, the C header and the hash in each segment all come from these descriptions.
 */

/** What a field is in C. */
export type FieldType = "uint32_t" | "int32_t" | "uint64_t" | "uint8_t" | "double";

const FIELD_SIZES: Readonly<Record<FieldType, number>> = {
  uint8_t: 1,
  uint32_t: 4,
  int32_t: 4,
  uint64_t: 8,
  double: 8,
};

/** One field of a structure. */
export interface Field {
  /** As C spells it: snake_case. */
  readonly name: string;
  readonly type: FieldType;
  /** Bytes from the start of the structure. */
  readonly offset: number;
  /** Elements of an array; absent for a single value. */
  readonly count?: number;
  /** Meaning and unit, who writes it, and which ordering readers may rely on. */
  readonly text: string;
}

/** One structure of the binary contract. */
export interface Layout {
  /** As C spells it, without the prefix: snake_case. */
  readonly name: string;
  readonly text: string;
  /** Bytes; what comes next starts at a multiple of the largest alignment inside. */
  readonly length: number;
  readonly fields: readonly Field[];
}

/** A field of one 32-bit word, or of several. */
export function u32(name: string, offset: number, text: string, count?: number): Field {
  return { name, type: "uint32_t", offset, text, ...(count === undefined ? {} : { count }) };
}

/** A field of bytes. */
export function bytes(name: string, offset: number, count: number, text: string): Field {
  return { name, type: "uint8_t", offset, count, text };
}

/** Bytes that a field occupies. */
export function fieldLength(field: Field): number {
  return FIELD_SIZES[field.type] * (field.count ?? 1);
}

/**
 * A number that changes when any name, type, offset or length does. Builds whose hashes differ
 * refuse each other's segments.
 *
 * Source: FNV-1a, 32 bits, Fowler, Noll and Vo.
 */
export function layoutHash(...layouts: readonly Layout[]): number {
  let hash = 0x811c9dc5;
  for (const { name, length, fields } of layouts) {
    const text = fields.map((f) => `${f.name} ${f.type} ${f.count ?? 1} ${f.offset}`).join("\n");
    for (const byte of new TextEncoder().encode(`${name} ${length}\n${text}\n`)) {
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
  }
  return hash >>> 0;
}
