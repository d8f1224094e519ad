/**
 * The mutex: libc's own, with a guard, and a place to wait for it in an event loop.
 *
 * | offset | field | who writes it |
 * |---|---|---|
 * | 0 | `pthread_mutex_t`: robust, process-shared, errorcheck | libc |
 * | 64 | magic, u32 | the creator, last, with release |
 * | 68 | abi, u32: libc << 16 \| processor | the creator |
 * | 72 | deaths, u32: owners that died holding it, mod 2^32 | the owner that found out |
 * | 76 | lost, u32: 1 once a repair failed | whoever finds out; never back to 0 |
 * | 128 | wait point | see wait-point-layout.ts |
 *
 * A C program locks the `pthread_mutex_t` as its own. If it never wakes the wait point, event loops
 * that wait find out by their re-check.
 */
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const MUTEX_MAGIC_OFFSET = 64;
export const MUTEX_ABI_OFFSET = 68;
export const MUTEX_DEATHS_OFFSET = 72;
export const MUTEX_LOST_OFFSET = 76;
export const MUTEX_WAIT_POINT_OFFSET = 128;

/** Bytes in a mutex. */
export const MUTEX_LENGTH: number = MUTEX_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

/** "MUTX", little-endian. */
export const MUTEX_MAGIC = 0x5854554d;
