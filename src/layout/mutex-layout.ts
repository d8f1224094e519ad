/**
 * The mutex: libc's own, with a mark, and a wait point for event loops.
 *
 * A C program may lock the `pthread_mutex_t` like its own. If it does not wake the wait point,
 * event loops that wait there find out when they look again.
 */
import { type Layout, bytes, u32 } from "./description.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const MUTEX_MAGIC_OFFSET = 64;
export const MUTEX_ABI_OFFSET = 68;
export const MUTEX_DEATHS_OFFSET = 72;
export const MUTEX_LOST_OFFSET = 76;
export const MUTEX_WAIT_POINT_OFFSET = 128;

/** Bytes of a mutex. */
export const MUTEX_LENGTH: number = MUTEX_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

export const MUTEX: Layout = {
  name: "mutex",
  text: "libc's own mutex, with a mark, and a wait point for event loops.",
  length: MUTEX_LENGTH,
  fields: [
    bytes("mutex", 0, 64, "`pthread_mutex_t`: robust, process-shared, errorcheck. libc."),
    u32("magic", MUTEX_MAGIC_OFFSET, "The creator, last, with release."),
    u32("abi", MUTEX_ABI_OFFSET, "libc << 16 | processor. The creator."),
    u32("deaths", MUTEX_DEATHS_OFFSET, "Owners that died holding it, mod 2^32. The next owner."),
    u32("lost", MUTEX_LOST_OFFSET, "1 once a repair failed; it stays 1. Whoever finds out."),
    u32("wait_point", MUTEX_WAIT_POINT_OFFSET, "See the wait point.", WAIT_POINT_LENGTH / 4),
  ],
};

/** "MUTX", little-endian. */
export const MUTEX_MAGIC = 0x5854554d;
