/**
 * The barrier.
 *
 * | offset | field | who writes it |
 * |---|---|---|
 * | 0 | mutex over everything below | see mutex-layout.ts |
 * | 256 | magic, u32 | the creator, last, with release |
 * | 260 | parties, u32: how many meet | the creator |
 * | 264 | broken, u32: 0 or 1 | who has the mutex |
 * | 268 | releasing, u32: 1 while the last to arrive lets the others go | who has the mutex |
 * | 384 | wait point | see wait-point-layout.ts |
 * | 512 | seats, 128 bytes each: a `pthread_mutex_t`, taken while the participant is one | libc |
 * | 576 | in each seat: state, u32: IDLE, ARRIVED, PASSED, BROKEN | who has the mutex, its owner |
 */
import { MUTEX_LENGTH } from "./mutex-layout.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const BARRIER_MAGIC_OFFSET: number = MUTEX_LENGTH;
export const BARRIER_PARTIES_OFFSET: number = MUTEX_LENGTH + 4;
export const BARRIER_BROKEN_OFFSET: number = MUTEX_LENGTH + 8;
export const BARRIER_RELEASING_OFFSET: number = MUTEX_LENGTH + 12;
export const BARRIER_WAIT_POINT_OFFSET: number = MUTEX_LENGTH + 128;
export const BARRIER_FIRST_SEAT_OFFSET: number = BARRIER_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;
export const BARRIER_SEAT_LENGTH = 128;
/** From the start of a seat to its state. */
export const BARRIER_SEAT_STATE_OFFSET = 64;
export const BARRIER_MAX_PARTIES = 256;

/** "BARR", little-endian. */
export const BARRIER_MAGIC = 0x52524142;

/** Not at the barrier. */
export const IDLE = 0;
/** Waits for the others. */
export const ARRIVED = 1;
/** All have arrived. */
export const PASSED = 2;
/** Somebody will never come. */
export const BROKEN = 3;

/** Bytes in a barrier for so many parties. */
export function barrierLength(parties: number): number {
  return BARRIER_FIRST_SEAT_OFFSET + parties * BARRIER_SEAT_LENGTH;
}
