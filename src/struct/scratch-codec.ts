/** How codecs convert in a handle's own memory, for calls that must not allocate. */
import { LayoutError } from "../errors.ts";
import { checkBytes } from "../arguments.ts";
import type { Scratch } from "./scratch.ts";

/** A codec's form for a scratch. */
export interface ScratchCodec<T> {
  /** Writes the value to the start of the scratch. @returns Its length in bytes. */
  encode(value: T, scratch: Scratch): number;
  /** Reads the value at an offset, a multiple of 4. */
  decode(scratch: Scratch, offset: number, length: number): T;
}

/** What every codec has. */
interface Converter<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

// By the codec itself, and no property of it: a copy with another `encode` has none of these forms.
const forms = new WeakMap<object, unknown>();

/** Keeps the form of one of this package's codecs. @returns The codec. */
export function withScratchForm<T, C extends Converter<T>>(codec: C, form: ScratchCodec<T>): C {
  forms.set(codec, form);
  return codec;
}

/** The form of any codec: a user's own converts by its two functions. */
export function scratchForm<T>(codec: Converter<T>): ScratchCodec<T> {
  const form = forms.get(codec) as ScratchCodec<T> | undefined;
  if (form !== undefined) return form;
  return {
    encode: (value, scratch) => copyIn(codec.encode(value), scratch),
    decode: (scratch, offset, length) =>
      codec.decode(scratch.bytes.subarray(offset, offset + length)),
  };
}

/** Copies bytes to the start of a scratch. @returns Their number. @throws TypeError. */
export function copyIn(bytes: Uint8Array, scratch: Scratch): number {
  checkBytes("Cannot encode a value", "it", bytes);
  scratch.reserve(bytes.length);
  scratch.bytes.set(bytes);
  return bytes.length;
}

const encoder = new TextEncoder();

/** Writes text as UTF-8 to the start of a scratch. @returns Its bytes. */
export function textIn(text: string, scratch: Scratch): number {
  scratch.reserve(text.length * 3);
  return encoder.encodeInto(text, scratch.bytes).written;
}

/** @throws LayoutError when a value has another length than all of its form. */
export function checkLength(form: string, expected: number, found: number): void {
  if (found === expected) return;
  throw new LayoutError(`Cannot decode a value as ${form}: it has a different length`, {
    expected: `${expected} bytes`,
    found: `${found}`,
    offset: 0,
  });
}
