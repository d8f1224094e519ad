import { checkInteger } from "../arguments.ts";
import { add, and, compareExchange, exchange, load, or, store } from "../memory/atomics.ts";
import type { Segment } from "../segment/segment.ts";
import { type Cells, cellsAt } from "./cells.ts";

const WORD_LENGTH = 4;

/** A number as a word: from -2^31 to 2^32 - 1, which wraps to a signed one. */
function wordOf(value: number): number {
  if (typeof value === "number" && ((value | 0) === value || value >>> 0 === value)) return value;
  return checkInteger("Cannot change a word", "the value", value, -(2 ** 31), 2 ** 32 - 1);
}

/**
 * A 32-bit word that any number of processes change, each change in one indivisible step. Values
 * are signed; arithmetic wraps around. What is given is an integer from -2^31 to 2^32 - 1, and an
 * unsigned one is the signed one of the same bits.
 *
 * Nothing here blocks. Every method throws a RangeError or a TypeError for what is no such integer,
 * and changes nothing then; and a ClosedError when the memory was closed.
 */
export class SharedWord {
  readonly #cells: Cells;
  readonly #index: number;

  private constructor(cells: Cells, offset: number) {
    this.#cells = cells;
    this.#index = (offset / 4) | 0;
  }

  /** One of a handle's cells. @internal */
  static of(cells: Cells, offset: number): SharedWord {
    return new SharedWord(cells, offset);
  }

  /**
   * The word at an offset of a segment, whatever it holds.
   *
   * @param offset A multiple of 4, in bytes.
   * @throws RangeError, TypeError for a place that cannot be.
   */
  static at(segment: Segment, offset: number): SharedWord {
    return new SharedWord(cellsAt("word", segment, offset, WORD_LENGTH), offset);
  }

  /** Bytes that a word takes. */
  static byteLength(): number {
    return WORD_LENGTH;
  }

  /** The value now. */
  load(): number {
    return load(this.#cells.words, this.#index);
  }

  /** Sets the value; whoever loads it sees all that this process wrote before. */
  store(value: number): void {
    store(this.#cells.words, this.#index, wordOf(value));
  }

  /** Adds. @returns The value before. */
  add(amount: number): number {
    return add(this.#cells.words, this.#index, wordOf(amount));
  }

  /** Bitwise and. @returns The value before. */
  and(mask: number): number {
    return and(this.#cells.words, this.#index, wordOf(mask));
  }

  /** Bitwise or. @returns The value before. */
  or(mask: number): number {
    return or(this.#cells.words, this.#index, wordOf(mask));
  }

  /** Sets the value. @returns The one before. */
  exchange(value: number): number {
    return exchange(this.#cells.words, this.#index, wordOf(value));
  }

  /** Sets the value if it is `expected`. @returns The one before, which tells whether it did. */
  compareExchange(expected: number, replacement: number): number {
    const from = wordOf(expected);
    return compareExchange(this.#cells.words, this.#index, from, wordOf(replacement));
  }
}
