/*
 * Many readers or one writer, from mutexes that outlive their owners.
 *
 * There is a row of places, each a robust mutex. A reader takes one place, and a writer takes all:
 *
 *   reader                                writer
 *   R1  take a free place                 W1  take the writers' mutex
 *   R2  STATE is not FREE: release it,    W2  STATE := WANTED
 *       wait                              W3  take every place, waiting for its reader to leave
 *   …   read                              W4  STATE := WRITING, write …
 *   R3  release the place                 W5  STATE := FREE, release the places and the mutex
 *
 * Exclusion: a live reader that reads holds a place, a live writer that writes holds them all, and
 * no mutex has two owners. The kernel gives a dead owner's mutexes to the next thread that tries,
 * so:
 *
 *   - a dead reader's place is simply taken;
 *   - a dead writer leaves STATE as it was. WANTED: nothing was written. WRITING: its places may be
 *     taken, but R2 keeps every reader out until the next owner of the writers' mutex has seen to
 *     the data. No reader passes R2 in between: STATE was WRITING before the writer's places came
 *     free, and R2 reads after R1 (SYNC rw-lock: W4 and a place's release pair with R1-R2).
 *
 * Writers do not starve: after W2 no new reader enters, and those inside leave. Nor do readers: a
 * handle that releases the lock while others wait lets one of them go first, for a moment
 * (`giveWay`).
 *
 * Source: the "big reader" locks of Linux (lglock), with robust mutexes for spinlocks.
 */
import { StateError } from "../errors.ts";
import { MUTEX_DEATHS_OFFSET } from "../layout/mutex-layout.ts";
import {
  FREE,
  LOST,
  RW_LOCK_STATE_OFFSET,
  RW_LOCK_TURNS_OFFSET,
  RW_LOCK_UNREPAIRED_OFFSET,
  RW_LOCK_WAIT_POINT_OFFSET,
  WANTED,
  WRITING,
} from "../layout/rw-lock-layout.ts";
import { WAITING } from "../layout/wait-point-layout.ts";
import { add, load, store } from "../memory/atomics.ts";
import type { Hold } from "../segment/holds.ts";
import { COURTESY_MS } from "../waiting/limits.ts";
import type { WaitPoint } from "../waiting/wait-point.ts";
import { repair } from "./repair.ts";
import { BUSY, INHERITED, OWN, isMine } from "./algorithm/lock-core.ts";
import type { OwnedLock } from "./owned-lock.ts";

const STATE_WORD: number = RW_LOCK_STATE_OFFSET >> 2;
const UNREPAIRED_WORD: number = RW_LOCK_UNREPAIRED_OFFSET >> 2;
const TURNS_WORD: number = RW_LOCK_TURNS_OFFSET >> 2;
const WAIT_STATE_WORD: number = RW_LOCK_WAIT_POINT_OFFSET >> 2;
const DEATHS_WORD: number = MUTEX_DEATHS_OFFSET >> 2;

/** What the steps work on. */
export interface RwLockParts {
  /** For messages: `readers-writer lock "/x"`. */
  readonly what: string;
  readonly words: Int32Array;
  readonly writers: OwnedLock;
  readonly places: readonly OwnedLock[];
  readonly waitPoint: WaitPoint;
  readonly hold: Hold;
  readonly onOwnerDied: (() => void) | undefined;
}

/** The steps of one handle. The caller of each has checked that the memory is mapped. */
export class RwLockSteps {
  readonly #what: string;
  readonly #words: Int32Array;
  readonly #writers: OwnedLock;
  readonly #places: readonly OwnedLock[];
  readonly #waitPoint: WaitPoint;
  readonly #hold: Hold;
  readonly #onOwnerDied: (() => void) | undefined;
  /** How deep the reads nest; they share a place. */
  #reads = 0;
  #place: number;
  #writing = false;
  /** Whether this handle holds the writers' mutex: it writes, or waits for the readers to leave. */
  #wanting = false;
  /** How many places a write has taken so far. */
  #taken = 0;
  /** The count of turns when others waited at the last release; -1 when nobody did. */
  #turnsAtRelease = -1;

  constructor(parts: RwLockParts) {
    this.#what = parts.what;
    this.#words = parts.words;
    this.#writers = parts.writers;
    this.#places = parts.places;
    this.#waitPoint = parts.waitPoint;
    this.#hold = parts.hold;
    this.#onOwnerDied = parts.onOwnerDied;
    this.#place = Math.floor(Math.random() * parts.places.length);
  }

  /** Whether this handle reads. */
  get reads(): boolean {
    return this.#reads > 0;
  }

  /** Whether this handle writes. */
  get writes(): boolean {
    return this.#writing;
  }

  /** Whether this handle writes, or waits for the readers to leave. */
  get wants(): boolean {
    return this.#wanting;
  }

  /** Whether a writer died while it wrote, and nobody has repaired or written the data since. */
  get ownerDied(): boolean {
    return load(this.#words, UNREPAIRED_WORD) !== 0;
  }

  /** Whether nobody waited when this handle released the lock last: then it need not give way. */
  get undisturbed(): boolean {
    return this.#turnsAtRelease < 0;
  }

  /** R1 and R2. @returns Whether this handle reads now. */
  tryRead(): boolean {
    if (this.#reads === 0) {
      if (!this.#findPlace()) return false;
      if (load(this.#words, STATE_WORD) !== FREE || this.#mustRepair) {
        this.#places[this.#place]!.unlock();
        this.#waitPoint.wake();
        return false;
      }
      this.#hold.held = true;
    }
    this.#reads++;
    return true;
  }

  /** R3. */
  endRead(): void {
    if (--this.#reads > 0) return;
    this.#places[this.#place]!.unlock();
    this.#hold.held = false;
    this.#released();
  }

  #findPlace(): boolean {
    const places = this.#places;
    for (let tries = 0; tries < places.length; tries++) {
      if (isMine(places[this.#place]!.tryTake())) return true;
      this.#place = (this.#place + 1) % places.length;
    }
    // Now it is worth asking whether those who have them live.
    const found = places.findIndex((place) => isMine(place.poll()));
    if (found >= 0) this.#place = found;
    return found >= 0;
  }

  /**
   * Reads like `tryRead`; after a dead writer it recovers instead, and only the next call reads.
   * @param inEventLoop See `#takeWriters`.
   */
  tryReadOrRecover(inEventLoop = false): boolean {
    // It looks first, because taking and releasing a place would delay the writer that wants it.
    const free = load(this.#words, STATE_WORD) === FREE && !this.#mustRepair;
    if (this.#reads > 0 || free) return this.tryRead();
    this.#recover(inEventLoop);
    return false;
  }

  /** Takes over from a dead writer. While a writer lives, it holds the writers' mutex. */
  #recover(inEventLoop: boolean): void {
    this.#refuseLost();
    if (this.#wanting || !this.#takeWriters(inEventLoop)) return;
    // Only a repair needs every place.
    if (this.#onOwnerDied === undefined || !this.#torn) {
      this.#inherit();
      this.#releaseAll(FREE);
    } else if (this.tryWrite()) {
      this.#releaseAll(FREE);
    } else {
      this.stopWanting();
    }
  }

  /** Whether the last writer died while it wrote; only for the owner of the writers' mutex. */
  get #torn(): boolean {
    return load(this.#words, STATE_WORD) === WRITING || this.ownerDied;
  }

  get #mustRepair(): boolean {
    return this.#onOwnerDied !== undefined && this.ownerDied;
  }

  /**
   * W1 to W4; keeps the places that it got until the next try, or `stopWanting`.
   * @param inEventLoop See `#takeWriters`.
   * @returns Whether this handle writes now.
   */
  tryWrite(inEventLoop = false): boolean {
    this.#refuseLost();
    if (!this.#wanting) {
      if (!this.#takeWriters(inEventLoop)) return false;
      this.#hold.held = true;
    }
    if (load(this.#words, STATE_WORD) !== WRITING) store(this.#words, STATE_WORD, WANTED);
    const places = this.#places;
    for (let at = this.#taken; at < places.length; at++) {
      if (!isMine(places[at]!.poll())) return false;
      this.#taken = at + 1;
    }
    this.#writing = true;
    this.#hold.held = true;
    this.#inherit();
    // The repair may have released the lock.
    if (!this.#writing) return false;
    // SYNC rw-lock
    store(this.#words, STATE_WORD, WRITING);
    return true;
  }

  /** W5. */
  endWrite(): void {
    store(this.#words, UNREPAIRED_WORD, 0);
    this.#releaseAll(FREE);
  }

  /**
   * Takes over from the last writer. STATE stays WRITING until a torn write is repaired or noted.
   */
  #inherit(): void {
    if (load(this.#words, STATE_WORD) === WRITING) store(this.#words, UNREPAIRED_WORD, 1);
    if (!this.#writing || this.#onOwnerDied === undefined || !this.ownerDied) return;
    store(this.#words, STATE_WORD, WRITING);
    try {
      repair(this.#onOwnerDied);
    } catch (cause) {
      if (!this.#writing) throw cause;
      this.#releaseAll(LOST);
      const why = "a writer died, and onOwnerDied failed. Nobody can lock it now";
      throw new StateError("ENOTRECOVERABLE", `${this.#action()}: ${why}`, { cause });
    }
    if (this.#writing) store(this.#words, UNREPAIRED_WORD, 0);
  }

  /** Releases what a write took that timed out or was aborted. */
  stopWanting(): void {
    if (this.#writing || !this.#wanting) return;
    // STATE goes on marking a torn write, which the next owner sees to.
    this.#releaseAll(
      load(this.#words, STATE_WORD) === WANTED ? FREE : load(this.#words, STATE_WORD),
    );
  }

  #releaseAll(state: number): void {
    if (this.#words.length === 0) return;
    this.#writing = false;
    store(this.#words, STATE_WORD, state);
    for (let at = this.#taken - 1; at >= 0; at--) this.#places[at]!.unlock();
    this.#taken = 0;
    if (this.#wanting) this.#writers.unlock();
    this.#wanting = false;
    this.#hold.held = false;
    this.#released();
  }

  /** Wakes those who wait, after a mutex was released. */
  #released(): void {
    const waited = (load(this.#words, WAIT_STATE_WORD) & WAITING) !== 0;
    this.#turnsAtRelease = waited ? this.#turns : -1;
    if (waited) this.#waitPoint.wake();
  }

  /** Counts that somebody got the lock after a wait. */
  countTurn(): true {
    add(this.#words, TURNS_WORD, 1);
    return true;
  }

  get #turns(): number {
    return load(this.#words, TURNS_WORD) & 0x7fffffff;
  }

  /** Lets those go first who waited when this handle released the lock last. */
  giveWay(limitMs: number = COURTESY_MS): void {
    const turns = this.#turnsAtRelease;
    this.#turnsAtRelease = -1;
    if (turns < 0 || this.#reads > 0 || limitMs === 0) return;
    // It spins: if it slept, it would count as a waiter itself, and others would give way to it.
    const timeoutMs = Math.min(limitMs, COURTESY_MS);
    this.#waitPoint.wait(() => this.#turns !== turns, { timeoutMs, strategy: "spin" });
  }

  /**
   * Takes the writers' mutex if nobody holds it.
   *
   * @param inEventLoop Whether the caller waits in the event loop, where another handle of this
   *   thread can release it meanwhile.
   * @returns Whether it did. @throws StateError EDEADLK.
   */
  #takeWriters(inEventLoop: boolean): boolean {
    const outcome = this.#writers.poll();
    if (outcome === BUSY || (inEventLoop && outcome === OWN)) return false;
    if (outcome === OWN) {
      const why = "this thread writes, or waits to, through another handle";
      throw new StateError("EDEADLK", `${this.#action()}: ${why}`);
    }
    if (outcome === INHERITED) add(this.#words, DEATHS_WORD, 1);
    this.#wanting = true;
    return true;
  }

  #refuseLost(): void {
    if (load(this.#words, STATE_WORD) !== LOST) return;
    const why = "a writer died, and the repair of its data failed";
    const out = "Make the data and the lock again (init, overwrite) when nobody uses them";
    throw new StateError("ENOTRECOVERABLE", `${this.#action()}: ${why}. ${out}`);
  }

  #action(): string {
    return `Cannot lock ${this.#what}`;
  }
}
