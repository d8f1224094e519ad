/** semaphore.h: counting semaphores, by name or at an address. */
import { type Pointer, ptr, toArrayBuffer } from "bun:ffi";
import { E, ERRNO_FUNCTION, fromErrno, fromPointer, uninterrupted } from "./errno.ts";
import { unspelled } from "./name-spelling.ts";
import { cPath } from "./path-bytes.ts";
import { C, GLIBC_SEM, MUSL_SEM, PLATFORM, type SemLayout } from "./platform.ts";
import { type LinkedFunction, addressOf, has, libc, linkable } from "./symbols.ts";
import { clockMs, sleepMs, timespec } from "./time.ts";

/** How many bytes a `sem_t` takes: 32 is the most on any supported system. */
export const SEM_LENGTH = 32;

const IS_GLIBC = has("gnu_get_libc_version");
const OTHER_LINUX = process.platform === "linux" ? MUSL_SEM : undefined;

/** Where the words of a `sem_t` are; undefined where this package does not know. */
export const SEM_LAYOUT: SemLayout | undefined = IS_GLIBC ? GLIBC_SEM : OTHER_LINUX;

/**
 * Whether this package knows all that libc does with a `sem_t`, so that it needs no libc for it.
 * glibc ends the whole process when it finds bytes that it did not write.
 */
export const NEEDS_NO_LIBC: boolean = IS_GLIBC;

/** The words of the semaphore at an address, which must stay mapped while they are used. */
export function semWords(address: number): Int32Array {
  return new Int32Array(toArrayBuffer(address as Pointer, 0, SEM_LENGTH));
}

/**
 * `sem_t *sem_open(const char *name, int oflag, mode_t mode, unsigned value)`: the address. Opening
 * a name again in one process gives the same address, counted.
 * Errors: EACCES, EEXIST, EINVAL, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOSPC.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/sem_open.html
 */
export function semOpen(name: string, flags: number, mode: number, value: number): number {
  const path = cPath(unspelled(name));
  return uninterrupted(() => {
    const opened = libc.sem_open(path, flags, mode, value);
    // SEM_FAILED is NULL on Linux and FreeBSD; (sem_t *)-1 on macOS, beyond any address.
    return fromPointer(Number(opened) > Number.MAX_SAFE_INTEGER ? null : opened);
  });
}

/**
 * `int sem_close(sem_t *sem)`: ends one `sem_open`; after the last the address is unmapped.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/sem_close.html
 */
export function semClose(address: number): number {
  return fromErrno(libc.sem_close(address as Pointer));
}

/**
 * `int sem_unlink(const char *name)`. Errors: EACCES, ENAMETOOLONG, ENOENT.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/sem_unlink.html
 */
export function semUnlink(name: string): number {
  return fromErrno(libc.sem_unlink(cPath(unspelled(name))));
}

/**
 * `int sem_init(sem_t *sem, int pshared, unsigned value)`, shared between processes. Nobody may
 * wait on one that was there before. Errors: EINVAL, ENOSYS (macOS).
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/sem_init.html
 */
export function semInit(address: number, value: number): number {
  return fromErrno(libc.sem_init(address as Pointer, 1, value));
}

/**
 * `int sem_post(sem_t *sem)`: adds one, and wakes a waiter. Errors: EINVAL, EOVERFLOW.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/sem_post.html
 */
export function semPost(address: number): number {
  return fromErrno(libc.sem_post(address as Pointer));
}

/**
 * `int sem_trywait(sem_t *sem)`: takes one at once; -EAGAIN when there is none.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/sem_trywait.html
 */
export function semTryWait(address: number): number {
  return fromErrno(libc.sem_trywait(address as Pointer));
}

/** How often a libc without timed waits (macOS) is polled, in ms. */
const POLL_MS = 1;

const CAN_CLOCK_WAIT = has("sem_clockwait");
const CAN_TIMED_WAIT = has("sem_timedwait");

/**
 * `int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *abstime)`: takes one,
 * sleeping at most `sliceMs`. -ETIMEDOUT, -EINTR. Keep the slice short: the thread cannot be
 * terminated meanwhile, and without `sem_clockwait` (musl, FreeBSD) the slice is
 * measured on the wall clock, which may jump.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/sem_clockwait.html
 */
export function semWaitSlice(address: number, sliceMs: number): number {
  const semaphore = address as Pointer;
  if (CAN_CLOCK_WAIT) {
    const until = timespec(clockMs(C.CLOCK_MONOTONIC) + sliceMs);
    return fromErrno(libc.sem_clockwait(semaphore, C.CLOCK_MONOTONIC, until));
  }
  if (CAN_TIMED_WAIT) {
    const until = timespec(clockMs(C.CLOCK_REALTIME) + sliceMs);
    return fromErrno(libc.sem_timedwait(semaphore, until));
  }
  const result = semTryWait(address);
  if (result !== -E.EAGAIN) return result;
  sleepMs(Math.min(sliceMs, POLL_MS));
  return -E.ETIMEDOUT;
}

/** What a thread needs in order to wait and post without this module. */
export interface SemaphoreCalls {
  /** The functions by name, including `errno`, and without the waits that this libc lacks. */
  readonly functions: Readonly<Record<string, LinkedFunction>>;
  /** The clock of the deadlines. */
  readonly clock: number;
  /** The errno numbers that a wait meets. */
  readonly errors: Readonly<
    Record<"EAGAIN" | "ETIMEDOUT" | "EINTR" | "ECANCELED" | "EBADMSG", number>
  >;
  /** The address of `munmap`. */
  readonly munmap: Pointer;
  /** The number of the system call `futex`, where there is one. */
  readonly futex?: number | undefined;
  /** Where the words of a semaphore are, for those who do without libc; that takes `futex` too. */
  readonly own?: SemLayout | undefined;
}

/** Collects the functions behind `semWaitSlice` and `semPost`, for a thread that links them. */
export function semaphoreCalls(): SemaphoreCalls {
  const names = [
    "sem_clockwait",
    "sem_timedwait",
    "sem_trywait",
    "sem_post",
    "clock_gettime",
    "syscall",
  ] as const;
  const functions = names.filter(has).map((name) => [name, linkable(name)]);
  const futex = PLATFORM?.futexCall;
  return {
    functions: { ...Object.fromEntries(functions), errno: linkable(ERRNO_FUNCTION) },
    munmap: addressOf("munmap"),
    futex,
    own: NEEDS_NO_LIBC && futex !== undefined ? GLIBC_SEM : undefined,
    clock: CAN_CLOCK_WAIT ? C.CLOCK_MONOTONIC : C.CLOCK_REALTIME,
    errors: E,
  };
}

const valueBuffer = new ArrayBuffer(4);
const valueView = new DataView(valueBuffer);

/**
 * `int sem_getvalue(sem_t *sem, int *sval)`: the value, stale at once. Where waiters count as
 * negative values it is read as 0. Errors: ENOSYS (macOS).
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/sem_getvalue.html
 */
export function semGetValue(address: number): number {
  const result = fromErrno(libc.sem_getvalue(address as Pointer, ptr(valueBuffer)));
  return result < 0 ? result : Math.max(valueView.getInt32(0, true), 0);
}
