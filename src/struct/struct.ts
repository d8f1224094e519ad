/** struct: a schema of fixed-size fields with C's layout, over any DataView. */
import { checkBytes, checkInteger, shown } from "../arguments.ts";
import { fnv1a } from "../layout/hash.ts";
import { type Member, compileAccess } from "./access.ts";
import type { Codec } from "./codec.ts";
import { type ArrayView, arrayField, bytesField, utf8Field } from "./field-block.ts";
import {
  BASE,
  type Cursor,
  type FieldKind,
  SCALARS,
  type Scalar,
  type StructField,
  VIEW,
} from "./field.ts";
import { checkLength, withScratchForm } from "./scratch-codec.ts";

/** What stands for a field in a schema: a scalar's name, another struct, or a field made here. */
export type FieldType = Scalar | StructField<unknown>;

/** Field names and their types, in the order in which they lie in memory. */
export type Schema = Readonly<Record<string, FieldType>>;

/** The value that a field type stands for. */
export type FieldValue<F> = F extends "u64" | "i64"
  ? bigint
  : F extends "bool"
    ? boolean
    : F extends Scalar
      ? number
      : F extends StructField<infer T>
        ? T
        : never;

/** The plain object that a schema stands for. */
export type StructValue<S extends Schema> = { -readonly [K in keyof S]: FieldValue<S[K]> };

declare const ELEMENT: unique symbol;

/** An array field, as `arrayOf` makes it. */
export interface ArrayField<T> extends StructField<T[]> {
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
export function byteArray(length: number): StructField<Uint8Array> {
  return bytesField(length);
}

/** Text of at most `length` bytes in UTF-8, filled up with NUL; in C `char name[length]`. */
export function charArray(length: number): StructField<string> {
  return utf8Field(length);
}

/** Exactly `count` values of one type; in C `type name[count]`. */
export function arrayOf<const F extends FieldType>(
  element: F,
  count: number,
): ArrayField<FieldValue<F>> {
  return arrayField(kindOf("element", element), count) as ArrayField<FieldValue<F>>;
}

/** One field of a struct, and where it lies. */
export interface StructMember {
  readonly name: string;
  /** Bytes from the struct's start. */
  readonly offset: number;
  readonly byteLength: number;
  readonly alignment: number;
}

/**
 * A struct type: its layout, and how its values are read and written. Made by `struct`. It is a
 * codec too, for rings, maps and records: its id says which layout it is.
 */
export interface Struct<S extends Schema>
  extends StructField<StructValue<S>>, Codec<StructValue<S>> {
  readonly schema: S;
  readonly fields: readonly StructMember[];
  /** The layout as text: equal for equal layouts, so that two processes can compare theirs. */
  readonly signature: string;

  /**
   * The struct at `offset` as an object; arrays, bytes and strings are copies. A struct that
   * another process writes meanwhile may be read half old and half new.
   *
   * @param offset Bytes from the view's start. Default 0.
   * @throws RangeError when the view ends before; ClosedError when its memory was closed.
   */
  read(view: DataView, offset?: number): StructValue<S>;
  /** As `read`, into an object that is there: nothing is allocated for scalars. */
  readInto(view: DataView, offset: number, target: StructValue<S>): StructValue<S>;
  /**
   * Writes every field. Properties of the value that are no fields are left out.
   *
   * @throws RangeError, TypeError for a value that does not fit, or is missing; RangeError when the
   *   view ends before; ClosedError when its memory was closed. Nothing is written then.
   */
  write(view: DataView, offset: number, value: StructValue<S>): void;
  /**
   * A live accessor of the struct at `offset`. Make it once and `move` it: reading or writing a
   * property costs what the DataView call costs. A value that does not fit is refused as by
   * `write`; once the memory is closed, properties throw a ClosedError.
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

function kindOf(name: string, type: unknown): FieldKind<unknown> {
  // What was made here has these; a user's own object does not.
  if (typeof type === "object" && type !== null && "misfit" in type && "put" in type) {
    return type as FieldKind<unknown>;
  }
  const found =
    typeof type === "string" && Object.hasOwn(SCALARS, type) ? SCALARS[type] : undefined;
  if (found !== undefined) return found;
  throw new TypeError(
    `Cannot make field "${name}" of type ${shown(type)}: it is one of ` +
      `${Object.keys(SCALARS).join(", ")}, or made by byteArray, charArray, arrayOf or struct`,
  );
}

function layOut(schema: Schema): { members: Member[]; byteLength: number; alignment: number } {
  if (typeof schema !== "object" || schema === null) {
    throw new TypeError(`Cannot make a struct of ${shown(schema)}: it must be { name: type, … }`);
  }
  let offset = 0;
  let alignment = 1;
  const members = Object.entries(schema).map(([name, type]): Member => {
    // Integer-like keys would come first whatever their place, and C takes identifiers only.
    if (!IDENTIFIER.test(name) || name === "__proto__") {
      throw new TypeError(`Cannot name a field ${shown(name)}: C takes [A-Za-z_0-9] only`);
    }
    const kind = kindOf(name, type);
    alignment = Math.max(alignment, kind.alignment);
    const at = align(offset, kind.alignment);
    offset = at + kind.byteLength;
    return { name, offset: at, kind };
  });
  if (members.length === 0) throw new TypeError("Cannot make a struct without fields");
  return { members, byteLength: align(offset, alignment), alignment };
}

const structs = new WeakSet<object>();

/** @throws TypeError when a codec is no struct. */
export function checkStruct(action: string, codec: unknown): asserts codec is Struct<Schema> {
  if (typeof codec === "object" && codec !== null && structs.has(codec)) return;
  throw new TypeError(`${action}: its codec must be a struct, not ${shown(codec)}`);
}

/** Most of a signature that a message shows. */
const SIGNATURE_SHOWN = 120;

/** A codec as a message names it: by its id, and a struct also by what is in it. */
export function codecName(codec: { readonly id: string }): string {
  if (!structs.has(codec)) return codec.id;
  const fields = (codec as Struct<Schema>).signature.replaceAll(/\s+/g, " ").trim();
  const more = fields.length > SIGNATURE_SHOWN ? "…" : "";
  return `${codec.id} (${fields.slice(0, SIGNATURE_SHOWN)}${more})`;
}

function checkPlace(view: unknown, offset: unknown): void {
  if (view !== undefined && !(view instanceof DataView)) {
    throw new TypeError(`Cannot look at a struct in ${shown(view)}: it must be in a DataView`);
  }
  checkInteger("Cannot look at a struct", "its offset", offset, 0);
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
  const { members, byteLength, alignment } = layOut(schema);
  const access = compileAccess(members, byteLength);

  class Accessor implements Cursor {
    [VIEW]: DataView;
    [BASE]: number;
    constructor(view: DataView, base: number) {
      this[VIEW] = view;
      this[BASE] = base;
    }
  }
  for (const [at, property] of access.properties.entries()) {
    Object.defineProperty(Accessor.prototype, members[at]!.name, { ...property, enumerable: true });
  }

  const declare = (name: string): string => {
    const lines = members.map((each) => `${each.kind.cType(each.name)};`).join("\n");
    return `struct {\n${lines.replaceAll(/^/gm, "  ")}\n} ${name}`;
  };
  const signature = declare("");
  type Value = StructValue<S>;
  const { get, put, misfit, readInto, write } = access;

  const type: Struct<S> & FieldKind<Value> = {
    schema,
    fields: members.map(({ name, offset, kind }) => {
      return { name, offset, byteLength: kind.byteLength, alignment: kind.alignment };
    }),
    byteLength,
    alignment,
    signature,
    id: `struct:${fnv1a(signature).toString(16).padStart(8, "0")}`,
    encode(value) {
      const bytes = new Uint8Array(new ArrayBuffer(byteLength));
      write(new DataView(bytes.buffer), 0, value);
      return bytes;
    },
    decode(encoded) {
      checkBytes("Cannot decode a value", "it", encoded);
      const { buffer, byteOffset, length } = encoded;
      checkLength("a struct", byteLength, length);
      return get(new DataView(buffer, byteOffset, length), 0) as Value;
    },
    read: (view, base = 0) => access.read(view, base) as Value,
    readInto: (view, base, target) => readInto(view, base, target) as Value,
    write,
    at(view, base = 0) {
      checkPlace(view, base);
      return new Accessor(view, base) as unknown as StructView<S>;
    },
    move(accessor, base, view) {
      const cursor: unknown = accessor;
      if (!(cursor instanceof Accessor)) {
        throw new TypeError(`Cannot move ${shown(accessor)}: it is no accessor of this struct`);
      }
      if (typeof base !== "number" || base >>> 0 !== base || view !== undefined) {
        checkPlace(view, base);
      }
      cursor[BASE] = base;
      if (view !== undefined) cursor[VIEW] = view;
      return accessor;
    },
    toC(name) {
      if (typeof name === "string" && IDENTIFIER.test(name)) return `typedef ${declare(name)};\n`;
      const message = `Cannot name a struct ${shown(name)}: C takes [A-Za-z_0-9] only`;
      throw new (typeof name === "string" ? RangeError : TypeError)(message);
    },
    cType: declare,
    get: (view, base) => get(view, base) as Value,
    put,
    misfit,
    cursor: (view) => new Accessor(view, 0),
  };
  structs.add(type);
  return withScratchForm<Value, typeof type>(type, {
    encode(value, scratch) {
      scratch.reserve(byteLength);
      write(scratch.view, 0, value);
      return byteLength;
    },
    decode(scratch, offset, length) {
      checkLength("a struct", byteLength, length);
      return access.read(scratch.view, offset) as Value;
    },
  });
}
