/** Fields of several bytes: byte strings, text and arrays. */
import { checkInteger, shown } from "../arguments.ts";
import { reaching } from "./access.ts";
import { BASE, type Cursor, type FieldKind, VIEW } from "./field.ts";
import { misfitError, within } from "./misfit.ts";

const MAX_COUNT = 2 ** 24;

/** @returns Some bytes of a view, to be used at once. */
function window(view: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}

/** @returns The kind of a field of exactly `length` bytes: in C `uint8_t name[length]`. */
export function bytesField(length: number): FieldKind<Uint8Array> {
  checkInteger("Cannot make a byteArray", "its length", length, 1, MAX_COUNT);
  const rule = `a Uint8Array of ${length} bytes`;
  return {
    byteLength: length,
    alignment: 1,
    cType: (name) => `uint8_t ${name}[${length}]`,
    get: (view, offset) => window(view, offset, length).slice(),
    put: (view, offset, value) => window(view, offset, length).set(value),
    misfit(value) {
      if (!(value instanceof Uint8Array)) {
        return { path: "", found: shown(value), rule, error: TypeError };
      }
      if (value.length === length) return undefined;
      return { path: "", found: `${value.length} bytes`, rule, error: RangeError };
    },
  };
}

const encoder = new TextEncoder();

/** @returns The kind of a field of text, filled up with NUL: in C `char name[length]`. */
export function utf8Field(length: number): FieldKind<string> {
  checkInteger("Cannot make a charArray", "its length", length, 1, MAX_COUNT);
  // The bytes are copied before they are decoded: another process may write them meanwhile.
  const copy = Buffer.from(new ArrayBuffer(length));
  return {
    byteLength: length,
    alignment: 1,
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
    put(view, offset, value) {
      const target = window(view, offset, length);
      const { written } = encoder.encodeInto(value, target);
      target.fill(0, written);
    },
    misfit(value) {
      const found = shown(value);
      if (typeof value !== "string") return { path: "", found, rule: "text", error: TypeError };
      const needed = Buffer.byteLength(value);
      if (needed > length) {
        const rule = `text of at most ${length} bytes, and has ${needed}`;
        return { path: "", found, rule, error: RangeError };
      }
      if (needed !== value.length && !value.isWellFormed()) {
        return { path: "", found, rule: "well-formed text", error: RangeError };
      }
      if (!value.includes("\0")) return undefined;
      return { path: "", found, rule: "text without NUL, which ends it", error: RangeError };
    },
  };
}

/** The live view of an accessor's array: reads and writes elements, and allocates nothing. */
export interface ArrayView<T> extends Iterable<T> {
  readonly length: number;
  /** @returns The element at `index`. @throws RangeError beyond the end; ClosedError. */
  get(index: number): T;
  /**
   * Writes the element at `index`.
   * @throws RangeError beyond the end; RangeError, TypeError for a value that does not fit, and
   *   nothing is written; ClosedError.
   */
  set(index: number, value: T): void;
}

class ArrayCursor<T> implements ArrayView<T>, Cursor {
  readonly length: number;
  readonly #element: FieldKind<T>;
  [VIEW]: DataView;
  [BASE]: number;

  constructor(element: FieldKind<T>, length: number, view: DataView) {
    this.#element = element;
    this.length = length;
    this[VIEW] = view;
    this[BASE] = 0;
  }

  get(index: number): T {
    const offset = this.#offset(index);
    try {
      return this.#element.get(this[VIEW], offset);
    } catch (error) {
      throw reaching(error, this[VIEW], offset, this.#element.byteLength);
    }
  }

  set(index: number, value: T): void {
    const offset = this.#offset(index);
    const taken = (this.#element.take?.(value) ?? value) as T;
    const misfit = this.#element.misfit(taken);
    if (misfit !== undefined) throw misfitError(within(`element ${index}`, misfit));
    try {
      this.#element.put(this[VIEW], offset, taken);
    } catch (error) {
      throw reaching(error, this[VIEW], offset, this.#element.byteLength);
    }
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = 0; index < this.length; index++) yield this.get(index);
  }

  #offset(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.length) {
      return this[BASE] + index * this.#element.byteLength;
    }
    checkInteger(
      `Cannot reach an element of an array of ${this.length}`,
      "its index",
      index,
      0,
      this.length - 1,
    );
    return 0;
  }
}

/** @returns The kind of a field of exactly `count` values: in C `type name[count]`. */
export function arrayField<T>(element: FieldKind<T>, count: number): FieldKind<T[]> {
  checkInteger("Cannot make an arrayOf", "its count", count, 1, MAX_COUNT);
  const stride = element.byteLength;
  const rule = `an array of ${count} elements`;
  return {
    byteLength: stride * count,
    alignment: element.alignment,
    cType: (name) => element.cType(`${name}[${count}]`),
    get: (view, offset) =>
      Array.from({ length: count }, (_, index) => element.get(view, offset + index * stride)),
    put(view, offset, value) {
      for (let index = 0; index < count; index++) {
        element.put(view, offset + index * stride, value[index]!);
      }
    },
    misfit(value) {
      // A typed array is accepted like a plain one.
      if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && !(value instanceof DataView))) {
        return { path: "", found: shown(value), rule, error: TypeError };
      }
      const elements = value as ArrayLike<unknown>;
      if (elements.length !== count) {
        return { path: "", found: `${elements.length} elements`, rule, error: RangeError };
      }
      for (let index = 0; index < count; index++) {
        const misfit = element.misfit(elements[index]);
        if (misfit !== undefined) return within(`[${index}]`, misfit);
      }
      return undefined;
    },
    // Scalars are read twice: a copy of them would cost as much as the write.
    ...(element.take !== undefined && {
      take: (value: unknown) =>
        Array.isArray(value) && value.length === count
          ? Array.from({ length: count }, (_, index) => element.take!(value[index]))
          : value,
    }),
    cursor: (view) => new ArrayCursor(element, count, view),
  };
}
