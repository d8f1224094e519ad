/** Sleep on a 32-bit word in shared memory, in any process that maps it. */
import type { Pointer } from "bun:ffi";
import { E, fromErrno } from "./errno.ts";
import { type Futex, addressFutex, ulockFutex } from "./macos-futex.ts";
import { PLATFORM } from "./platform.ts";
import { has, libc } from "./symbols.ts";
import { timespec } from "./time.ts";

// linux/futex.h. Without FUTEX_PRIVATE_FLAG, the kernel identifies the word by its page, for all
// processes.
export const FUTEX_WAIT = 0;
export const FUTEX_WAKE = 1;

/**
 * `futex(uaddr, FUTEX_WAIT, expected, timeout)`, `futex(uaddr, FUTEX_WAKE, count)`.
 * https://man7.org/linux/man-pages/man2/futex.2.html
 */
function linuxFutex(call: number): Futex {
  return {
    wait(address, expected, timeoutMs) {
      const timeout = timespec(timeoutMs);
      const word = address as Pointer;
      return fromErrno(
        Number(libc.syscall(call, word, FUTEX_WAIT, expected >>> 0, timeout, null, 0)),
      );
    },
    wake(address, count) {
      return fromErrno(
        Number(libc.syscall(call, address as Pointer, FUTEX_WAKE, count, null, null, 0)),
      );
    },
  };
}

function ownFutex(): Futex | undefined {
  if (PLATFORM?.futexCall !== undefined) return linuxFutex(PLATFORM.futexCall);
  if (has("os_sync_wait_on_address_with_timeout")) return addressFutex;
  return has("__ulock_wait") ? ulockFutex : undefined;
}

const futex = ownFutex();

/** Whether this platform can sleep on a word. */
export const HAS_FUTEX: boolean = futex !== undefined;

/** See `Futex.wait`. Keep the timeout short: the thread cannot be terminated meanwhile. */
export function futexWait(address: number, expected: number, timeoutMs: number): number {
  return futex === undefined ? -E.ENOSYS : futex.wait(address, expected, timeoutMs);
}

/** See `Futex.wake`. */
export function futexWake(address: number, count: number): number {
  return futex === undefined ? -E.ENOSYS : futex.wake(address, count);
}
