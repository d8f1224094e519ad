/** The options of tables, and their checks. */
import { checkInteger, checkOptions, shown } from "../arguments.ts";
import { MAX_KEY_LENGTH } from "../layout/map-layout.ts";
import {
  type StructureCreateOptions,
  type PlacedInitOptions,
  type StructureOpenOptions,
  structureOptions,
} from "../segment/placed-options.ts";
import type { Stats } from "../segment/stats.ts";
import type { Scalar } from "../struct/field.ts";
import { type Schema, type Struct, checkStruct } from "../struct/struct.ts";
import type { AsyncWaitOptions } from "../waiting/wait-options.ts";
import { MAX_ROWS } from "./algorithm/table-shape.ts";

/** What a table holds. */
export interface SharedTableOptions<S extends Schema> {
  /** The struct of which each row holds a value. */
  readonly codec: Struct<S>;
}

/** How large a table is. */
export interface SharedTableNewOptions<S extends Schema> extends SharedTableOptions<S> {
  /** How many rows there are; from 1 to 2^26, in 4 GiB at most. */
  readonly rows: number;
  /**
   * Whether rows can have names: true for names of up to 24 bytes of UTF-8, or the most bytes, from
   * 1 to 1024. Default false.
   */
  readonly names?: boolean | number | undefined;
}

/** How to make a table in a segment of its own. */
export interface SharedTableCreateOptions<S extends Schema>
  extends StructureCreateOptions, SharedTableNewOptions<S> {}

/** How to make a table inside the caller's segment. */
export interface SharedTableInitOptions<S extends Schema>
  extends PlacedInitOptions, SharedTableNewOptions<S> {}

/** How to find a table that has a segment of its own. */
export interface SharedTableOpenOptions<S extends Schema>
  extends StructureOpenOptions, SharedTableOptions<S> {}

/** Which changes are reported, and how long. */
export interface SharedTableChangesOptions extends Pick<AsyncWaitOptions, "signal" | "ref"> {
  /**
   * "beginning" reports every row that was ever written first, so that nothing is missed between a
   * look at the table and the first change; "now" reports only what changes after the call. Default
   * "beginning".
   */
  readonly from?: "beginning" | "now" | undefined;
}

/** What a table counts. */
export interface SharedTableStats extends Stats {
  /** The number of writes that were begun, mod 2^32. */
  readonly in: number;
  /** The number of rows. */
  readonly capacity: number;
  /** How often a writer took a lock over from one that was killed, mod 2^32. */
  readonly repaired: number;
}

/** The names of a struct's scalar fields, each of which is a column. */
export type ColumnName<S extends Schema> = {
  [K in keyof S & string]: S[K] extends Scalar ? K : never;
}[keyof S & string];

/** The typed array of a column's values; that of a bool has 0 and 1. */
export type Column<F> = F extends keyof ColumnArrays ? ColumnArrays[F] : never;

/** The typed array of each scalar. */
export interface ColumnArrays {
  readonly u8: Uint8Array;
  readonly i8: Int8Array;
  readonly u16: Uint16Array;
  readonly i16: Int16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  readonly i64: BigInt64Array;
  readonly bool: Uint8Array;
}

/** The names of the options of each call. */
const OPTIONS = structureOptions(["codec", "rows", "names"], ["codec"]);

const DEFAULT_NAME_LENGTH = 24;

/** @returns The most bytes of a name; 0 when there are none. */
export function nameLengthOf(names: boolean | number | undefined): number {
  if (typeof names === "number") return names;
  return names === true ? DEFAULT_NAME_LENGTH : 0;
}

/** Checks the options of a call that finds a table. @throws TypeError. */
export function checkFindOptions(action: string, call: "open" | "at", options: unknown): void {
  checkOptions(action, options, OPTIONS[call]);
  checkStruct(action, (Object(options) as { codec?: unknown }).codec);
}

/** Checks the options of a call that makes a table. @throws TypeError, RangeError. */
export function checkNewOptions(
  action: string,
  call: "create" | "openOrCreate" | "init",
  options: unknown,
): void {
  checkOptions(action, options, OPTIONS[call]);
  const { codec, rows, names } = Object(options) as Record<string, unknown>;
  checkStruct(action, codec);
  checkInteger(action, "its rows", rows, 1, MAX_ROWS);
  if (names === undefined || typeof names === "boolean") return;
  if (typeof names === "number") {
    checkInteger(action, "its names", names, 1, MAX_KEY_LENGTH);
    return;
  }
  throw new TypeError(`${action}: its names must be true or a number, not ${shown(names)}`);
}
