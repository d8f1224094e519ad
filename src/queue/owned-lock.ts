/** A lock in shared memory that knows its holder, and passes from a dead one to the next. */
import { monotonicMs } from "../libc/time.ts";
import { compareExchange, load, store } from "../memory/atomics.ts";
import { QUEUE_LOCK_LOOKS, SLICE_MS } from "../waiting/limits.ts";
import type { WaitPoint } from "../waiting/wait-point.ts";

/** What became of an attempt to lock. */
export type LockOutcome = "locked" | "inherited" | "timeout";

/**
 * One word: 0, or the number of its holder. Taking it and saying who took it is one atomic step, so
 * there is no instant at which a killed holder is unknown.
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
   * @param isAlive Whether the holder of that number lives, as the kernel says.
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

  /** Takes a free lock, at once. */
  tryLock(): boolean {
    return compareExchange(this.#words, this.#index, 0, this.#self) === 0;
  }

  /**
   * Blocks until the lock is this participant's, or the time is over. "inherited": its holder is
   * dead, and what the lock guards may be half done.
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

  /** Takes the lock from a dead holder, at once. @returns Whether it did. */
  tryInherit(): boolean {
    const holder = load(this.#words, this.#index);
    if (holder === 0 || this.#isAlive(holder)) return false;
    // SYNC holder: of several heirs one finds the dead one's number still there.
    return compareExchange(this.#words, this.#index, holder, this.#self) === holder;
  }

  /** Whether the word says that this participant holds it: its number's last user died so. */
  get ownedBySelf(): boolean {
    return load(this.#words, this.#index) === this.#self;
  }

  unlock(): void {
    store(this.#words, this.#index, 0);
    this.#waitPoint.wake();
  }
}
