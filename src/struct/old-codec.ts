/** How values become bytes, and bytes values again. */
import { deserialize, serialize } from "bun:jsc";

/**
 * A form of values in shared memory. Both functions are synchronous.
 *
 * What `decode` throws comes to whoever reads; the record counts as read.
 */
export interface Codec<T> {
  /** The value as bytes, which are copied at once. */
  encode(value: T): Uint8Array;
  /** The value of bytes, which are good for this call alone: keep copies. */
  decode(bytes: Uint8Array): T;
}

/** Bytes as they are; each value read is a copy of its own. */
export const bytes: Codec<Uint8Array> = {
  encode: (value) => value,
  decode: (encoded) => encoded.slice(),
};

/** Text as UTF-8; bytes that are none read as U+FFFD. */
export const utf8: Codec<string> = {
  encode: (value) => Buffer.from(value),
  decode: (encoded) => Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length).toString(),
};

/** JSON, of a type that the caller knows: `json<Order>()`. Nothing checks what another wrote. */
export function json<T>(): Codec<T> {
  return {
    encode(value) {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new TypeError(`Cannot encode ${typeof value} as JSON`);
      return Buffer.from(text);
    },
    decode: (encoded) => JSON.parse(utf8.decode(encoded)) as T,
  };
}

/**
 * The structured clone algorithm: Map, Set, Date, typed arrays, cycles. Between Bun processes of
 * one version, and never from a process that is not trusted.
 */
export function structuredClone<T>(): Codec<T> {
  return {
    encode: (value) => new Uint8Array(serialize(value)),
    // A copy, since deserialize takes a whole buffer.
    decode: (encoded) => deserialize(encoded.slice().buffer) as T,
  };
}
