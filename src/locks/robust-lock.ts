/** A robust mutex for the short critical sections of a structure's writers. */
import { E, fail } from "../libc/errno.ts";
import {
  mutexConsistent,
  mutexInit,
  mutexLock,
  mutexTryLock,
  mutexUnlock,
} from "../libc/pthread.ts";
import type { Hold } from "../segment/holds.ts";
import type { Mapping } from "../memory/mapping.ts";

/** The longest uninterrupted sleep, in ms: after it, a Worker can be terminated. */
const SLICE_MS = 50;
/** Tries before a sleep: these sections are shorter than a sleep and a wake. */
const SPIN_TRIES = 200;

/** One owner at a time; the kernel passes it on when the owner dies, and says so. */
export class RobustLock {
  readonly #mapping: Mapping;
  readonly #offset: number;
  readonly #what: string;
  readonly #hold: Hold;

  /**
   * @param what For messages, as in `the lock of record "/x"`.
   * @param hold What makes the segment refuse to be closed during `holding`.
   */
  constructor(mapping: Mapping, byteOffset: number, what: string, hold: Hold) {
    this.#mapping = mapping;
    this.#offset = byteOffset;
    this.#what = what;
    this.#hold = hold;
  }

  /** Makes the mutex; once, before anybody else sees it. */
  init(): void {
    const result = mutexInit(this.#mapping.address + this.#offset);
    if (result < 0) fail(`Cannot make ${this.#what}`, result, "pthread_mutex_init");
  }

  /**
   * Takes the lock, however long its owner needs.
   *
   * @returns Whether the last owner died with it. The data are the caller's to repair, before it
   *   unlocks; if it dies as well, the next one is told.
   * @throws SystemError EDEADLK when this thread has it.
   */
  lock(): boolean {
    const result = mutexTryLock(this.#mapping.lastingAddress + this.#offset);
    return result === 0 ? false : this.#lockSlowly(result);
  }

  #lockSlowly(first: number): boolean {
    const address = this.#mapping.lastingAddress + this.#offset;
    let result = first;
    for (let tries = 0; result === -E.EBUSY && tries < SPIN_TRIES; tries++) {
      result = mutexTryLock(address);
    }
    while (result === -E.EBUSY || result === -E.ETIMEDOUT) result = mutexLock(address, SLICE_MS);
    if (result === 0) return false;
    if (result === -E.EOWNERDEAD) {
      mutexConsistent(address);
      return true;
    }
    const hint =
      result === -E.EDEADLK ? "It is held by this thread, in a callback for instance" : undefined;
    return fail(`Cannot lock ${this.#what}`, result, "pthread_mutex_lock", undefined, hint);
  }

  unlock(): void {
    mutexUnlock(this.#mapping.lastingAddress + this.#offset);
  }

  /** Runs a user's function while the lock is held: its segment stays mapped meanwhile. */
  holding<T>(call: () => T): T {
    this.#hold.held = true;
    try {
      return call();
    } finally {
      this.#hold.held = false;
    }
  }
}
