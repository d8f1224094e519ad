import {
  CONDITION_EPOCH_OFFSET,
  CONDITION_LENGTH,
  CONDITION_MAGIC,
  CONDITION_MAGIC_OFFSET,
  CONDITION_SIGNALS_OFFSET,
  CONDITION_WAITERS_OFFSET,
  CONDITION_WAIT_POINT_OFFSET,
} from "../layout/condition-layout.ts";
import { add, compareExchange, load, store } from "../memory/atomics.ts";
import { checkMagic } from "../segment/magic.ts";
import { placeWords } from "../segment/placement.ts";
import type { Mutex } from "./mutex.ts";
import type { Segment } from "../segment/segment.ts";
import { type AsyncWaitOptions, WaitPoint, type WaitOptions } from "../waiting/wait-point.ts";
import { checkTimeout } from "../waiting/wait-options.ts";
import { monotonicMs } from "../libc/time.ts";

const EPOCH: number = CONDITION_EPOCH_OFFSET >> 2;
const WAITERS: number = CONDITION_WAITERS_OFFSET >> 2;
const SIGNALS: number = CONDITION_SIGNALS_OFFSET >> 2;

/**
 * Waiting, with a mutex released meanwhile, until another process has changed what it guards.
 *
 * Wait and notify with the same mutex held; every process uses the same one with a condition. A
 * wait may end for no reason: look again, in a loop, or use `waitFor`.
 *
 * What a crash leaves: a process that is killed while it waits makes a later wait end for no
 * reason, at worst. One that is killed when `notifyOne` has woken it takes that wake along: where
 * one may die, `notifyAll` is safe. After a wait, `mutex.ownerDied` tells of a death as always.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/jobs", { size: 4096 });
 * const mutex = Mutex.init(segment, 0);
 * const changed = Condition.init(segment, MUTEX_LENGTH, mutex);
 * const jobs = new Int32Array(segment.buffer, MUTEX_LENGTH + CONDITION_LENGTH, 1);
 * setTimeout(() => {
 *   // mostly: in another process
 *   using _ = mutex.acquire();
 *   jobs[0] = 1;
 *   changed.notifyOne();
 * }, 10);
 * using guard = await mutex.acquireAsync();
 * if (guard) await changed.waitForAsync(() => jobs[0]! > 0);
 * Segment.unlink("/jobs");
 * ```
 */
export class Condition {
  readonly #words: Int32Array;
  readonly #waitPoint: WaitPoint;
  readonly #mutex: Mutex;

  private constructor(segment: Segment, offset: number, words: Int32Array, mutex: Mutex) {
    this.#words = words;
    this.#waitPoint = new WaitPoint(segment, offset + CONDITION_WAIT_POINT_OFFSET);
    this.#mutex = mutex;
  }

  /**
   * Makes a condition in `CONDITION_LENGTH` bytes of a segment. Only one process does, once.
   *
   * @param offset Bytes from the segment's start, a multiple of 128.
   * @param mutex What guards the data; the same one in every process, in this segment or another.
   * @throws RangeError for a bad offset.
   */
  static init(segment: Segment, offset: number, mutex: Mutex): Condition {
    const words = placeWords("condition", segment, offset, CONDITION_LENGTH);
    store(words, CONDITION_MAGIC_OFFSET >> 2, 0);
    words.fill(0);
    // SYNC condition-made: pairs with the load in `at`.
    store(words, CONDITION_MAGIC_OFFSET >> 2, CONDITION_MAGIC);
    return new Condition(segment, offset, words, mutex);
  }

  /**
   * Finds the condition that another process makes there with `init`, and waits for it for a second
   * at most, blocking. @throws LayoutError when there is none.
   */
  static at(segment: Segment, offset: number, mutex: Mutex): Condition {
    const words = placeWords("condition", segment, offset, CONDITION_LENGTH);
    // SYNC condition-made
    const at = CONDITION_MAGIC_OFFSET;
    checkMagic("condition", words, at >> 2, CONDITION_MAGIC, offset + at);
    return new Condition(segment, offset, words, mutex);
  }

  /**
   * Releases the mutex, blocks this thread until it is notified, and takes the mutex again. Also
   * after a timeout the mutex is held: that wait for it has no limit.
   *
   * @returns false when the time was over. @throws SystemError EPERM without the mutex.
   */
  wait(options?: WaitOptions): boolean {
    const epoch = this.#startWaiting("wait");
    try {
      return this.#waitPoint.wait(() => this.#wasNotified(epoch), options);
    } finally {
      this.#mutex.lock();
      this.#stopWaiting(epoch);
    }
  }

  /** As `wait`, without blocking the event loop. The mutex is held also when a signal aborts it. */
  async waitAsync(options?: AsyncWaitOptions): Promise<boolean> {
    const epoch = this.#startWaiting("wait");
    try {
      return await this.#waitPoint.waitAsync(() => this.#wasNotified(epoch), options);
    } finally {
      await this.#mutex.lockAsync();
      this.#stopWaiting(epoch);
    }
  }

  /**
   * Waits until `predicate`, called with the mutex held, says yes.
   * @returns false when the time was over. @throws SystemError EPERM without the mutex.
   */
  waitFor(predicate: () => boolean, options: WaitOptions = {}): boolean {
    this.#mustHold("wait");
    const deadline = monotonicMs() + checkTimeout(options.timeoutMs);
    while (!predicate()) {
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      this.wait({ ...options, timeoutMs: left });
    }
    return true;
  }

  /** As `waitFor`, without blocking the event loop. */
  async waitForAsync(predicate: () => boolean, options: AsyncWaitOptions = {}): Promise<boolean> {
    this.#mustHold("wait");
    const deadline = monotonicMs() + checkTimeout(options.timeoutMs);
    while (!predicate()) {
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      await this.waitAsync({ ...options, timeoutMs: left });
    }
    return true;
  }

  /** Ends one wait, if there is one. @throws SystemError EPERM without the mutex. */
  notifyOne(): void {
    this.#mustHold("notify");
    if (load(this.#words, SIGNALS) >= load(this.#words, WAITERS)) return;
    add(this.#words, SIGNALS, 1);
    this.#waitPoint.wake();
  }

  /** Ends all waits. @throws SystemError EPERM without the mutex. */
  notifyAll(): void {
    this.#mustHold("notify");
    // The epoch first: killed in between, this leaves too many waiters counted and never too few,
    // and so no `notifyOne` without effect.
    add(this.#words, EPOCH, 1);
    store(this.#words, WAITERS, 0);
    store(this.#words, SIGNALS, 0);
    this.#waitPoint.wake();
  }

  /** With the mutex held, so that no notification falls between the look and the wait. */
  #startWaiting(verb: string): number {
    this.#mustHold(verb);
    add(this.#words, WAITERS, 1);
    const epoch = load(this.#words, EPOCH);
    this.#mutex.unlock();
    return epoch;
  }

  #wasNotified(epoch: number): boolean {
    if (load(this.#words, EPOCH) !== epoch) return true;
    for (;;) {
      const signals = load(this.#words, SIGNALS);
      if (signals <= 0) return false;
      if (compareExchange(this.#words, SIGNALS, signals, signals - 1) === signals) return true;
    }
  }

  /** `notifyAll` has counted everyone out already. */
  #stopWaiting(epoch: number): void {
    if (load(this.#words, EPOCH) !== epoch) return;
    const waiters = load(this.#words, WAITERS);
    if (waiters > 0) store(this.#words, WAITERS, waiters - 1);
  }

  #mustHold(verb: string): void {
    this.#mutex.mustBeHeld(`${verb} on a condition`);
  }
}
