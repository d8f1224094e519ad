/*
 * Many readers or one writer, from mutexes that outlive their owners.
 *
 * There is a row of places, each a robust mutex. A reader takes one, a writer takes all:
 *
 *   reader                                writer
 *   R1  take a free place                 W1  take the writers' mutex
 *   R2  STATE is not FREE: give it back,  W2  STATE := WANTED
 *       wait                              W3  take every place, waiting for its reader to leave
 *   …   read                              W4  STATE := WRITING, write …
 *   R3  give the place back               W5  STATE := FREE, give places and mutex back
 *
 * Exclusion: a live reader that reads has a place, a live writer that writes has them all, and no
 * mutex has two owners. The kernel gives a dead owner's mutexes to the next that tries, so:
 *
 *   - a dead reader's place is just taken;
 *   - a dead writer leaves STATE as it was. WANTED: nothing was written. WRITING: its places may be
 *     taken, but R2 keeps every reader out until who gets the writers' mutex has seen to it. No
 *     reader passes R2 in between: STATE was WRITING before the writer's places came free, and R2
 *     reads after R1 (SYNC rw-lock: W4 and a place's release pair with R1-R2).
 *
 * Writers do not starve: W2 lets no new reader in, and those inside leave. Nor do readers: who
 * releases while others wait lets one of them go first, for a moment (`#giveWay`).
 *
 * Source: the "big reader" locks of Linux (lglock), with robust mutexes for spinlocks.
 */
import {
  FREE,
  LOST,
  RW_LOCK_FIRST_PLACE_OFFSET,
  RW_LOCK_MAGIC,
  RW_LOCK_MAGIC_OFFSET,
  RW_LOCK_MAX_PLACES,
  RW_LOCK_PLACES_OFFSET,
  RW_LOCK_STATE_OFFSET,
  RW_LOCK_TURNS_OFFSET,
  RW_LOCK_UNREPAIRED_OFFSET,
  RW_LOCK_WAIT_POINT_OFFSET,
  WANTED,
  WRITING,
  rwLockLength,
} from "../layout/rw-lock-layout.ts";
import { LayoutError } from "../errors.ts";
import { WAITING } from "../layout/wait-point-layout.ts";
import { E, fail } from "../libc/errno.ts";
import { add, load, loadAfterBarrier, store } from "../memory/atomics.ts";
import type { Hold } from "../segment/holds.ts";
import { checkMagic } from "../segment/magic.ts";
import { MutexRow } from "./mutex-row.ts";
import { placeWords } from "../segment/placement.ts";
import { type LockOptions, Mutex } from "./mutex.ts";
import type { Segment } from "../segment/segment.ts";
import { HeldGuard } from "./guard.ts";
import { type AsyncWaitOptions, WaitPoint } from "../waiting/wait-point.ts";

/** What a process does with a readers-writer lock. */
export interface RwLockOptions {
  /**
   * Repairs the data after a writer died while writing, before anyone else sees them: it is called
   * with the lock held for writing, by whoever finds out, reader or writer. What it throws, the
   * lock throws, and from then on nobody gets the lock (ENOTRECOVERABLE). Synchronous.
   */
  readonly onOwnerDied?: () => void;
}

/** How to make a readers-writer lock. */
export interface RwLockInitOptions extends RwLockOptions {
  /** How many read at once; more wait for one to leave. A writer takes longer with more. */
  readonly readers?: number;
}

const STATE: number = RW_LOCK_STATE_OFFSET >> 2;
const UNREPAIRED: number = RW_LOCK_UNREPAIRED_OFFSET >> 2;
const TURNS: number = RW_LOCK_TURNS_OFFSET >> 2;
const WAIT_STATE: number = RW_LOCK_WAIT_POINT_OFFSET >> 2;

const NOUN = "readers-writer lock";
const DEFAULT_READERS = 16;
/** How long, in ms, who just had the lock lets those who wait go first. */
const COURTESY_MS = 0.2;

/**
 * Many readers or one writer, across processes and Workers.
 *
 * A handle reads as often as it likes at once (its reads nest), or writes. To write while it reads
 * is an error and no deadlock; through two handles of one thread it would be one. Both kinds belong
 * to the thread, and every process must see the others' ids (one PID namespace).
 *
 * What a crash leaves: a dead reader is no matter. A writer that died while it waited has changed
 * nothing. One that died while writing is told: by `onOwnerDied`, else by `ownerDied` to everyone
 * until somebody has written. It is found out within 50 ms (250 ms by event loops).
 *
 * @example
 * ```ts
 * using segment = Segment.create("/prices", { size: 4096 });
 * const lock = RwLock.init(segment, 0, { readers: 8 });
 * const prices = new Float64Array(segment.buffer, RwLock.lengthFor(8), 4);
 * {
 *   using _ = lock.write();
 *   prices.set([1, 2, 3, 4]);
 * }
 * {
 *   using _ = lock.read();
 *   console.log(prices[0]! + prices[3]!); // 5
 * }
 * Segment.unlink("/prices");
 * ```
 */
export class RwLock {
  readonly #what: string;
  readonly #words: Int32Array;
  readonly #row: MutexRow;
  readonly #places: number;
  readonly #writers: Mutex;
  readonly #waitPoint: WaitPoint;
  readonly #hold: Hold;
  readonly #onOwnerDied: (() => void) | undefined;
  /** Reads that nest; they share a place. */
  #reads = 0;
  #place = 0;
  #writing = false;
  /** Places taken so far by a write that waits for the others. */
  #taken = 0;
  /** TURNS when others waited at the last release; -1 when none did. */
  #turnsAtRelease = -1;

  private constructor(segment: Segment, offset: number, places: number, options: RwLockOptions) {
    this.#what = `readers-writer lock at ${offset} in segment "${segment.name}"`;
    this.#words = placeWords(NOUN, segment, offset, rwLockLength(places));
    this.#places = places;
    this.#writers = Mutex.at(segment, offset);
    this.#row = new MutexRow(this.#what, segment, offset + RW_LOCK_FIRST_PLACE_OFFSET);
    this.#waitPoint = new WaitPoint(segment, offset + RW_LOCK_WAIT_POINT_OFFSET);
    this.#hold = segment.holds.register(this, `the ${this.#what}`, segment.mapping);
    this.#onOwnerDied = options.onOwnerDied;
    this.#place = Math.floor(Math.random() * places);
  }

  /** Bytes in a lock for so many readers at once. */
  static lengthFor(readers: number = DEFAULT_READERS): number {
    if (!Number.isInteger(readers) || readers < 1 || readers > RW_LOCK_MAX_PLACES) {
      throw new RangeError(
        `Cannot make a lock for ${readers} readers: 1 to ${RW_LOCK_MAX_PLACES} are possible`,
      );
    }
    return rwLockLength(readers);
  }

  /**
   * Makes a lock in `RwLock.lengthFor(readers)` bytes of a segment. Only one process does, once.
   *
   * @param offset Bytes from the segment's start, a multiple of 128.
   * @throws RangeError for a bad offset or number; UnsupportedError on macOS.
   */
  static init(segment: Segment, offset: number, options: RwLockInitOptions = {}): RwLock {
    const { readers = DEFAULT_READERS } = options;
    const words = placeWords(NOUN, segment, offset, RwLock.lengthFor(readers));
    store(words, RW_LOCK_MAGIC_OFFSET >> 2, 0);
    words.fill(0);
    Mutex.init(segment, offset);
    const lock = new RwLock(segment, offset, readers, options);
    lock.#row.init(readers);
    words[RW_LOCK_PLACES_OFFSET >> 2] = readers;
    // SYNC rw-lock-made: pairs with the load in `at`.
    store(words, RW_LOCK_MAGIC_OFFSET >> 2, RW_LOCK_MAGIC);
    return lock;
  }

  /**
   * Finds the lock that another process makes there with `init`, and waits for it for a second at
   * most, blocking. @throws LayoutError when there is none, or one of another libc.
   */
  static at(segment: Segment, offset: number, options: RwLockOptions = {}): RwLock {
    const header = placeWords(NOUN, segment, offset, rwLockLength(1));
    const magicAt = RW_LOCK_MAGIC_OFFSET;
    // SYNC rw-lock-made
    checkMagic(NOUN, header, magicAt >> 2, RW_LOCK_MAGIC, offset + magicAt);
    const places = load(header, RW_LOCK_PLACES_OFFSET >> 2);
    if (places >= 1 && places <= RW_LOCK_MAX_PLACES) {
      return new RwLock(segment, offset, places, options);
    }
    throw new LayoutError(`The ${NOUN} is corrupt`, {
      expected: `1 to ${RW_LOCK_MAX_PLACES} places`,
      found: String(places),
      offset: offset + RW_LOCK_PLACES_OFFSET,
    });
  }

  /** How many can read at once. */
  get readers(): number {
    return this.#places;
  }

  /** Whether this handle has the lock, and how. */
  get held(): "read" | "write" | undefined {
    return this.#writing ? "write" : this.#reads > 0 ? "read" : undefined;
  }

  /** Whether a writer died while writing, and nobody has repaired or written the data since. */
  get ownerDied(): boolean {
    return load(this.#words, UNREPAIRED) !== 0;
  }

  /**
   * Takes the lock to read, blocking this thread. @returns false when the time was over.
   * @throws SystemError EDEADLK when this handle writes; ENOTRECOVERABLE after a failed repair.
   */
  lockRead(options?: LockOptions): boolean {
    this.#refuseDeadlock("read", this.#writers.held);
    if (this.#turnsAtRelease < 0 && this.#tryRead()) return true;
    this.#giveWay(options);
    return this.#waitPoint.wait(() => this.#tryReadOrRecover(), options) && this.#countTurn();
  }

  /** Takes the lock to read if no writer has or wants it. */
  tryLockRead(): boolean {
    this.#refuseDeadlock("read", this.#writers.held);
    return this.#tryReadOrRecover();
  }

  /** As `lockRead`, without blocking the event loop. */
  async lockReadAsync(options?: AsyncWaitOptions): Promise<boolean> {
    const ready = (): boolean => !this.#writing && this.#tryReadOrRecover();
    return (await this.#waitPoint.waitAsync(ready, options)) && this.#countTurn();
  }

  /** Ends one read. @throws SystemError EPERM when this handle does not read. */
  unlockRead(): void {
    if (this.#reads === 0) this.#fail("unlock", -E.EPERM, "This handle does not read");
    if (--this.#reads > 0) return;
    this.#row.give(this.#place);
    this.#hold.held = false;
    this.#released();
  }

  /**
   * Takes the lock to write, blocking this thread until the readers have left.
   * @returns false when the time was over. @throws As `lockRead`; EDEADLK also when it reads.
   */
  lockWrite(options?: LockOptions): boolean {
    this.#refuseDeadlock("write", this.#reads > 0 || this.#writers.held);
    this.#giveWay(options);
    try {
      return this.#waitPoint.wait(() => this.#tryWrite(), options) && this.#countTurn();
    } finally {
      this.#stopWanting();
    }
  }

  /** Takes the lock to write if nobody has it. */
  tryLockWrite(): boolean {
    return this.lockWrite({ timeoutMs: 0 });
  }

  /** As `lockWrite`, without blocking the event loop. */
  async lockWriteAsync(options?: AsyncWaitOptions): Promise<boolean> {
    const ready = (): boolean => !this.#writing && this.#reads === 0 && this.#tryWrite();
    try {
      return (await this.#waitPoint.waitAsync(ready, options)) && this.#countTurn();
    } finally {
      this.#stopWanting();
    }
  }

  /** Ends the write. @throws SystemError EPERM when this handle does not write. */
  unlockWrite(): void {
    if (!this.#writing) this.#fail("unlock", -E.EPERM, "This handle does not write");
    store(this.#words, UNREPAIRED, 0);
    this.#releaseAll(FREE);
  }

  /** As `lockRead`, to be declared with `using`. @returns undefined at a timeout. */
  read(): HeldGuard;
  read(options: LockOptions | undefined): HeldGuard | undefined;
  read(options?: LockOptions): HeldGuard | undefined {
    return this.lockRead(options) ? this.#guard(() => this.unlockRead()) : undefined;
  }

  /** As `lockWrite`, to be declared with `using`. @returns undefined at a timeout. */
  write(): HeldGuard;
  write(options: LockOptions | undefined): HeldGuard | undefined;
  write(options?: LockOptions): HeldGuard | undefined {
    return this.lockWrite(options) ? this.#guard(() => this.unlockWrite()) : undefined;
  }

  /** As `lockReadAsync`, with a guard. */
  async readAsync(options?: AsyncWaitOptions): Promise<HeldGuard | undefined> {
    return (await this.lockReadAsync(options)) ? this.#guard(() => this.unlockRead()) : undefined;
  }

  /** As `lockWriteAsync`, with a guard. */
  async writeAsync(options?: AsyncWaitOptions): Promise<HeldGuard | undefined> {
    return (await this.lockWriteAsync(options)) ? this.#guard(() => this.unlockWrite()) : undefined;
  }

  #guard(release: () => void): HeldGuard {
    return new HeldGuard(release, this.ownerDied);
  }

  /** R1 and R2. */
  #tryRead(): boolean {
    if (this.#reads === 0) {
      if (!this.#findPlace()) return false;
      if (loadAfterBarrier(this.#words, STATE) !== FREE || this.#mustRepair) {
        this.#row.give(this.#place);
        this.#waitPoint.wake();
        return false;
      }
      this.#hold.held = true;
    }
    this.#reads++;
    return true;
  }

  #findPlace(): boolean {
    for (let tries = 0; tries < this.#places; tries++) {
      if (this.#row.tryTake(this.#place) !== -E.EBUSY) return true;
      this.#place = (this.#place + 1) % this.#places;
    }
    return false;
  }

  #tryReadOrRecover(): boolean {
    // A look first: to take and give back a place would delay the writer that wants it.
    const free = load(this.#words, STATE) === FREE && !this.#mustRepair;
    if (this.#reads > 0 || free) return this.#tryRead();
    this.#recover();
    return false;
  }

  /** Takes over from a dead writer; a live one has the writers' mutex. */
  #recover(): void {
    this.#refuseLost();
    if (this.#writers.held || !this.#writers.tryLock()) return;
    // Only a repair needs every place.
    if (this.#onOwnerDied === undefined || !this.#torn) {
      this.#inherit();
      this.#releaseAll(FREE);
    } else if (this.#tryWrite()) {
      this.#releaseAll(FREE);
    } else {
      this.#stopWanting();
    }
  }

  /** For who has the writers' mutex: whether the last writer died while writing. */
  get #torn(): boolean {
    return load(this.#words, STATE) === WRITING || this.ownerDied;
  }

  get #mustRepair(): boolean {
    return this.#onOwnerDied !== undefined && this.ownerDied;
  }

  /** W1 to W4; keeps what it got until the next try, or `#stopWanting`. */
  #tryWrite(): boolean {
    this.#refuseLost();
    if (!this.#writers.held) {
      if (!this.#writers.tryLock()) return false;
      this.#hold.held = true;
    }
    if (load(this.#words, STATE) !== WRITING) store(this.#words, STATE, WANTED);
    while (this.#taken < this.#places) {
      if (this.#row.tryTake(this.#taken) === -E.EBUSY) return false;
      this.#taken++;
    }
    this.#writing = true;
    this.#hold.held = true;
    this.#inherit();
    // SYNC rw-lock
    store(this.#words, STATE, WRITING);
    return true;
  }

  /** What the last writer left. STATE stays WRITING until a torn write is repaired, or told. */
  #inherit(): void {
    if (load(this.#words, STATE) === WRITING) store(this.#words, UNREPAIRED, 1);
    if (!this.#writing || this.#onOwnerDied === undefined || !this.ownerDied) return;
    store(this.#words, STATE, WRITING);
    try {
      const result: unknown = this.#onOwnerDied();
      if (result instanceof Promise) throw new TypeError("onOwnerDied returned a promise");
    } catch (cause) {
      this.#releaseAll(LOST);
      throw new Error(
        `Cannot lock the ${this.#what}: a writer died, and onOwnerDied failed. ` +
          "Nobody can lock it now",
        { cause },
      );
    }
    store(this.#words, UNREPAIRED, 0);
  }

  /** Gives back what a write took that did not come to be. */
  #stopWanting(): void {
    if (this.#writing || !this.#writers.held) return;
    // A torn write stays one, and the mutex says so again: whoever comes next sees to it.
    this.#releaseAll(load(this.#words, STATE) === WANTED ? FREE : load(this.#words, STATE));
  }

  /** W5. */
  #releaseAll(state: number): void {
    if (this.#words.length === 0) return;
    this.#writing = false;
    store(this.#words, STATE, state);
    while (this.#taken > 0) this.#row.give(--this.#taken);
    if (this.#writers.held) this.#writers.unlock();
    this.#hold.held = false;
    this.#released();
  }

  /** After a mutex was given back. */
  #released(): void {
    const waited = (loadAfterBarrier(this.#words, WAIT_STATE) & WAITING) !== 0;
    this.#turnsAtRelease = waited ? this.#turns : -1;
    if (waited) this.#waitPoint.wake();
  }

  #countTurn(): true {
    add(this.#words, TURNS, 1);
    return true;
  }

  get #turns(): number {
    return load(this.#words, TURNS) & 0x7fffffff;
  }

  /** Lets those go first who waited when this handle had the lock last. */
  #giveWay(options: LockOptions | undefined): void {
    const turns = this.#turnsAtRelease;
    this.#turnsAtRelease = -1;
    if (turns < 0 || this.#reads > 0 || options?.timeoutMs === 0) return;
    // It spins, since to sleep it would have to announce itself, and be waited for at its release.
    const timeoutMs = Math.min(options?.timeoutMs ?? COURTESY_MS, COURTESY_MS);
    this.#waitPoint.wait(() => this.#turns !== turns, { timeoutMs, strategy: "spin" });
  }

  #refuseDeadlock(verb: "read" | "write", would: boolean): void {
    if (!would) return;
    const does = this.#writing ? "writes" : this.#reads > 0 ? "reads" : "waits to write";
    this.#fail(`${verb}-lock`, -E.EDEADLK, `This handle ${does}`);
  }

  #refuseLost(): void {
    if (load(this.#words, STATE) !== LOST) return;
    const hint =
      "A writer died, and the repair of its data failed. Make the data and the lock anew when " +
      "nobody uses them";
    this.#fail("lock", -E.ENOTRECOVERABLE, hint);
  }

  #fail(verb: string, result: number, hint: string): never {
    return fail(`Cannot ${verb} the ${this.#what}`, result, "pthread_mutex_lock", undefined, hint);
  }
}
