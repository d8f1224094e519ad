/** What a producer of a ring of bytes takes, and how it becomes a record's bytes. */
import { checkWellFormed, shown } from "../arguments.ts";

/** Up to this many bytes, a loop copies faster than a call of `set`. */
const SHORT_LENGTH = 24;

/** What the producer of a ring of bytes takes; text is written as UTF-8. */
export type RingInput = Uint8Array | DataView | string;

/** What a producer takes: a value of the codec's type; in a ring of bytes, any `RingInput`. */
export type RingWritable<T> = [T] extends [Uint8Array] ? RingInput : T;

/** @returns The bytes of the record that an input becomes. @throws TypeError, RangeError. */
export function lengthOf(input: RingInput): number {
  if (typeof input === "string") {
    const length = Buffer.byteLength(input);
    // ASCII, of which this is the length, needs no further look.
    if (length !== input.length) checkWellFormed("Cannot write a record", "its text", input);
    return length;
  }
  // A view of memory that is gone throws for its length, and must not be an empty record.
  if (ArrayBuffer.isView(input) && !(input.buffer as ArrayBuffer).detached) return input.byteLength;
  throw new TypeError(
    `Cannot write ${shown(input)}: without a codec it must be a Uint8Array, a DataView or a string`,
  );
}

/** The bytes of a view. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Copies bytes to an index of the ring. */
export function copy(bytes: Uint8Array, target: Uint8Array, index: number): void {
  if (bytes.length > SHORT_LENGTH) target.set(bytes, index);
  else for (let at = 0; at < bytes.length; at++) target[index + at] = bytes[at]!;
}
