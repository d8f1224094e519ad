/** struct: a schema of fixed-size fields with C's layout, over any DataView. */
import { checkBytes, checkInteger, checkOptions, shown } from "../arguments.ts";
import { fnv1a } from "../layout/hash.ts";
import { type Member, compileAccess } from "./access.ts";
import type { Codec } from "./codec.ts";
import { type ArrayView, arrayField, bytesField, utf8Field } from "./field-block.ts";
import { type Defaults, absentMember, encodeDefaults } from "./defaults.ts";
import {
  BASE,
  type Cursor,
  type FieldKind,
  SCALARS,
  type Scalar,
  type StructField,
  VIEW,
  asField,
} from "./field.ts";
import { checkLength, withScratchForm } from "./scratch-codec.ts";

/** The type of a field: a scalar's name, another struct, or what the functions here make. */
export type FieldType = Scalar | StructField<unknown>;

/** Field names and their types, in the order in which they lie in memory. */
export type Schema = Readonly<Record<string, FieldType>>;

/** The type of a field's values. */
export type FieldValue<F> = F extends "u64" | "i64"
  ? bigint
  : F extends "bool"
    ? boolean
    : F extends Scalar
      ? number
      : F extends StructField<infer T>
        ? T
        : never;

/** The type of a struct's values: plain objects. */
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

/**
 * Makes a field of exactly `length` bytes; in C `uint8_t name[length]`.
 *
 * @param length Bytes, from 1 to 2^24.
 * @returns The field. Its value is a Uint8Array; what is read is a copy.
 * @throws RangeError, TypeError for a bad length.
 */
export function byteArray(length: number): StructField<Uint8Array> {
  return asField(bytesField(length));
}

/**
 * Makes a field of text, filled up with NUL; in C `char name[length]`.
 *
 * @param length The most bytes of the text's UTF-8, from 1 to 2^24.
 * @returns The field. Its value is a string, without NUL and without lone surrogates.
 * @throws RangeError, TypeError for a bad length.
 */
export function charArray(length: number): StructField<string> {
  return asField(utf8Field(length));
}

/**
 * Makes a field of exactly `count` values of one type; in C `type name[count]`.
 *
 * @param count Elements, from 1 to 2^24.
 * @returns The field. Its value is an array; an accessor has an ArrayView in its place.
 * @throws RangeError, TypeError for a bad count or element type.
 */
export function arrayOf<const F extends FieldType>(
  element: F,
  count: number,
): ArrayField<FieldValue<F>> {
  return asField(arrayField(kindOf("element", element), count)) as ArrayField<FieldValue<F>>;
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
 * A struct type: its layout, and the functions that read and write its values. Made by `struct`. It
 * is also a codec for rings, maps and records; its id stands for its layout.
 *
 * No function blocks, and none is atomic: a struct that another process writes meanwhile may be
 * read half old and half new.
 */
export interface Struct<S extends Schema>
  extends StructField<StructValue<S>>, Codec<StructValue<S>> {
  readonly schema: S;
  readonly fields: readonly StructMember[];
  /** The layout as text: equal for equal layouts, so that two processes can compare theirs. */
  readonly signature: string;

  /**
   * Reads the struct at `offset`.
   *
   * @param offset Bytes from the view's start. Default 0.
   * @returns A new object; arrays, bytes and strings are copies.
   * @throws RangeError when the view ends too early, or for a bad offset; TypeError for a bad view;
   *   ClosedError when the view's memory was closed.
   */
  read(view: DataView, offset?: number): StructValue<S>;
  /**
   * Reads the struct at `offset` into an existing object; allocates nothing for scalars.
   * @returns That object. @throws The errors of `read`.
   */
  readInto(view: DataView, offset: number, target: StructValue<S>): StructValue<S>;
  /**
   * Writes every field. Other properties of the value are ignored.
   *
   * @param offset Bytes from the view's start.
   * @throws RangeError, TypeError for a field that does not fit, or is missing; also the errors of
   *   `read`. Nothing is written then.
   */
  write(view: DataView, offset: number, value: StructValue<S>): void;
  /**
   * Makes a live accessor of the struct at `offset`. Make one and `move` it: reading or writing a
   * property costs what the DataView call costs.
   *
   * @param offset Bytes from the view's start. Default 0.
   * @returns The accessor. A property refuses a value that does not fit, like `write`, and throws a
   *   RangeError beyond the view's end, and a ClosedError once the view's memory is closed.
   * @throws RangeError, TypeError for a bad offset or view.
   */
  at(view: DataView, offset?: number): StructView<S>;
  /**
   * Points an accessor at another offset, and at another view if one is given.
   * @returns The accessor. @throws RangeError, TypeError for a bad offset or view.
   */
  move(accessor: StructView<S>, offset: number, view?: DataView): StructView<S>;
  /** @returns The declaration in C11, for a header: `typedef struct { … } name;`. */
  toC(name: string): string;
}

/** What a struct has besides its fields. */
export interface StructOptions<S extends Schema> {
  /**
   * Values of the last fields, by name, for what was made before the struct had them. Every field
   * after the first one that has a default needs one too. Default: none.
   */
  readonly defaults?: Partial<NoInfer<StructValue<S>>> | undefined;
}

/** The values of a struct type: `type Quote = Infer<typeof Quote>`. */
export type Infer<T> = T extends Struct<infer S> ? StructValue<S> : never;

const align = (offset: number, alignment: number): number =>
  Math.ceil(offset / alignment) * alignment;

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

function kindOf(name: string, type: unknown): FieldKind<unknown> {
  // What this package made has these methods; an object of the user's own does not.
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

interface StructLayout {
  readonly members: readonly Member[];
  /** How many of the members lie in memory: the first ones. */
  readonly held: number;
  readonly byteLength: number;
  readonly alignment: number;
}

function layOut(schema: Schema): StructLayout {
  if (typeof schema !== "object" || schema === null) {
    throw new TypeError(`Cannot make a struct of ${shown(schema)}: it must be { name: type, … }`);
  }
  let offset = 0;
  const members = Object.entries(schema).map(([name, type]): Member => {
    // Integer-like keys would come first wherever they stand, and C takes only identifiers.
    if (!IDENTIFIER.test(name) || name === "__proto__") {
      throw new TypeError(`Cannot name a field ${shown(name)}: C takes [A-Za-z_0-9] only`);
    }
    const kind = kindOf(name, type);
    const at = align(offset, kind.alignment);
    offset = at + kind.byteLength;
    return { name, offset: at, kind };
  });
  if (members.length === 0) throw new TypeError("Cannot make a struct without fields");
  return layOutFirst(members, members.length);
}

/** @returns The layout of the struct that has only the first `held` of these members. */
function layOutFirst(members: readonly Member[], held: number): StructLayout {
  const alignment = Math.max(...members.slice(0, held).map(({ kind }) => kind.alignment));
  const { offset, kind } = members[held - 1]!;
  return { members, held, byteLength: align(offset + kind.byteLength, alignment), alignment };
}

function declare({ members, held }: StructLayout, name: string): string {
  const lines = members.slice(0, held).map((each) => `${each.kind.cType(each.name)};`);
  return `struct {\n${lines.join("\n").replaceAll(/^/gm, "  ")}\n} ${name}`;
}

/** @returns The id of every struct whose layout has this declaration. */
export function structId(signature: string): string {
  return `struct:${fnv1a(signature).toString(16).padStart(8, "0")}`;
}

const structs = new WeakSet<object>();

/** The forms of a struct, by id: its own, and those from before its last fields. */
const forms = new WeakMap<object, Map<string, () => object>>();

/**
 * @param id Of the struct that something was made with.
 * @returns The struct for values that lie there: itself; the form without its last fields, which
 *   shows their defaults; or undefined when neither fits.
 */
export function formOf<C extends object>(codec: C, id: string): C | undefined {
  return forms.get(codec)?.get(id)?.() as C | undefined;
}

/** @returns The names of the fields of a struct that a form of it does not hold. */
export function missingFields(codec: object, form: object): readonly string[] {
  if (codec === form || !structs.has(codec)) return [];
  const names = (codec as Struct<Schema>).fields.map(({ name }) => name);
  return names.slice((form as Struct<Schema>).fields.length);
}

/** @throws TypeError when a codec is no struct. */
export function checkStruct(action: string, codec: unknown): asserts codec is Struct<Schema> {
  if (typeof codec === "object" && codec !== null && structs.has(codec)) return;
  throw new TypeError(`${action}: its codec must be a struct, not ${shown(codec)}`);
}

/** The most characters of a signature that a message shows. */
const SIGNATURE_SHOWN = 120;

/** @returns What a message calls a codec: its id, and the fields of a struct. */
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
 * Nothing here is atomic: in shared memory, use it inside a SharedRecord, a SharedMap or a record
 * of a ring, or under a Mutex.
 *
 * A struct may grow: append fields, and give each a default. The grown struct still opens records,
 * tables and maps that were made with the shorter one; there the new fields read as their defaults,
 * and writing another value is a RangeError.
 *
 * @param schema The fields' names and types, in the order in which they lie in memory.
 * @returns The struct type.
 * @throws TypeError for an unknown type, a name that C does not take, no field at all, or a default
 *   of a field that others without one follow; TypeError, RangeError for a default that does not
 *   fit.
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
export function struct<const S extends Schema>(
  schema: S,
  options: StructOptions<S> = {},
): Struct<S> {
  const layout = layOut(schema);
  const { members, byteLength } = layout;
  checkOptions("Cannot make a struct", options, ["defaults"]);
  const defaults = encodeDefaults(members, byteLength, options.defaults);
  const type = makeStruct(schema, layout);
  const known = new Map<string, () => object>();
  for (let held = members.length - 1; held >= defaults.first; held--) {
    const older = layOutFirst(members, held);
    let form: object | undefined;
    // Compiled where it is met, which is seldom.
    known.set(structId(declare(older, "")), () => (form ??= makeOlder(schema, older, defaults)));
  }
  // Last, so that no shorter form whose hash is the same takes its place.
  forms.set(
    type,
    known.set(type.id, () => type),
  );
  return type;
}

/** @returns A struct with the same values, whose last fields are not in memory. */
function makeOlder<S extends Schema>(schema: S, layout: StructLayout, defaults: Defaults) {
  const members = layout.members.map((member, at) =>
    at < layout.held ? member : absentMember(member, defaults.view),
  );
  return makeStruct(schema, { ...layout, members });
}

function makeStruct<S extends Schema>(schema: S, layout: StructLayout): Struct<S> {
  const { members, held, byteLength, alignment } = layout;
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

  const signature = declare(layout, "");
  type Value = StructValue<S>;
  const { get, put, misfit, take, readInto, write } = access;

  const made: Omit<Struct<S>, keyof StructField<Value>> & FieldKind<Value> = {
    schema,
    fields: members.slice(0, held).map(({ name, offset, kind }) => {
      return { name, offset, byteLength: kind.byteLength, alignment: kind.alignment };
    }),
    byteLength,
    alignment,
    signature,
    id: structId(signature),
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
      if (typeof name === "string" && IDENTIFIER.test(name))
        return `typedef ${declare(layout, name)};\n`;
      const message = `Cannot name a struct ${shown(name)}: C takes [A-Za-z_0-9] only`;
      throw new (typeof name === "string" ? RangeError : TypeError)(message);
    },
    cType: (name) => declare(layout, name),
    get: (view, base) => get(view, base) as Value,
    put,
    misfit,
    take,
    cursor: (view) => new Accessor(view, 0),
  };
  const type = made as typeof made & Struct<S>;
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
