/** A row of robust mutexes: who takes one is known to live until it gives it back. */
import { ClosedError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { mutexConsistent, mutexInit, mutexTryLock, mutexUnlock } from "../libc/pthread.ts";
import type { Place } from "../segment/placement.ts";

/** Bytes from one mutex of a row to the next. */
export const MUTEX_ROW_STRIDE = 128;

/** What a try answers: 0, -EBUSY: a live thread has it, -EOWNERDEAD: taken, from a dead one. */
export type Taken = number;

/** The mutexes belong to threads, and the kernel gives a dead thread's to the next that tries. */
export class MutexRow {
  readonly #what: string;
  // Without a length once the memory is gone.
  readonly #probe: Uint8Array;
  readonly #address: number;

  /** @param offset Of the first mutex in the segment. */
  constructor(what: string, place: Place, offset: number) {
    this.#what = what;
    this.#probe = new Uint8Array(place.mapping.buffer, offset);
    this.#address = place.mapping.lastingAddress + offset;
  }

  /** Makes the mutexes. */
  init(count: number): void {
    for (let at = 0; at < count; at++) {
      const result = mutexInit(this.#addressOf(at));
      if (result < 0) fail(`Cannot make the ${this.#what}`, result, "pthread_mutex_init");
    }
  }

  /** Takes one at once or not at all. Another handle of this thread counts as somebody else. */
  tryTake(at: number): Taken {
    const address = this.#addressOf(at);
    const result = mutexTryLock(address);
    if (result === 0 || result === -E.EBUSY) return result;
    if (result === -E.EDEADLK) return -E.EBUSY;
    if (result !== -E.EOWNERDEAD) {
      fail(`Cannot lock the ${this.#what}`, result, "pthread_mutex_trylock");
    }
    mutexConsistent(address);
    return result;
  }

  /** Gives one back. */
  give(at: number): void {
    const result = mutexUnlock(this.#addressOf(at));
    if (result < 0) fail(`Cannot unlock the ${this.#what}`, result, "pthread_mutex_unlock");
  }

  #addressOf(at: number): number {
    if (this.#probe.length === 0) throw new ClosedError(this.#what);
    return this.#address + at * MUTEX_ROW_STRIDE;
  }
}
