/** What a producer of a ring of bytes takes, and how it becomes a record's bytes. */
import { checkWellFormed, shown } from "../arguments.ts";

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
