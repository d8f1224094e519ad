/*
 * How a table's memory is divided.
 *
 *     table    [ head 256 B | stripes 128 B each | counters | rows | names | declaration ]
 *     counters one word for each block of rows; those of a stripe lie together
 *     row      [ latest | version of value 0 | of value 1 | 0 | value 0 | value 1 ]
 *     names    [ index: words, 0 or row + 1 | one name for each row ]
 *
 * Rows that follow each other make a block, and block b belongs to stripe b mod the number of
 * stripes. So the rows of a block share a lock and a counter, and rows far apart mostly do not.
 */
import {
  NAME_BYTES_OFFSET,
  ROW_SLOTS,
  ROW_VALUES_OFFSET,
  STRIPE_LENGTH,
  TABLE_STRIPES_OFFSET,
} from "../../layout/table-layout.ts";

/** The most stripes of a table. */
export const MAX_STRIPES = 64;
const MAX_BLOCK_ROWS = 64;
/** Rows begin at a multiple of this: one of 64 bytes takes 192, and rows share no line. */
const ROW_ALIGNMENT = 64;

/** The most rows of a table: with the smallest ones it has 4 GiB. */
export const MAX_ROWS: number = 2 ** 26;

/** A table's numbers, which its header holds. */
export interface TableShape {
  readonly rows: number;
  /** Rows of a block; a power of two. */
  readonly blockRows: number;
  /** A power of two. */
  readonly stripeCount: number;
  /** Bytes of a row's value; a multiple of 8. */
  readonly valueLength: number;
  /** Bytes of the longest name; 0 for a table without names. */
  readonly nameLength: number;
}

/** Where a table's parts begin, in bytes from the start of its data. */
export interface TablePlaces {
  readonly stripes: number;
  readonly counters: number;
  /** Words from the counters of one stripe to those of the next. */
  readonly counterStride: number;
  readonly rows: number;
  readonly rowStride: number;
  readonly index: number;
  /** Words of the index; a power of two. */
  readonly indexWords: number;
  readonly names: number;
  readonly nameStride: number;
  readonly end: number;
}

const powerOfTwoFrom = (least: number): number => 2 ** Math.ceil(Math.log2(least));

/** @returns The shape of a new table: as many stripes as its rows can use, 64 at most. */
export function planTable(rows: number, valueLength: number, nameLength: number): TableShape {
  const blockRows = Math.min(MAX_BLOCK_ROWS, powerOfTwoFrom(Math.ceil(rows / MAX_STRIPES)));
  const stripeCount = Math.min(MAX_STRIPES, powerOfTwoFrom(Math.ceil(rows / blockRows)));
  return { rows, blockRows, stripeCount, valueLength, nameLength };
}

/** @returns The bytes from one row to the next. */
export function rowStride(valueLength: number): number {
  const length = ROW_VALUES_OFFSET + ROW_SLOTS * valueLength;
  return Math.ceil(length / ROW_ALIGNMENT) * ROW_ALIGNMENT;
}

/** @returns Where the parts of a table of this shape begin. */
export function placesOf(shape: TableShape): TablePlaces {
  const { rows, blockRows, stripeCount, valueLength, nameLength } = shape;
  const blocks = Math.ceil(Math.ceil(rows / blockRows) / stripeCount);
  // A cache line, and the one that is fetched with it.
  const counterStride = Math.ceil(blocks / 32) * 32;
  const counters = TABLE_STRIPES_OFFSET + stripeCount * STRIPE_LENGTH;
  const first = counters + stripeCount * counterStride * 4;
  const stride = rowStride(valueLength);
  const index = first + rows * stride;
  const indexWords = nameLength === 0 ? 0 : powerOfTwoFrom(rows * 2);
  const names = index + indexWords * 4;
  const nameStride = nameLength === 0 ? 0 : Math.ceil((NAME_BYTES_OFFSET + nameLength) / 8) * 8;
  const end = Math.ceil((names + rows * nameStride) / 128) * 128;
  return {
    stripes: TABLE_STRIPES_OFFSET,
    counters,
    counterStride,
    rows: first,
    rowStride: stride,
    index,
    indexWords,
    names,
    nameStride,
    end,
  };
}
