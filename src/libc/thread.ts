/** Threads, as the kernel of Linux numbers them: in one row with processes. */
import type { Pointer } from "bun:ffi";
import { E, fromErrno } from "./errno.ts";
import { PLATFORM } from "./platform.ts";
import { libc } from "./symbols.ts";

const calls = PLATFORM?.threadCalls;

function syscall(number: number, first: number): number {
  return fromErrno(Number(libc.syscall(number, first as Pointer, 0, 0, null, null, 0)));
}

/**
 * `pid_t gettid(void)`: this thread's id in its PID namespace; 0 where threads have none.
 * https://man7.org/linux/man-pages/man2/gettid.2.html
 */
export function threadId(): number {
  return calls === undefined ? 0 : syscall(calls.gettid, 0);
}

/**
 * Whether no thread has an id in this PID namespace: `tkill(id, 0)` sends nothing, and finds also
 * what /proc may hide. https://man7.org/linux/man-pages/man2/tkill.2.html
 */
export function isNoThread(id: number): boolean {
  return calls !== undefined && syscall(calls.tkill, id) === -E.ESRCH;
}
