/** pthread.h: mutexes that processes share, and that outlive their owners. */
import { type Pointer, ptr } from "bun:ffi";
import { fromError } from "./errno.ts";
import { C, GLIBC, PLATFORM, PROCESSOR_NUMBER } from "./platform.ts";
import { has, libc } from "./symbols.ts";
import { clockMs, timespec } from "./time.ts";

// pthread_mutexattr_t is 4 bytes (8 on arm64 glibc).
const attributes = new ArrayBuffer(64);

/** Whether libc has robust mutexes; macOS has none. */
export const HAS_ROBUST_MUTEX: boolean = has("pthread_mutexattr_setrobust");

/**
 * Which `pthread_mutex_t` this process writes: the libc in the upper half, the processor in the
 * lower one. glibc and musl lay theirs out differently, and must never share one.
 */
export const MUTEX_ABI: number =
  ((has("gnu_get_libc_version") ? GLIBC : (PLATFORM?.libcNumber ?? 0)) << 16) | PROCESSOR_NUMBER;

/**
 * `int pthread_mutex_init(pthread_mutex_t *, const pthread_mutexattr_t *)`, with the attributes
 * robust, process-shared and errorcheck. The memory must hold no mutex that is in use.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/pthread_mutex_init.html
 */
export function mutexInit(address: number): number {
  const a = ptr(attributes);
  const steps = [
    () => libc.pthread_mutexattr_init(a),
    () => libc.pthread_mutexattr_settype(a, C.PTHREAD_MUTEX_ERRORCHECK),
    () => libc.pthread_mutexattr_setpshared(a, C.PTHREAD_PROCESS_SHARED),
    () => libc.pthread_mutexattr_setrobust(a, C.PTHREAD_MUTEX_ROBUST),
    () => libc.pthread_mutex_init(address as Pointer, a),
    () => libc.pthread_mutexattr_destroy(a),
  ];
  for (const step of steps) {
    const result = fromError(step());
    if (result < 0) return result;
  }
  return 0;
}

// As constants, so that the engine knows the callees and inlines the calls. Below, the errors are
// negated by `0 -`, because `-0` would be a double.
const tryLock = libc.pthread_mutex_trylock;
const unlock = libc.pthread_mutex_unlock;

/**
 * `int pthread_mutex_trylock(pthread_mutex_t *)`: 0; -EBUSY when another thread holds it (on musl
 * also when this one does); -EDEADLK when this thread holds it; -EOWNERDEAD when it was taken from
 * a dead owner; -ENOTRECOVERABLE when a dead owner's data were given up.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/pthread_mutex_lock.html
 */
export function mutexTryLock(address: number): number {
  return 0 - tryLock(address as Pointer);
}

/**
 * `int pthread_mutex_clocklock(pthread_mutex_t *, clockid_t, const struct timespec *)`, or where
 * libc lacks it `pthread_mutex_timedlock`, which uses the wall clock. It answers like
 * `mutexTryLock`, or -ETIMEDOUT. It blocks for `timeoutMs` at most, and no signal ends it, so wait
 * in slices.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/pthread_mutex_clocklock.html
 */
export function mutexLock(address: number, timeoutMs: number): number {
  if (has("pthread_mutex_clocklock")) {
    const deadline = timespec(clockMs(C.CLOCK_MONOTONIC) + timeoutMs);
    return 0 - libc.pthread_mutex_clocklock(address as Pointer, C.CLOCK_MONOTONIC, deadline);
  }
  const deadline = timespec(clockMs(C.CLOCK_REALTIME) + timeoutMs);
  return 0 - libc.pthread_mutex_timedlock(address as Pointer, deadline);
}

/**
 * `int pthread_mutex_unlock(pthread_mutex_t *)`; -EPERM when this thread does not hold it. After
 * -EOWNERDEAD and without `mutexConsistent`, it makes the mutex unusable for ever.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/pthread_mutex_lock.html
 */
export function mutexUnlock(address: number): number {
  return 0 - unlock(address as Pointer);
}

/**
 * `int pthread_mutex_consistent(pthread_mutex_t *)`: the owner, who got -EOWNERDEAD, says that the
 * data are whole again.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/pthread_mutex_consistent.html
 */
export function mutexConsistent(address: number): number {
  return fromError(libc.pthread_mutex_consistent(address as Pointer));
}
