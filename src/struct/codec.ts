/** Codecs: how values become bytes, and bytes become values again. */
import { deserialize, serialize } from "bun:jsc";
import { checkBytes, checkWellFormed, shown } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import { MAX_CODEC_ID_LENGTH } from "../layout/segment-header.ts";
import { checkLength, copyIn, textIn, withScratchForm } from "./scratch-codec.ts";

/**
 * A form of values in shared memory: one of `codecs`, a `struct`, or an object of the user's own.
 *
 * A structure that is made with a codec keeps the codec's id in its header, and refuses to be
 * opened with another one. Both functions are synchronous, and must not use the structure whose
 * values they convert. An error of `encode` reaches the writer, and nothing is written; an error of
 * `decode` reaches the reader, and a ring's record counts as read.
 *
 * @example
 * ```ts
 * const dates: Codec<Date> = {
 *   id: "date/1",
 *   encode: (date) => Buffer.from(date.toISOString()),
 *   decode: (bytes) => new Date(Buffer.from(bytes).toString()),
 * };
 * using days = SharedMap.create("/days", { size: 2 ** 16, codec: dates });
 * days.set("launch", new Date(0));
 * days.unlink();
 * ```
 */
export interface Codec<T> {
  /** Names the form to other processes: 1 to 64 bytes of UTF-8, such as "orders/1". */
  readonly id: string;
  /** @returns The value as bytes, which the caller copies at once. */
  encode(value: T): Uint8Array;
  /** @param bytes Valid during this call only: keep copies. @returns The value. */
  decode(bytes: Uint8Array): T;
}

/** For bytes that come from a caller. */
function checkEncoded(encoded: unknown): void {
  checkBytes("Cannot decode a value", "it", encoded);
}

function bytesCodec(id: string): Codec<Uint8Array> {
  return withScratchForm(
    {
      id,
      encode(value: Uint8Array) {
        checkBytes("Cannot encode a value", "it", value);
        return value;
      },
      decode(encoded: Uint8Array) {
        checkEncoded(encoded);
        return encoded.slice();
      },
    },
    {
      encode: copyIn,
      decode: (scratch, offset, length) => scratch.bytes.slice(offset, offset + length),
    },
  );
}

const bytes: Codec<Uint8Array> = bytesCodec("bytes");
const raw: Codec<Uint8Array> = bytesCodec("");

function checkText(value: unknown): asserts value is string {
  if (typeof value === "string") return;
  throw new TypeError(`Cannot encode a value: it must be a string, not ${shown(value)}`);
}

/** @param byteLength Of its UTF-8; as many bytes as characters are ASCII. @throws RangeError. */
function checkEncodedText(value: string, byteLength: number): void {
  if (byteLength !== value.length) checkWellFormed("Cannot encode a value", "it", value);
}

function textOf(encoded: Uint8Array): string {
  checkEncoded(encoded);
  const { buffer, byteOffset, length } = encoded;
  return Buffer.from(buffer, byteOffset, length).toString();
}

const utf8: Codec<string> = withScratchForm(
  {
    id: "utf8",
    encode(value: string) {
      checkText(value);
      const encoded = Buffer.from(value);
      checkEncodedText(value, encoded.length);
      return encoded;
    },
    decode: textOf,
  },
  {
    encode(value, scratch) {
      checkText(value);
      const length = textIn(value, scratch);
      checkEncodedText(value, length);
      return length;
    },
    decode: (scratch, offset, length) => scratch.node.toString("utf8", offset, offset + length),
  },
);

function checkNumber(value: unknown): asserts value is number {
  if (typeof value === "number") return;
  throw new TypeError(`Cannot encode a value: it must be a number, not ${shown(value)}`);
}

const number: Codec<number> = withScratchForm(
  {
    id: "number",
    encode(value: number) {
      checkNumber(value);
      const encoded = new Uint8Array(8);
      new DataView(encoded.buffer).setFloat64(0, value, true);
      return encoded;
    },
    decode(encoded: Uint8Array) {
      checkEncoded(encoded);
      const { buffer, byteOffset, length } = encoded;
      checkLength("a number", 8, length);
      return new DataView(buffer, byteOffset).getFloat64(0, true);
    },
  },
  {
    encode(value, scratch) {
      checkNumber(value);
      scratch.view.setFloat64(0, value, true);
      return 8;
    },
    decode(scratch, offset, length) {
      checkLength("a number", 8, length);
      return scratch.view.getFloat64(offset, true);
    },
  },
);

function stringify(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const why = "it has a cycle, a BigInt, or a toJSON that throws";
    throw new TypeError(`Cannot encode ${shown(value)} as JSON: ${why}`, { cause });
  }
  if (text !== undefined) return text;
  throw new TypeError(`Cannot encode ${shown(value)} as JSON: there is no JSON for it`);
}

/** Most characters of what is no JSON that a message shows. */
const FOUND_SHOWN = 30;

/** @throws LayoutError for text that is none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw undecodable("JSON", shown(text.slice(0, FOUND_SHOWN)));
  }
}

function undecodable(form: string, found: string): LayoutError {
  const message = `Cannot decode a value as ${form}: it is none`;
  return new LayoutError(message, { expected: form, found, offset: 0 });
}

const json: Codec<unknown> = withScratchForm(
  {
    id: "json",
    encode: (value: unknown) => Buffer.from(stringify(value)),
    decode: (encoded: Uint8Array) => parse(textOf(encoded)),
  },
  {
    encode: (value, scratch) => textIn(stringify(value), scratch),
    decode: (scratch, offset, length) =>
      parse(scratch.node.toString("utf8", offset, offset + length)),
  },
);

const clone: Codec<unknown> = {
  id: "clone",
  encode(value) {
    try {
      return new Uint8Array(serialize(value));
    } catch (cause) {
      if ((cause as { name?: unknown } | undefined)?.name !== "DataCloneError") throw cause;
      throw new TypeError(`Cannot encode ${shown(value)}: it cannot be cloned`, { cause });
    }
  },
  decode(encoded) {
    checkEncoded(encoded);
    // A copy, since deserialize takes a whole buffer.
    const { buffer } = encoded.slice();
    try {
      return deserialize(buffer);
    } catch {
      throw undecodable("a clone", `${encoded.length} bytes of something else`);
    }
  },
};

/** The type of `codecs`. */
export interface Codecs {
  /** Bytes as they are. Each value that is read is a copy. */
  readonly bytes: Codec<Uint8Array>;
  /**
   * Text as UTF-8; text with a lone surrogate, which has no UTF-8, is a RangeError. Bytes that are
   * no UTF-8 read as U+FFFD.
   */
  readonly utf8: Codec<string>;
  /** Numbers as 8 bytes, including NaN and Infinity. */
  readonly number: Codec<number>;
  /**
   * Makes the codec of JSON for a type that the caller names: `codecs.json<Order>()`. Nothing
   * checks that the values that are read have that type.
   */
  json<T = unknown>(): Codec<T>;
  /**
   * Makes the codec of the structured clone algorithm: Map, Set, Date, typed arrays, cycles. Use it
   * only between Bun processes of one version that trust each other.
   */
  clone<T = unknown>(): Codec<T>;
  /**
   * The bytes of values of any codec, for tools. It opens every structure, and every codec opens a
   * structure that was made with it.
   */
  readonly raw: Codec<Uint8Array>;
}

/** The codecs of this package. */
export const codecs: Codecs = {
  bytes,
  utf8,
  number,
  json: <T>() => json as Codec<T>,
  clone: <T>() => clone as Codec<T>,
  raw,
};

/** @throws TypeError that says what a codec lacks. */
export function checkCodec(action: string, codec: unknown): void {
  const { id, encode, decode } = Object(codec) as Partial<Codec<unknown>>;
  if (typeof encode !== "function" || typeof decode !== "function") {
    throw new TypeError(
      `${action}: its codec must be one of codecs, a struct, or { id, encode, decode }, ` +
        `not ${shown(codec)}`,
    );
  }
  if (
    typeof id === "string" &&
    id.isWellFormed() &&
    !id.includes("\0") &&
    Buffer.byteLength(id) <= MAX_CODEC_ID_LENGTH
  ) {
    if (id !== "" || codec === raw) return;
  }
  throw new TypeError(
    `${action}: its codec's id must be a text of 1 to ${MAX_CODEC_ID_LENGTH} bytes of UTF-8, ` +
      `not ${shown(id)}`,
  );
}
