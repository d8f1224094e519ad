/** The fields of a struct: what each takes in memory, in C, and how it is read and written. */

/** Names of the fixed-size values that C knows too. */
export type Scalar =
  "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64" | "u64" | "i64" | "bool";

/** Keys that no field name can collide with. */
export const VIEW: unique symbol = Symbol("view");
export const BASE: unique symbol = Symbol("base");

/** Where an accessor looks: a view, and the offset of its struct in it. */
export interface Cursor {
  [VIEW]: DataView;
  [BASE]: number;
}

/** A property of an accessor class. */
export type Property = PropertyDescriptor & ThisType<Cursor>;

/** A value of fixed length at an offset of a view; little-endian, aligned as C aligns it. */
export interface Field<T> {
  /** Bytes. */
  readonly byteLength: number;
  /** The offset of the field is a multiple of it. */
  readonly alignment: number;
  /** The declaration in C: `cType("x")` is `uint32_t x`. */
  cType(name: string): string;
  /** Reads the value; arrays, bytes and strings are copies. */
  get(view: DataView, offset: number): T;
  /** Writes the value. @throws RangeError when it does not fit, TypeError for another type. */
  set(view: DataView, offset: number, value: T): void;
  /** How DataView's methods are named after `get` and `set`, if it has some. @internal */
  readonly method?: string;
  /** The property of an accessor class for the field at `offset` of its base. @internal */
  property(offset: number): Property;
}

function scalar<T>(
  byteLength: number,
  cName: string,
  methods: Pick<Field<T>, "get" | "set" | "property" | "method">,
): Field<T> {
  return { byteLength, alignment: byteLength, cType: (name) => `${cName} ${name}`, ...methods };
}

/*
 * Each scalar spells its DataView call out, twice: a call site that always meets one method is
 * inlined to a load or a store, one that meets several is not.
 */

const u8: Field<number> = scalar(1, "uint8_t", {
  method: "Uint8",
  get: (view, offset) => view.getUint8(offset),
  set: (view, offset, value) => view.setUint8(offset, value),
  property: (at): Property => ({
    get() {
      return this[VIEW].getUint8(this[BASE] + at);
    },
    set(value: number) {
      this[VIEW].setUint8(this[BASE] + at, value);
    },
  }),
});

const i8: Field<number> = scalar(1, "int8_t", {
  method: "Int8",
  get: (view, offset) => view.getInt8(offset),
  set: (view, offset, value) => view.setInt8(offset, value),
  property: (at): Property => ({
    get() {
      return this[VIEW].getInt8(this[BASE] + at);
    },
    set(value: number) {
      this[VIEW].setInt8(this[BASE] + at, value);
    },
  }),
});

const u16: Field<number> = scalar(2, "uint16_t", {
  method: "Uint16",
  get: (view, offset) => view.getUint16(offset, true),
  set: (view, offset, value) => view.setUint16(offset, value, true),
  property: (at): Property => ({
    get() {
      return this[VIEW].getUint16(this[BASE] + at, true);
    },
    set(value: number) {
      this[VIEW].setUint16(this[BASE] + at, value, true);
    },
  }),
});

const i16: Field<number> = scalar(2, "int16_t", {
  method: "Int16",
  get: (view, offset) => view.getInt16(offset, true),
  set: (view, offset, value) => view.setInt16(offset, value, true),
  property: (at): Property => ({
    get() {
      return this[VIEW].getInt16(this[BASE] + at, true);
    },
    set(value: number) {
      this[VIEW].setInt16(this[BASE] + at, value, true);
    },
  }),
});

const u32: Field<number> = scalar(4, "uint32_t", {
  method: "Uint32",
  get: (view, offset) => view.getUint32(offset, true),
  set: (view, offset, value) => view.setUint32(offset, value, true),
  property: (at): Property => ({
    get() {
      return this[VIEW].getUint32(this[BASE] + at, true);
    },
    set(value: number) {
      this[VIEW].setUint32(this[BASE] + at, value, true);
    },
  }),
});

const i32: Field<number> = scalar(4, "int32_t", {
  method: "Int32",
  get: (view, offset) => view.getInt32(offset, true),
  set: (view, offset, value) => view.setInt32(offset, value, true),
  property: (at): Property => ({
    get() {
      return this[VIEW].getInt32(this[BASE] + at, true);
    },
    set(value: number) {
      this[VIEW].setInt32(this[BASE] + at, value, true);
    },
  }),
});

const f32: Field<number> = scalar(4, "float", {
  method: "Float32",
  get: (view, offset) => view.getFloat32(offset, true),
  set: (view, offset, value) => view.setFloat32(offset, value, true),
  property: (at): Property => ({
    get() {
      return this[VIEW].getFloat32(this[BASE] + at, true);
    },
    set(value: number) {
      this[VIEW].setFloat32(this[BASE] + at, value, true);
    },
  }),
});

const f64: Field<number> = scalar(8, "double", {
  method: "Float64",
  get: (view, offset) => view.getFloat64(offset, true),
  set: (view, offset, value) => view.setFloat64(offset, value, true),
  property: (at): Property => ({
    get() {
      return this[VIEW].getFloat64(this[BASE] + at, true);
    },
    set(value: number) {
      this[VIEW].setFloat64(this[BASE] + at, value, true);
    },
  }),
});

const u64: Field<bigint> = scalar(8, "uint64_t", {
  method: "BigUint64",
  get: (view, offset) => view.getBigUint64(offset, true),
  set: (view, offset, value) => view.setBigUint64(offset, value, true),
  property: (at): Property => ({
    get() {
      return this[VIEW].getBigUint64(this[BASE] + at, true);
    },
    set(value: bigint) {
      this[VIEW].setBigUint64(this[BASE] + at, value, true);
    },
  }),
});

const i64: Field<bigint> = scalar(8, "int64_t", {
  method: "BigInt64",
  get: (view, offset) => view.getBigInt64(offset, true),
  set: (view, offset, value) => view.setBigInt64(offset, value, true),
  property: (at): Property => ({
    get() {
      return this[VIEW].getBigInt64(this[BASE] + at, true);
    },
    set(value: bigint) {
      this[VIEW].setBigInt64(this[BASE] + at, value, true);
    },
  }),
});

// C's bool is one byte that holds 0 or 1; another value would be undefined behaviour there.
const bool: Field<boolean> = scalar(1, "bool", {
  get: (view, offset) => view.getUint8(offset) !== 0,
  set: (view, offset, value) => view.setUint8(offset, value ? 1 : 0),
  property: (at): Property => ({
    get() {
      return this[VIEW].getUint8(this[BASE] + at) !== 0;
    },
    set(value: boolean) {
      this[VIEW].setUint8(this[BASE] + at, value ? 1 : 0);
    },
  }),
});

/** The scalars by name. */
export const SCALARS: Readonly<Record<Scalar, Field<number> | Field<bigint> | Field<boolean>>> = {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  f64,
  u64,
  i64,
  bool,
};
