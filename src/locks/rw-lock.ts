import { checkInteger } from "../arguments.ts";
import { LayoutError, StateError } from "../errors.ts";
import { RW_LOCK_MARK } from "../layout/lock-marks.ts";
import {
  RW_LOCK_FIRST_PLACE_OFFSET,
  RW_LOCK_MAX_PLACES,
  RW_LOCK_PLACES_OFFSET,
  RW_LOCK_PLACE_LENGTH,
  RW_LOCK_WAIT_POINT_OFFSET,
  rwLockLength,
} from "../layout/rw-lock-layout.ts";
import { load } from "../memory/atomics.ts";
import type { Hold } from "../segment/holds.ts";
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
import { HeldGuard } from "./guard.ts";
import { LockHandle } from "./handle.ts";
import { LockKind } from "./lock-kind.ts";
import { LockMemory, wordsAt } from "./lock-memory.ts";
import { checkRepair } from "./mutex.ts";
import { RobustMutex, checkAbi, checkRobustMutex, writeAbi } from "./robust-mutex.ts";
import { RwLockSteps } from "./rw-lock-steps.ts";

/** Which readers-writer lock, and what a process does with it. */
export interface RwLockOptions {
  /**
   * How many read at once, from 1 to 256; more wait for one to leave. A writer takes longer with
   * more. Default: 16 in a new one, and whatever one has that is there.
   */
  readonly readers?: number | undefined;
  /**
   * Repairs the data after a writer died while writing, before anyone else sees them: it is called
   * with the lock held for writing, by whoever finds out, reader or writer. What it throws is the
   * cause of what the lock throws, and from then on nobody gets the lock (ENOTRECOVERABLE).
   * Synchronous.
   */
  readonly onOwnerDied?: (() => void) | undefined;
}

const PLACES: number = RW_LOCK_PLACES_OFFSET >> 2;

const DEFAULT_READERS = 16;
const LOOK_ONLY: WaitOptions = { timeoutMs: 0 };

/**
 * Many readers or one writer, across processes and Workers.
 *
 * A handle reads as often as it likes at once (its reads nest), or writes. To write while it reads
 * is an error and no deadlock; through two handles of one thread it would be one. Both belong to
 * the thread, and every process must see the others' ids (one PID namespace).
 *
 * What a crash leaves: a dead reader is of no matter. A writer that died while it waited has
 * changed nothing. One that died while it wrote is reported: by `onOwnerDied`, else by `ownerDied`
 * to everyone until somebody has written. It is found out within 50 ms (250 ms by event loops). A
 * handle that is forgotten while it holds the lock keeps it until its thread ends.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/prices", { size: 4096 });
 * const lock = RwLock.init(segment, 0, { readers: 8 });
 * const prices = new Float64Array(segment.buffer, RwLock.byteLength({ readers: 8 }), 4);
 * {
 *   using _ = lock.acquireWrite();
 *   prices.set([1, 2, 3, 4]);
 * }
 * {
 *   using _ = lock.acquireRead();
 *   console.log(prices[0]! + prices[3]!); // 5
 * }
 * segment.unlink();
 * ```
 */
export class RwLock extends LockHandle {
  readonly #memory: LockMemory;
  readonly #places: readonly RobustMutex[];
  readonly #writers: RobustMutex;
  readonly #hold: Hold;
  readonly #steps: RwLockSteps;

  static readonly #kind = new LockKind<RwLock, RwLockOptions>({
    mark: RW_LOCK_MARK,
    makes: ["readers", "onOwnerDied"],
    finds: ["readers", "onOwnerDied"],
    leastLength: rwLockLength(1),
    byteLength(action, { readers = DEFAULT_READERS }) {
      checkInteger(action, "readers", readers, 1, RW_LOCK_MAX_PLACES);
      return rwLockLength(readers);
    },
    check(action, { readers, onOwnerDied }) {
      checkRobustMutex("readers-writer lock");
      if (readers !== undefined) {
        checkInteger(action, "readers", readers, 1, RW_LOCK_MAX_PLACES);
      }
      checkRepair(action, onOwnerDied);
    },
    make(placed, words, options) {
      const { readers = DEFAULT_READERS } = options;
      const lock = new RwLock(placed, readers, options);
      lock.#writers.init();
      writeAbi(words);
      for (const place of lock.#places) place.init();
      words[PLACES] = readers;
      return lock;
    },
    find(placed, options) {
      const words = wordsAt(placed, rwLockLength(1));
      checkAbi(placed, words);
      const places = load(words, PLACES);
      if (places < 1 || places > RW_LOCK_MAX_PLACES) {
        throw new LayoutError(`Cannot open ${placed.what}: it is corrupt`, {
          expected: `1 to ${RW_LOCK_MAX_PLACES} readers`,
          found: String(places),
          offset: placed.offset + RW_LOCK_PLACES_OFFSET,
        });
      }
      placed.mustHave("number of readers", RW_LOCK_PLACES_OFFSET, places, options.readers);
      return new RwLock(placed, places, options);
    },
  });

  private constructor(placed: Placed, places: number, options: RwLockOptions) {
    const memory = new LockMemory(
      "RwLock",
      placed,
      rwLockLength(places),
      RW_LOCK_WAIT_POINT_OFFSET,
    );
    super(memory);
    this.#memory = memory;
    const hold = this.#memory.registerHold(this, "readers-writer lock");
    const mutexAt = (from: number): RobustMutex =>
      new RobustMutex(placed.segment.mapping, placed.offset + from, placed.what, hold);
    this.#writers = mutexAt(0);
    this.#places = Array.from({ length: places }, (_, place) =>
      mutexAt(RW_LOCK_FIRST_PLACE_OFFSET + place * RW_LOCK_PLACE_LENGTH),
    );
    this.#hold = hold;
    this.#steps = new RwLockSteps({
      what: placed.what,
      words: this.#memory.words,
      writers: this.#writers,
      places: this.#places,
      waitPoint: this.#memory.waitPoint,
      hold,
      onOwnerDied: options.onOwnerDied,
    });
  }

  /** Bytes that a lock for so many readers at once takes in a segment. @throws RangeError. */
  static byteLength(options?: { readonly readers?: number | undefined }): number {
    return RwLock.#kind.byteLength(options);
  }

  /**
   * Makes a lock in a new segment of that name.
   *
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments; UnsupportedError on macOS.
   */
  static create(name: string, options?: RwLockOptions & PlacedCreateOptions): RwLock {
    return RwLock.#kind.create(name, options);
  }

  /**
   * Finds the lock of that name; one that is being made is waited for, blocking.
   *
   * @throws SystemError ENOENT, EACCES; LayoutError when it is something else, another libc made
   *   it, or it has another number of readers; StateError ENODATA when its creator died half way.
   */
  static open(name: string, options?: RwLockOptions & PlacedOpenOptions): RwLock {
    return RwLock.#kind.open(name, options);
  }

  /** Finds the lock of that name, or makes it; `created` says which. @throws As both. */
  static openOrCreate(name: string, options?: RwLockOptions & PlacedCreateOptions): RwLock {
    return RwLock.#kind.openOrCreate(name, options);
  }

  /**
   * Makes a lock inside a segment.
   *
   * @param offset Bytes from the segment's start, a multiple of 128.
   * @throws StateError EEXIST when one is there; RangeError for a bad offset or number; LayoutError
   *   when something else is there; UnsupportedError on macOS.
   */
  static init(
    segment: Segment,
    offset: number,
    options?: RwLockOptions & PlacedInitOptions,
  ): RwLock {
    return RwLock.#kind.init(segment, offset, options);
  }

  /**
   * Finds the lock that another process makes there with `init`, and waits for it for a second at
   * most, blocking.
   *
   * @param offset Bytes from the segment's start.
   * @throws LayoutError when it is something else, another libc made it, or it has another number
   *   of readers; StateError ENODATA when there is none.
   */
  static at(segment: Segment, offset: number, options?: RwLockOptions): RwLock {
    return RwLock.#kind.at(segment, offset, options);
  }

  /** How many can read at once. */
  get readers(): number {
    return this.#places.length;
  }

  /** Whether this handle has the lock, and how. */
  get held(): "read" | "write" | undefined {
    return this.#steps.writes ? "write" : this.#steps.reads ? "read" : undefined;
  }

  /**
   * Whether a writer died while writing, and nobody has repaired or written the data since.
   * @throws ClosedError.
   */
  get ownerDied(): boolean {
    this.#memory.checkOpen();
    return this.#steps.ownerDied;
  }

  /**
   * Takes the lock to read, blocking this thread.
   *
   * @returns Whether this handle reads now: false when the time was over.
   * @throws StateError EDEADLK when this handle writes; ENOTRECOVERABLE when a repair failed, now
   *   or before (what `onOwnerDied` threw is the cause); ClosedError; the reason of a signal that
   *   is aborted.
   */
  lockRead(options?: WaitOptions): boolean {
    if (options !== undefined) checkWait(this.#action("read-lock"), options, WAIT_OPTIONS);
    const steps = this.#steps;
    this.#refuseDeadlock("read-lock", steps.wants);
    if (steps.undisturbed && steps.tryRead()) return true;
    steps.giveWay(options?.timeoutMs);
    return this.#memory.wait(() => steps.tryReadOrRecover(), options) && steps.countTurn();
  }

  /**
   * Takes the lock to read if no writer has or wants it.
   * @returns Whether this handle reads now. @throws As `lockRead`.
   */
  tryLockRead(): boolean {
    this.#refuseDeadlock("read-lock", this.#steps.wants);
    return this.#steps.tryReadOrRecover();
  }

  /**
   * As `lockRead`, without blocking the event loop.
   *
   * @returns Whether this handle reads now: false when the time was over.
   * @throws As `lockRead`; the signal's reason as soon as it is aborted.
   */
  async lockReadAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action("read-lock"), options, ASYNC_WAIT_OPTIONS);
    const steps = this.#steps;
    const ready = (): boolean => this.#isOpen() && !steps.writes && steps.tryReadOrRecover();
    return (await this.#memory.waitAsync(ready, options)) && steps.countTurn();
  }

  /** Ends one read. @throws StateError EPERM when this handle does not read; ClosedError. */
  unlockRead(): void {
    if (!this.#steps.reads) this.#failToUnlock("read");
    this.#steps.endRead();
  }

  /**
   * Takes the lock to write, blocking this thread until the readers have left.
   *
   * @returns Whether this handle writes now: false when the time was over.
   * @throws As `lockRead`; EDEADLK also when this handle reads.
   */
  lockWrite(options?: WaitOptions): boolean {
    if (options !== undefined) checkWait(this.#action("write-lock"), options, WAIT_OPTIONS);
    const steps = this.#steps;
    this.#refuseDeadlock("write-lock", steps.reads || steps.wants);
    steps.giveWay(options?.timeoutMs);
    try {
      const written = steps.tryWrite() || this.#memory.wait(() => steps.tryWrite(), options);
      return written && steps.countTurn();
    } finally {
      steps.stopWanting();
    }
  }

  /**
   * Takes the lock to write if nobody has it.
   * @returns Whether this handle writes now. @throws As `lockWrite`.
   */
  tryLockWrite(): boolean {
    return this.lockWrite(LOOK_ONLY);
  }

  /**
   * As `lockWrite`, without blocking the event loop.
   *
   * @returns Whether this handle writes now: false when the time was over.
   * @throws As `lockWrite`; the signal's reason as soon as it is aborted.
   */
  async lockWriteAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action("write-lock"), options, ASYNC_WAIT_OPTIONS);
    const steps = this.#steps;
    const ready = (): boolean =>
      this.#isOpen() && !steps.writes && !steps.reads && steps.tryWrite();
    try {
      return (await this.#memory.waitAsync(ready, options)) && steps.countTurn();
    } finally {
      steps.stopWanting();
    }
  }

  /** Ends the write. @throws StateError EPERM when this handle does not write; ClosedError. */
  unlockWrite(): void {
    if (!this.#steps.writes) this.#failToUnlock("write");
    this.#steps.endWrite();
  }

  /** As `lockRead`, for `using`. @returns The guard; undefined when the time was over. */
  acquireRead(): HeldGuard;
  acquireRead(options: WaitOptions | undefined): HeldGuard | undefined;
  acquireRead(options?: WaitOptions): HeldGuard | undefined {
    return this.lockRead(options) ? this.#readGuard() : undefined;
  }

  /** As `tryLockRead`, for `using`. @returns The guard; undefined when a writer has or wants it. */
  tryAcquireRead(): HeldGuard | undefined {
    return this.tryLockRead() ? this.#readGuard() : undefined;
  }

  /** As `lockReadAsync`, for `using`. @returns The guard; undefined when the time was over. */
  async acquireReadAsync(options?: AsyncWaitOptions): Promise<HeldGuard | undefined> {
    return (await this.lockReadAsync(options)) ? this.#readGuard() : undefined;
  }

  /** As `lockWrite`, for `using`. @returns The guard; undefined when the time was over. */
  acquireWrite(): HeldGuard;
  acquireWrite(options: WaitOptions | undefined): HeldGuard | undefined;
  acquireWrite(options?: WaitOptions): HeldGuard | undefined {
    return this.lockWrite(options) ? this.#writeGuard() : undefined;
  }

  /** As `tryLockWrite`, for `using`. @returns The guard; undefined when somebody has the lock. */
  tryAcquireWrite(): HeldGuard | undefined {
    return this.tryLockWrite() ? this.#writeGuard() : undefined;
  }

  /** As `lockWriteAsync`, for `using`. @returns The guard; undefined when the time was over. */
  async acquireWriteAsync(options?: AsyncWaitOptions): Promise<HeldGuard | undefined> {
    return (await this.lockWriteAsync(options)) ? this.#writeGuard() : undefined;
  }

  /** @throws StateError EBUSY while this handle reads, writes, or waits to write. */
  override close(): void {
    if (this.#hold.held) {
      const way = this.#steps.writes
        ? "writes. Call unlockWrite first"
        : this.#steps.reads
          ? "reads. Call unlockRead first"
          : "waits to write. Let that end first";
      throw new StateError("EBUSY", `Cannot close ${this.#memory.what}: this handle ${way}`);
    }
    super.close();
  }

  #readGuard(): HeldGuard {
    return new HeldGuard(() => this.unlockRead(), this.ownerDied);
  }

  #writeGuard(): HeldGuard {
    return new HeldGuard(() => this.unlockWrite(), this.ownerDied);
  }

  #refuseDeadlock(verb: string, would: boolean): void {
    this.#memory.checkOpen();
    if (!would) return;
    const { writes, reads } = this.#steps;
    const does = writes ? "writes" : reads ? "reads" : "waits to write";
    const why = `this handle ${does}, and would wait for itself`;
    throw new StateError("EDEADLK", `${this.#action(verb)}: ${why}`);
  }

  /** For looks while it waits in the event loop. @throws ClosedError. */
  #isOpen(): true {
    this.#memory.checkOpen();
    return true;
  }

  #failToUnlock(does: "read" | "write"): never {
    this.#memory.checkOpen();
    const why = `this handle does not ${does}`;
    throw new StateError("EPERM", `${this.#action(`${does}-unlock`)}: ${why}`);
  }

  #action(verb: string): string {
    return `Cannot ${verb} ${this.#memory.what}`;
  }
}
