/** The wait point: where processes sleep until another has published something. */
import { type Layout, u32 } from "./description.ts";

/** Bytes of a wait point; it starts at a multiple of this, so that it shares no cache line. */
export const WAIT_POINT_LENGTH = 128;

/** A flag: a thread sleeps on the state word. */
export const BLOCKED = 1;
/** A flag: an event loop waits until its doorbell rings. */
export const BELL = 2;
/** Both flags. */
export const WAITING: number = BLOCKED | BELL;
/** A flag that stays: somebody who waits here cannot make others take a fence. */
export const FENCE = 4;
/** What a waker looks for. */
export const CALLS: number = WAITING | FENCE;
/** The number of wakes lies above the flags. */
export const WAKES_SHIFT = 3;
/** Counts one wake. */
export const WAKE_INCREMENT: number = 1 << WAKES_SHIFT;

/** The index of the first doorbell id, in words from the start of the wait point. */
export const FIRST_BELL_WORD = 1;
/** How many event loops (each thread has one) can wait at a point and be rung. */
export const BELL_COUNT = 31;

export const WAIT_POINT: Layout = {
  name: "wait_point",
  text: "Where processes wait for what others publish, at a multiple of 128.",
  length: WAIT_POINT_LENGTH,
  fields: [
    u32(
      "state",
      0,
      "wakes << 3 | FENCE << 2 | BELL << 1 | BLOCKED. Waiters set a flag; a waker clears the " +
        "lower two and adds a wake, by compare-and-swap. A futex.",
    ),
    u32(
      "bells",
      FIRST_BELL_WORD * 4,
      "Ids of waiting event loops' doorbells, or 0. Each waiter its own; a waker, dead ones.",
      BELL_COUNT,
    ),
  ],
};
