/**
 * The wait point: where processes sleep until another has published something.
 *
 * | word | field | who writes it |
 * |---|---|---|
 * | 0 | state: sequence << 2, BELL, BLOCKED | waiters set a flag; a waker clears both, and counts |
 * | 1…31 | doorbells of waiting event loops, 0 = free | each waiter its own; any waker a dead one |
 */

/** Bytes in a wait point; it starts at a multiple of this, so that it has its cache lines alone. */
export const WAIT_POINT_LENGTH = 128;

/** Somebody sleeps on the state word. */
export const BLOCKED = 1;
/** Somebody waits in an event loop for a ring of its doorbell. */
export const BELL = 2;
/** Either flag. */
export const WAITING: number = BLOCKED | BELL;
/** One wake: the sequence starts above the flags. */
export const WAKE_INCREMENT = 4;

/** Index of the first doorbell id, in words from the start of the wait point. */
export const FIRST_BELL_WORD = 1;
/** How many event loops (one a thread) can wait at one point and be rung. */
export const BELL_COUNT = 31;
