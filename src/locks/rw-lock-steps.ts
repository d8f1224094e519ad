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
 * releases while others wait lets one of them go first, for a moment (`giveWay`).
 *
 * Source: the "big reader" locks of Linux (lglock), with robust mutexes for spinlocks.
 */
import { isThenable } from "../arguments.ts";
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
import { add, load, loadAfterBarrier, store } from "../memory/atomics.ts";
import type { Hold } from "../segment/holds.ts";
import { COURTESY_MS } from "../waiting/limits.ts";
import type { WaitPoint } from "../waiting/wait-point.ts";
import { BUSY, INHERITED, OWN, type RobustMutex, isMine } from "./robust-mutex.ts";

const STATE: number = RW_LOCK_STATE_OFFSET >> 2;
const UNREPAIRED: number = RW_LOCK_UNREPAIRED_OFFSET >> 2;
const TURNS: number = RW_LOCK_TURNS_OFFSET >> 2;
const WAIT_STATE: number = RW_LOCK_WAIT_POINT_OFFSET >> 2;
const DEATHS: number = MUTEX_DEATHS_OFFSET >> 2;

/** What the steps work on. */
export interface RwLockParts {
  /** For messages: `readers-writer lock "/x"`. */
  readonly what: string;
  readonly words: Int32Array;
  readonly writers: RobustMutex;
  readonly places: readonly RobustMutex[];
  readonly waitPoint: WaitPoint;
  readonly hold: Hold;
  readonly onOwnerDied: (() => void) | undefined;
}

/** The steps of one handle. Whoever takes one has checked that the memory is there. */
export class RwLockSteps {
  readonly #what: string;
  readonly #words: Int32Array;
  readonly #writers: RobustMutex;
  readonly #places: readonly RobustMutex[];
  readonly #waitPoint: WaitPoint;
  readonly #hold: Hold;
  readonly #onOwnerDied: (() => void) | undefined;
  /** Reads that nest; they share a place. */
  #reads = 0;
  #place: number;
  #writing = false;
  /** Whether this handle has the writers' mutex: it writes, or waits for the readers to leave. */
  #wanting = false;
  /** Places taken so far by a write that waits for the others. */
  #taken = 0;
  /** TURNS when others waited at the last release; -1 when none did. */
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

  /** Whether a writer died while writing, and nobody has repaired or written the data since. */
  get ownerDied(): boolean {
    return load(this.#words, UNREPAIRED) !== 0;
  }

  /** Whether nobody waited when this handle had the lock last: then it need not give way. */
  get undisturbed(): boolean {
    return this.#turnsAtRelease < 0;
  }

  /** R1 and R2. */
  tryRead(): boolean {
    if (this.#reads === 0) {
      if (!this.#findPlace()) return false;
      if (loadAfterBarrier(this.#words, STATE) !== FREE || this.#mustRepair) {
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
    return false;
  }

  /** As `tryRead`. Sees to a dead writer instead, and then only the next call can be true. */
  tryReadOrRecover(): boolean {
    // A look first: to take and give back a place would delay the writer that wants it.
    const free = load(this.#words, STATE) === FREE && !this.#mustRepair;
    if (this.#reads > 0 || free) return this.tryRead();
    this.#recover();
    return false;
  }

  /** Takes over from a dead writer; a live one has the writers' mutex. */
  #recover(): void {
    this.#refuseLost();
    if (this.#wanting || !this.#takeWriters()) return;
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

  /** For who has the writers' mutex: whether the last writer died while writing. */
  get #torn(): boolean {
    return load(this.#words, STATE) === WRITING || this.ownerDied;
  }

  get #mustRepair(): boolean {
    return this.#onOwnerDied !== undefined && this.ownerDied;
  }

  /** W1 to W4; keeps what it got until the next try, or `stopWanting`. */
  tryWrite(): boolean {
    this.#refuseLost();
    if (!this.#wanting) {
      if (!this.#takeWriters()) return false;
      this.#hold.held = true;
    }
    if (load(this.#words, STATE) !== WRITING) store(this.#words, STATE, WANTED);
    const places = this.#places;
    for (let at = this.#taken; at < places.length; at++) {
      if (!isMine(places[at]!.tryTake())) return false;
      this.#taken = at + 1;
    }
    this.#writing = true;
    this.#hold.held = true;
    this.#inherit();
    // SYNC rw-lock
    store(this.#words, STATE, WRITING);
    return true;
  }

  /** W5. */
  endWrite(): void {
    store(this.#words, UNREPAIRED, 0);
    this.#releaseAll(FREE);
  }

  /** What the last writer left. STATE stays WRITING until a torn write is repaired or noted. */
  #inherit(): void {
    if (load(this.#words, STATE) === WRITING) store(this.#words, UNREPAIRED, 1);
    if (!this.#writing || this.#onOwnerDied === undefined || !this.ownerDied) return;
    store(this.#words, STATE, WRITING);
    try {
      const result: unknown = this.#onOwnerDied();
      if (isThenable(result)) throw new TypeError("onOwnerDied returned a promise");
    } catch (cause) {
      this.#releaseAll(LOST);
      const why = "a writer died, and onOwnerDied failed. Nobody can lock it now";
      throw new StateError("ENOTRECOVERABLE", `${this.#action()}: ${why}`, { cause });
    }
    store(this.#words, UNREPAIRED, 0);
  }

  /** Gives back what a write took that did not come to be. */
  stopWanting(): void {
    if (this.#writing || !this.#wanting) return;
    // A torn write stays one, and STATE says so: whoever comes next sees to it.
    this.#releaseAll(load(this.#words, STATE) === WANTED ? FREE : load(this.#words, STATE));
  }

  #releaseAll(state: number): void {
    if (this.#words.length === 0) return;
    this.#writing = false;
    store(this.#words, STATE, state);
    for (let at = this.#taken - 1; at >= 0; at--) this.#places[at]!.unlock();
    this.#taken = 0;
    if (this.#wanting) this.#writers.unlock();
    this.#wanting = false;
    this.#hold.held = false;
    this.#released();
  }

  /** After a mutex was given back. */
  #released(): void {
    const waited = (loadAfterBarrier(this.#words, WAIT_STATE) & WAITING) !== 0;
    this.#turnsAtRelease = waited ? this.#turns : -1;
    if (waited) this.#waitPoint.wake();
  }

  /** For who got the lock after a wait. */
  countTurn(): true {
    add(this.#words, TURNS, 1);
    return true;
  }

  get #turns(): number {
    return load(this.#words, TURNS) & 0x7fffffff;
  }

  /** Lets those go first who waited when this handle had the lock last. */
  giveWay(limitMs: number = COURTESY_MS): void {
    const turns = this.#turnsAtRelease;
    this.#turnsAtRelease = -1;
    if (turns < 0 || this.#reads > 0 || limitMs === 0) return;
    // It spins, since to sleep it would have to announce itself, and be waited for at its release.
    const timeoutMs = Math.min(limitMs, COURTESY_MS);
    this.#waitPoint.wait(() => this.#turns !== turns, { timeoutMs, strategy: "spin" });
  }

  /** Takes the writers' mutex, if nobody has it. @throws StateError EDEADLK. */
  #takeWriters(): boolean {
    const outcome = this.#writers.tryTake();
    if (outcome === BUSY) return false;
    if (outcome === OWN) {
      const why = "this thread writes, or waits to, through another handle";
      throw new StateError("EDEADLK", `${this.#action()}: ${why}`);
    }
    if (outcome === INHERITED) add(this.#words, DEATHS, 1);
    this.#wanting = true;
    return true;
  }

  #refuseLost(): void {
    if (load(this.#words, STATE) !== LOST) return;
    const why = "a writer died, and the repair of its data failed";
    const out = "Make the data and the lock again (init, overwrite) when nobody uses them";
    throw new StateError("ENOTRECOVERABLE", `${this.#action()}: ${why}. ${out}`);
  }

  #action(): string {
    return `Cannot lock ${this.#what}`;
  }
}
