import { checkInteger } from "../arguments.ts";
import type { Segment } from "../segment/segment.ts";
import { MAX_ADDITION, addToCounter, readCounter } from "./algorithm/split-counter.ts";
import { type Cells, cellsAt } from "./cells.ts";

const COUNTER_LENGTH = 8;

/**
 * A count in shared memory that only grows, up to 2^63, and is exact as a number up to 2^53.
 *
 * Any number of processes add and read at the same time, and no call blocks. An addition costs one
 * 32-bit atomic addition and no BigInt. What a crash leaves: a process killed at any instant has
 * added its amount, or has not. For a number that goes up and down use a SharedWord, or two
 * counters. `SharedAtomics` has named ones.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/visits", { size: 4096 });
 * const visits = SharedCounter.at(segment, 0);
 * visits.add();
 * console.log(visits.value); // 1
 * segment.unlink();
 * ```
 */
export class SharedCounter {
  readonly #cells: Cells;
  readonly #index: number;

  private constructor(cells: Cells, offset: number) {
    this.#cells = cells;
    this.#index = (offset / 4) | 0;
  }

  /** Made by `SharedAtomics`. @internal */
  static of(cells: Cells, offset: number): SharedCounter {
    return new SharedCounter(cells, offset);
  }

  /**
   * Finds the counter at an offset of a segment; eight bytes of 0 are a counter at 0.
   *
   * @param offset Bytes from the segment's start; a multiple of 8.
   * @returns The counter; it needs no closing.
   * @throws RangeError, TypeError for a place that cannot be.
   */
  static at(segment: Segment, offset: number): SharedCounter {
    return new SharedCounter(cellsAt("counter", segment, offset, COUNTER_LENGTH), offset);
  }

  /** @returns The bytes that a counter takes. */
  static byteLength(): number {
    return COUNTER_LENGTH;
  }

  /**
   * Adds to the count. Never blocks.
   *
   * @param amount An integer from 0 to 2^24. Default 1.
   * @throws RangeError, TypeError for another amount, which adds nothing; TypeError where it can
   *   only be read; ClosedError.
   */
  add(amount = 1): void {
    if (!Number.isInteger(amount) || amount < 0 || amount > MAX_ADDITION) {
      checkInteger("Cannot add to a counter", "the amount", amount, 0, MAX_ADDITION);
    }
    addToCounter(this.#cells.writable, this.#index, amount);
  }

  /**
   * The count, exact at one instant of the call. Never blocks; stale the moment it is returned.
   * @throws ClosedError.
   */
  get value(): number {
    return readCounter(this.#cells.words, this.#index, this.#cells.isReadOnly);
  }
}
