/** The memory of words and counters, and how their use ends. */
import { checkInteger, shown } from "../arguments.ts";
import { ClosedError } from "../errors.ts";
import { accessesPlainly, wordsOf } from "../memory/atomics.ts";
import { Segment } from "../segment/segment.ts";

const CLOSED = new Int32Array(0);

/** The words of a segment for one handle. Every word and counter of the handle ends with it. */
export class Cells {
  /** What it is, for messages: `atomics "/x"`. */
  readonly what: string;
  readonly isReadOnly: boolean;
  #words: Int32Array;

  constructor(what: string, { buffer, access }: Segment) {
    this.what = what;
    this.isReadOnly = access === "read";
    this.#words = wordsOf(buffer);
  }

  /** The words, from the segment's start on. @throws ClosedError. */
  get words(): Int32Array {
    const words = this.#words;
    // The JIT reads the length for free, and it is 0 once the memory is detached.
    if (words.length === 0) throw new ClosedError(this.what);
    return words;
  }

  /** The words, for a change. @throws ClosedError; TypeError when they can only be read. */
  get writable(): Int32Array {
    if (this.isReadOnly) {
      throw new TypeError(`Cannot change ${this.what}: it was opened for reading only`);
    }
    return this.words;
  }

  close(): void {
    this.#words = CLOSED;
  }
}

/**
 * Checks the place of one word or counter in the caller's segment.
 *
 * @param noun What it is, for messages: "word".
 * @param offset Bytes from the segment's start.
 * @param byteLength The bytes that it takes, and its alignment.
 * @returns The words of the segment.
 * @throws TypeError, RangeError for a place that cannot be.
 */
export function cellsAt(noun: string, segment: unknown, offset: number, byteLength: number): Cells {
  if (!Segment.isOne(segment)) {
    throw new TypeError(`Cannot use a ${noun} in ${shown(segment)}: it is not a Segment`);
  }
  const action = `Cannot use a ${noun} in segment ${shown(segment.name)}`;
  checkInteger(action, "its offset", offset, 0, segment.buffer.byteLength - byteLength);
  if (offset % byteLength !== 0) {
    throw new RangeError(
      `${action}: its offset must be a multiple of ${byteLength}, not ${offset}`,
    );
  }
  if (segment.access === "read" && !accessesPlainly()) {
    throw new TypeError(`${action}: the segment was opened for reading only`);
  }
  return new Cells(`${noun} at ${offset} in segment ${shown(segment.name)}`, segment);
}
