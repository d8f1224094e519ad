import { checkFunction, isAsyncFunction, isThenable } from "../arguments.ts";
import { StateError } from "../errors.ts";
import { MUTEX_MARK } from "../layout/lock-marks.ts";
import {
  MUTEX_DEATHS_OFFSET,
  MUTEX_LENGTH,
  MUTEX_WAIT_POINT_OFFSET,
} from "../layout/mutex-layout.ts";
import { add, load } from "../memory/atomics.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Hold } from "../segment/holds.ts";
import type { Placed } from "../segment/placed.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed-options.ts";
import type { Segment } from "../segment/segment.ts";
import { AsyncLine } from "../waiting/async-line.ts";
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
import { checkRepair, repair } from "./repair.ts";
import { BUSY, INHERITED, LOST, OWN, type Outcome, TAKEN } from "./algorithm/lock-core.ts";
import type { OwnedLock } from "./owned-lock.ts";

/** How a process uses a mutex. */
export interface MutexOptions {
  /**
   * Repairs the data after an owner died, before anyone else sees them. The call that takes the
   * mutex next calls this with the mutex held. If it throws, that call throws ENOTRECOVERABLE with
   * the error as its cause, and nobody can lock the mutex from then on. It must be synchronous.
   */
  readonly onOwnerDied?: ((mutex: Mutex) => void) | undefined;
}

const DEATHS_WORD: number = MUTEX_DEATHS_OFFSET >> 2;

/** A held mutex, which is unlocked when this is disposed of, and never by the garbage collector. */
export class MutexGuard {
  readonly #mutex: Mutex;
  readonly #turn: number;
  /** Whether the last owner died with it: the data may be half written, or were just repaired. */
  readonly ownerDied: boolean;
  #released = false;

  /** @internal */
  constructor(mutex: Mutex, turn: number) {
    this.#mutex = mutex;
    this.#turn = turn;
    this.ownerDied = mutex.ownerDied;
  }

  /**
   * Unlocks the mutex. Calling it again does nothing.
   * @throws StateError EPERM when `Mutex.unlock` has ended this hold, whoever holds the mutex now.
   */
  unlock(): void {
    this[Symbol.dispose]();
  }

  /** Gives the data up, like `Mutex.abandon`. @throws StateError EPERM. */
  abandon(): void {
    this.#mutex.mustBeTurn(this.#turn);
    this.#mutex.abandon();
    this.#released = true;
  }

  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    this.#mutex.mustBeTurn(this.#turn);
    this.#mutex.unlock();
  }
}

/**
 * A robust mutex in shared memory: one thread of one process holds it at a time.
 *
 * Any number of processes and threads may use it, in any containers, and C programs by
 * include/bun_shm.h. Its owner is the thread that locked it, which must unlock it through the same
 * handle; a Worker is a separate owner. A thread that locks it twice gets an error, and no
 * deadlock. Those who wait get it in turn: whoever was woken in vain comes next.
 *
 * What a crash leaves: the mutex as the dead owner held it, and its data as they were. Whoever
 * waits takes it over within 20 ms (50 ms in an event loop), and is told of the death (`ownerDied`,
 * `onOwnerDied`). A Worker that ends counts as dead; for processes of other PID namespaces, when
 * its process ends. A segment cannot be closed while a mutex in it is held. The garbage collector
 * releases nothing: if a handle is forgotten while it holds the mutex, both the mutex and its
 * memory stay held until the thread ends.
 *
 * Avoid holding it across an `await`: nothing else in this thread can lock it meanwhile.
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
  readonly #lock: OwnedLock;
  readonly #onOwnerDied: ((mutex: Mutex) => void) | undefined;
  readonly #hold: Hold;
  readonly #line = new AsyncLine();
  /** Which hold of this handle lasts or comes next: a guard is for one, and not for a later one. */
  #turn = 0;
  #turns = 0;
  #ownerDied = false;

  static readonly #kind = new LockKind<Mutex, MutexOptions>({
    mark: MUTEX_MARK,
    makes: ["onOwnerDied"],
    finds: ["onOwnerDied"],
    leastLength: MUTEX_LENGTH,
    byteLength: () => MUTEX_LENGTH,
    check(action, { onOwnerDied }) {
      checkRepair(action, onOwnerDied);
    },
    make: (placed, _words, options) => new Mutex(placed, options),
    find: (placed, options) => new Mutex(placed, options),
  });

  private constructor(placed: Placed, options: MutexOptions) {
    const memory = new LockMemory("Mutex", placed, MUTEX_LENGTH, MUTEX_WAIT_POINT_OFFSET);
    super(memory);
    this.#memory = memory;
    this.#onOwnerDied = options.onOwnerDied;
    this.#hold = memory.registerHold(this, "mutex");
    this.#lock = memory.lockAt(0, memory.waitPoint);
  }

  /** How many bytes a mutex takes in a segment. */
  static byteLength(): number {
    return MUTEX_LENGTH;
  }

  /**
   * Makes a mutex in a new segment of that name. Does not block.
   *
   * @returns The mutex.
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments.
   */
  static create(name: string, options?: MutexOptions & PlacedCreateOptions): Mutex {
    return Mutex.#kind.create(name, options);
  }

  /**
   * Finds the mutex of that name. Blocks until the name appears, for `waitMs` at most, and while a
   * live process is making it, which `waitMs` bounds too (half a minute without it).
   *
   * @returns The mutex.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when it is something else; StateError ENODATA when it is unfinished, and nobody
   *   makes it.
   */
  static open(name: string, options?: MutexOptions & PlacedOpenOptions): Mutex {
    return Mutex.#kind.open(name, options);
  }

  /**
   * Finds the mutex of that name, or makes it; `created` says which. Blocks while a live process is
   * making it, for half a minute at most.
   *
   * @returns The mutex.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT.
   */
  static openOrCreate(
    name: string,
    options?: MutexOptions & PlacedCreateOptions & OwnerOptions,
  ): Mutex {
    return Mutex.#kind.openOrCreate(name, options);
  }

  /**
   * Makes a mutex inside a segment. With `overwrite` it replaces one that nobody can lock any more
   * (ENOTRECOVERABLE); nobody may be using that. Blocks only while another process is making one
   * there, for a second at most.
   *
   * @param offset Where it starts, in bytes from the segment's start; a multiple of 128.
   * @returns The mutex.
   * @throws StateError EEXIST when a mutex exists there, EBUSY when another process takes over a
   *   second to make one; RangeError for a bad offset; TypeError for a bad option; LayoutError when
   *   something else is there.
   */
  static init(segment: Segment, offset: number, options?: MutexOptions & PlacedInitOptions): Mutex {
    return Mutex.#kind.init(segment, offset, options);
  }

  /**
   * Finds the mutex that was made there with `init`. Blocks until it is there, for a second at
   * most. After `segment.resize` or `remap`, it must be found again.
   *
   * @param offset Where it starts, in bytes from the segment's start.
   * @returns The mutex.
   * @throws LayoutError when it is something else; StateError ENODATA when there is none.
   */
  static at(segment: Segment, offset: number, options?: MutexOptions): Mutex {
    return Mutex.#kind.at(segment, offset, options);
  }

  /** Whether this handle holds the mutex. */
  get held(): boolean {
    return this.#hold.held;
  }

  /** While this handle holds it: whether the last owner died with it. */
  get ownerDied(): boolean {
    return this.#ownerDied;
  }

  /** How many deaths of owners were noticed, modulo 2^32. @throws ClosedError. */
  get deaths(): number {
    return load(this.#memory.words, DEATHS_WORD) >>> 0;
  }

  /**
   * Locks the mutex, and blocks this thread until that is possible.
   *
   * @returns Whether it is held now: false when the timeout passed.
   * @throws StateError EDEADLK when this thread holds it; ENOTRECOVERABLE when an owner died and
   *   the repair of its data failed, now or earlier (the cause is what `onOwnerDied` threw);
   *   ClosedError; the signal's reason when it is already aborted; RangeError, TypeError.
   */
  lock(options?: WaitOptions): boolean {
    if (options !== undefined) checkWait(this.#action, options, WAIT_OPTIONS);
    if (this.#lock.tryTake() !== TAKEN) return this.#lockSlowly(options?.timeoutMs);
    this.#hold.held = true;
    return true;
  }

  #lockSlowly(timeoutMs = Number.POSITIVE_INFINITY): boolean {
    return timeoutMs === 0 ? this.tryLock() : this.#accept(this.#lock.lockFor(timeoutMs));
  }

  /**
   * Locks the mutex if it is free; does not block.
   * @returns Whether it is held now: false when somebody else holds it. @throws The errors of
   *   `lock`.
   */
  tryLock(): boolean {
    return this.#accept(this.#lock.tryLock());
  }

  /**
   * Locks the mutex without blocking the event loop; this thread holds it then. Calls of one handle
   * get it one after the other, in the order in which they were made.
   *
   * @returns Whether it is held now: false when the timeout passed.
   * @throws The errors of `lock`, and the signal's reason as soon as it is aborted.
   */
  async lockAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action, options, ASYNC_WAIT_OPTIONS);
    let looks = 0;
    const ready = (): boolean => {
      if (this.#hold.held) return false;
      const outcome = this.#lock.look(looks++ > 0);
      // Another handle of this thread holds it, and will unlock it in time.
      return this.#accept(outcome === OWN ? BUSY : outcome);
    };
    let locked = false;
    try {
      locked = await this.#memory.waitAsync(ready, options, this.#line);
    } finally {
      if (!locked && looks > 0 && !this.#hold.held) this.#lock.stopLooking();
    }
    return locked;
  }

  /**
   * Locks the mutex like `lock`, until the returned guard is disposed of.
   * @returns The guard; undefined when the timeout passed. @throws The errors of `lock`.
   */
  acquire(): MutexGuard;
  acquire(options: WaitOptions | undefined): MutexGuard | undefined;
  acquire(options?: WaitOptions): MutexGuard | undefined {
    return this.lock(options) ? new MutexGuard(this, this.#turn) : undefined;
  }

  /**
   * Locks the mutex like `tryLock`, until the returned guard is disposed of.
   * @returns The guard; undefined when somebody else holds it. @throws The errors of `tryLock`.
   */
  tryAcquire(): MutexGuard | undefined {
    return this.tryLock() ? new MutexGuard(this, this.#turn) : undefined;
  }

  /**
   * Locks the mutex like `lockAsync`, until the returned guard is disposed of.
   * @returns The guard; undefined when the timeout passed. @throws The errors of `lockAsync`.
   */
  async acquireAsync(options?: AsyncWaitOptions): Promise<MutexGuard | undefined> {
    return (await this.lockAsync(options)) ? new MutexGuard(this, this.#turn) : undefined;
  }

  /**
   * Calls a function with the mutex held, and unlocks it afterwards, even if the function throws.
   * Blocks this thread until the mutex can be locked.
   *
   * @param fn Synchronous; it gets the mutex.
   * @returns What the function returned.
   * @throws The errors of `lock`, and what the function throws; TypeError when it returns a
   *   promise, because the mutex would be unlocked before that is settled.
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

  /**
   * Unlocks the mutex, and wakes its waiters; does not block.
   * @throws StateError EPERM when this handle does not hold it; ClosedError.
   */
  unlock(): void {
    if (!this.#hold.held) this.#mustBeHeld("unlock");
    this.#ownerDied = false;
    this.#hold.held = false;
    this.#turn = ++this.#turns;
    this.#lock.unlock();
  }

  /**
   * Unlocks the mutex and gives its data up: from now on nobody can lock it (ENOTRECOVERABLE). Only
   * for a holder who got it from a dead owner and cannot repair the data.
   *
   * @throws StateError EPERM when this handle does not hold it, or no owner died; ClosedError.
   */
  abandon(): void {
    this.#mustBeHeld("abandon");
    if (!this.#ownerDied) this.#refuse("abandon", "no owner died with it. Unlock it instead");
    this.#ownerDied = false;
    this.#hold.held = false;
    this.#turn = ++this.#turns;
    this.#lock.abandon();
  }

  /**
   * Ends the use of this handle, as every lock's `close` does.
   * @throws StateError EBUSY while this handle holds the mutex: nobody could ever lock it again.
   */
  override close(): void {
    if (this.#hold.held) {
      const why = "it is held. Unlock it first";
      throw new StateError("EBUSY", `Cannot close ${this.#memory.what}: ${why}`);
    }
    super.close();
    this.#lock.close();
  }

  /** Unlocks for a wait. @returns What resumes this hold after the next lock. @internal */
  suspend(): number {
    const turn = this.#turn;
    this.unlock();
    return turn;
  }

  /** Makes the present hold the one that was suspended. @throws ClosedError. @internal */
  resume(turn: number): void {
    this.#memory.checkOpen();
    this.#turn = turn;
  }

  /** @throws StateError EPERM when a guard's hold has ended; ClosedError. @internal */
  mustBeTurn(turn: number): void {
    this.#memory.checkOpen();
    if (turn !== this.#turn) this.#refuse("unlock", "the hold of this guard ended before");
  }

  /** @throws ClosedError; StateError EPERM. */
  #mustBeHeld(verb: string): void {
    if (this.#hold.held) return;
    this.#memory.checkOpen();
    this.#refuse(verb, "this handle does not hold it. Lock it first");
  }

  #refuse(verb: string, why: string): never {
    throw new StateError("EPERM", `Cannot ${verb} ${this.#memory.what}: ${why}`);
  }

  get #action(): string {
    return `Cannot lock ${this.#memory.what}`;
  }

  #accept(outcome: Outcome): boolean {
    if (outcome !== TAKEN) return this.#examine(outcome);
    this.#hold.held = true;
    return true;
  }

  /** For every outcome of a try but TAKEN. @returns Whether this handle holds the mutex now. */
  #examine(outcome: Outcome): boolean {
    if (outcome === INHERITED) return this.#inherit();
    if (outcome === LOST) {
      const why = "an owner died, and the repair of its data failed";
      const out = "Make the data and the mutex again (init, overwrite) when nobody uses them";
      throw new StateError("ENOTRECOVERABLE", `${this.#action}: ${why}. ${out}`);
    }
    if (outcome === BUSY && !this.#hold.held) return false;
    const why = this.#hold.held
      ? "this handle holds it already"
      : "this thread holds it through another handle";
    throw new StateError("EDEADLK", `${this.#action}: ${why}`);
  }

  /**
   * Takes over from a dead owner, and repairs its data unless that is left to the caller.
   * @returns Whether this handle holds the mutex: the repair may have unlocked it.
   */
  #inherit(): boolean {
    this.#hold.held = true;
    this.#ownerDied = true;
    add(this.#memory.words, DEATHS_WORD, 1);
    const onOwnerDied = this.#onOwnerDied;
    if (onOwnerDied === undefined) return true;
    try {
      repair(() => onOwnerDied(this));
    } catch (cause) {
      if (this.#hold.held) this.abandon();
      const why = "its owner died, and onOwnerDied failed. Nobody can lock it now";
      throw new StateError("ENOTRECOVERABLE", `${this.#action}: ${why}`, { cause });
    }
    return this.#hold.held || this.tryLock();
  }

  #refusePromise(): never {
    const action = `Cannot hold ${this.#memory.what} for an asynchronous function`;
    const out = "Use acquireAsync, and unlock after the work";
    throw new TypeError(`${action}: it would be unlocked at the first await. ${out}`);
  }
}
