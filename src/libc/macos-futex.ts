/** The two ways in which macOS sleeps on a word. */
import type { Pointer } from "bun:ffi";
import { E, fromErrno } from "./errno.ts";
import { libc } from "./symbols.ts";

/** How one system does it. */
export interface Futex {
  /**
   * Sleeps while the word is `expected`, for `timeoutMs` at most. 0 when woken (or for no reason),
   * -EAGAIN when the word had changed already, if the system says so; -ETIMEDOUT, -EINTR.
   */
  wait(address: number, expected: number, timeoutMs: number): number;
  /**
   * Wakes `count` sleepers at most, or all of them where the system can wake but one or all.
   * @returns 0 or more, or a negated errno.
   */
  wake(address: number, count: number): number;
}

const SHARED = 1;
const OS_CLOCK_MACH_ABSOLUTE_TIME = 32;

/**
 * `os_sync_wait_on_address_with_timeout`, `os_sync_wake_by_address_all`, of macOS 14.4 and later.
 * Sources: xnu libsyscall/os/os_sync_wait_on_address.h. Untested on macOS.
 */
export const addressFutex: Futex = {
  wait(address, expected, timeoutMs) {
    const nanoseconds = Math.max(1, Math.floor(timeoutMs * 1e6));
    const clock = OS_CLOCK_MACH_ABSOLUTE_TIME;
    const word = address as Pointer;
    const value = expected >>> 0;
    const woken = fromErrno(
      libc.os_sync_wait_on_address_with_timeout(word, value, 4, SHARED, clock, nanoseconds),
    );
    // It answers how many others sleep there.
    return Math.min(woken, 0);
  },
  wake(address, count) {
    const word = address as Pointer;
    const woken = fromErrno(
      count === 1
        ? libc.os_sync_wake_by_address_any(word, 4, SHARED)
        : libc.os_sync_wake_by_address_all(word, 4, SHARED),
    );
    // Nobody sleeps there.
    return woken === -E.ENOENT ? 0 : woken;
  },
};

const UL_COMPARE_AND_WAIT_SHARED = 3;
const ULF_WAKE_ALL = 0x100;
const ULF_NO_ERRNO = 0x1000000;

/**
 * `__ulock_wait`, `__ulock_wake`, of macOS 10.12 and later. Source: xnu bsd/sys/ulock.h. Untested
 * on macOS.
 */
export const ulockFutex: Futex = {
  wait(address, expected, timeoutMs) {
    const operation = UL_COMPARE_AND_WAIT_SHARED | ULF_NO_ERRNO;
    // 0 would last for ever.
    const microseconds = Math.max(1, Math.floor(timeoutMs * 1e3));
    const word = address as Pointer;
    return Math.min(libc.__ulock_wait(operation, word, expected >>> 0, microseconds), 0);
  },
  wake(address, count) {
    const operation = UL_COMPARE_AND_WAIT_SHARED | ULF_NO_ERRNO | (count === 1 ? 0 : ULF_WAKE_ALL);
    const woken = libc.__ulock_wake(operation, address as Pointer, 0);
    return woken === -E.ENOENT ? 0 : woken;
  },
};
