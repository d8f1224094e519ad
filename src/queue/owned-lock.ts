/** A lock in shared memory that names its holder, and that others can inherit from a dead one. */
import { monotonicMs } from "../libc/time.ts";
import { compareExchange, load, store } from "../memory/atomics.ts";
import { QUEUE_LOCK_LOOKS, SLICE_MS } from "../waiting/limits.ts";
import type { WaitPoint } from "../waiting/wait-point.ts";

/** How an attempt to lock ended. "inherited": from a dead holder, whose work may be unfinished. */
export type LockOutcome = "locked" | "inherited" | "timeout";

/**
 * One word, which is 0 or its holder's number. Taking the lock and recording the holder is one
 * atomic step, so a holder that is killed is known at any instant.
 */
export class OwnedLock {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #self: number;
  readonly #waitPoint: WaitPoint;
  readonly #isAlive: (holder: number) => boolean;
  readonly #tryLock = (): boolean => this.tryLock();

  /**
   * @param self This participant's number, above 0.
   * @param isAlive Asks the kernel whether the holder of that number lives.
   */
  constructor(
    words: Int32Array,
    index: number,
    self: number,
    waitPoint: WaitPoint,
    isAlive: (holder: number) => boolean,
  ) {
    this.#words = words;
    this.#index = index;
    this.#self = self;
    this.#waitPoint = waitPoint;
    this.#isAlive = isAlive;
  }

  /** Takes the lock if it is free; does not block. @returns Whether it did. */
  tryLock(): boolean {
    return compareExchange(this.#words, this.#index, 0, this.#self) === 0;
  }

  /**
   * Takes the lock, and blocks until it is free or its holder is dead, for `timeoutMs` at most.
   * @returns How it ended.
   */
  lock(timeoutMs: number): LockOutcome {
    for (let look = 0; look < QUEUE_LOCK_LOOKS; look++) {
      if (load(this.#words, this.#index) === 0 && this.tryLock()) return "locked";
    }
    const deadline = monotonicMs() + timeoutMs;
    for (;;) {
      if (this.tryInherit()) return "inherited";
      const left = deadline - monotonicMs();
      const sliceMs = Math.max(Math.min(left, SLICE_MS), 0);
      if (this.#waitPoint.wait(this.#tryLock, { timeoutMs: sliceMs, strategy: "block" })) {
        return "locked";
      }
      if (left <= SLICE_MS) return this.tryInherit() ? "inherited" : "timeout";
    }
  }

  /** Takes the lock if its holder is dead; does not block. @returns Whether it did. */
  tryInherit(): boolean {
    const holder = load(this.#words, this.#index);
    if (holder === 0 || this.#isAlive(holder)) return false;
    // SYNC holder: of several heirs, only one finds the dead holder's number still there.
    return compareExchange(this.#words, this.#index, holder, this.#self) === holder;
  }

  /** Whether the lock's word has this participant's number, whose last user died with the lock. */
  get ownedBySelf(): boolean {
    return load(this.#words, this.#index) === this.#self;
  }

  unlock(): void {
    store(this.#words, this.#index, 0);
    this.#waitPoint.wake();
  }
}
