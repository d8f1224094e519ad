import { LayoutError } from "../errors.ts";
import {
  ARRIVED,
  BARRIER_BROKEN_OFFSET,
  BARRIER_FIRST_SEAT_OFFSET,
  BARRIER_MAGIC,
  BARRIER_MAGIC_OFFSET,
  BARRIER_MAX_PARTIES,
  BARRIER_PARTIES_OFFSET,
  BARRIER_RELEASING_OFFSET,
  BARRIER_SEAT_LENGTH,
  BARRIER_SEAT_STATE_OFFSET,
  BARRIER_WAIT_POINT_OFFSET,
  BROKEN,
  IDLE,
  PASSED,
  barrierLength,
} from "../layout/barrier-layout.ts";
import { E } from "../libc/errno.ts";
import { monotonicMs } from "../libc/time.ts";
import { load, store } from "../memory/atomics.ts";
import type { Hold } from "../segment/holds.ts";
import { checkMagic } from "../segment/magic.ts";
import { MutexRow } from "./mutex-row.ts";
import { placeWords } from "../segment/placement.ts";
import { Mutex } from "./mutex.ts";
import type { Segment } from "../segment/segment.ts";
import { type AsyncWaitOptions, WaitPoint, type WaitOptions } from "../waiting/wait-point.ts";

/**
 * How a wait at a barrier ended: "last": this one completed the round; "passed": another did;
 * "timedOut": the time was over, and the barrier is broken by that; "broken": it was already.
 */
export type BarrierOutcome = "last" | "passed" | "broken" | "timedOut";

const NOUN = "barrier";
const BROKEN_WORD: number = BARRIER_BROKEN_OFFSET >> 2;
const RELEASING: number = BARRIER_RELEASING_OFFSET >> 2;
/** How often, in ms, a waiter asks whether the other participants still live. */
const CENSUS_MS = 20;

/**
 * A place where a fixed number of participants wait for each other, round after round.
 *
 * A handle takes part from its first wait until its `close`; each belongs to the thread that waits.
 * If a participant dies, wherever it is, or a wait times out or is aborted, the barrier is broken:
 * everyone is told at once, and on every later wait, until somebody calls `reset`. One that has
 * never waited is not known, and only a timeout tells that it does not come.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/rounds", { size: 4096 });
 * Barrier.init(segment, 0, { parties: 2 });
 * // mostly: one in each process
 * using first = Barrier.at(segment, 0);
 * using second = Barrier.at(segment, 0);
 * console.log(await Promise.all([first.waitAsync(), second.waitAsync()])); // ["passed", "last"]
 * Segment.unlink("/rounds");
 * ```
 */
export class Barrier {
  readonly #what: string;
  readonly #words: Int32Array;
  readonly #parties: number;
  readonly #mutex: Mutex;
  readonly #seats: MutexRow;
  readonly #waitPoint: WaitPoint;
  readonly #hold: Hold;
  #seat = -1;
  #lastCensusMs = 0;

  private constructor(segment: Segment, offset: number, parties: number) {
    this.#what = `${NOUN} at ${offset} in segment "${segment.name}"`;
    this.#words = placeWords(NOUN, segment, offset, barrierLength(parties));
    this.#parties = parties;
    this.#mutex = Mutex.at(segment, offset);
    this.#seats = new MutexRow(this.#what, segment, offset + BARRIER_FIRST_SEAT_OFFSET);
    this.#waitPoint = new WaitPoint(segment, offset + BARRIER_WAIT_POINT_OFFSET);
    this.#hold = segment.holds.register(this, `a seat at the ${this.#what}`, segment.mapping);
  }

  /** Bytes in a barrier for so many parties. @throws RangeError. */
  static lengthFor(parties: number): number {
    if (!Number.isInteger(parties) || parties < 1 || parties > BARRIER_MAX_PARTIES) {
      throw new RangeError(
        `Cannot make a barrier for ${parties} parties: 1 to ${BARRIER_MAX_PARTIES} are possible`,
      );
    }
    return barrierLength(parties);
  }

  /**
   * Makes a barrier in `Barrier.lengthFor(parties)` bytes of a segment. One process does, once.
   *
   * @param offset Bytes from the segment's start, a multiple of 128.
   * @throws RangeError for a bad offset or number; UnsupportedError on macOS.
   */
  static init(segment: Segment, offset: number, options: { parties: number }): Barrier {
    const { parties } = options;
    const words = placeWords(NOUN, segment, offset, Barrier.lengthFor(parties));
    store(words, BARRIER_MAGIC_OFFSET >> 2, 0);
    words.fill(0);
    Mutex.init(segment, offset);
    const barrier = new Barrier(segment, offset, parties);
    barrier.#seats.init(parties);
    words[BARRIER_PARTIES_OFFSET >> 2] = parties;
    // SYNC barrier-made: pairs with the load in `at`.
    store(words, BARRIER_MAGIC_OFFSET >> 2, BARRIER_MAGIC);
    return barrier;
  }

  /**
   * Finds the barrier that another process makes there with `init`, and waits for it for a second
   * at most, blocking. @throws LayoutError when there is none, or one of another libc.
   */
  static at(segment: Segment, offset: number): Barrier {
    const header = placeWords(NOUN, segment, offset, barrierLength(1));
    const magicAt = BARRIER_MAGIC_OFFSET;
    // SYNC barrier-made
    checkMagic(NOUN, header, magicAt >> 2, BARRIER_MAGIC, offset + magicAt);
    const parties = load(header, BARRIER_PARTIES_OFFSET >> 2);
    if (parties >= 1 && parties <= BARRIER_MAX_PARTIES) {
      return new Barrier(segment, offset, parties);
    }
    throw new LayoutError(`The ${NOUN} is corrupt`, {
      expected: `1 to ${BARRIER_MAX_PARTIES} parties`,
      found: String(parties),
      offset: offset + BARRIER_PARTIES_OFFSET,
    });
  }

  /** How many participants complete a round. */
  get parties(): number {
    return this.#parties;
  }

  /** Whether waiting is in vain until a `reset`. */
  get broken(): boolean {
    return load(this.#words, BROKEN_WORD) !== 0;
  }

  /** How many wait at this moment; stale the moment it returns. */
  get waiting(): number {
    let count = 0;
    for (let seat = 0; seat < this.#parties; seat++) if (this.#stateOf(seat) === ARRIVED) count++;
    return count;
  }

  /**
   * Blocks this thread until all have come. A timeout breaks the barrier for everyone.
   * @throws Error when all seats are taken by others, or this handle waits already.
   */
  wait(options?: WaitOptions): BarrierOutcome {
    const arrival = this.#arrive();
    if (arrival !== undefined) return arrival;
    let over = false;
    try {
      over = this.#waitPoint.wait(() => this.#isOver(), options);
    } finally {
      if (!over) over = this.#giveUp();
    }
    return this.#leaveRound(over);
  }

  /** As `wait`, without blocking the event loop. An aborted signal breaks the barrier too. */
  async waitAsync(options?: AsyncWaitOptions): Promise<BarrierOutcome> {
    const arrival = this.#arrive();
    if (arrival !== undefined) return arrival;
    let over = false;
    try {
      over = await this.#waitPoint.waitAsync(() => this.#isOver(), options);
    } finally {
      if (!over) over = this.#giveUp();
    }
    return this.#leaveRound(over);
  }

  /** Makes a broken barrier whole, with nobody waiting: those who do are told that it broke. */
  reset(): void {
    this.#locked(() => {
      this.#census();
      this.#break();
      store(this.#words, BROKEN_WORD, 0);
    });
  }

  /** Leaves the barrier, and its seat to another. While it waits, this breaks it. */
  close(): void {
    if (this.#seat < 0) return;
    this.#locked(() => {
      if (this.#stateOf(this.#seat) === ARRIVED) this.#break();
      this.#setState(this.#seat, IDLE);
      this.#seats.give(this.#seat);
      this.#seat = -1;
      this.#hold.held = false;
    });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #arrive(): BarrierOutcome | undefined {
    return this.#locked(() => {
      if (this.#seat < 0) this.#sitDown();
      if (this.#stateOf(this.#seat) === ARRIVED) {
        throw new Error(`Cannot wait at the ${this.#what}: this handle waits already`);
      }
      this.#census();
      if (this.broken) return "broken";
      this.#setState(this.#seat, ARRIVED);
      if (this.waiting < this.#parties) return undefined;
      store(this.#words, RELEASING, 1);
      this.#release();
      this.#setState(this.#seat, IDLE);
      return "last";
    });
  }

  #sitDown(): void {
    for (let seat = 0; seat < this.#parties; seat++) {
      const taken = this.#seats.tryTake(seat);
      if (taken === -E.EBUSY) continue;
      if (taken === -E.EOWNERDEAD) this.#break();
      this.#setState(seat, IDLE);
      this.#seat = seat;
      this.#hold.held = true;
      return;
    }
    throw new Error(
      `Cannot wait at the ${this.#what}: all ${this.#parties} seats are taken by others`,
    );
  }

  /** For who waits, which looks often: now and then it looks whether the others live. */
  #isOver(): boolean {
    if (this.#stateOf(this.#seat) !== ARRIVED) return true;
    const now = monotonicMs();
    if (now - this.#lastCensusMs < CENSUS_MS || !this.#mutex.tryLock()) return false;
    this.#lastCensusMs = now;
    this.#underMutex(() => this.#census());
    return this.#stateOf(this.#seat) !== ARRIVED;
  }

  /** Breaks the barrier unless the round ended meanwhile. @returns Whether it did. */
  #giveUp(): boolean {
    if (this.#words.length === 0) return false;
    return this.#locked(() => {
      if (this.#stateOf(this.#seat) !== ARRIVED) return true;
      this.#break();
      return false;
    });
  }

  #leaveRound(over: boolean): BarrierOutcome {
    const state = this.#stateOf(this.#seat);
    this.#setState(this.#seat, IDLE);
    if (!over) return "timedOut";
    return state === PASSED ? "passed" : "broken";
  }

  #locked<T>(action: () => T): T {
    this.#mutex.lock();
    return this.#underMutex(action);
  }

  #underMutex<T>(action: () => T): T {
    try {
      // Whoever died in the middle of letting the others go, or of breaking: its work is finished.
      if (this.#mutex.ownerDied) {
        if (load(this.#words, RELEASING) !== 0) this.#release();
        else if (this.broken) this.#break();
      }
      return action();
    } finally {
      this.#mutex.unlock();
    }
  }

  /** Breaks the barrier if a participant died. */
  #census(): void {
    for (let seat = 0; seat < this.#parties; seat++) {
      if (seat === this.#seat) continue;
      const taken = this.#seats.tryTake(seat);
      if (taken === -E.EBUSY) continue;
      if (taken === -E.EOWNERDEAD) this.#break();
      this.#setState(seat, IDLE);
      this.#seats.give(seat);
    }
  }

  #release(): void {
    this.#tellWaiters(PASSED);
    store(this.#words, RELEASING, 0);
    this.#waitPoint.wake();
  }

  #break(): void {
    store(this.#words, BROKEN_WORD, 1);
    this.#tellWaiters(BROKEN);
    this.#waitPoint.wake();
  }

  #tellWaiters(state: number): void {
    for (let seat = 0; seat < this.#parties; seat++) {
      if (this.#stateOf(seat) === ARRIVED) this.#setState(seat, state);
    }
  }

  #stateOf(seat: number): number {
    return load(this.#words, stateIndex(seat));
  }

  #setState(seat: number, state: number): void {
    store(this.#words, stateIndex(seat), state);
  }
}

function stateIndex(seat: number): number {
  const offset = BARRIER_FIRST_SEAT_OFFSET + seat * BARRIER_SEAT_LENGTH;
  return (offset + BARRIER_SEAT_STATE_OFFSET) >> 2;
}
