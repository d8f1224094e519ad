/** The mutex: a lock with a mark, and a wait point for event loops. */
import { type Layout, bytes, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const MUTEX_MAGIC_OFFSET = 64;
export const MUTEX_DEATHS_OFFSET = 72;
export const MUTEX_WAIT_POINT_OFFSET = 128;

/** Bytes of a mutex. */
export const MUTEX_LENGTH: number = MUTEX_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

export const MUTEX: Layout = {
  name: "mutex",
  text: "A lock with a mark, and a wait point for event loops.",
  length: MUTEX_LENGTH,
  fields: [
    bytes("lock", 0, LOCK_LENGTH, "See the lock."),
    u32("magic", MUTEX_MAGIC_OFFSET, "The creator, last, with release."),
    u32("deaths", MUTEX_DEATHS_OFFSET, "Owners that died holding it, mod 2^32. The next owner."),
    u32("wait_point", MUTEX_WAIT_POINT_OFFSET, "See the wait point.", WAIT_POINT_LENGTH / 4),
  ],
};

/** "MUT2", little-endian. */
export const MUTEX_MAGIC = 0x3254554d;
