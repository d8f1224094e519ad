/** What a producer of a ring of bytes takes, and how it becomes a record's bytes. */
import { checkWellFormed, shown } from "../arguments.ts";

/** Up to this many bytes, a loop over them copies faster than a call of `set`. */
const BYTES_LENGTH = 24;
/** The same for a loop over words. */
const WORDS_LENGTH = 64;

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

const NO_WORDS = new Int32Array(0);

/** Copies records into a ring. A call of `set` costs as much as the rest of a short record. */
export class Copier {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  /** What was copied last; kept, since many producers encode into the same bytes each time. */
  #last: Uint8Array | undefined;
  /** The words of `#last`, once it has come twice. */
  #lastWords: Int32Array = NO_WORDS;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  }

  /** @param index Where they go: a multiple of 4. */
  copy(bytes: Uint8Array, index: number): void {
    if (bytes.length > WORDS_LENGTH) this.#bytes.set(bytes, index);
    else if (bytes === this.#last) this.#copyWords(bytes, index);
    else this.#copyBytes(bytes, index);
  }

  #copyBytes(bytes: Uint8Array, index: number): void {
    const target = this.#bytes;
    this.#last = bytes;
    this.#lastWords = NO_WORDS;
    if (bytes.length > BYTES_LENGTH) target.set(bytes, index);
    else for (let at = 0; at < bytes.length; at++) target[index + at] = bytes[at]!;
  }

  #copyWords(bytes: Uint8Array, index: number): void {
    const { length } = bytes;
    const count = length >> 2;
    if (this.#lastWords.length < count && !this.#findWords(bytes)) {
      this.#bytes.set(bytes, index);
      return;
    }
    const from = this.#lastWords;
    const to = this.#words;
    const first = index >> 2;
    for (let at = 0; at < count; at++) to[first + at] = from[at]!;
    for (let rest = count << 2; rest < length; rest++) this.#bytes[index + rest] = bytes[rest]!;
  }

  /** @returns Whether the bytes can be read as words. */
  #findWords({ buffer, byteOffset, length }: Uint8Array): boolean {
    if ((byteOffset & 3) !== 0) return false;
    this.#lastWords = new Int32Array(buffer, byteOffset, length >> 2);
    return true;
  }
}
