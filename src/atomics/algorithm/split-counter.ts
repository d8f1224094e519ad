/*
 * A counter of 63 bits in two 32-bit words, without a BigInt.
 *
 *     low    the count mod 2^32; every process adds to it
 *     half   how often the count passed a multiple of 2^31; it follows `low`
 *
 * The two overlap in one bit: bit 31 of `low` and bit 0 of `half` are both the parity of the count
 * divided by 2^31. They differ exactly while a step of `half` is missing, and any process that sees
 * that makes the step. So a process that dies between its addition and the step loses nothing: the
 * two words give the count at every instant.
 *
 *     count = h * 2^31 + (low mod 2^31),   h = half if the parities agree, else half + 1
 *
 * That holds as long as `low` never gets a whole 2^31 ahead of `half`: the amounts that were added
 * and not settled must stay below 2^31. An addition is of at most 2^24, and each one that passes a
 * multiple of 2^28 settles. So it would take 112 processes that are all stopped, or killed, between
 * those two steps, while nobody reads or passes the next multiple.
 */
import { add, compareExchange, load } from "../../memory/atomics.ts";

/** The most that one addition adds. */
export const MAX_ADDITION: number = 2 ** 24;

const HALF = 2 ** 31;

/** Adds `amount`, from 0 to MAX_ADDITION, to the counter at a word: one atomic addition. */
export function addToCounter(words: Int32Array, low: number, amount: number): void {
  const old = add(words, low, amount);
  // Another multiple of 2^28 was passed: rare, and often enough.
  if ((old ^ (old + amount)) >>> 28 !== 0) settle(words, low);
}

/** Makes the missing step of `half`, if there is one. */
function settle(words: Int32Array, low: number): void {
  const half = load(words, low + 1);
  const parity = load(words, low) >>> 31;
  // A process that comes late fails here, since the word has moved on.
  if ((half & 1) !== parity) compareExchange(words, low + 1, half, (half + 1) | 0);
}

/**
 * @param isReadOnly Whether it must not make a missing step of `half`.
 * @returns The count, exact at one instant of the call, and as a number up to 2^53.
 */
export function readCounter(words: Int32Array, low: number, isReadOnly = false): number {
  for (;;) {
    const half = load(words, low + 1);
    const bits = load(words, low);
    // `half` only grows: if it is the same, it was so when `low` was read.
    if (load(words, low + 1) !== half) continue;
    const pending = (half & 1) === bits >>> 31 ? 0 : 1;
    if (pending === 1 && !isReadOnly) compareExchange(words, low + 1, half, (half + 1) | 0);
    return ((half >>> 0) + pending) * HALF + (bits & 0x7fffffff);
  }
}
