/**
 * An event count: sleep until something was published, without missing it.
 *
 * Two sides, and the words they share: DATA (whatever the structure publishes) and STATE.
 *
 *   waker                              waiter
 *   W1  DATA := new                    S1  STATE |= flag, key := STATE
 *   W2  read STATE; no flag: done      S2  read DATA; it is there: done
 *   W3  STATE: flags off, sequence+1   S3  sleep unless STATE ≠ key
 *   W4  wake all sleepers
 *
 * Invariant: whoever sleeps with `key` has looked at DATA after its flag was set, and STATE has not
 * changed since. No wake-up is lost, because all accesses are sequentially consistent: if S2 missed
 * W1, then S1 came before W2 (SYNC event-count: W1-W2 pairs with S1-S2), so W2 saw the flag, and W3
 * either comes before S3, which then does not sleep since the sequence moved on, or after it, and
 * W4 wakes it. The sequence is what keeps a third process from setting the flag again between W3
 * and S3 and so making STATE look unchanged. It wraps after 2^30 wakes within one S1-S3.
 *
 * A waiter that is killed leaves a flag, which costs the next waker one needless W3-W4. A waker
 * that is killed between W1 and W4 is the one case that the protocol cannot see: sleepers therefore
 * sleep in slices, and look at DATA between them.
 *
 * Source: the event counts of folly (folly/experimental/EventCount.h) and Vyukov, with the flags
 * and the sequence in one word, so that a futex can sleep on it.
 */
import { WAITING, WAKE_INCREMENT } from "../layout/wait-point-layout.ts";
import { compareExchange, load, or } from "../memory/atomics.ts";

/** S1: announces a waiter of one kind. Look at the data afterwards. @returns The key for S3. */
export function announce(words: Int32Array, state: number, flag: number): number {
  return or(words, state, flag) | flag;
}

/** W2: whether anybody waits. The whole cost of a wake when nobody does. */
export function hasWaiters(words: Int32Array, state: number): boolean {
  return (load(words, state) & WAITING) !== 0;
}

/** W3: ends the waits announced so far. @returns Their flags; whoever has one must be woken. */
export function takeWaiters(words: Int32Array, state: number): number {
  for (;;) {
    const seen = load(words, state);
    const flags = seen & WAITING;
    // No flag: another waker took them, and wakes them.
    if (flags === 0) return 0;
    const next = ((seen & ~WAITING) + WAKE_INCREMENT) | 0;
    if (compareExchange(words, state, seen, next) === seen) return flags;
  }
}
