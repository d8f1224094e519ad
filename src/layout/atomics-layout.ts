/** Named words and counters: after the segment's header, a table of names, and then the cells. */
import { type Layout, u32 } from "./description.ts";

/** Bytes of an entry of the table of names: kind, length, and the name as UTF-8. */
export const NAME_ENTRY_LENGTH = 64;
export const NAME_KIND_OFFSET = 0;
export const NAME_LENGTH_OFFSET = 4;
export const NAME_TEXT_OFFSET = 8;
/** Bytes of the longest name. */
export const MAX_ATOMIC_NAME_LENGTH: number = NAME_ENTRY_LENGTH - NAME_TEXT_OFFSET;
/** Bytes from one cell to the next: two cache lines, since processors fetch them in pairs. */
export const CELL_LENGTH = 128;

export const WORD_KIND = 1;
export const COUNTER_KIND = 2;

export const ATOMIC_NAME: Layout = {
  name: "atomic_name",
  text: "One entry of the table of names. Written once, by the creator.",
  length: NAME_ENTRY_LENGTH,
  fields: [
    u32("kind", NAME_KIND_OFFSET, "1 word, 2 counter."),
    u32("length", NAME_LENGTH_OFFSET, "Bytes of the name."),
    {
      name: "text",
      type: "uint8_t",
      offset: NAME_TEXT_OFFSET,
      count: MAX_ATOMIC_NAME_LENGTH,
      text: "UTF-8.",
    },
  ],
};

export const ATOMIC_CELL: Layout = {
  name: "atomic_cell",
  text: "A word uses only `low`, a counter both. Any process writes them, atomically.",
  length: CELL_LENGTH,
  fields: [
    u32("low", 0, "The word; or the count mod 2^32."),
    u32("half", 4, "How often the count passed a multiple of 2^31. docs/LAYOUT.md says how."),
  ],
};

/** @returns The bytes of a table of names and its cells. */
export function atomicsLength(count: number): number {
  return cellsOffset(count) + count * CELL_LENGTH;
}

/** @returns The bytes from the start of the data to the first cell. */
export function cellsOffset(count: number): number {
  return Math.ceil((count * NAME_ENTRY_LENGTH) / CELL_LENGTH) * CELL_LENGTH;
}
