import { checkFunction, isAsyncFunction, isThenable } from "../arguments.ts";
import { StateError } from "../errors.ts";
import { MUTEX_MARK } from "../layout/lock-marks.ts";
import {
  MUTEX_DEATHS_OFFSET,
  MUTEX_LENGTH,
  MUTEX_LOST_OFFSET,
  MUTEX_WAIT_POINT_OFFSET,
} from "../layout/mutex-layout.ts";
import { WAITING } from "../layout/wait-point-layout.ts";
import { monotonicMs } from "../libc/time.ts";
import { add, load, loadAfterBarrier, store } from "../memory/atomics.ts";
import type { Hold } from "../segment/holds.ts";
import type {
  Placed,
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed.ts";
import type { Segment } from "../segment/segment.ts";
import { LOCK_TRIES, SLICE_MS } from "../waiting/limits.ts";
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
import {
  BUSY,
  GIVEN_UP,
  INHERITED,
  OWN,
  type Outcome,
  RobustMutex,
  TAKEN,
  checkAbi,
  checkRobustMutex,
  writeAbi,
} from "./robust-mutex.ts";

/** What a process does with a mutex. */
export interface MutexOptions {
  /**
   * Repairs the data after an owner died, before anyone else sees them: it is called, with the
   * mutex held, by the lock that finds out. What it throws is the cause of what the lock throws,
   * and from then on nobody can lock the mutex (ENOTRECOVERABLE). Synchronous.
   */
  readonly onOwnerDied?: ((mutex: Mutex) => void) | undefined;
}

/** Index of the wait point's state. */
const STATE: number = MUTEX_WAIT_POINT_OFFSET >> 2;
const DEATHS: number = MUTEX_DEATHS_OFFSET >> 2;
const LOST: number = MUTEX_LOST_OFFSET >> 2;

/** A mutex that is held; it is unlocked when this is disposed. */
export class MutexGuard {
  readonly #mutex: Mutex;
  /** Whether the owner before died with it: the data may be half written, or were just repaired. */
  readonly ownerDied: boolean;
  #released = false;

  /** @internal */
  constructor(mutex: Mutex) {
    this.#mutex = mutex;
    this.ownerDied = mutex.ownerDied;
  }

  /** Unlocks; again is harmless. */
  unlock(): void {
    this[Symbol.dispose]();
  }

  /** As `Mutex.abandon`. */
  abandon(): void {
    this.#mutex.abandon();
    this.#released = true;
  }

  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    this.#mutex.unlock();
  }
}

/**
 * A robust mutex in shared memory: one thread of one process at a time has it.
 *
 * It is libc's own (robust, process-shared, errorcheck), so C programs can lock it too, if they use
 * the same libc. Its owner is the thread that locked it, and unlocks it through the same handle: a
 * Worker is another owner; locking what the thread has is an error and no deadlock. All processes
 * must see each other's ids: containers need a common PID namespace. And they must trust each
 * other: libc keeps addresses in a held mutex, and believes what it finds there.
 *
 * What a crash leaves: the kernel passes the mutex on at once, and the next lock says so
 * (`ownerDied`, `onOwnerDied`). The data are as the dead owner left them. The same goes for a
 * Worker that ends. A segment cannot be closed while a mutex in it is held. The garbage collector
 * releases nothing: a handle that is forgotten while it holds the mutex keeps it, and its memory,
 * until the thread ends.
 *
 * Do not keep it across an `await` without need: everyone else in this thread meets it locked.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/account", { size: 4096 });
 * const mutex = Mutex.init(segment, 0);
 * const balance = new Int32Array(segment.buffer, Mutex.byteLength(), 1);
 * {
 *   using guard = mutex.acquire();
 *   if (guard.ownerDied) console.warn("the last owner died");
 *   balance[0]! += 10;
 * }
 * // in another process:
 * // const mutex = Mutex.at(Segment.open("/account"), 0);
 * segment.unlink();
 * ```
 */
export class Mutex extends LockHandle {
  readonly #memory: LockMemory;
  // Without a check, for `unlock`: while the mutex is held, they are there.
  readonly #words: Int32Array;
  readonly #robust: RobustMutex;
  readonly #onOwnerDied: ((mutex: Mutex) => void) | undefined;
  readonly #hold: Hold;
  #ownerDied = false;

  static readonly #kind = new LockKind<Mutex, MutexOptions>({
    mark: MUTEX_MARK,
    makes: ["onOwnerDied"],
    finds: ["onOwnerDied"],
    leastLength: MUTEX_LENGTH,
    byteLength: () => MUTEX_LENGTH,
    check(action, { onOwnerDied }) {
      checkRobustMutex("mutex");
      checkRepair(action, onOwnerDied);
    },
    make(placed, words, options) {
      const mutex = new Mutex(placed, options);
      mutex.#robust.init();
      writeAbi(words);
      return mutex;
    },
    find(placed, options) {
      const mutex = new Mutex(placed, options);
      checkAbi(placed, mutex.#memory.words);
      return mutex;
    },
  });

  private constructor(placed: Placed, options: MutexOptions) {
    const memory = new LockMemory("Mutex", placed, MUTEX_LENGTH, MUTEX_WAIT_POINT_OFFSET);
    super(memory);
    this.#memory = memory;
    this.#words = memory.words;
    this.#onOwnerDied = options.onOwnerDied;
    this.#hold = this.#memory.registerHold(this, "mutex");
    const { mapping } = placed.segment;
    this.#robust = new RobustMutex(mapping, placed.offset, placed.what, this.#hold);
  }

  /** Bytes that a mutex takes in a segment. */
  static byteLength(): number {
    return MUTEX_LENGTH;
  }

  /**
   * Makes a mutex in a new segment of that name.
   *
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments; UnsupportedError on macOS.
   */
  static create(name: string, options?: MutexOptions & PlacedCreateOptions): Mutex {
    return Mutex.#kind.create(name, options);
  }

  /**
   * Finds the mutex of that name; one that is being made is waited for, blocking.
   *
   * @throws SystemError ENOENT, EACCES; LayoutError when it is something else, or another libc made
   *   it; StateError ENODATA when its creator died half way.
   */
  static open(name: string, options?: MutexOptions & PlacedOpenOptions): Mutex {
    return Mutex.#kind.open(name, options);
  }

  /** Finds the mutex of that name, or makes it; `created` says which. @throws As both. */
  static openOrCreate(name: string, options?: MutexOptions & PlacedCreateOptions): Mutex {
    return Mutex.#kind.openOrCreate(name, options);
  }

  /**
   * Makes a mutex inside a segment. With `overwrite`, this is also the way back after
   * ENOTRECOVERABLE: a mutex that somebody uses would be lost.
   *
   * @param offset Bytes from the segment's start, a multiple of 128.
   * @throws StateError EEXIST when one is there; RangeError for a bad offset; LayoutError when
   *   something else is there.
   */
  static init(segment: Segment, offset: number, options?: MutexOptions & PlacedInitOptions): Mutex {
    return Mutex.#kind.init(segment, offset, options);
  }

  /**
   * Finds the mutex that another process makes there with `init`, and waits for it for a second at
   * most, blocking. After `segment.resize` or `remap`, find it again.
   *
   * @param offset Bytes from the segment's start.
   * @throws LayoutError when it is something else, or another libc made it; StateError ENODATA when
   *   there is none.
   */
  static at(segment: Segment, offset: number, options?: MutexOptions): Mutex {
    return Mutex.#kind.at(segment, offset, options);
  }

  /** Whether this handle holds the mutex. */
  get held(): boolean {
    return this.#hold.held;
  }

  /** While held: whether the owner before died with it. */
  get ownerDied(): boolean {
    return this.#ownerDied;
  }

  /** How many owners died with it and were found out; modulo 2^32. @throws ClosedError. */
  get deaths(): number {
    return load(this.#memory.words, DEATHS) >>> 0;
  }

  /**
   * Takes the mutex, blocking this thread until it is free.
   *
   * @returns Whether it is held now: false when the time was over.
   * @throws StateError EDEADLK when this thread has it; ENOTRECOVERABLE when an owner died and the
   *   repair of its data failed, now or before (what `onOwnerDied` threw is the cause);
   *   ClosedError; the reason of a signal that is aborted.
   */
  lock(options?: WaitOptions): boolean {
    if (options !== undefined) checkWait(this.#action, options, WAIT_OPTIONS);
    const outcome = this.#robust.tryLock();
    if (outcome !== TAKEN) return this.#examine(outcome) || this.#lockSlowly(options?.timeoutMs);
    this.#hold.held = true;
    return true;
  }

  /** Takes the mutex if it is free. @returns false when somebody has it. @throws As `lock`. */
  tryLock(): boolean {
    return this.#accept(this.#robust.tryLock());
  }

  /**
   * Takes the mutex without blocking the event loop; it is then held by this thread. Several waits
   * in one thread take turns. That a C program unlocked, which rings no bell, is noticed within
   * 250 ms.
   *
   * @returns Whether it is held now: false when the time was over.
   * @throws As `lock`; the signal's reason as soon as it is aborted.
   */
  async lockAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action, options, ASYNC_WAIT_OPTIONS);
    return this.#memory.waitAsync(() => {
      if (this.#hold.held) return false;
      const outcome = this.#robust.tryLock();
      // Another handle of this thread has it: its turn ends too.
      return this.#accept(outcome === OWN ? BUSY : outcome);
    }, options);
  }

  /** As `lock`, for `using`. @returns The guard; undefined when the time was over. */
  acquire(): MutexGuard;
  acquire(options: WaitOptions | undefined): MutexGuard | undefined;
  acquire(options?: WaitOptions): MutexGuard | undefined {
    return this.lock(options) ? new MutexGuard(this) : undefined;
  }

  /** As `tryLock`, for `using`. @returns The guard; undefined when somebody has the mutex. */
  tryAcquire(): MutexGuard | undefined {
    return this.tryLock() ? new MutexGuard(this) : undefined;
  }

  /** As `lockAsync`, for `using`. @returns The guard; undefined when the time was over. */
  async acquireAsync(options?: AsyncWaitOptions): Promise<MutexGuard | undefined> {
    return (await this.lockAsync(options)) ? new MutexGuard(this) : undefined;
  }

  /**
   * Calls a function with the mutex held, and unlocks however it ends. Blocks as `lock` does.
   *
   * @returns What the function returned.
   * @throws As `lock`, and what the function throws; TypeError when it returns a promise, since the
   *   mutex would be unlocked before that is fulfilled.
   */
  withLock<T>(fn: (mutex: Mutex) => T): T {
    checkFunction(`Cannot hold ${this.#memory.what}`, "what is called meanwhile", fn);
    if (isAsyncFunction(fn)) this.#refusePromise();
    this.lock();
    let result: T;
    try {
      result = fn(this);
    } finally {
      if (this.#hold.held) this.unlock();
    }
    if (isThenable(result)) this.#refusePromise();
    return result;
  }

  /** Releases the mutex. @throws StateError EPERM when this handle does not hold it. */
  unlock(): void {
    if (!this.#hold.held) this.#mustBeHeld("unlock");
    if (this.#ownerDied) this.#declareWhole();
    this.#robust.unlock();
    this.#hold.held = false;
    if ((loadAfterBarrier(this.#words, STATE) & WAITING) !== 0) this.#memory.waitPoint.wake();
  }

  /**
   * Releases the mutex and gives its data up: from now on nobody can lock it (ENOTRECOVERABLE).
   * Only for who holds it from a dead owner and cannot repair the data.
   *
   * @throws StateError EPERM when this handle does not hold it, or no owner died.
   */
  abandon(): void {
    this.#mustBeHeld("abandon");
    if (!this.#ownerDied) {
      const action = `Cannot abandon ${this.#memory.what}`;
      throw new StateError("EPERM", `${action}: no owner died with it. Unlock it instead`);
    }
    store(this.#memory.words, LOST, 1);
    this.#ownerDied = false;
    this.unlock();
  }

  /** @throws StateError EBUSY while this handle holds the mutex: unmapped, nobody could get it. */
  override close(): void {
    if (this.#hold.held) {
      throw new StateError(
        "EBUSY",
        `Cannot close ${this.#memory.what}: it is held. Unlock it first`,
      );
    }
    super.close();
    this.#robust.close();
  }

  /** @throws ClosedError; StateError EPERM. */
  #mustBeHeld(verb: string): void {
    if (this.#hold.held) return;
    this.#memory.checkOpen();
    const action = `Cannot ${verb} ${this.#memory.what}`;
    throw new StateError("EPERM", `${action}: this handle does not hold it. Lock it first`);
  }

  get #action(): string {
    return `Cannot lock ${this.#memory.what}`;
  }

  #lockSlowly(timeoutMs = Number.POSITIVE_INFINITY): boolean {
    if (timeoutMs === 0) return false;
    const deadline = monotonicMs() + timeoutMs;
    for (let tries = 0; tries < LOCK_TRIES; tries++) {
      if (this.#accept(this.#robust.tryLock())) return true;
    }
    for (;;) {
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      if (this.#accept(this.#robust.lockFor(Math.min(left, SLICE_MS)))) return true;
    }
  }

  #accept(outcome: Outcome): boolean {
    if (outcome !== TAKEN) return this.#examine(outcome);
    this.#hold.held = true;
    return true;
  }

  /** What came of a try but TAKEN: false while another has it, true when it died with it. */
  #examine(outcome: Outcome): boolean {
    if (outcome === INHERITED) return this.#inherit();
    if (outcome === GIVEN_UP) this.#declareLost();
    if (load(this.#memory.words, LOST) !== 0) {
      const why = "an owner died, and the repair of its data failed";
      const out = "Make the data and the mutex again (init, overwrite) when nobody uses them";
      throw new StateError("ENOTRECOVERABLE", `${this.#action}: ${why}. ${out}`);
    }
    if (outcome === BUSY && !this.#hold.held) return false;
    const why = this.#hold.held
      ? "this handle holds it already"
      : "this thread holds it through another handle, or its owner's id means another process " +
        "here: all need one PID namespace";
    throw new StateError("EDEADLK", `${this.#action}: ${why}`);
  }

  /** Tells everyone, also those whose libc would let them wait for ever. */
  #declareLost(): void {
    store(this.#memory.words, LOST, 1);
    this.#memory.waitPoint.wake();
  }

  /** The mutex came from a dead owner: repair, or let the caller. */
  #inherit(): true {
    this.#hold.held = true;
    this.#ownerDied = true;
    add(this.#memory.words, DEATHS, 1);
    if (this.#onOwnerDied === undefined) return true;
    try {
      const result: unknown = this.#onOwnerDied(this);
      if (isThenable(result)) throw new TypeError("onOwnerDied returned a promise");
    } catch (cause) {
      if (this.#hold.held) this.abandon();
      const why = "its owner died, and onOwnerDied failed. Nobody can lock it now";
      throw new StateError("ENOTRECOVERABLE", `${this.#action}: ${why}`, { cause });
    }
    return true;
  }

  #declareWhole(): void {
    this.#robust.declareWhole();
    this.#ownerDied = false;
  }

  #refusePromise(): never {
    const action = `Cannot hold ${this.#memory.what} for an asynchronous function`;
    const out = "Use acquireAsync, and unlock after the work";
    throw new TypeError(`${action}: it would be unlocked at the first await. ${out}`);
  }
}

/** Checks what repairs the data of a dead owner. @throws TypeError. */
export function checkRepair(action: string, onOwnerDied: unknown): void {
  if (onOwnerDied === undefined) return;
  checkFunction(action, "onOwnerDied", onOwnerDied);
  if (!isAsyncFunction(onOwnerDied)) return;
  const why = "others would see the data before they are repaired";
  throw new TypeError(`${action}: onOwnerDied must not be asynchronous, since ${why}`);
}
