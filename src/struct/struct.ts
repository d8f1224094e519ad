/** struct: a schema of fixed-size fields with C's layout, over any DataView. */
import { type ArrayView, arrayField, bytesField, derived, utf8Field } from "./field-block.ts";
import { type StructField, compileAccess } from "./access.ts";
import { BASE, type Cursor, type Field, SCALARS, type Scalar, VIEW } from "./field.ts";

/** What stands for a field in a schema: a scalar's name, another struct, or a field made here. */
export type FieldType = Scalar | Field<unknown>;

/** Field names and their types, in the order in which they lie in memory. */
export type Schema = Readonly<Record<string, FieldType>>;

/** The value that a field type stands for. */
export type FieldValue<F> = F extends "u64" | "i64"
  ? bigint
  : F extends "bool"
    ? boolean
    : F extends Scalar
      ? number
      : F extends { get(view: DataView, offset: number): infer T }
        ? T
        : never;

/** The plain object that a schema stands for. */
export type StructValue<S extends Schema> = { -readonly [K in keyof S]: FieldValue<S[K]> };

declare const ELEMENT: unique symbol;

/** An array field, as `arrayOf` makes it. */
export interface ArrayField<T> extends Field<T[]> {
  readonly [ELEMENT]?: T;
}

/** A live view of a struct: reading and writing a property reads and writes the memory. */
export type StructView<S extends Schema> = {
  -readonly [
    K in keyof S as S[K] extends Struct<Schema> | ArrayField<unknown> ? never : K
  ]: FieldValue<S[K]>;
} & {
  readonly [
    K in keyof S as S[K] extends Struct<Schema> | ArrayField<unknown> ? K : never
  ]: S[K] extends Struct<infer Inner>
    ? StructView<Inner>
    : S[K] extends ArrayField<infer T>
      ? ArrayView<T>
      : never;
};

/** Exactly `length` bytes; in C `uint8_t name[length]`. Reading copies. */
export function byteArray(length: number): Field<Uint8Array> {
  return bytesField(length);
}

/** Text of at most `length` bytes in UTF-8, filled up with NUL; in C `char name[length]`. */
export function charArray(length: number): Field<string> {
  return utf8Field(length);
}

/** Exactly `count` values of one type; in C `type name[count]`. */
export function arrayOf<const F extends FieldType>(
  element: F,
  count: number,
): ArrayField<FieldValue<F>> {
  return arrayField(fieldOf("element", element), count) as ArrayField<FieldValue<F>>;
}

/** A struct type: its layout, and how its values are read and written. Made by `struct`. */
export interface Struct<S extends Schema> extends Field<StructValue<S>> {
  readonly schema: S;
  readonly fields: readonly StructField[];
  /** The layout as text: equal for equal layouts, so that two processes can compare theirs. */
  readonly signature: string;

  /** The struct at `offset` as an object; arrays, bytes and strings are copies. */
  read(view: DataView, offset?: number): StructValue<S>;
  /** As `read`, into an object that is there: nothing is allocated for scalars. */
  readInto(view: DataView, offset: number, target: StructValue<S>): StructValue<S>;
  /** Writes every field. @throws RangeError, TypeError for a value that does not fit. */
  write(view: DataView, offset: number, value: StructValue<S>): void;
  /**
   * A live accessor of the struct at `offset`. Make it once and `move` it: reading or writing a
   * property costs what the DataView call costs.
   */
  at(view: DataView, offset?: number): StructView<S>;
  /** Lets an accessor look at another offset, of another view if given; returns it. */
  move(accessor: StructView<S>, offset: number, view?: DataView): StructView<S>;
  /** The declaration in C11, for a header: `typedef struct { … } name;`. */
  toC(name: string): string;
}

/** The values of a struct type: `type Quote = Infer<typeof Quote>`. */
export type Infer<T> = T extends Struct<infer S> ? StructValue<S> : never;

const align = (offset: number, alignment: number): number =>
  Math.ceil(offset / alignment) * alignment;

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

function fieldOf(name: string, type: FieldType): Field<unknown> {
  if (typeof type === "object" && type !== null) return type as unknown as Field<unknown>;
  const found = Object.hasOwn(SCALARS, type) ? SCALARS[type] : undefined;
  if (found !== undefined) return found as Field<unknown>;
  const known = Object.keys(SCALARS).join(", ");
  throw new TypeError(
    `Cannot make field "${name}" of type ${JSON.stringify(type)}: it is one of ${known}, or made ` +
      "by byteArray, charArray, arrayOf or struct",
  );
}

function layOut(schema: Schema): { fields: StructField[]; byteLength: number; alignment: number } {
  let offset = 0;
  let alignment = 1;
  const fields = Object.entries(schema).map(([name, type]): StructField => {
    // Integer-like keys would come first whatever their place, and C takes identifiers alone.
    if (!IDENTIFIER.test(name) || name === "__proto__") {
      throw new TypeError(
        `Cannot name a field ${JSON.stringify(name)}: C takes [A-Za-z_0-9] alone`,
      );
    }
    const field = fieldOf(name, type);
    alignment = Math.max(alignment, field.alignment);
    const at = align(offset, field.alignment);
    offset = at + field.byteLength;
    return { name, offset: at, byteLength: field.byteLength, field };
  });
  if (fields.length === 0) throw new TypeError("Cannot make a struct without fields");
  return { fields, byteLength: align(offset, alignment), alignment };
}

/**
 * Describes a struct: fixed-size fields at C's offsets (natural alignment, little-endian), so that
 * a C program that includes `toC(name)` reads the same bytes.
 *
 * Nothing here is atomic: over shared memory use it inside a SharedRecord, a SharedMap, a record of
 * a ring, or under a Mutex.
 *
 * @throws TypeError for an unknown type, a name that C does not take, or no field at all.
 * @example
 * ```ts
 * const levels = arrayOf("f32", 4);
 * const Quote = struct({ price: "f64", size: "u32", symbol: charArray(8), levels });
 * type Quote = Infer<typeof Quote>;
 *
 * const view = new DataView(new ArrayBuffer(Quote.byteLength));
 * Quote.write(view, 0, { price: 1.5, size: 3, symbol: "ABC", levels: [1, 2, 3, 4] });
 * const quote = Quote.at(view);
 * quote.size += 1;
 * console.log(quote.size, quote.levels.get(3), Quote.toC("Quote"));
 * ```
 */
export function struct<const S extends Schema>(schema: S): Struct<S> {
  const { fields, byteLength, alignment } = layOut(schema);

  class Accessor implements Cursor {
    [VIEW]: DataView;
    [BASE]: number;
    constructor(view: DataView, base: number) {
      this[VIEW] = view;
      this[BASE] = base;
    }
  }
  for (const { name, offset, field } of fields) {
    const property = { ...field.property(offset), enumerable: true, configurable: false };
    Object.defineProperty(Accessor.prototype, name, property);
  }

  const declare = (name: string): string => {
    const lines = fields.map((each) => `${each.field.cType(each.name)};`).join("\n");
    return `struct {\n${lines.replaceAll(/^/gm, "  ")}\n} ${name}`;
  };
  const { read, readInto, write } = compileAccess(fields);

  return {
    schema,
    fields,
    byteLength,
    alignment,
    signature: declare(""),
    read: (view, base = 0) => read(view, base) as StructValue<S>,
    get: (view, base) => read(view, base) as StructValue<S>,
    readInto: (view, base, target) => readInto(view, base, target) as StructValue<S>,
    write,
    set: write,
    at: (view, base = 0) => new Accessor(view, base) as unknown as StructView<S>,
    move(accessor, base, view) {
      const cursor = accessor as unknown as Cursor;
      cursor[BASE] = base;
      if (view !== undefined) cursor[VIEW] = view;
      return accessor;
    },
    cType: declare,
    toC: (name) => `typedef ${declare(name)};\n`,
    property: (at) => derived(at, (view) => new Accessor(view, 0)),
  };
}
