/**
 * The lock that all others stand on: two words. The first one says who holds it; the second one who
 * gets it next. The algorithm is in src/locks/algorithm/lock-core.ts.
 */
import { type Layout, u32 } from "./description.ts";

/** Words from the start of a lock. */
export const LOCK_WORD = 0;
export const NEXT_WORD = 1;
/** Bytes of a lock. */
export const LOCK_LENGTH = 8;

/** A flag of the lock's word: somebody may be waiting. */
export const AWAITED = 1;
/** A flag: the participant may take it, and has not begun. */
export const GRANTED = 2;
/** The participant's number lies above the flags. */
export const NUMBER_SHIFT = 2;
/** The number of nobody: its data were given up, and nobody gets the lock any more. */
export const LOST_NUMBER: number = 2 ** 29 - 1;

export const LOCK: Layout = {
  name: "lock",
  text: "A lock that outlives its holders. It lies at the start of other structures.",
  length: LOCK_LENGTH,
  fields: [
    u32(
      "word",
      LOCK_WORD * 4,
      "0, or participant << 2 | GRANTED << 1 | AWAITED, by compare-and-swap; the participant " +
        "2^29 - 1 is nobody, and the lock is lost. A futex.",
    ),
    u32("next", NEXT_WORD * 4, "The participant to get it next, or 0. A futex."),
  ],
};
