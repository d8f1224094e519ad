import { checkInteger } from "../arguments.ts";
import type { Segment } from "../segment/segment.ts";
import { ADD_MAX, addToCounter, readCounter } from "./algorithm/split-counter.ts";
import { type Cells, cellsAt } from "./cells.ts";

const COUNTER_LENGTH = 8;

/**
 * A count that only grows, up to 2^63, exact as a number up to 2^53. An addition costs one 32-bit
 * atomic addition and no BigInt. Any number of processes add and read; nobody blocks.
 *
 * `value` is exact at one instant of the call. A process killed at any instant has added its amount
 * or has not; nothing else is lost. For what goes up and down use a SharedWord, or two counters.
 */
export class SharedCounter {
  readonly #cells: Cells;
  readonly #index: number;

  private constructor(cells: Cells, offset: number) {
    this.#cells = cells;
    this.#index = (offset / 4) | 0;
  }

  /** One of a handle's cells. @internal */
  static of(cells: Cells, offset: number): SharedCounter {
    return new SharedCounter(cells, offset);
  }

  /**
   * The counter at an offset of a segment; bytes that are all 0 are a counter at 0.
   *
   * @param offset A multiple of 8, in bytes.
   * @throws RangeError, TypeError for a place that cannot be.
   */
  static at(segment: Segment, offset: number): SharedCounter {
    return new SharedCounter(cellsAt("counter", segment, offset, COUNTER_LENGTH), offset);
  }

  /** Bytes that a counter takes. */
  static byteLength(): number {
    return COUNTER_LENGTH;
  }

  /**
   * Adds.
   * @param amount An integer from 0 to 2^24. Default 1.
   * @throws RangeError, TypeError for another; ClosedError.
   */
  add(amount = 1): void {
    if (!Number.isInteger(amount) || amount < 0 || amount > ADD_MAX) {
      checkInteger("Cannot add to a counter", "the amount", amount, 0, ADD_MAX);
    }
    addToCounter(this.#cells.words, this.#index, amount);
  }

  /** The count; stale the moment it returns. @throws ClosedError. */
  get value(): number {
    return readCounter(this.#cells.words, this.#index);
  }
}
