/** time.h: clocks, deadlines and sleep. */
import { type Pointer, ptr } from "bun:ffi";
import { fail, fromErrno } from "./errno.ts";
import { C } from "./platform.ts";
import { libc } from "./symbols.ts";

// struct timespec: time_t tv_sec; long tv_nsec; both 64 bits here. Each use has scratch memory of
// its own, because a deadline must survive a look at the clock.
const now = new ArrayBuffer(16);
const nowWords = new DataView(now);
/** What was made as an ArrayBuffer stays in its place: to ask where each time is an eighth more. */
let nowAddress: Pointer | undefined;
const scratch = new ArrayBuffer(16);
const scratchWords = new DataView(scratch);

/**
 * `int clock_gettime(clockid_t, struct timespec *)`: the clock in milliseconds, with fractions.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/clock_gettime.html
 */
export function clockMs(clock: number): number {
  const result = fromErrno(libc.clock_gettime(clock, (nowAddress ??= ptr(now))));
  // Without a clock, a wait would have no end.
  if (result < 0) fail("Cannot read the clock", result, "clock_gettime");
  const seconds = nowWords.getUint32(4, true) * 2 ** 32 + nowWords.getUint32(0, true);
  return seconds * 1e3 + nowWords.getUint32(8, true) / 1e6;
}

/** Writes a timespec. @returns Its address, which is valid until the next call. */
export function timespec(timeMs: number): Pointer {
  const seconds = Math.floor(timeMs / 1e3);
  scratchWords.setBigInt64(0, BigInt(seconds), true);
  scratchWords.setBigInt64(8, BigInt(Math.floor((timeMs - seconds * 1e3) * 1e6)), true);
  return ptr(scratch);
}

/**
 * `int nanosleep(const struct timespec *, struct timespec *)`: blocks this thread. A signal ends it
 * early, so callers use it only in loops.
 */
export function sleepMs(timeMs: number): void {
  libc.nanosleep(timespec(timeMs), null);
}

/** The monotonic clock in milliseconds. */
export function monotonicMs(): number {
  return clockMs(C.CLOCK_MONOTONIC);
}

/** The clock that runs since the machine's start, also while it sleeps, in milliseconds. */
export function boottimeMs(): number {
  return clockMs(C.CLOCK_BOOTTIME);
}

/** The wall clock in milliseconds since 1970. */
export function realtimeMs(): number {
  return clockMs(C.CLOCK_REALTIME);
}
