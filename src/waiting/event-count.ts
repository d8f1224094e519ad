/**
 * An event count, which lets a process sleep until something was published, without missing it.
 *
 * Two sides share two words: DATA (whatever the structure publishes) and STATE.
 *
 *   waker                              waiter
 *   W1  DATA := new                    S1  STATE |= flag, key := STATE
 *   W2  read STATE; no flag: done      S2  read DATA; it is there: done
 *   W3  STATE: flags off, sequence+1   S3  sleep unless STATE ≠ key
 *   W4  wake all sleepers
 *
 * Invariant: a waiter that sleeps with `key` has looked at DATA after it set its flag, and STATE
 * has not changed since. No wake-up is lost, because all accesses are sequentially consistent. If
 * S2 missed W1, then S1 came before W2 (SYNC event-count: W1-W2 pairs with S1-S2), so W2 saw the
 * flag. Then W3 comes before S3, which does not sleep because the sequence has changed, or it comes
 * after S3, and W4 wakes the sleeper. Without the sequence, a third process could set the flag
 * again between W3 and S3, and STATE would look unchanged. The sequence wraps after 2^30 wakes
 * within one S1-S3.
 *
 * A waiter that is killed leaves its flag, which costs the next waker one needless W3-W4. If a
 * waker is killed between W1 and W4, the protocol cannot notice it, so sleepers sleep in slices and
 * look at DATA in between.
 *
 * A light waker pays no fence between W1 and W2, where the processor could make W1 visible after
 * W2. Its waiters pay instead:
 *
 *   S1a  make the threads of light wakers take a fence
 *
 * A waker takes it before W1, after W2, or in between. If it is after W1, S2 sees DATA. If it is
 * before W1, then W2 comes after S1, and sees the flag. A waiter that cannot do S1a, since its
 * kernel refuses, sets FENCE with its flag. That stays, and makes light wakers take a fence of
 * their own, before they look again (W2). Only a W1 that was under way when FENCE was set first can
 * be missed, and is found a slice later. Processes whose threads cannot be made to take a fence
 * wake as above.
 *
 * Sources: the event counts of folly (folly/experimental/EventCount.h) and Vyukov, with the flags
 * and the sequence in one word, so that a futex can sleep on it. For light wakers, the asymmetric
 * fences of folly (synchronization/AsymmetricThreadFence.h) and C++ (P1202).
 */
import { FENCE, WAITING, WAKE_INCREMENT } from "../layout/wait-point-layout.ts";
import { acceptFences, fenceOthers } from "../libc/membarrier.ts";
import { compareExchange, load, or, accessesPlainly } from "../memory/atomics.ts";

/** S1: announces a waiter, which must look at DATA afterwards. @returns The key for S3. */
export function announce(words: Int32Array, state: number, flag: number): number {
  return or(words, state, flag) | flag;
}

/** Whether wakers of this process may be light, at what light wakers wake. */
export function mayBeLight(): boolean {
  return accessesPlainly() && acceptFences();
}

/** S1 and S1a, at what light wakers wake. @returns The key for S3. */
export function announceToLight(words: Int32Array, state: number, flag: number): number {
  const key = announce(words, state, flag);
  return fenceOthers() ? key : announce(words, state, FENCE);
}

/** W2: whether anybody waits. If nobody does, this is the whole cost of a wake. */
export function hasWaiters(words: Int32Array, state: number): boolean {
  return (load(words, state) & WAITING) !== 0;
}

/** W3: takes the flags of all waiters announced so far, who must be woken. @returns The flags. */
export function takeWaiters(words: Int32Array, state: number): number {
  for (;;) {
    const seen = load(words, state);
    const flags = seen & WAITING;
    // Another waker took the flags, and wakes their waiters.
    if (flags === 0) return 0;
    const next = ((seen & ~WAITING) + WAKE_INCREMENT) | 0;
    if (compareExchange(words, state, seen, next) === seen) return flags;
  }
}
