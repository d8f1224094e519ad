/** linux/futex.h: sleep on a 32-bit word in shared memory, in any process that maps it. */
import type { Pointer } from "bun:ffi";
import { E, fromErrno } from "./errno.ts";
import { PLATFORM } from "./platform.ts";
import { libc } from "./symbols.ts";
import { timespec } from "./time.ts";

// Without FUTEX_PRIVATE_FLAG, the kernel identifies the word by its page, for all processes.
export const FUTEX_WAIT = 0;
export const FUTEX_WAKE = 1;

const SYS_FUTEX = PLATFORM?.futexCall;

/** Whether this platform can sleep on a word. */
export const HAS_FUTEX: boolean = SYS_FUTEX !== undefined;

/**
 * `futex(uaddr, FUTEX_WAIT, expected, timeout)`: sleeps while the word is `expected`, for
 * `timeoutMs` at most. 0 when woken (or for no reason), -EAGAIN when the word had changed already,
 * -ETIMEDOUT, -EINTR. Keep the timeout short: the thread cannot be terminated meanwhile.
 * https://man7.org/linux/man-pages/man2/FUTEX_WAIT.2const.html
 */
export function futexWait(address: number, expected: number, timeoutMs: number): number {
  if (SYS_FUTEX === undefined) return -E.ENOSYS;
  const timeout = timespec(timeoutMs);
  return fromErrno(
    Number(
      libc.syscall(SYS_FUTEX, address as Pointer, FUTEX_WAIT, expected >>> 0, timeout, null, 0),
    ),
  );
}

/**
 * `futex(uaddr, FUTEX_WAKE, count)`: wakes at most `count` sleepers; returns how many.
 * https://man7.org/linux/man-pages/man2/FUTEX_WAKE.2const.html
 */
export function futexWake(address: number, count: number): number {
  if (SYS_FUTEX === undefined) return -E.ENOSYS;
  return fromErrno(
    Number(libc.syscall(SYS_FUTEX, address as Pointer, FUTEX_WAKE, count, null, null, 0)),
  );
}
