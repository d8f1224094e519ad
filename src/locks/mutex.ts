import { ClosedError, LayoutError, UnsupportedError } from "../errors.ts";
import {
  MUTEX_ABI_OFFSET,
  MUTEX_DEATHS_OFFSET,
  MUTEX_LENGTH,
  MUTEX_LOST_OFFSET,
  MUTEX_MAGIC,
  MUTEX_MAGIC_OFFSET,
  MUTEX_WAIT_POINT_OFFSET,
} from "../layout/mutex-layout.ts";
import { WAITING } from "../layout/wait-point-layout.ts";
import { E, fail } from "../libc/errno.ts";
import { futexWake } from "../libc/futex.ts";
import {
  HAS_ROBUST_MUTEX,
  MUTEX_ABI,
  mutexConsistent,
  mutexInit,
  mutexLock,
  mutexTryLock,
  mutexUnlock,
} from "../libc/pthread.ts";
import { monotonicMs } from "../libc/time.ts";
import { add, load, loadAfterBarrier, store } from "../memory/atomics.ts";
import type { Hold } from "../segment/holds.ts";
import { checkMagic, hex } from "../segment/magic.ts";
import { placeWords } from "../segment/placement.ts";
import type { Segment } from "../segment/segment.ts";
import { checkTimeout } from "../waiting/wait-options.ts";
import { type AsyncWaitOptions, WaitPoint } from "../waiting/wait-point.ts";

/** What a process does with a mutex. */
export interface MutexOptions {
  /**
   * Repairs the data after an owner died, before anyone else sees them: it is called, with the
   * mutex held, by the lock that finds out. What it throws, the lock throws, and from then on
   * nobody can lock the mutex any more (ENOTRECOVERABLE). Synchronous.
   */
  readonly onOwnerDied?: (mutex: Mutex) => void;
}

/** How long to wait for a mutex. */
export interface LockOptions {
  /** Milliseconds; 0 only tries. Default: for ever. */
  readonly timeoutMs?: number;
}

/** The longest uninterrupted sleep, in ms: after it, a Worker can be terminated. */
const SLICE_MS = 50;
/** Tries before a sleep: critical sections here are mostly shorter than a sleep and a wake. */
const SPIN_TRIES = 100;

/** Index of the wait point's state. */
const STATE: number = MUTEX_WAIT_POINT_OFFSET >> 2;

const ALREADY_HELD: number = -E.EDEADLK;
const NOT_HELD: number = -E.EPERM;

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
    if (this.#released) return;
    this.#released = true;
    this.#mutex.unlock();
  }

  /** As `Mutex.abandon`. */
  abandon(): void {
    this.#mutex.abandon();
    this.#released = true;
  }

  [Symbol.dispose](): void {
    this.unlock();
  }
}

/**
 * A robust mutex inside a segment: one thread of one process at a time.
 *
 * It is libc's own (robust, process-shared, errorcheck), so C programs can lock it too, if they use
 * the same libc. Its owner is the thread that locked it, and unlocks it through the same handle: a
 * Worker is another owner; locking what the thread has is an error and no deadlock. All processes
 * must see each other's ids: containers need a common PID namespace. And they must trust each
 * other: libc keeps addresses in a held mutex, and believes what it finds there.
 *
 * What a crash leaves: the kernel passes the mutex on at once, and the next lock says so
 * (`ownerDied`, `onOwnerDied`). The data are as the dead owner left them. The same goes for a
 * Worker that ends. A segment cannot be closed while a mutex in it is held.
 *
 * Never keep it across an `await` without need: everyone else in this thread meets it locked.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/account", { size: 4096 });
 * const mutex = Mutex.init(segment, 0);
 * const balance = new Int32Array(segment.buffer, MUTEX_LENGTH, 1);
 * {
 *   using guard = mutex.acquire();
 *   if (guard.ownerDied) console.warn("the last owner died");
 *   balance[0]! += 10;
 * }
 * // in another process:
 * // const mutex = Mutex.at(Segment.open("/account"), 0);
 * Segment.unlink("/account");
 * ```
 */
export class Mutex {
  // Good while `#words` has a length: both go when the segment is closed or mapped anew.
  readonly #mutexAddress: number;
  readonly #what: string;
  readonly #words: Int32Array;
  readonly #waitPoint: WaitPoint;
  readonly #onOwnerDied: ((mutex: Mutex) => void) | undefined;
  readonly #hold: Hold;
  #ownerDied = false;

  private constructor(segment: Segment, offset: number, options: MutexOptions) {
    if (!HAS_ROBUST_MUTEX) {
      throw new UnsupportedError(
        `Cannot use a mutex: ${process.platform} has no mutex that outlives its owner`,
      );
    }
    this.#words = placeWords("mutex", segment, offset, MUTEX_LENGTH);
    const { mapping } = segment;
    this.#mutexAddress = mapping.lastingAddress + offset;
    this.#what = `mutex at ${offset} in segment "${segment.name}"`;
    this.#waitPoint = new WaitPoint(segment, offset + MUTEX_WAIT_POINT_OFFSET);
    this.#onOwnerDied = options.onOwnerDied;
    this.#hold = segment.holds.register(this, `the mutex at ${offset}`, mapping);
  }

  /**
   * Makes a mutex in `MUTEX_LENGTH` bytes of a segment. Only one process does, once: whatever was
   * there is overwritten, and a mutex that somebody uses would be lost. This is also the way back
   * after ENOTRECOVERABLE, when nobody else uses it.
   *
   * @param offset Bytes from the segment's start, a multiple of 128.
   * @throws RangeError for a bad offset; UnsupportedError on macOS.
   */
  static init(segment: Segment, offset: number, options: MutexOptions = {}): Mutex {
    const mutex = new Mutex(segment, offset, options);
    const words = mutex.#words;
    store(words, MUTEX_MAGIC_OFFSET >> 2, 0);
    words.fill(0);
    const result = mutexInit(mutex.#address);
    if (result < 0) fail(`Cannot make a ${mutex.#what}`, result, "pthread_mutex_init");
    words[MUTEX_ABI_OFFSET >> 2] = MUTEX_ABI;
    // SYNC mutex-made: pairs with the load in `at`.
    store(words, MUTEX_MAGIC_OFFSET >> 2, MUTEX_MAGIC);
    return mutex;
  }

  /**
   * Finds the mutex that another process makes there with `init`, and waits for it for a second at
   * most, blocking. After `segment.resize` or `remap`, find it again.
   *
   * @param offset Bytes from the segment's start.
   * @throws LayoutError when there is none, or one of another libc or processor.
   */
  static at(segment: Segment, offset: number, options: MutexOptions = {}): Mutex {
    const mutex = new Mutex(segment, offset, options);
    const words = mutex.#words;
    // SYNC mutex-made
    const magicOffset = offset + MUTEX_MAGIC_OFFSET;
    checkMagic("mutex", words, MUTEX_MAGIC_OFFSET >> 2, MUTEX_MAGIC, magicOffset);
    const abi = load(words, MUTEX_ABI_OFFSET >> 2);
    if (abi === MUTEX_ABI) return mutex;
    throw new LayoutError("The mutex was made by another libc or for another processor", {
      expected: hex(MUTEX_ABI),
      found: hex(abi),
      offset: offset + MUTEX_ABI_OFFSET,
    });
  }

  /** Whether this handle holds the mutex. */
  get held(): boolean {
    return this.#hold.held;
  }

  /** While held: whether the owner before died with it. */
  get ownerDied(): boolean {
    return this.#ownerDied;
  }

  /** How often an owner died with it, as far as it was found out; modulo 2^32. */
  get deaths(): number {
    return load(this.#words, MUTEX_DEATHS_OFFSET >> 2) >>> 0;
  }

  /**
   * Takes the mutex, blocking this thread until it is free.
   *
   * @returns false when the time was over.
   * @throws SystemError EDEADLK when this thread has it; ENOTRECOVERABLE when an owner died and the
   *   repair of its data failed. What `onOwnerDied` throws is the cause of an Error.
   */
  lock(options?: LockOptions): boolean {
    const result = this.#try();
    if (result === 0) return true;
    return this.#examine(result) || this.#lockSlowly(options);
  }

  /** Takes the mutex if it is free. @returns false when somebody has it. @throws As `lock`. */
  tryLock(): boolean {
    const result = this.#try();
    return result === 0 || this.#examine(result);
  }

  /**
   * Takes the mutex without blocking the event loop; it is then held by this thread. Several waits
   * in one thread take turns. A C program that unlocks rings no bell: it is noticed within 250 ms.
   *
   * @returns false when the time was over. @throws As `lock`; what the signal gives as its reason.
   */
  lockAsync(options?: AsyncWaitOptions): Promise<boolean> {
    return this.#waitPoint.waitAsync(() => {
      if (this.#hold.held) return false;
      const result = mutexTryLock(this.#address);
      if (result === 0) return this.#taken();
      // Another handle of this thread has it: its turn ends too.
      return this.#examine(result === -E.EDEADLK ? -E.EBUSY : result);
    }, options);
  }

  /** As `lock`; what it returns is to be declared with `using`. @returns undefined at a timeout. */
  acquire(): MutexGuard;
  acquire(options: LockOptions | undefined): MutexGuard | undefined;
  acquire(options?: LockOptions): MutexGuard | undefined {
    return this.lock(options) ? new MutexGuard(this) : undefined;
  }

  /** As `lockAsync`, with a guard. @returns undefined when the time was over. */
  async acquireAsync(options?: AsyncWaitOptions): Promise<MutexGuard | undefined> {
    return (await this.lockAsync(options)) ? new MutexGuard(this) : undefined;
  }

  /**
   * Calls a function with the mutex held, and unlocks whatever comes.
   *
   * @throws TypeError when it returns a promise: the lock would end before it.
   */
  withLock<T>(fn: (mutex: Mutex) => T): T {
    if (Object.getPrototypeOf(fn) === ASYNC_FUNCTION) refusePromise();
    this.lock();
    let result: T;
    try {
      result = fn(this);
    } finally {
      if (this.#hold.held) this.unlock();
    }
    if (isPromise(result)) refusePromise();
    return result;
  }

  /** Releases the mutex. @throws SystemError EPERM when this handle does not hold it. */
  unlock(): void {
    if (!this.#hold.held) this.#failUnlock(NOT_HELD);
    if (this.#ownerDied) this.#declareWhole();
    const result = mutexUnlock(this.#address);
    if (result < 0) this.#failUnlock(result);
    this.#hold.held = false;
    if ((loadAfterBarrier(this.#words, STATE) & WAITING) !== 0) this.#waitPoint.wake();
  }

  /**
   * Releases the mutex and gives its data up: from now on nobody can lock it (ENOTRECOVERABLE).
   * Only for who holds it from a dead owner and cannot repair the data.
   *
   * @throws Error when no owner died.
   */
  abandon(): void {
    if (!this.#hold.held) this.#failUnlock(-E.EPERM);
    if (!this.#ownerDied) throw new Error(`Cannot abandon the ${this.#what}: no owner died`);
    store(this.#words, MUTEX_LOST_OFFSET >> 2, 1);
    this.#ownerDied = false;
    this.unlock();
  }

  /** For what is only done with the mutex held. @throws SystemError EPERM. @internal */
  mustBeHeld(action: string): void {
    if (this.#hold.held) return;
    const hint = "This handle does not hold it";
    const syscall = "pthread_mutex_unlock";
    fail(`Cannot ${action} without the ${this.#what}`, -E.EPERM, syscall, undefined, hint);
  }

  get #address(): number {
    if (this.#words.length === 0) this.#failClosed();
    return this.#mutexAddress;
  }

  // Small, as all of the fast path: the engine inlines what is short.
  #try(): number {
    if (this.#hold.held) return ALREADY_HELD;
    const result = mutexTryLock(this.#address);
    if (result === 0) this.#hold.held = true;
    return result;
  }

  #taken(): true {
    this.#hold.held = true;
    return true;
  }

  #lockSlowly(options: LockOptions | undefined): boolean {
    const timeoutMs = checkTimeout(options?.timeoutMs);
    if (timeoutMs === 0) return false;
    const deadline = monotonicMs() + timeoutMs;
    for (let tries = 0; tries < SPIN_TRIES; tries++) {
      const result = mutexTryLock(this.#address);
      if (result === 0) return this.#taken();
      if (this.#examine(result)) return true;
    }
    for (;;) {
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      const result = mutexLock(this.#address, Math.min(left, SLICE_MS));
      if (result === 0) return this.#taken();
      if (this.#examine(result)) return true;
    }
  }

  /** What came of a lock but success: false while another has it, true when it died with it. */
  #examine(result: number): boolean {
    if (result === -E.EOWNERDEAD) return this.#inherit();
    if (result === -E.ENOTRECOVERABLE) this.#declareLost();
    if (load(this.#words, MUTEX_LOST_OFFSET >> 2) !== 0) result = -E.ENOTRECOVERABLE;
    if (result === -E.EBUSY || result === -E.ETIMEDOUT) return false;
    let hint: string | undefined;
    if (result === -E.EDEADLK) {
      hint = this.#hold.held
        ? "This handle holds it already"
        : "This thread holds it through another handle, or its owner's id means another process " +
          "here: all need one PID namespace";
    } else if (result === -E.ENOTRECOVERABLE) {
      hint =
        "An owner died, and the repair of its data failed. Make the data and the mutex anew " +
        "(Mutex.init) when nobody uses them";
    }
    return fail(`Cannot lock the ${this.#what}`, result, "pthread_mutex_lock", undefined, hint);
  }

  /** Tells everyone, also those whose libc would let them wait for ever. */
  #declareLost(): void {
    store(this.#words, MUTEX_LOST_OFFSET >> 2, 1);
    // glibc's trylock keeps the lock word when it answers ENOTRECOVERABLE, where its lock lets go
    // of it: everyone else would wait for this thread. Source: nptl/pthread_mutex_trylock.c, 2.36.
    if (mutexTryLock(this.#address) === -E.EDEADLK) {
      store(this.#words, 0, 0);
      futexWake(this.#address, 0x7fffffff);
    }
    this.#waitPoint.wake();
  }

  /** The mutex came from a dead owner: repair, or let the caller. */
  #inherit(): true {
    this.#taken();
    this.#ownerDied = true;
    add(this.#words, MUTEX_DEATHS_OFFSET >> 2, 1);
    if (this.#onOwnerDied === undefined) return true;
    try {
      const result: unknown = this.#onOwnerDied(this);
      if (isPromise(result)) throw new TypeError("onOwnerDied returned a promise");
    } catch (cause) {
      if (this.#hold.held) this.abandon();
      throw new Error(
        `Cannot lock the ${this.#what}: its owner died, and onOwnerDied failed. ` +
          "Nobody can lock it now",
        { cause },
      );
    }
    return true;
  }

  #declareWhole(): void {
    const result = mutexConsistent(this.#address);
    if (result < 0) fail(`Cannot mend the ${this.#what}`, result, "pthread_mutex_consistent");
    this.#ownerDied = false;
  }

  #failClosed(): never {
    throw new ClosedError(this.#what);
  }

  #failUnlock(result: number): never {
    const hint = "This handle does not hold it";
    return fail(`Cannot unlock the ${this.#what}`, result, "pthread_mutex_unlock", undefined, hint);
  }
}

const ASYNC_FUNCTION: unknown = Object.getPrototypeOf(async () => {});

function isPromise(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return typeof (value as { then?: unknown }).then === "function";
}

function refusePromise(): never {
  throw new TypeError(
    "Cannot hold a mutex for an asynchronous function: it would be unlocked at the first await. " +
      "Use acquireAsync, and unlock after the work",
  );
}
