/** Fields of several bytes: byte strings, text and arrays. */
import { BASE, type Cursor, type Field, type Property, VIEW } from "./field.ts";

/** Checks a count of bytes or elements. @throws RangeError */
function checkCount(what: string, count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= 2 ** 24) return;
  throw new RangeError(
    `Cannot make ${what} of ${String(count)}: it must be an integer from 1 to ${2 ** 24}`,
  );
}

/** Bytes of a view, for the length of one call. */
function window(view: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}

type Copying<T> = Pick<Field<T>, "byteLength" | "cType" | "get" | "set">;

/** A field of single bytes whose accessor property copies. */
function copying<T>(methods: Copying<T>): Field<T> {
  const property = (at: number): Property => ({
    get() {
      return methods.get(this[VIEW], this[BASE] + at);
    },
    set(value: T) {
      methods.set(this[VIEW], this[BASE] + at, value);
    },
  });
  return { alignment: 1, property, ...methods };
}

/** `length` bytes: in C `uint8_t name[length]`. Written whole. */
export function bytesField(length: number): Field<Uint8Array> {
  checkCount("a bytes field", length);
  return copying<Uint8Array>({
    byteLength: length,
    cType: (name) => `uint8_t ${name}[${length}]`,
    get: (view, offset) => window(view, offset, length).slice(),
    set(view, offset, value) {
      if (value.length !== length) {
        throw new RangeError(
          `Cannot write ${value.length} bytes to a field of ${length}: it is written whole`,
        );
      }
      window(view, offset, length).set(value);
    },
  });
}

const encoder = new TextEncoder();

/** Text of at most `length` UTF-8 bytes, filled up with NUL: in C `char name[length]`. */
export function utf8Field(length: number): Field<string> {
  checkCount("a utf8 field", length);
  // The bytes are copied before they are decoded: another process may write them meanwhile.
  const copy = Buffer.from(new ArrayBuffer(length));
  return copying<string>({
    byteLength: length,
    cType: (name) => `char ${name}[${length}]`,
    get(view, offset) {
      let used = 0;
      for (; used < length; used++) {
        const byte = view.getUint8(offset + used);
        if (byte === 0) break;
        copy[used] = byte;
      }
      return copy.toString("utf8", 0, used);
    },
    set(view, offset, value) {
      const needed = Buffer.byteLength(value);
      if (needed > length || value.includes("\0")) {
        throw new RangeError(
          `Cannot write ${JSON.stringify(value.slice(0, 40))} to ${length} bytes of UTF-8: ` +
            (needed > length ? `it has ${needed}` : "it contains NUL, which ends the text"),
        );
      }
      const target = window(view, offset, length);
      encoder.encodeInto(value, target);
      target.fill(0, needed);
    },
  });
}

/** An accessor's array: elements by index, nothing allocated. */
export interface ArrayView<T> extends Iterable<T> {
  readonly length: number;
  /** The element at `index`. @throws RangeError beyond the end. */
  get(index: number): T;
  /** Writes the element at `index`. @throws RangeError beyond the end. */
  set(index: number, value: T): void;
}

class ArrayCursor<T> implements ArrayView<T>, Cursor {
  readonly length: number;
  readonly #element: Field<T>;
  [VIEW]: DataView;
  [BASE]: number;

  constructor(element: Field<T>, length: number, view: DataView) {
    this.#element = element;
    this.length = length;
    this[VIEW] = view;
    this[BASE] = 0;
  }

  get(index: number): T {
    return this.#element.get(this[VIEW], this[BASE] + this.#offset(index));
  }

  set(index: number, value: T): void {
    this.#element.set(this[VIEW], this[BASE] + this.#offset(index), value);
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = 0; index < this.length; index++) yield this.get(index);
  }

  #offset(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.length) {
      return index * this.#element.byteLength;
    }
    throw new RangeError(`Cannot reach element ${String(index)} of an array of ${this.length}`);
  }
}

/** `count` values of one kind: in C `type name[count]`. */
export function arrayField<T>(element: Field<T>, count: number): Field<T[]> {
  checkCount("an array field", count);
  const stride = element.byteLength;
  return {
    byteLength: stride * count,
    alignment: element.alignment,
    cType: (name) => element.cType(`${name}[${count}]`),
    get: (view, offset) =>
      Array.from({ length: count }, (_, index) => element.get(view, offset + index * stride)),
    set(view, offset, value) {
      if (value.length !== count) {
        throw new RangeError(
          `Cannot write ${value.length} elements to an array of ${count}: it is written whole`,
        );
      }
      for (let index = 0; index < count; index++) {
        element.set(view, offset + index * stride, value[index]!);
      }
    },
    property: (at) => derived(at, (view) => new ArrayCursor(element, count, view)),
  };
}

/** A property that is a cursor itself: made once for an accessor, and moved along with it. */
export function derived(at: number, make: (view: DataView) => Cursor): Property {
  const key = Symbol("derived");
  return {
    get(this: Cursor & { [key]?: Cursor }) {
      const cursor = (this[key] ??= make(this[VIEW]));
      cursor[VIEW] = this[VIEW];
      cursor[BASE] = this[BASE] + at;
      return cursor;
    },
  };
}
