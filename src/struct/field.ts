/**
 * The kinds of a struct's fields: their size, their type in C, and how they are read and written.
 */
import { shown } from "../arguments.ts";
import type { Misfit } from "./misfit.ts";

/** The names of the scalars: values of fixed size, which C has too. */
export type Scalar =
  "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64" | "u64" | "i64" | "bool";

declare const VALUE: unique symbol;

/**
 * The type of a field of fixed size. Only `byteArray`, `charArray`, `arrayOf` and `struct` make
 * one: its last property exists only for the compiler, so that no other object passes for a field.
 */
export interface StructField<T> {
  /** Bytes that the field takes. */
  readonly byteLength: number;
  /** The field's offset is a multiple of this many bytes, as in C. */
  readonly alignment: number;
  /** @returns The declaration in C: `cType("x")` is `uint32_t x`. */
  cType(name: string): string;
  readonly [VALUE]: T;
}

/** Keys that no field name can collide with. */
export const VIEW: unique symbol = Symbol("view");
export const BASE: unique symbol = Symbol("base");

/** What an accessor shows: a view, and the offset of its struct in that view. */
export interface Cursor {
  [VIEW]: DataView;
  [BASE]: number;
}

/** The text of a field's accesses in the code that is compiled for one struct. */
export interface FieldCode {
  /** @returns The text of an expression. */
  read(view: string, offset: string): string;
  /** @returns The text of a statement. */
  write(view: string, offset: string, value: string): string;
  /** @returns The text of a condition. */
  fits(value: string): string;
}

/** What a kind of field can do. Nothing here checks where a view ends: the engine does. */
export interface FieldKind<T> extends Omit<StructField<T>, typeof VALUE> {
  /** Reads the value, little-endian. @returns The value; arrays, bytes and strings are copies. */
  get(view: DataView, offset: number): T;
  /** Writes a value that fits. */
  put(view: DataView, offset: number, value: T): void;
  /** @returns Why a value does not fit; undefined when it does. */
  misfit(value: unknown): Misfit | undefined;
  /**
   * Reads the parts of a value once, since each may be a getter of the user's. Only a kind whose
   * values have such parts has it.
   *
   * @returns The parts in a plain value; a value of another type is returned as it is.
   */
  take?(value: unknown): unknown;
  /** Only a scalar has it. */
  readonly code?: FieldCode;
  /** Whether it lies in no memory that views show: its cursors stay where they are. */
  readonly isAbsent?: true;
  /**
   * Makes the live view that an accessor shows in the place of a value; only where there is one.
   */
  cursor?(view: DataView): Cursor;
}

/** @returns A kind of field as the type that its user sees. */
export function asField<T>(kind: FieldKind<T>): StructField<T> {
  return kind as FieldKind<T> & StructField<T>;
}

/** One scalar: its type in C, its methods in DataView, and its values. */
interface ScalarRow {
  /** The type in C. */
  readonly c: string;
  readonly byteLength: number;
  readonly type: "number" | "bigint" | "boolean";
  /** What follows `get` and `set` in the names of DataView's methods. */
  readonly method: string;
  /** The text of a condition on a value `v` of the type; "" when all values fit. */
  readonly range: string;
  /** What a value must be, for messages. */
  readonly rule: string;
}

const integer = (
  c: string,
  method: string,
  range: string,
  least: number,
  most: number,
): ScalarRow => ({
  c,
  byteLength: Number(/\d+/.exec(method)![0]) / 8,
  type: "number",
  method,
  range,
  rule: `an integer from ${least} to ${most}`,
});

const bigInteger = (c: string, method: string, least: bigint, most: bigint): ScalarRow => ({
  c,
  byteLength: 8,
  type: "bigint",
  method,
  range: `v >= ${least}n && v <= ${most}n`,
  rule: `a bigint from ${least} to ${most}`,
});

/** Half a step above the largest f32: from here on a number would be rounded to infinity. */
const F32_END = 2 ** 128 - 2 ** 103;

const ROWS: Readonly<Record<Scalar, ScalarRow>> = {
  u8: integer("uint8_t", "Uint8", "(v & 0xff) === v", 0, 255),
  i8: integer("int8_t", "Int8", "(v << 24 >> 24) === v", -128, 127),
  u16: integer("uint16_t", "Uint16", "(v & 0xffff) === v", 0, 65535),
  i16: integer("int16_t", "Int16", "(v << 16 >> 16) === v", -32768, 32767),
  u32: integer("uint32_t", "Uint32", "(v >>> 0) === v", 0, 2 ** 32 - 1),
  i32: integer("int32_t", "Int32", "(v | 0) === v", -(2 ** 31), 2 ** 31 - 1),
  f32: {
    c: "float",
    byteLength: 4,
    type: "number",
    method: "Float32",
    // NaN and the infinities are the numbers for which v - v is not 0.
    range: `(Math.abs(v) < ${F32_END} || v - v !== 0)`,
    rule: "a number that a float holds",
  },
  f64: {
    c: "double",
    byteLength: 8,
    type: "number",
    method: "Float64",
    range: "",
    rule: "a number",
  },
  u64: bigInteger("uint64_t", "BigUint64", 0n, 2n ** 64n - 1n),
  i64: bigInteger("int64_t", "BigInt64", -(2n ** 63n), 2n ** 63n - 1n),
  // C's bool is one byte that holds 0 or 1; another value would be undefined behaviour there.
  bool: {
    c: "bool",
    byteLength: 1,
    type: "boolean",
    method: "Uint8",
    range: "",
    rule: "true or false",
  },
};

function codeOf({ byteLength, type, method, range }: ScalarRow): FieldCode {
  const end = byteLength === 1 ? "" : ", true";
  const isType = (value: string): string => `typeof ${value} === "${type}"`;
  return {
    read(view, offset) {
      const call = `${view}.get${method}(${offset}${end})`;
      return type === "boolean" ? `${call} !== 0` : call;
    },
    write(view, offset, value) {
      const stored = type === "boolean" ? `${value} ? 1 : 0` : value;
      return `${view}.set${method}(${offset}, ${stored}${end});`;
    },
    fits(value) {
      const inRange = range.replaceAll(/\bv\b/g, value);
      return inRange === "" ? isType(value) : `(${isType(value)} && ${inRange})`;
    },
  };
}

function scalar(row: ScalarRow): FieldKind<unknown> {
  const code = codeOf(row);
  // Each scalar gets its own functions: the engine inlines a call site that always calls one method
  // of DataView to a load or a store, and does not inline one that calls several.
  const made = new Function(`return {
    get: (view, offset) => ${code.read("view", "offset")},
    put: (view, offset, value) => { ${code.write("view", "offset", "value")} },
    fits: (value) => ${code.fits("value")},
  };`)() as Pick<FieldKind<unknown>, "get" | "put"> & { fits(value: unknown): boolean };
  return {
    byteLength: row.byteLength,
    alignment: row.byteLength,
    cType: (name) => `${row.c} ${name}`,
    get: made.get,
    put: made.put,
    misfit(value) {
      if (made.fits(value)) return undefined;
      const wrong = typeof value === row.type ? RangeError : TypeError;
      return { path: "", found: shown(value), rule: row.rule, error: wrong };
    },
    code,
  };
}

/** The scalars by name. */
export const SCALARS: Readonly<Record<string, FieldKind<unknown>>> = Object.fromEntries(
  Object.entries(ROWS).map(([name, row]) => [name, scalar(row)]),
);
