/*
 * A window that ends now: in any span of its length, no more than the limit is taken.
 *
 *     latest      the sub-window in which points were taken last, mod 2^32
 *     counts[32]  points that were taken in sub-window i, at i mod 32
 *
 * A sub-window is the 31st part of the window, rounded up to a tick. What counts is the present one
 * and the 31 before it, whole: together they cover the window, whenever in the present one it is.
 * So a point counts for the window at least, and for a 31st part of it more at most; a client that
 * takes all at once waits for up to 3.3 % longer than by an exact log.
 *
 *     take     zeros for the sub-windows since `latest` · latest · the present count
 *
 * A count is one word, and so is `latest`. Whoever dies before `latest` is stored leaves zeros
 * where counts were that no longer count now, and so never again, since time only grows. (In a time
 * namespace it may be a tick behind; but to take a lock from the dead takes longer than that.)
 *
 * Numbers of sub-windows are compared mod 2^32. If nobody uses a key until they come round, for 39
 * hours at least, it looks as if it were used lately with a chance of 2^-26; then it counts too
 * much. `latest` may lie ahead by less than a window, and is the present then. So a key is refused
 * for two windows at most, whatever the words say.
 */
import { COUNTS_WORD, LATEST_WORD, SUB_WINDOWS } from "../../layout/limiter-layout.ts";
import { release } from "../../memory/atomics.ts";
import type { LimiterMemory } from "./limiter-memory.ts";
import type { Rule } from "./rule.ts";

const MASK: number = SUB_WINDOWS - 1;
/** Makes a number of at least 0 of every word. */
const COUNT_MASK = 0x7fffffff;

export class SlidingWindowRule implements Rule {
  readonly capacity: number;
  readonly #words: Int32Array;
  /** Ticks of a sub-window. */
  readonly #step: number;
  remaining = 0;
  retryTicks = 0;
  resetTicks = 0;

  /** @param window Ticks. */
  constructor({ words }: LimiterMemory, limit: number, window: number) {
    this.capacity = limit;
    this.#words = words;
    this.#step = Math.ceil(window / (SUB_WINDOWS - 1));
  }

  fill(cell: number, now: number): void {
    const words = this.#words;
    for (let at = 0; at < SUB_WINDOWS; at++) words[cell + COUNTS_WORD + at] = 0;
    words[cell + LATEST_WORD] = Math.floor(now / this.#step) | 0;
  }

  take(cell: number, now: number, cost: number): boolean {
    const word = this.#advance(cell, now);
    if (this.#sum(cell) + cost > this.capacity) return false;
    this.#words[word]! += cost;
    return true;
  }

  penalize(cell: number, now: number, points: number): void {
    const word = this.#advance(cell, now);
    const most = 2 * this.capacity - this.#sum(cell);
    if (most > 0) this.#words[word]! += Math.min(points, most);
  }

  /** Undoes the newest first. Each step is whole, and leaves more taken than the next one. */
  give(cell: number, now: number, points: number): void {
    const words = this.#words;
    const word = this.#advance(cell, now);
    const counts = cell + COUNTS_WORD;
    let left = points;
    for (let back = 0; back < SUB_WINDOWS && left > 0; back++) {
      const at = counts + ((word - counts - back) & MASK);
      const count = words[at]! & COUNT_MASK;
      const given = Math.min(count, left);
      if (given > 0) words[at] = count - given;
      left -= given;
    }
  }

  report(cell: number, now: number, cost: number): void {
    const words = this.#words;
    const present = Math.floor(now / this.#step);
    const latest = words[cell + LATEST_WORD]!;
    const ahead = (latest - present) | 0;
    let total = 0;
    let over = cost - this.capacity;
    // From the newest to the oldest that still counts.
    const valid = validCounts(ahead);
    for (let back = 0; back < valid; back++) {
      const count = words[cell + COUNTS_WORD + ((latest - back) & MASK)]! & COUNT_MASK;
      total += count;
    }
    over += total;
    this.remaining = Math.max(this.capacity - total, -this.capacity);
    this.retryTicks = 0;
    this.resetTicks = 0;
    // From the oldest on: when each count ceases to count.
    for (let back = valid - 1; back >= 0; back--) {
      const count = words[cell + COUNTS_WORD + ((latest - back) & MASK)]! & COUNT_MASK;
      if (count === 0) continue;
      this.resetTicks = (present + ahead - back + SUB_WINDOWS) * this.#step - now;
      if (over > 0) this.retryTicks = this.resetTicks;
      over -= count;
    }
  }

  isFull(cell: number, now: number): boolean {
    this.#advance(cell, now);
    return this.#sum(cell) === 0;
  }

  /**
   * Brings an entry to the present: counts that no longer count become 0.
   * @returns The index of the word of the present count.
   */
  #advance(cell: number, now: number): number {
    const words = this.#words;
    const present = Math.floor(now / this.#step) | 0;
    const latest = words[cell + LATEST_WORD]!;
    const valid = validCounts((latest - present) | 0);
    // While `latest` lies ahead it is the present.
    if (valid === SUB_WINDOWS) return cell + COUNTS_WORD + (latest & MASK);
    for (let back = SUB_WINDOWS - valid - 1; back >= 0; back--) {
      words[cell + COUNTS_WORD + ((present - back) & MASK)] = 0;
    }
    release(words, cell + LATEST_WORD, present);
    return cell + COUNTS_WORD + (present & MASK);
  }

  /** @returns The sum of all counts. */
  #sum(cell: number): number {
    const words = this.#words;
    const end = cell + COUNTS_WORD + SUB_WINDOWS;
    let total = 0;
    for (let at = cell + COUNTS_WORD; at < end; at++) total += words[at]! & COUNT_MASK;
    return total;
  }
}

/**
 * @param ahead By how many sub-windows the latest count lies ahead of the present, mod 2^32.
 * @returns How many of the counts still count, from the latest back.
 */
function validCounts(ahead: number): number {
  if (ahead > 0) return ahead < SUB_WINDOWS ? SUB_WINDOWS : 0;
  return ahead > -SUB_WINDOWS ? SUB_WINDOWS + ahead : 0;
}
