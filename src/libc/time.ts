/** time.h: clocks, deadlines and sleep. */
import { type Pointer, ptr } from "bun:ffi";
import { C } from "./platform.ts";
import { libc } from "./symbols.ts";

// struct timespec: time_t tv_sec; long tv_nsec; both 64 bits here. One scratch for each use, since
// a deadline must survive a look at the clock.
const now = new ArrayBuffer(16);
const nowWords = new DataView(now);
const scratch = new ArrayBuffer(16);
const scratchWords = new DataView(scratch);

/**
 * `int clock_gettime(clockid_t, struct timespec *)`: the clock in milliseconds, with fractions.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/clock_gettime.html
 */
export function clockMs(clock: number): number {
  libc.clock_gettime(clock, ptr(now));
  return Number(nowWords.getBigInt64(0, true)) * 1e3 + Number(nowWords.getBigInt64(8, true)) / 1e6;
}

/** Writes a timespec and returns its address; good until the next call. */
export function timespec(milliseconds: number): Pointer {
  const seconds = Math.floor(milliseconds / 1e3);
  scratchWords.setBigInt64(0, BigInt(seconds), true);
  scratchWords.setBigInt64(8, BigInt(Math.floor((milliseconds - seconds * 1e3) * 1e6)), true);
  return ptr(scratch);
}

/**
 * `int nanosleep(const struct timespec *, struct timespec *)`: blocks this thread; a signal ends it
 * early, which callers take as a turn of their loop.
 */
export function sleepMs(milliseconds: number): void {
  libc.nanosleep(timespec(milliseconds), null);
}

/** The monotonic clock in milliseconds. */
export function monotonicMs(): number {
  return clockMs(C.CLOCK_MONOTONIC);
}
