/** How a map's values become bytes, and bytes values again. */
import { type Codec, bytes, utf8 } from "./old-codec.ts";
import { LayoutError } from "../errors.ts";
import type { Scratch } from "../map/algorithm/map-scratch.ts";
import type { Schema, Struct, StructValue } from "./struct.ts";

/** What a map's values are: bytes, text, JSON, numbers (f64), structs, or a user's own. */
export type ValueType = "bytes" | "utf8" | "json" | "number" | Struct<Schema> | Codec<unknown>;

/** The type of the values. */
export type ValueOf<T> = T extends "bytes"
  ? Uint8Array
  : T extends "utf8"
    ? string
    : T extends "json"
      ? unknown
      : T extends "number"
        ? number
        : T extends Struct<infer S>
          ? StructValue<S>
          : T extends Codec<infer V>
            ? V
            : never;

/** Values in and out of a scratch. */
export interface ValueCodec<V> {
  /** Equal for equal forms; 0 for one that cannot be compared. */
  readonly hash: number;
  /** Writes the value to the start of the scratch. @returns Its length in bytes. */
  encode(value: V, scratch: Scratch): number;
  /** Reads the value at an offset, a multiple of 4. */
  decode(scratch: Scratch, offset: number, length: number): V;
}

const encoder = new TextEncoder();

function stringify(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text !== undefined) return text;
  throw new TypeError(`Cannot store ${typeof value} as JSON`);
}

function encodeText(text: string, scratch: Scratch): number {
  scratch.reserve(text.length * 3);
  return encoder.encodeInto(text, scratch.bytes).written;
}

function misfit(expected: number, found: number): never {
  throw new LayoutError("Cannot decode a value: it has another length", {
    expected: `${expected} bytes`,
    found: String(found),
    offset: 0,
  });
}

const BYTES: ValueCodec<Uint8Array> = {
  hash: 1,
  encode(value, scratch) {
    if (!(value instanceof Uint8Array)) {
      throw new TypeError(`Cannot store ${typeof value}: this map's values are Uint8Array`);
    }
    scratch.reserve(value.length);
    scratch.bytes.set(value);
    return value.length;
  },
  decode: (scratch, offset, length) => scratch.bytes.slice(offset, offset + length),
};

const UTF8: ValueCodec<string> = {
  hash: 2,
  encode(value, scratch) {
    if (typeof value === "string") return encodeText(value, scratch);
    throw new TypeError(`Cannot store ${typeof value}: this map's values are strings`);
  },
  decode: (scratch, offset, length) => scratch.node.toString("utf8", offset, offset + length),
};

const JSON_TEXT: ValueCodec<unknown> = {
  hash: 3,
  encode: (value, scratch) => encodeText(stringify(value), scratch),
  decode: (scratch, offset, length) =>
    JSON.parse(scratch.node.toString("utf8", offset, offset + length)) as unknown,
};

const NUMBER: ValueCodec<number> = {
  hash: 4,
  encode(value, scratch) {
    if (typeof value !== "number") {
      throw new TypeError(`Cannot store ${typeof value}: this map's values are numbers`);
    }
    scratch.view.setFloat64(0, value, true);
    return 8;
  },
  decode: (scratch, offset, length) =>
    length === 8 ? scratch.view.getFloat64(offset, true) : misfit(8, length),
};

function structCodec(type: Struct<Schema>): ValueCodec<StructValue<Schema>> {
  const { byteLength } = type;
  return {
    hash: textHash(type.signature),
    encode(value, scratch) {
      scratch.reserve(byteLength);
      type.write(scratch.view, 0, value);
      return byteLength;
    },
    decode: (scratch, offset, length) =>
      length === byteLength ? type.read(scratch.view, offset) : misfit(byteLength, length),
  };
}

function userCodec(codec: Codec<unknown>): ValueCodec<unknown> {
  return {
    hash: 0,
    encode: (value, scratch) => BYTES.encode(codec.encode(value), scratch),
    decode: (scratch, offset, length) =>
      codec.decode(scratch.bytes.subarray(offset, offset + length)),
  };
}

/** The codec of a value type. @throws TypeError for what is none. */
export function codecOf(type: ValueType): ValueCodec<unknown> {
  if (type === "bytes" || type === bytes) return BYTES as ValueCodec<unknown>;
  if (type === "utf8" || type === utf8) return UTF8 as ValueCodec<unknown>;
  if (type === "json") return JSON_TEXT;
  if (type === "number") return NUMBER as ValueCodec<unknown>;
  if (typeof type === "object" && type !== null) {
    if ("signature" in type) return structCodec(type) as ValueCodec<unknown>;
    if ("decode" in type) return userCodec(type as unknown as Codec<unknown>);
  }
  throw new TypeError(
    `Cannot make a map of ${JSON.stringify(type)} values: it is "bytes", "utf8", "json", ` +
      '"number", a struct, or has encode and decode',
  );
}

/** FNV-1a over a text's code units: tells layouts apart, and withstands nobody. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0 || 1;
}
