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
import type {
  Placed,
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed.ts";
import type { Segment } from "../segment/segment.ts";
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

/** What a condition belongs to. */
export interface ConditionOptions {
  /** What guards the data; the same one in every process, in this segment or another. */
  readonly mutex: Mutex;
}

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
    );
    super(memory);
    this.#memory = memory;
    this.#mutex = mutex;
  }

  /** Bytes that a condition takes in a segment. */
  static byteLength(): number {
    return CONDITION_LENGTH;
  }

  /**
   * Makes a condition in a new segment of that name.
   *
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments.
   */
  static create(name: string, options: ConditionOptions & PlacedCreateOptions): Condition {
    return Condition.#kind.create(name, options);
  }

  /**
   * Finds the condition of that name; one that is being made is waited for, blocking.
   *
   * @throws SystemError ENOENT, EACCES; LayoutError when it is something else; StateError ENODATA
   *   when its creator died half way.
   */
  static open(name: string, options: ConditionOptions & PlacedOpenOptions): Condition {
    return Condition.#kind.open(name, options);
  }

  /** Finds the condition of that name, or makes it; `created` says which. @throws As both. */
  static openOrCreate(name: string, options: ConditionOptions & PlacedCreateOptions): Condition {
    return Condition.#kind.openOrCreate(name, options);
  }

  /**
   * Makes a condition inside a segment.
   *
   * @param offset Bytes from the segment's start, a multiple of 128.
   * @throws StateError EEXIST when one is there; RangeError for a bad offset; LayoutError when
   *   something else is there.
   */
  static init(
    segment: Segment,
    offset: number,
    options: ConditionOptions & PlacedInitOptions,
  ): Condition {
    return Condition.#kind.init(segment, offset, options);
  }

  /**
   * Finds the condition that another process makes there with `init`, and waits for it for a second
   * at most, blocking.
   *
   * @param offset Bytes from the segment's start.
   * @throws LayoutError when it is something else; StateError ENODATA when there is none.
   */
  static at(segment: Segment, offset: number, options: ConditionOptions): Condition {
    return Condition.#kind.at(segment, offset, options);
  }

  /**
   * Releases the mutex, blocks this thread until it is notified, and takes the mutex again. Also
   * after a timeout the mutex is held: the wait for it has no limit.
   *
   * @returns Whether it was notified: false when the time was over.
   * @throws StateError EPERM without the mutex, and what `mutex.lock` throws; ClosedError; the
   *   reason of a signal that is aborted.
   */
  wait(options?: WaitOptions): boolean {
    checkWait(this.#action("wait for"), options, WAIT_OPTIONS);
    const epoch = this.#startWaiting();
    try {
      return this.#memory.wait(() => this.#wasNotified(epoch), options);
    } finally {
      this.#mutex.lock();
      this.#stopWaiting(epoch);
    }
  }

  /**
   * As `wait`, without blocking the event loop. The mutex is held also when a signal aborts it.
   *
   * @returns Whether it was notified: false when the time was over.
   * @throws As `wait`; the signal's reason as soon as it is aborted.
   */
  async waitAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action("wait for"), options, ASYNC_WAIT_OPTIONS);
    const epoch = this.#startWaiting();
    try {
      return await this.#memory.waitAsync(() => this.#wasNotified(epoch), options);
    } finally {
      await this.#mutex.lockAsync();
      this.#stopWaiting(epoch);
    }
  }

  /**
   * Blocks this thread until `predicate`, which is called with the mutex held, says yes.
   *
   * @param predicate Synchronous; any truthy value is a yes.
   * @returns Whether it said yes: false when the time was over.
   * @throws As `wait`; TypeError when the predicate returns a promise.
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
   * As `waitFor`, without blocking the event loop.
   *
   * @returns Whether the predicate said yes: false when the time was over.
   * @throws As `waitFor`; the signal's reason as soon as it is aborted.
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
    return true;
  }

  /** Ends one wait, if there is one. @throws StateError EPERM without the mutex; ClosedError. */
  notifyOne(): void {
    this.#mustHold("notify");
    if (load(this.#memory.words, SIGNALS) >= load(this.#memory.words, WAITERS)) return;
    add(this.#memory.words, SIGNALS, 1);
    this.#memory.waitPoint.wake();
  }

  /** Ends all waits. @throws StateError EPERM without the mutex; ClosedError. */
  notifyAll(): void {
    this.#mustHold("notify");
    // The epoch first: killed in between, this leaves too many waiters counted and never too few,
    // and so no `notifyOne` without effect.
    add(this.#memory.words, EPOCH, 1);
    store(this.#memory.words, WAITERS, 0);
    store(this.#memory.words, SIGNALS, 0);
    this.#memory.waitPoint.wake();
  }

  /** With the mutex held, so that no notification falls between the look and the wait. */
  #startWaiting(): number {
    this.#mustHold("wait for");
    add(this.#memory.words, WAITERS, 1);
    const epoch = load(this.#memory.words, EPOCH);
    this.#mutex.unlock();
    return epoch;
  }

  #wasNotified(epoch: number): boolean {
    if (load(this.#memory.words, EPOCH) !== epoch) return true;
    for (;;) {
      const signals = load(this.#memory.words, SIGNALS);
      if (signals <= 0) return false;
      if (compareExchange(this.#memory.words, SIGNALS, signals, signals - 1) === signals)
        return true;
    }
  }

  /** `notifyAll` has counted everyone out already. */
  #stopWaiting(epoch: number): void {
    if (load(this.#memory.words, EPOCH) !== epoch) return;
    const waiters = load(this.#memory.words, WAITERS);
    if (waiters > 0) store(this.#memory.words, WAITERS, waiters - 1);
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
