/**
 * The readers-writer lock: a mutex for writers, and a row of mutexes of which a reader takes one
 * and a writer all.
 *
 * | offset | field | who writes it |
 * |---|---|---|
 * | 0 | the writers' mutex | see mutex-layout.ts |
 * | 256 | magic, u32 | the creator, last, with release |
 * | 260 | places, u32: how many readers at once | the creator |
 * | 264 | state, u32: FREE, WANTED, WRITING, LOST | who has the writers' mutex |
 * | 268 | unrepaired, u32: 1 since a writer died while writing | who has the writers' mutex |
 * | 272 | turns, u32: locks taken after a wait, mod 2^32 | whoever waited |
 * | 384 | wait point | see wait-point-layout.ts |
 * | 512 | places, 128 bytes each: a `pthread_mutex_t` | libc |
 */
import { MUTEX_LENGTH } from "./mutex-layout.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const RW_LOCK_MAGIC_OFFSET: number = MUTEX_LENGTH;
export const RW_LOCK_PLACES_OFFSET: number = MUTEX_LENGTH + 4;
export const RW_LOCK_STATE_OFFSET: number = MUTEX_LENGTH + 8;
export const RW_LOCK_UNREPAIRED_OFFSET: number = MUTEX_LENGTH + 12;
export const RW_LOCK_TURNS_OFFSET: number = MUTEX_LENGTH + 16;
export const RW_LOCK_WAIT_POINT_OFFSET: number = MUTEX_LENGTH + 128;
export const RW_LOCK_FIRST_PLACE_OFFSET: number = RW_LOCK_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;
export const RW_LOCK_PLACE_LENGTH = 128;
/** Most readers at once: a writer takes the place of each. */
export const RW_LOCK_MAX_PLACES = 256;

/** "RWLK", little-endian. */
export const RW_LOCK_MAGIC = 0x4b4c5752;

/** Nobody writes or wants to. */
export const FREE = 0;
/** A writer waits for the readers to leave; no new ones enter. */
export const WANTED = 1;
/** A writer has all places. */
export const WRITING = 2;
/** A repair failed: nobody gets the lock any more. */
export const LOST = 3;

/** Bytes in a readers-writer lock for `places` readers at once. */
export function rwLockLength(places: number): number {
  return RW_LOCK_FIRST_PLACE_OFFSET + places * RW_LOCK_PLACE_LENGTH;
}
