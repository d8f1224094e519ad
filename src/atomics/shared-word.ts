import { checkInteger } from "../arguments.ts";
import { add, and, compareExchange, exchange, load, or, store } from "../memory/atomics.ts";
import type { Segment } from "../segment/segment.ts";
import { type Cells, cellsAt } from "./cells.ts";

const WORD_LENGTH = 4;

/**
 * @returns The number, if it fits a word: an integer from -2^31 to 2^32 - 1.
 * @throws RangeError.
 */
function wordOf(value: number): number {
  if (typeof value === "number" && ((value | 0) === value || value >>> 0 === value)) return value;
  return checkInteger("Cannot change a word", "the value", value, -(2 ** 31), 2 ** 32 - 1);
}

/**
 * A 32-bit word in shared memory that any number of processes change, each in one atomic step.
 *
 * Methods return signed values, and arithmetic wraps around. They take integers from -2^31 to 2^32
 * - 1; one of 2^31 or more stands for the signed integer of the same bits. A method throws a
 * RangeError or a TypeError for any other argument, and changes nothing then; a TypeError also for
 * a change where the segment was opened for reading only; and a ClosedError when the memory was
 * closed. No method blocks, and what it returns is stale at once. What a crash
 * leaves: each change was made as a whole, or not at all.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/ready", { size: 4096 });
 * const ready = SharedWord.at(segment, 128);
 * console.log(ready.compareExchange(0, 1)); // 0: this call set it
 * segment.unlink();
 * ```
 */
export class SharedWord {
  readonly #cells: Cells;
  readonly #index: number;

  private constructor(cells: Cells, offset: number) {
    this.#cells = cells;
    this.#index = (offset / 4) | 0;
  }

  /** Made by `SharedAtomics`. @internal */
  static of(cells: Cells, offset: number): SharedWord {
    return new SharedWord(cells, offset);
  }

  /**
   * Finds the word at an offset of a segment, whatever it holds.
   *
   * @param offset Bytes from the segment's start; a multiple of 4.
   * @returns The word; it needs no closing.
   * @throws RangeError, TypeError for a place that cannot be.
   */
  static at(segment: Segment, offset: number): SharedWord {
    return new SharedWord(cellsAt("word", segment, offset, WORD_LENGTH), offset);
  }

  /** @returns The bytes that a word takes. */
  static byteLength(): number {
    return WORD_LENGTH;
  }

  /** @returns The value now. */
  load(): number {
    return load(this.#cells.words, this.#index);
  }

  /** Sets the value. A process that loads it then sees all that this process wrote before. */
  store(value: number): void {
    store(this.#cells.writable, this.#index, wordOf(value));
  }

  /** Adds to the value. @returns The value before. */
  add(amount: number): number {
    return add(this.#cells.writable, this.#index, wordOf(amount));
  }

  /** Clears the bits that are not in `mask`. @returns The value before. */
  and(mask: number): number {
    return and(this.#cells.writable, this.#index, wordOf(mask));
  }

  /** Sets the bits of `mask`. @returns The value before. */
  or(mask: number): number {
    return or(this.#cells.writable, this.#index, wordOf(mask));
  }

  /** Sets the value. @returns The value before. */
  exchange(value: number): number {
    return exchange(this.#cells.writable, this.#index, wordOf(value));
  }

  /**
   * Sets the value if it is `expected`.
   * @returns The value before: `expected` if this call set it.
   */
  compareExchange(expected: number, replacement: number): number {
    const from = wordOf(expected);
    return compareExchange(this.#cells.writable, this.#index, from, wordOf(replacement));
  }
}
