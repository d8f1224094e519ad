import { checkFunction, isAsyncFunction, isThenable, shown } from "../arguments.ts";
import { StateError } from "../errors.ts";
import {
  CONDITION_EPOCH_OFFSET,
  CONDITION_LENGTH,
  CONDITION_SIGNALS_OFFSET,
  CONDITION_WAITERS_OFFSET,
  CONDITION_WAIT_POINT_OFFSET,
} from "../layout/condition-layout.ts";
import { CONDITION_MARK } from "../layout/lock-marks.ts";
import { monotonicMs } from "../libc/time.ts";
import { add, compareExchange, load, store } from "../memory/atomics.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Placed } from "../segment/placed.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed-options.ts";
import type { Segment } from "../segment/segment.ts";
import { AsyncLine } from "../waiting/async-line.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkWait,
} from "../waiting/wait-options.ts";
import { LockHandle } from "./handle.ts";
import { LockKind } from "./lock-kind.ts";
import { LockMemory } from "./lock-memory.ts";
import { Mutex } from "./mutex.ts";

/** Which mutex a condition belongs to. */
export interface ConditionOptions {
  /** The mutex that guards the data: the same one in every process, in any segment. */
  readonly mutex: Mutex;
}

const EPOCH_WORD: number = CONDITION_EPOCH_OFFSET >> 2;
const WAITERS_WORD: number = CONDITION_WAITERS_OFFSET >> 2;
const SIGNALS_WORD: number = CONDITION_SIGNALS_OFFSET >> 2;

/**
 * A condition variable: releases a mutex, and waits until another process has changed the data that
 * the mutex guards.
 *
 * Any number of processes and threads may wait and notify, each with the same mutex held. A wait
 * may end for no reason, so call it in a loop that looks at the data, or use `waitFor`.
 *
 * What a crash leaves: if a waiter is killed, a later wait may end for no reason. If it is killed
 * just after `notifyOne` has woken it, that notification is lost; `notifyAll` is safe there. After
 * a wait, `mutex.ownerDied` reports a death as it does after a lock.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/jobs", { size: 4096 });
 * const mutex = Mutex.init(segment, 0);
 * const changed = Condition.init(segment, Mutex.byteLength(), { mutex });
 * const jobs = new Int32Array(segment.buffer, 1024, 1);
 * setTimeout(() => {
 *   // mostly: in another process
 *   using _ = mutex.acquire();
 *   jobs[0] = 1;
 *   changed.notifyOne();
 * }, 10);
 * {
 *   using _ = await mutex.acquireAsync();
 *   await changed.waitForAsync(() => jobs[0]! > 0);
 * }
 * segment.unlink();
 * ```
 */
export class Condition extends LockHandle {
  readonly #memory: LockMemory;
  readonly #mutex: Mutex;
  readonly #line = new AsyncLine();

  static readonly #kind = new LockKind<Condition, ConditionOptions>({
    mark: CONDITION_MARK,
    makes: ["mutex"],
    finds: ["mutex"],
    leastLength: CONDITION_LENGTH,
    byteLength: () => CONDITION_LENGTH,
    check(action, { mutex }) {
      if (mutex instanceof Mutex) return;
      throw new TypeError(`${action}: its mutex must be a Mutex, not ${shown(mutex)}`);
    },
    make: (placed, _words, { mutex }) => new Condition(placed, mutex),
    find: (placed, { mutex }) => new Condition(placed, mutex),
  });

  private constructor(placed: Placed, mutex: Mutex) {
    const memory = new LockMemory(
      "Condition",
      placed,
      CONDITION_LENGTH,
      CONDITION_WAIT_POINT_OFFSET,
      false,
    );
    super(memory);
    this.#memory = memory;
    this.#mutex = mutex;
  }

  /** How many bytes a condition takes in a segment. */
  static byteLength(): number {
    return CONDITION_LENGTH;
  }

  /**
   * Makes a condition in a new segment of that name. Does not block.
   *
   * @returns The condition.
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments.
   */
  static create(name: string, options: ConditionOptions & PlacedCreateOptions): Condition {
    return Condition.#kind.create(name, options);
  }

  /**
   * Finds the condition of that name. Blocks until the name appears, for `waitMs` at most, and
   * while a live process is making it, which `waitMs` bounds too (half a minute without it).
   *
   * @returns The condition.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when it is something else; StateError ENODATA when it is unfinished, and nobody
   *   makes it.
   */
  static open(name: string, options: ConditionOptions & PlacedOpenOptions): Condition {
    return Condition.#kind.open(name, options);
  }

  /**
   * Finds the condition of that name, or makes it; `created` says which. Blocks while a live
   * process is making it, for half a minute at most.
   *
   * @returns The condition.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT.
   */
  static openOrCreate(
    name: string,
    options: ConditionOptions & PlacedCreateOptions & OwnerOptions,
  ): Condition {
    return Condition.#kind.openOrCreate(name, options);
  }

  /**
   * Makes a condition inside a segment. Blocks only while another process is making one there, for
   * a second at most.
   *
   * @param offset Where it starts, in bytes from the segment's start; a multiple of 128.
   * @returns The condition.
   * @throws StateError EEXIST when a condition exists there, EBUSY when another process takes over
   *   a second to make one; RangeError for a bad offset; TypeError for a bad option; LayoutError
   *   when something else is there.
   */
  static init(
    segment: Segment,
    offset: number,
    options: ConditionOptions & PlacedInitOptions,
  ): Condition {
    return Condition.#kind.init(segment, offset, options);
  }

  /**
   * Finds the condition that was made there with `init`. Blocks until it is there, for a second at
   * most.
   *
   * @param offset Where it starts, in bytes from the segment's start.
   * @returns The condition.
   * @throws LayoutError when it is something else; StateError ENODATA when there is none.
   */
  static at(segment: Segment, offset: number, options: ConditionOptions): Condition {
    return Condition.#kind.at(segment, offset, options);
  }

  /**
   * Releases the mutex, blocks this thread until it is notified, and locks the mutex again. The
   * timeout does not limit that lock: the mutex is held whenever this returns.
   *
   * @returns Whether it was notified: false when the timeout passed.
   * @throws StateError EPERM when the mutex is not held, and the errors of `mutex.lock`;
   *   ClosedError; the signal's reason when it is aborted; RangeError, TypeError.
   */
  wait(options?: WaitOptions): boolean {
    checkWait(this.#action("wait for"), options, WAIT_OPTIONS);
    const { epoch, turn } = this.#startWaiting();
    try {
      return this.#memory.wait(() => this.#wasNotified(epoch), options);
    } finally {
      this.#mutex.lock();
      this.#mutex.resume(turn);
      this.#stopWaiting(epoch);
    }
  }

  /**
   * Waits like `wait`, without blocking the event loop. The mutex is held again even when a signal
   * aborts the wait. `notifyOne` ends the waits of one handle in the order in which they began.
   *
   * @returns Whether it was notified: false when the timeout passed.
   * @throws The errors of `wait`, once the signal is aborted and the mutex is held again.
   */
  async waitAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action("wait for"), options, ASYNC_WAIT_OPTIONS);
    const { epoch, turn } = this.#startWaiting();
    try {
      return await this.#memory.waitAsync(() => this.#wasNotified(epoch), options, this.#line);
    } finally {
      await this.#mutex.lockAsync();
      this.#mutex.resume(turn);
      this.#stopWaiting(epoch);
    }
  }

  /**
   * Blocks this thread until a predicate about the data is true.
   *
   * @param predicate Called with the mutex held; synchronous; any truthy value counts as true.
   * @returns Whether it became true: false when the timeout passed.
   * @throws The errors of `wait`; TypeError when the predicate returns a promise.
   */
  waitFor(predicate: () => boolean, options: WaitOptions = {}): boolean {
    const timeoutMs = checkWait(this.#action("wait for"), options, WAIT_OPTIONS);
    this.#checkPredicate(predicate);
    const deadline = monotonicMs() + timeoutMs;
    while (!this.#ask(predicate)) {
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      this.wait({ ...options, timeoutMs: left });
    }
    return true;
  }

  /**
   * Waits like `waitFor`, without blocking the event loop.
   *
   * @param predicate Called with the mutex held; synchronous; any truthy value counts as true.
   * @returns Whether it became true: false when the timeout passed.
   * @throws The errors of `waitFor`, once the signal is aborted and the mutex is held again.
   */
  async waitForAsync(predicate: () => boolean, options: AsyncWaitOptions = {}): Promise<boolean> {
    const timeoutMs = checkWait(this.#action("wait for"), options, ASYNC_WAIT_OPTIONS);
    this.#checkPredicate(predicate);
    const deadline = monotonicMs() + timeoutMs;
    while (!this.#ask(predicate)) {
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      await this.waitAsync({ ...options, timeoutMs: left });
    }
    if (isTurnDue()) await takeTurn();
    return true;
  }

  /**
   * Ends one wait, if there is any; does not block.
   * @throws StateError EPERM when the mutex is not held; ClosedError.
   */
  notifyOne(): void {
    this.#mustHold("notify");
    if (load(this.#memory.words, SIGNALS_WORD) >= load(this.#memory.words, WAITERS_WORD)) return;
    add(this.#memory.words, SIGNALS_WORD, 1);
    this.#memory.waitPoint.wake();
  }

  /**
   * Ends all waits; does not block.
   * @throws StateError EPERM when the mutex is not held; ClosedError.
   */
  notifyAll(): void {
    this.#mustHold("notify");
    // The epoch comes first: if this process is killed in between, too many waiters are counted and
    // never too few, so that no later `notifyOne` is without effect.
    add(this.#memory.words, EPOCH_WORD, 1);
    store(this.#memory.words, WAITERS_WORD, 0);
    store(this.#memory.words, SIGNALS_WORD, 0);
    this.#memory.waitPoint.wake();
  }

  /** Counts a waiter while the mutex is still held, so that it misses no notification. */
  #startWaiting(): { epoch: number; turn: number } {
    this.#mustHold("wait for");
    add(this.#memory.words, WAITERS_WORD, 1);
    const epoch = load(this.#memory.words, EPOCH_WORD);
    return { epoch, turn: this.#mutex.suspend() };
  }

  #wasNotified(epoch: number): boolean {
    if (load(this.#memory.words, EPOCH_WORD) !== epoch) return true;
    for (;;) {
      const signals = load(this.#memory.words, SIGNALS_WORD);
      if (signals <= 0) return false;
      if (compareExchange(this.#memory.words, SIGNALS_WORD, signals, signals - 1) === signals)
        return true;
    }
  }

  /** Counts a waiter out, unless `notifyAll` has already counted everyone out. */
  #stopWaiting(epoch: number): void {
    if (load(this.#memory.words, EPOCH_WORD) !== epoch) return;
    const waiters = load(this.#memory.words, WAITERS_WORD);
    if (waiters > 0) store(this.#memory.words, WAITERS_WORD, waiters - 1);
  }

  #checkPredicate(predicate: unknown): void {
    const action = this.#action("wait for");
    checkFunction(action, "its predicate", predicate);
    if (isAsyncFunction(predicate)) refusePromise(action);
    this.#mustHold("wait for");
  }

  #ask(predicate: () => boolean): boolean {
    const answer: unknown = predicate();
    if (isThenable(answer)) refusePromise(this.#action("wait for"));
    return Boolean(answer);
  }

  #mustHold(verb: string): void {
    this.#memory.checkOpen();
    if (this.#mutex.held) return;
    const why = "its mutex is not held here. Lock it first";
    throw new StateError("EPERM", `${this.#action(verb)}: ${why}`);
  }

  #action(verb: string): string {
    return `Cannot ${verb} ${this.#memory.what}`;
  }
}

function refusePromise(action: string): never {
  throw new TypeError(
    `${action}: its predicate must not return a promise, which would count as a yes`,
  );
}
