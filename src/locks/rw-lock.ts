import { checkInteger } from "../arguments.ts";
import { StateError } from "../errors.ts";
import { RW_LOCK_MARK } from "../layout/lock-marks.ts";
import {
  RW_LOCK_FIRST_PLACE_OFFSET,
  RW_LOCK_MAX_PLACES,
  RW_LOCK_PLACES_OFFSET,
  RW_LOCK_PLACE_LENGTH,
  RW_LOCK_WAIT_POINT_OFFSET,
  rwLockLength,
} from "../layout/rw-lock-layout.ts";
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
import { HeldGuard } from "./guard.ts";
import { LockHandle } from "./handle.ts";
import { LockKind } from "./lock-kind.ts";
import { LockMemory, countIn, wordsAt } from "./lock-memory.ts";
import { checkRepair } from "./repair.ts";
import type { OwnedLock } from "./owned-lock.ts";
import { RwLockSteps } from "./rw-lock-steps.ts";

/** What a readers-writer lock is like, and how a process uses it. */
export interface RwLockOptions {
  /**
   * How many can read at once, from 1 to 256; others wait until one leaves. The more there are, the
   * longer a writer takes. Default: 16 for a new lock, and any number for an existing one.
   */
  readonly readers?: number | undefined;
  /**
   * Repairs the data after a writer died while it wrote, before anyone else sees them. The reader
   * or writer that takes the lock next calls this with the lock held for writing. If it throws,
   * that call throws ENOTRECOVERABLE with the error as its cause, and nobody can take the lock from
   * then on. It must be synchronous.
   */
  readonly onOwnerDied?: (() => void) | undefined;
}

const PLACES_WORD: number = RW_LOCK_PLACES_OFFSET >> 2;

const DEFAULT_READERS = 16;
const LOOK_ONLY: WaitOptions = { timeoutMs: 0 };

/**
 * A lock that many readers or one writer can hold, across processes and threads.
 *
 * The reads of one handle nest. A handle that writes while it reads gets an error and no deadlock;
 * with two handles of one thread it can be a deadlock. Reads and writes belong to the thread
 * that began them.
 *
 * What a crash leaves: after a reader, or a writer that still waited, nothing has changed. A writer
 * that died while it wrote is noticed within 20 ms (50 ms in an event loop), and reported to
 * `onOwnerDied`, or else to everyone by `ownerDied`, until somebody has written. If a handle is
 * forgotten while it holds the lock, the lock stays held until its thread ends.
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
  readonly #places: readonly OwnedLock[];
  readonly #writers: OwnedLock;
  readonly #hold: Hold;
  readonly #steps: RwLockSteps;
  // Reads nest, so a read must not wait for a write of the same handle that waits for reads to end.
  readonly #readLine = new AsyncLine();
  readonly #writeLine = new AsyncLine();
  /** How often this handle has ended a write: a guard is for one of them. */
  #writeTurn = 0;

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
      if (readers !== undefined) {
        checkInteger(action, "readers", readers, 1, RW_LOCK_MAX_PLACES);
      }
      checkRepair(action, onOwnerDied);
    },
    make(placed, words, options) {
      const { readers = DEFAULT_READERS } = options;
      words[PLACES_WORD] = readers;
      return new RwLock(placed, readers, options);
    },
    find(placed, options) {
      const words = wordsAt(placed, rwLockLength(1));
      const room = { noun: "readers", at: RW_LOCK_PLACES_OFFSET, max: RW_LOCK_MAX_PLACES };
      const places = countIn(placed, words, room, options.readers);
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
    const hold = memory.registerHold(this, "readers-writer lock");
    this.#hold = hold;
    this.#writers = memory.lockAt(0);
    this.#places = Array.from({ length: places }, (_, place) =>
      memory.lockAt(RW_LOCK_FIRST_PLACE_OFFSET + place * RW_LOCK_PLACE_LENGTH),
    );
    this.#steps = new RwLockSteps({
      what: placed.what,
      words: memory.words,
      writers: this.#writers,
      places: this.#places,
      waitPoint: memory.waitPoint,
      hold,
      onOwnerDied: options.onOwnerDied,
    });
  }

  /** How many bytes a lock takes in a segment. @throws RangeError, TypeError. */
  static byteLength(options?: { readonly readers?: number | undefined }): number {
    return RwLock.#kind.byteLength(options);
  }

  /**
   * Makes a lock in a new segment of that name. Does not block.
   *
   * @returns The lock.
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments.
   */
  static create(name: string, options?: RwLockOptions & PlacedCreateOptions): RwLock {
    return RwLock.#kind.create(name, options);
  }

  /**
   * Finds the lock of that name. Blocks until the name appears, for `waitMs` at most, and while a
   * live process is making it, which `waitMs` bounds too (half a minute without it).
   *
   * @returns The lock.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when it is something else, or its number of readers is not the one asked for;
   *   StateError ENODATA when it is unfinished, and nobody makes it.
   */
  static open(name: string, options?: RwLockOptions & PlacedOpenOptions): RwLock {
    return RwLock.#kind.open(name, options);
  }

  /**
   * Finds the lock of that name, or makes it; `created` says which. Blocks while a live process is
   * making it, for half a minute at most.
   *
   * @returns The lock.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT.
   */
  static openOrCreate(
    name: string,
    options?: RwLockOptions & PlacedCreateOptions & OwnerOptions,
  ): RwLock {
    return RwLock.#kind.openOrCreate(name, options);
  }

  /**
   * Makes a lock inside a segment. Blocks only while another process is making one there, for a
   * second at most.
   *
   * @param offset Where it starts, in bytes from the segment's start; a multiple of 128.
   * @returns The lock.
   * @throws StateError EEXIST when a readers-writer lock exists there, EBUSY when another process
   *   takes over a second to make one; RangeError for a bad offset or number; TypeError for a bad
   *   option; LayoutError when something else is there.
   */
  static init(
    segment: Segment,
    offset: number,
    options?: RwLockOptions & PlacedInitOptions,
  ): RwLock {
    return RwLock.#kind.init(segment, offset, options);
  }

  /**
   * Finds the lock that was made there with `init`. Blocks until it is there, for a second at most.
   *
   * @param offset Where it starts, in bytes from the segment's start.
   * @returns The lock.
   * @throws LayoutError when it is something else, or its number of readers
   *   is not the one asked for; StateError ENODATA when there is none.
   */
  static at(segment: Segment, offset: number, options?: RwLockOptions): RwLock {
    return RwLock.#kind.at(segment, offset, options);
  }

  /** How many can read at the same time. */
  get readers(): number {
    return this.#places.length;
  }

  /** How this handle holds the lock; undefined when it does not. */
  get held(): "read" | "write" | undefined {
    return this.#steps.writes ? "write" : this.#steps.reads ? "read" : undefined;
  }

  /**
   * Whether a writer died while it wrote, and nobody has repaired or written the data since.
   * @throws ClosedError.
   */
  get ownerDied(): boolean {
    this.#memory.checkOpen();
    return this.#steps.ownerDied;
  }

  /**
   * Takes the lock to read, and blocks this thread while a writer holds it or waits for it.
   *
   * @returns Whether this handle reads now: false when the timeout passed.
   * @throws StateError EDEADLK when this handle writes; ENOTRECOVERABLE when a repair failed, now
   *   or earlier (the cause is what `onOwnerDied` threw); ClosedError; the signal's reason when it
   *   is aborted; RangeError, TypeError.
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
   * Takes the lock to read if no writer holds it or waits for it; does not block.
   * @returns Whether this handle reads now. @throws The errors of `lockRead`.
   */
  tryLockRead(): boolean {
    this.#refuseDeadlock("read-lock", this.#steps.wants);
    return this.#steps.tryReadOrRecover();
  }

  /**
   * Takes the lock to read like `lockRead`, without blocking the event loop.
   *
   * @returns Whether this handle reads now: false when the timeout passed.
   * @throws The errors of `lockRead`, and the signal's reason as soon as it is aborted.
   */
  async lockReadAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action("read-lock"), options, ASYNC_WAIT_OPTIONS);
    const steps = this.#steps;
    const ready = (): boolean => this.#isOpen() && !steps.writes && steps.tryReadOrRecover(true);
    const passed = await this.#memory.waitAsync(ready, options, this.#readLine);
    return passed && steps.countTurn();
  }

  /**
   * Ends one read; does not block.
   * @throws StateError EPERM when this handle does not read; ClosedError.
   */
  unlockRead(): void {
    if (!this.#steps.reads) this.#failToUnlock("read");
    this.#steps.endRead();
  }

  /**
   * Takes the lock to write, and blocks this thread until all others have left.
   *
   * @returns Whether this handle writes now: false when the timeout passed.
   * @throws The errors of `lockRead`; EDEADLK also when this handle reads.
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
   * Takes the lock to write if nobody holds it; does not block.
   * @returns Whether this handle writes now. @throws The errors of `lockWrite`.
   */
  tryLockWrite(): boolean {
    return this.lockWrite(LOOK_ONLY);
  }

  /**
   * Takes the lock to write like `lockWrite`, without blocking the event loop.
   *
   * @returns Whether this handle writes now: false when the timeout passed.
   * @throws The errors of `lockWrite`, and the signal's reason as soon as it is aborted.
   */
  async lockWriteAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action("write-lock"), options, ASYNC_WAIT_OPTIONS);
    const steps = this.#steps;
    let mine = false;
    const ready = (): boolean => {
      mine = true;
      return this.#isOpen() && !steps.writes && !steps.reads && steps.tryWrite(true);
    };
    try {
      const passed = await this.#memory.waitAsync(ready, options, this.#writeLine);
      return passed && steps.countTurn();
    } finally {
      // A call that ends while it is still in the line leaves alone what the one before it took.
      if (mine) steps.stopWanting();
    }
  }

  /**
   * Ends the write; does not block.
   * @throws StateError EPERM when this handle does not write; ClosedError.
   */
  unlockWrite(): void {
    if (!this.#steps.writes) this.#failToUnlock("write");
    this.#steps.endWrite();
    this.#writeTurn++;
  }

  /**
   * Takes the lock like `lockRead`, until the returned guard is disposed of.
   * @returns The guard; undefined when the timeout passed. @throws The errors of `lockRead`.
   */
  acquireRead(): HeldGuard;
  acquireRead(options: WaitOptions | undefined): HeldGuard | undefined;
  acquireRead(options?: WaitOptions): HeldGuard | undefined {
    return this.lockRead(options) ? this.#readGuard() : undefined;
  }

  /**
   * Takes the lock like `tryLockRead`, until the returned guard is disposed of.
   * @returns The guard; undefined when a writer holds the lock or waits for it. @throws The errors
   *   of `tryLockRead`.
   */
  tryAcquireRead(): HeldGuard | undefined {
    return this.tryLockRead() ? this.#readGuard() : undefined;
  }

  /**
   * Takes the lock like `lockReadAsync`, until the returned guard is disposed of.
   * @returns The guard; undefined when the timeout passed. @throws The errors of `lockReadAsync`.
   */
  async acquireReadAsync(options?: AsyncWaitOptions): Promise<HeldGuard | undefined> {
    return (await this.lockReadAsync(options)) ? this.#readGuard() : undefined;
  }

  /**
   * Takes the lock like `lockWrite`, until the returned guard is disposed of.
   * @returns The guard; undefined when the timeout passed. @throws The errors of `lockWrite`.
   */
  acquireWrite(): HeldGuard;
  acquireWrite(options: WaitOptions | undefined): HeldGuard | undefined;
  acquireWrite(options?: WaitOptions): HeldGuard | undefined {
    return this.lockWrite(options) ? this.#writeGuard() : undefined;
  }

  /**
   * Takes the lock like `tryLockWrite`, until the returned guard is disposed of.
   * @returns The guard; undefined when somebody holds the lock. @throws The errors of
   *   `tryLockWrite`.
   */
  tryAcquireWrite(): HeldGuard | undefined {
    return this.tryLockWrite() ? this.#writeGuard() : undefined;
  }

  /**
   * Takes the lock like `lockWriteAsync`, until the returned guard is disposed of.
   * @returns The guard; undefined when the timeout passed. @throws The errors of `lockWriteAsync`.
   */
  async acquireWriteAsync(options?: AsyncWaitOptions): Promise<HeldGuard | undefined> {
    return (await this.lockWriteAsync(options)) ? this.#writeGuard() : undefined;
  }

  /**
   * Ends the use of this handle, as every lock's `close` does.
   * @throws StateError EBUSY while this handle reads, writes, or waits to write.
   */
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
    const turn = this.#writeTurn;
    const release = (): void => {
      if (turn !== this.#writeTurn) this.#failToUnlock("write");
      this.unlockWrite();
    };
    return new HeldGuard(release, this.ownerDied);
  }

  #refuseDeadlock(verb: string, would: boolean): void {
    this.#memory.checkOpen();
    if (!would) return;
    const { writes, reads } = this.#steps;
    const does = writes ? "writes" : reads ? "reads" : "waits to write";
    const why = `this handle ${does}, and would wait for itself`;
    throw new StateError("EDEADLK", `${this.#action(verb)}: ${why}`);
  }

  /** Asked at each look of an asynchronous wait. @throws ClosedError. */
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
