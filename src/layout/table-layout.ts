/**
 * A shared table: many rows of one struct. After the segment's header come a head, the stripes, the
 * blocks' counters, the rows, the names if there are any, and the declaration of the struct. Where
 * each begins is in src/table/algorithm/table-shape.ts.
 */
import { type Layout, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";

/** The indices of a table's numbers among the parameters of its header. */
export const TABLE_PARAMETERS = {
  rows: 0,
  byteLength: 1,
  blockRows: 2,
  stripeCount: 3,
  nameLength: 4,
  seedLow: 5,
  seedHigh: 6,
  declared: 7,
} as const;

/** Offsets in bytes from the start of the table's data. */
export const TABLE_WAIT_POINT_OFFSET = 0;
export const TABLE_NAMES_LOCK_OFFSET = 128;
export const TABLE_NAME_COUNT_OFFSET = 192;
export const TABLE_STRIPES_OFFSET = 256;

/** Offsets in bytes from the start of a stripe, and its length. */
export const STRIPE_WRITES_OFFSET = 64;
export const STRIPE_REPAIRS_OFFSET = 68;
export const STRIPE_LENGTH = 128;

/** Offsets in bytes from the start of a row. */
export const ROW_LATEST_OFFSET = 0;
export const ROW_VERSIONS_OFFSET = 4;
export const ROW_VALUES_OFFSET = 16;
/** Versions that a row has room for. */
export const ROW_SLOTS = 2;

/** Offsets in bytes from the start of a name. */
export const NAME_HASH_OFFSET = 0;
export const NAME_BYTE_LENGTH_OFFSET = 4;
export const NAME_BYTES_OFFSET = 8;

export const TABLE: Layout = {
  name: "table",
  text: "Starts a table's data. The stripes follow.",
  length: TABLE_STRIPES_OFFSET,
  fields: [
    u32("changed", TABLE_WAIT_POINT_OFFSET, "A wait point, woken after each write.", 32),
    u32("names_lock", TABLE_NAMES_LOCK_OFFSET, "Who gives names to rows.", LOCK_LENGTH / 4),
    u32(
      "name_count",
      TABLE_NAME_COUNT_OFFSET,
      "Rows that have a name: the first ones. Stored with release after the name.",
    ),
  ],
};

export const TABLE_STRIPE: Layout = {
  name: "table_stripe",
  text: "One for the writers of the blocks whose number, modulo the number of stripes, is its own.",
  length: STRIPE_LENGTH,
  fields: [
    u32("lock", 0, "The writers' lock: see the lock.", LOCK_LENGTH / 4),
    u32(
      "writes",
      STRIPE_WRITES_OFFSET,
      "Writes begun, mod 2^32. Raised after the block's counter became odd. SYNC table-stripe.",
    ),
    u32("repairs", STRIPE_REPAIRS_OFFSET, "Locks that were taken from a dead writer, mod 2^32."),
  ],
};

export const TABLE_ROW: Layout = {
  name: "table_row",
  text: "Starts a row; its two values follow. Version v lies in value v mod 2.",
  length: ROW_VALUES_OFFSET,
  fields: [
    u32(
      "latest",
      ROW_LATEST_OFFSET,
      "The newest version, 0 before the first. The writer, after the value. SYNC table-published.",
    ),
    u32(
      "versions",
      ROW_VERSIONS_OFFSET,
      "The version that each value is of; 0 while it is written. SYNC table-slot.",
      ROW_SLOTS,
    ),
  ],
};

export const TABLE_NAME: Layout = {
  name: "table_name",
  text: "Starts a row's name; its bytes follow, filled up to a word with zeros. It never changes.",
  length: NAME_BYTES_OFFSET,
  fields: [
    u32("hash", NAME_HASH_OFFSET, "HalfSipHash-1-3 of the name."),
    u32("length", NAME_BYTE_LENGTH_OFFSET, "Bytes of UTF-8."),
  ],
};
