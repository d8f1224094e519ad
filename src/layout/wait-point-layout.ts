/** The wait point: where processes sleep until another has published something. */
import type { Layout } from "./description.ts";

/** Bytes in a wait point; it starts at a multiple of this, so that it shares no cache line. */
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

export const WAIT_POINT: Layout = {
  name: "wait_point",
  text: "Where processes wait for what others publish. 128-byte aligned.",
  length: WAIT_POINT_LENGTH,
  fields: [
    {
      name: "state",
      type: "uint32_t",
      offset: 0,
      text:
        "wakes << 2 | BELL << 1 | BLOCKED. Waiters set a flag; a waker clears both and adds a " +
        "wake, by compare-and-swap. A futex.",
    },
    {
      name: "bells",
      type: "uint32_t",
      offset: FIRST_BELL_WORD * 4,
      count: BELL_COUNT,
      text: "Doorbell ids of waiting event loops, or 0. Each waiter its own, a waker a dead one.",
    },
  ],
};
