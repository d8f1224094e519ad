/**
 * What glibc does with a `sem_t`, done here, so that it does not matter what else writes into one:
 * libc ends the process when a word is none of its own, and may sleep without end. C programs with
 * glibc use the same semaphores through libc.
 *
 *   post   P1  value + n
 *          P2  read waiters; 0: done
 *          P3  wake n sleepers of value
 *   wait   W1  waiters + 1
 *          W2  value > 0: value - 1, and go to W4
 *          W3  sleep while value is 0
 *          W4  waiters - 1
 *
 * A waiter that sleeps has announced itself (W1) before it found the value 0 (W2 or W3). So P1
 * comes after its last look, and P2 sees it. glibc keeps both words in one of 64 bits, whose halves
 * change as they do here. A waiter that is killed leaves `waiters` too high, which costs each later
 * post a needless wake.
 *
 * Source: glibc, nptl/sem_post.c and sem_waitcommon.c, since 2.21.
 */
import { E } from "../libc/errno.ts";
import { futexWait, futexWake } from "../libc/futex.ts";
import { C, GLIBC_SEM } from "../libc/platform.ts";
import { monotonicMs } from "../libc/time.ts";
import { add, compareExchange, load } from "../memory/atomics.ts";

const { value: VALUE, waiters: WAITERS, sharing: SHARING, shared: SHARED } = GLIBC_SEM;

/** What reads as no number of tokens, or as a semaphore of one process alone. */
export const DAMAGED: number = -E.EBADMSG;

/** @returns How many tokens there are; `DAMAGED`. */
export function countTokens(words: Int32Array): number {
  const value = load(words, VALUE);
  return value < 0 || words[SHARING] !== SHARED ? DAMAGED : value;
}

/**
 * How many tokens there may be, for a compare-and-swap that finds out: a plain look costs a fifth
 * of an atomic one. It may be stale, so it proves nothing, and must not be all that a loop looks
 * at.
 */
function guessTokens(words: Int32Array): number {
  const value = words[VALUE]!;
  return value < 0 || words[SHARING] !== SHARED ? DAMAGED : value;
}

/** @returns How many tokens were added, which is less at the highest value; `DAMAGED`. */
export function addTokens(words: Int32Array, address: number, count: number): number {
  for (;;) {
    const value = guessTokens(words);
    if (value < 0) return value;
    const added = Math.min(count, C.SEM_VALUE_MAX - value);
    if (compareExchange(words, VALUE, value, value + added) !== value) continue;
    if (added > 0 && load(words, WAITERS) !== 0) futexWake(address, added);
    return added;
  }
}

/** Takes a token. @returns 0; -EAGAIN when there is none; `DAMAGED`. */
export function takeToken(words: Int32Array): number {
  for (;;) {
    let value = guessTokens(words);
    if (value <= 0) value = countTokens(words);
    if (value <= 0) return value === 0 ? -E.EAGAIN : value;
    if (compareExchange(words, VALUE, value, value - 1) === value) return 0;
  }
}

/** Takes all tokens above a limit in one step. @returns How many; `DAMAGED`. */
export function takeAbove(words: Int32Array, limit: number): number {
  for (;;) {
    const value = countTokens(words);
    if (value <= limit) return Math.min(value, 0);
    if (compareExchange(words, VALUE, value, limit) === value) return value - limit;
  }
}

/**
 * Takes a token, and sleeps meanwhile, at most `sliceMs`.
 * @returns 0; -ETIMEDOUT, -EINTR; `DAMAGED`.
 */
export function sleepForToken(words: Int32Array, address: number, sliceMs: number): number {
  const end = monotonicMs() + sliceMs;
  add(words, WAITERS, 1);
  try {
    for (;;) {
      const taken = takeToken(words);
      if (taken !== -E.EAGAIN) return taken;
      const leftMs = end - monotonicMs();
      if (leftMs <= 0) return -E.ETIMEDOUT;
      const result = futexWait(address, 0, leftMs);
      // Woken, or somebody was faster: it looks again.
      if (result < 0 && result !== -E.EAGAIN) return result;
    }
  } finally {
    add(words, WAITERS, -1);
  }
}
