/** The header of a table: how it is written, and checked when a table is found. */
import { LayoutError } from "../errors.ts";
import { layoutHash } from "../layout/description.ts";
import { MAX_KEY_LENGTH } from "../layout/map-layout.ts";
import { HEADER_PARAMETERS_OFFSET, SEGMENT_KINDS } from "../layout/segment-header.ts";
import {
  TABLE,
  TABLE_NAME,
  TABLE_PARAMETERS,
  TABLE_ROW,
  TABLE_STRIPE,
} from "../layout/table-layout.ts";
import { accessesPlainly } from "../memory/atomics.ts";
import type { NewHeader, Structure, StructureKind } from "../segment/structure.ts";
import { declarationLength, findForm } from "../struct/stored-struct.ts";
import type { Schema, Struct } from "../struct/struct.ts";
import {
  MAX_ROWS,
  MAX_STRIPES,
  type TableShape,
  placesOf,
  planTable,
} from "./algorithm/table-shape.ts";
import { type SharedTableNewOptions, nameLengthOf } from "./table-options.ts";

const HASH = layoutHash(TABLE, TABLE_STRIPE, TABLE_ROW, TABLE_NAME);

export const TABLE_KIND: StructureKind = {
  noun: "table",
  kinds: { [SEGMENT_KINDS.table]: { layoutHash: HASH } },
  // A private mapping shows what others write until it is written to, by a look too.
  readable: accessesPlainly(),
};

/** The most bytes of a table's data: their number is kept in 32 bits. */
const MAX_LENGTH = 2 ** 32 - 2 ** 16;

const valueLengthOf = ({ byteLength }: Struct<Schema>): number => (byteLength + 7) & ~7;

/**
 * @returns The header of a new table, with new seeds for the hash of its names.
 * @throws RangeError when it would be too large.
 */
export function tableHeader<S extends Schema>(
  action: string,
  { codec, rows, names }: SharedTableNewOptions<S>,
): NewHeader {
  const shape = planTable(rows, valueLengthOf(codec), nameLengthOf(names));
  const declared = declarationLength(codec);
  const dataLength = placesOf(shape).end + declared;
  if (dataLength > MAX_LENGTH) {
    const need = `${rows} rows of ${codec.byteLength} bytes take ${dataLength} bytes`;
    throw new RangeError(`${action}: ${need}, and it can have ${MAX_LENGTH}`);
  }
  const { blockRows, stripeCount, nameLength } = shape;
  const seeds = crypto.getRandomValues(new Uint32Array(2));
  return {
    kind: SEGMENT_KINDS.table,
    layoutHash: HASH,
    dataLength,
    parameters: [rows, codec.byteLength, blockRows, stripeCount, nameLength, ...seeds, declared],
    codec: codec.id,
  };
}

/** The checked numbers of a table that was found, or is being made. */
export interface TableNumbers<S extends Schema> {
  /** The form of the struct for the values that lie in the table. */
  readonly form: Struct<S>;
  readonly shape: TableShape;
  /** Both halves of the seed of the names' hash. */
  readonly seeds: readonly [number, number];
}

const isPowerOfTwo = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value));

/**
 * Reads the header of a table, and compares it with what the caller asked for.
 *
 * @throws LayoutError when it makes no table, or when it differs: the message names the option, or
 *   the field of the struct.
 */
export function readTable<S extends Schema>(
  structure: Structure,
  { codec, rows: askedRows, names }: Partial<SharedTableNewOptions<S>> & { codec: Struct<S> },
): TableNumbers<S> {
  const { dataLength, parameters = [] } = structure.header;
  const [rows = 0, byteLength = 0, blockRows = 0, stripeCount = 0, nameLength = 0] = parameters;
  const [low = 0, high = 0, declared = 0] = parameters.slice(TABLE_PARAMETERS.seedLow);
  const form = findForm(structure, codec, dataLength - declared, declared);
  const place = (parameter: number): number => HEADER_PARAMETERS_OFFSET + parameter * 4;
  const { byteLength: asked } = form;
  structure.mustHave("count of rows", place(TABLE_PARAMETERS.rows), rows, askedRows);
  const lengthPlace = place(TABLE_PARAMETERS.byteLength);
  structure.mustHave("length of the struct", lengthPlace, byteLength, asked);
  // Whoever says true takes names of any length.
  const isAny = names === undefined || (names === true && nameLength > 0);
  const askedLength = isAny ? undefined : nameLengthOf(names);
  structure.mustHave("bound on names", place(TABLE_PARAMETERS.nameLength), nameLength, askedLength);
  const shape = { rows, blockRows, stripeCount, nameLength, valueLength: valueLengthOf(form) };
  if (
    rows >= 1 &&
    rows <= MAX_ROWS &&
    isPowerOfTwo(blockRows) &&
    isPowerOfTwo(stripeCount) &&
    stripeCount <= MAX_STRIPES &&
    nameLength <= MAX_KEY_LENGTH &&
    placesOf(shape).end + declared === dataLength
  ) {
    return { form, shape, seeds: [low, high] };
  }
  throw new LayoutError(`Cannot open ${structure.what}: its numbers make no table`, {
    expected: `${dataLength} bytes`,
    found: JSON.stringify(shape),
    offset: structure.placed.offset + HEADER_PARAMETERS_OFFSET,
  });
}
