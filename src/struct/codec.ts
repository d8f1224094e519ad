/** How values become bytes, and bytes values again. */
import { deserialize, serialize } from "bun:jsc";
import { shown } from "../arguments.ts";
import { CODEC_ID_MAX } from "../layout/segment-header.ts";

/**
 * A form of values in shared memory: one of `codecs`, a `struct`, or the user's own.
 *
 * The id is written into the header of whatever is made with the codec, and an opener with another
 * one is refused. Both functions are synchronous, and must not use the structure whose values they
 * convert. What `decode` throws comes to whoever reads; the record counts as read.
 *
 * @example
 * ```ts
 * const dates: Codec<Date> = {
 *   id: "date/1",
 *   encode: (date) => Buffer.from(date.toISOString()),
 *   decode: (bytes) => new Date(Buffer.from(bytes).toString()),
 * };
 * using days = RingBuffer.create("/days", { codec: dates });
 * days.unlink();
 * ```
 */
export interface Codec<T> {
  /** Names the form, for other processes: 1 to 64 bytes of UTF-8, as in "orders/1". */
  readonly id: string;
  /** The value as bytes, which are copied at once. */
  encode(value: T): Uint8Array;
  /** The value of bytes, which are good for this call only: keep copies. */
  decode(bytes: Uint8Array): T;
}

const bytes: Codec<Uint8Array> = {
  id: "bytes",
  encode: (value) => value,
  decode: (encoded) => encoded.slice(),
};

const utf8: Codec<string> = {
  id: "utf8",
  encode: (value) => Buffer.from(value),
  decode: (encoded) => Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length).toString(),
};

const json: Codec<unknown> = {
  id: "json",
  encode(value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`Cannot encode ${shown(value)} as JSON`);
    return Buffer.from(text);
  },
  decode: (encoded) => JSON.parse(utf8.decode(encoded)) as unknown,
};

const clone: Codec<unknown> = {
  id: "clone",
  encode: (value) => new Uint8Array(serialize(value)),
  // A copy, since deserialize takes a whole buffer.
  decode: (encoded) => deserialize(encoded.slice().buffer),
};

/** The codecs of this package. */
export const codecs = {
  /** Bytes as they are; each value read is a copy of its own. */
  bytes: bytes as Codec<Uint8Array>,
  /** Text as UTF-8; bytes that are none read as U+FFFD. */
  utf8: utf8 as Codec<string>,
  /** JSON, of a type that the caller knows: `codecs.json<Order>()`. Nothing checks what is read. */
  json<T = unknown>(): Codec<T> {
    return json as Codec<T>;
  },
  /**
   * The structured clone algorithm: Map, Set, Date, typed arrays, cycles. Between Bun processes of
   * one version, and never from a process that is not trusted.
   */
  clone<T = unknown>(): Codec<T> {
    return clone as Codec<T>;
  },
};

/** @throws TypeError when a codec lacks something, and says what. */
export function checkCodec(action: string, codec: unknown): void {
  const { id, encode, decode } = Object(codec) as Partial<Codec<unknown>>;
  if (typeof encode !== "function" || typeof decode !== "function") {
    throw new TypeError(
      `${action}: its codec must be one of codecs, a struct, or { id, encode, decode }, ` +
        `not ${shown(codec)}`,
    );
  }
  if (typeof id === "string" && Buffer.byteLength(id) <= CODEC_ID_MAX && !id.includes("\0")) return;
  throw new TypeError(
    `${action}: its codec's id must be a text of at most ${CODEC_ID_MAX} bytes, not ${shown(id)}`,
  );
}
