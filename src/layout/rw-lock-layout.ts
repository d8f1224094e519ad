/**
 * The readers-writer lock: a mutex for writers, and a row of mutexes, of which a reader takes one
 * and a writer takes all.
 */
import { type Layout, bytes, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";
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
/** The most readers at a time: a writer takes the place of each. */
export const RW_LOCK_MAX_PLACES = 256;

export const RW_LOCK: Layout = {
  name: "rw_lock",
  text: "A mutex for writers, and a row of places: a reader takes one, and a writer takes all.",
  length: RW_LOCK_FIRST_PLACE_OFFSET,
  fields: [
    bytes("writers", 0, MUTEX_LENGTH, "See the mutex."),
    u32("magic", RW_LOCK_MAGIC_OFFSET, "The creator, right before the mutex's own, which is last."),
    u32("places", RW_LOCK_PLACES_OFFSET, "The most readers at a time. The creator."),
    u32(
      "state",
      RW_LOCK_STATE_OFFSET,
      "0 free, 1 wanted, 2 writing, 3 lost. The owner of the writers' mutex.",
    ),
    u32("unrepaired", RW_LOCK_UNREPAIRED_OFFSET, "1 since a writer died writing. The same owner."),
    u32("turns", RW_LOCK_TURNS_OFFSET, "Locks taken after a wait, mod 2^32. Whoever waited."),
    u32("wait_point", RW_LOCK_WAIT_POINT_OFFSET, "See the wait point.", WAIT_POINT_LENGTH / 4),
  ],
};

export const RW_LOCK_PLACE: Layout = {
  name: "rw_lock_place",
  text: "`places` of them follow the lock.",
  length: RW_LOCK_PLACE_LENGTH,
  fields: [bytes("lock", 0, LOCK_LENGTH, "See the lock. The reader, or the writer.")],
};

/** "RWL2", little-endian. */
export const RW_LOCK_MAGIC = 0x324c5752;

/** No writer writes or wants to. */
export const FREE = 0;
/** A writer waits for the readers to leave, and no new ones enter. */
export const WANTED = 1;
/** A writer has all places. */
export const WRITING = 2;
/** A repair failed: nobody gets the lock any more. */
export const LOST = 3;

/** @returns The bytes of a readers-writer lock for `places` readers at a time. */
export function rwLockLength(places: number): number {
  return RW_LOCK_FIRST_PLACE_OFFSET + places * RW_LOCK_PLACE_LENGTH;
}
