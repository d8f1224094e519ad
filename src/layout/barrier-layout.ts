/** The barrier: a mutex, a wait point, and a seat for each party. */
import { type Layout, bytes, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";
import { MUTEX_LENGTH } from "./mutex-layout.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const BARRIER_MAGIC_OFFSET: number = MUTEX_LENGTH;
export const BARRIER_PARTIES_OFFSET: number = MUTEX_LENGTH + 4;
export const BARRIER_BROKEN_OFFSET: number = MUTEX_LENGTH + 8;
export const BARRIER_RELEASING_OFFSET: number = MUTEX_LENGTH + 12;
export const BARRIER_WAIT_POINT_OFFSET: number = MUTEX_LENGTH + 128;
export const BARRIER_FIRST_SEAT_OFFSET: number = BARRIER_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;
export const BARRIER_SEAT_LENGTH = 128;
/** Bytes from the start of a seat to its state. */
export const BARRIER_SEAT_STATE_OFFSET = 64;
export const BARRIER_SEAT_OBJECT_OFFSET = 68;
export const BARRIER_MAX_PARTIES = 256;

export const BARRIER: Layout = {
  name: "barrier",
  text: "A barrier for a number of parties, each with a seat.",
  length: BARRIER_FIRST_SEAT_OFFSET,
  fields: [
    bytes("mutex", 0, MUTEX_LENGTH, "Guards everything below. See the mutex."),
    u32("magic", BARRIER_MAGIC_OFFSET, "The creator, right before the mutex's own, which is last."),
    u32("parties", BARRIER_PARTIES_OFFSET, "How many meet. The creator."),
    u32("broken", BARRIER_BROKEN_OFFSET, "0 or 1. The mutex's owner."),
    u32(
      "releasing",
      BARRIER_RELEASING_OFFSET,
      "1 while the last to arrive lets the others go. The mutex's owner.",
    ),
    u32("wait_point", BARRIER_WAIT_POINT_OFFSET, "See the wait point.", WAIT_POINT_LENGTH / 4),
  ],
};

export const BARRIER_SEAT: Layout = {
  name: "barrier_seat",
  text: "`parties` of them follow the barrier.",
  length: BARRIER_SEAT_LENGTH,
  fields: [
    bytes("lock", 0, LOCK_LENGTH, "See the lock. Held by whoever takes part."),
    u32(
      "state",
      BARRIER_SEAT_STATE_OFFSET,
      "0 idle, 1 arrived, 2 passed, 3 broken. The owner of the mutex, or of the seat.",
    ),
    u32(
      "object",
      BARRIER_SEAT_OBJECT_OFFSET,
      "Tells the object in which the seat was taken from its copies. The owner of the seat.",
    ),
  ],
};

/** "BAR2", little-endian. */
export const BARRIER_MAGIC = 0x32524142;

/** A seat's party is not at the barrier. */
export const IDLE = 0;
/** A seat's party waits for the others. */
export const ARRIVED = 1;
/** All parties have arrived. */
export const PASSED = 2;
/** One of the parties will never arrive. */
export const BROKEN = 3;

/** @returns The bytes of a barrier for this many parties. */
export function barrierLength(parties: number): number {
  return BARRIER_FIRST_SEAT_OFFSET + parties * BARRIER_SEAT_LENGTH;
}
