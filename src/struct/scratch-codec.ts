/** How codecs convert in a handle's private memory, for calls that must not allocate. */
import { LayoutError } from "../errors.ts";
import { checkBytes, isThenable, shown } from "../arguments.ts";
import type { Scratch } from "./scratch.ts";

/** A codec that converts in a scratch. */
export interface ScratchCodec<T> {
  /** Writes a value to the start of the scratch. @returns The number of its bytes. */
  encode(value: T, scratch: Scratch): number;
  /** @param offset Bytes from the scratch's start; a multiple of 4. @returns The value there. */
  decode(scratch: Scratch, offset: number, length: number): T;
}

/** The functions that every codec has. */
interface Converter<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

// Kept by the identity of the codec, and not in a property: a copy of a codec that has another
// `encode` must not have the form of the original.
const forms = new WeakMap<object, unknown>();

/** Keeps the scratch form of one of this package's codecs. @returns The codec. */
export function withScratchForm<T, C extends Converter<T>>(codec: C, form: ScratchCodec<T>): C {
  forms.set(codec, form);
  return codec;
}

/** Whether a codec is one of this package's own. To decode, those call no code of the user's. */
export function hasScratchForm(codec: object): boolean {
  return forms.has(codec);
}

/** @returns The scratch form of a codec; a user's codec converts by its own two functions. */
export function scratchForm<T>(codec: Converter<T> & { readonly id: string }): ScratchCodec<T> {
  const form = forms.get(codec) as ScratchCodec<T> | undefined;
  if (form !== undefined) return form;
  return {
    encode: (value, scratch) => copyIn(codec.encode(value), scratch),
    decode: (scratch, offset, length) =>
      scratch.lend(offset, length, (bytes) => decodeValue(codec, bytes)),
  };
}

/** Decodes with a codec of the user's. @throws What it throws; TypeError for a promise. */
export function decodeValue<T>(
  codec: Converter<T> & { readonly id: string },
  encoded: Uint8Array,
): T {
  const value = codec.decode(encoded);
  if (!isThenable(value)) return value;
  throw new TypeError(
    `Cannot decode a value: the codec ${shown(codec.id)} returned a promise, ` +
      "and must decode at once",
  );
}

/** Copies bytes to the start of a scratch. @returns The number of bytes. @throws TypeError. */
export function copyIn(bytes: Uint8Array, scratch: Scratch): number {
  checkBytes("Cannot encode a value", "it", bytes);
  scratch.reserve(bytes.length);
  scratch.fixed.put(0, bytes, bytes.length);
  return bytes.length;
}

const encoder = new TextEncoder();

/** Writes text as UTF-8 to the start of a scratch. @returns The number of bytes. */
export function textIn(text: string, scratch: Scratch): number {
  scratch.reserve(text.length * 3);
  return encoder.encodeInto(text, scratch.bytes).written;
}

/** @throws LayoutError when a value does not have the length of all values of its form. */
export function checkLength(form: string, expected: number, found: number): void {
  if (found === expected) return;
  throw new LayoutError(`Cannot decode a value as ${form}: it has a different length`, {
    expected: `${expected} bytes`,
    found: `${found}`,
    offset: 0,
  });
}
