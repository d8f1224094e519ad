import { checkInteger } from "../arguments.ts";
import { StateError } from "../errors.ts";
import {
  ARRIVED,
  BARRIER_BROKEN_OFFSET,
  BARRIER_FIRST_SEAT_OFFSET,
  BARRIER_MAX_PARTIES,
  BARRIER_PARTIES_OFFSET,
  BARRIER_RELEASING_OFFSET,
  BARRIER_SEAT_LENGTH,
  BARRIER_SEAT_OBJECT_OFFSET,
  BARRIER_SEAT_STATE_OFFSET,
  BARRIER_WAIT_POINT_OFFSET,
  BROKEN,
  IDLE,
  PASSED,
  barrierLength,
} from "../layout/barrier-layout.ts";
import { fnv1a } from "../layout/hash.ts";
import { BARRIER_MARK } from "../layout/lock-marks.ts";
import { monotonicMs } from "../libc/time.ts";
import { load, store } from "../memory/atomics.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Hold } from "../segment/holds.ts";
import type { Placed } from "../segment/placed.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed-options.ts";
import type { Segment } from "../segment/segment.ts";
import { CENSUS_MS } from "../waiting/limits.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkWait,
} from "../waiting/wait-options.ts";
import { LockHandle } from "./handle.ts";
import { LockKind } from "./lock-kind.ts";
import { LockMemory, countIn, wordsAt } from "./lock-memory.ts";
import { INHERITED, isMine } from "./algorithm/lock-core.ts";
import type { OwnedLock } from "./owned-lock.ts";

/** What the barrier that is found must be like. */
export interface BarrierOptions {
  /** How many participants complete a round, from 1 to 256. */
  readonly parties?: number | undefined;
}

/** How to make a barrier. */
export interface BarrierCreateOptions extends BarrierOptions {
  readonly parties: number;
}

/**
 * How a wait at a barrier ended: "last", when this participant completed the round; "passed", when
 * another one did; "timedOut", when the timeout passed, which breaks the barrier; "broken", when
 * the barrier was broken already, or by another participant.
 */
export type BarrierOutcome = "last" | "passed" | "broken" | "timedOut";

const PARTIES_WORD: number = BARRIER_PARTIES_OFFSET >> 2;
const BROKEN_WORD: number = BARRIER_BROKEN_OFFSET >> 2;
const RELEASING_WORD: number = BARRIER_RELEASING_OFFSET >> 2;

/**
 * A point where a fixed number of participants wait for each other, round after round.
 *
 * A participant is a handle, in any process or thread. It takes part from its first wait until its
 * `close`, and belongs to the thread that waits.
 *
 * What a crash leaves: if a participant dies at any point, or a wait times out or is aborted, the
 * barrier is broken: the waits of all others end, within 20 ms after a death (50 ms in event
 * loops) and at once otherwise, and every later wait ends at once, until somebody calls `reset`. A
 * participant that has never waited is unknown, so only a timeout shows that it is missing. A
 * handle that is forgotten while it takes part keeps its seat until its thread ends.
 *
 * @example
 * ```ts
 * // mostly: one in each process
 * using first = Barrier.create("/rounds", { parties: 2 });
 * using second = Barrier.open("/rounds");
 * console.log(await Promise.all([first.waitAsync(), second.waitAsync()])); // ["passed", "last"]
 * first.unlink();
 * ```
 */
export class Barrier extends LockHandle {
  readonly #memory: LockMemory;
  readonly #parties: number;
  /** Tells the object from its copies. */
  readonly #object: number;
  readonly #lock: OwnedLock;
  readonly #seats: readonly OwnedLock[];
  readonly #hold: Hold;
  #seat = -1;
  #lastCensusMs = 0;

  static readonly #kind = new LockKind<Barrier, BarrierCreateOptions, BarrierOptions>({
    mark: BARRIER_MARK,
    makes: ["parties"],
    finds: ["parties"],
    leastLength: barrierLength(1),
    byteLength(action, { parties }) {
      checkInteger(action, "parties", parties, 1, BARRIER_MAX_PARTIES);
      return barrierLength(parties);
    },
    check(action, { parties }) {
      if (parties === undefined) return;
      checkInteger(action, "parties", parties, 1, BARRIER_MAX_PARTIES);
    },
    make(placed, words, { parties }) {
      words[PARTIES_WORD] = parties;
      return new Barrier(placed, parties);
    },
    find(placed, options) {
      const words = wordsAt(placed, barrierLength(1));
      const room = { noun: "parties", at: BARRIER_PARTIES_OFFSET, max: BARRIER_MAX_PARTIES };
      const parties = countIn(placed, words, room, options.parties);
      return new Barrier(placed, parties);
    },
  });

  private constructor(placed: Placed, parties: number) {
    const length = barrierLength(parties);
    const memory = new LockMemory("Barrier", placed, length, BARRIER_WAIT_POINT_OFFSET);
    super(memory);
    this.#memory = memory;
    this.#parties = parties;
    this.#object = fnv1a(placed.segment.identity) | 0;
    const hold = memory.registerHold(this, "barrier");
    this.#hold = hold;
    this.#lock = memory.lockAt(0);
    this.#seats = Array.from({ length: parties }, (_, seat) =>
      memory.lockAt(BARRIER_FIRST_SEAT_OFFSET + seat * BARRIER_SEAT_LENGTH),
    );
  }

  /** How many bytes a barrier takes in a segment. @throws RangeError, TypeError. */
  static byteLength(options: BarrierCreateOptions): number {
    return Barrier.#kind.byteLength(options);
  }

  /**
   * Makes a barrier in a new segment of that name. Does not block.
   *
   * @returns The barrier.
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments.
   */
  static create(name: string, options: BarrierCreateOptions & PlacedCreateOptions): Barrier {
    return Barrier.#kind.create(name, options);
  }

  /**
   * Finds the barrier of that name. Blocks until the name appears, for `waitMs` at most, and while
   * a live process is making it, which `waitMs` bounds too (half a minute without it).
   *
   * @returns The barrier.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when it is something else, or its number of parties is not the one asked for;
   *   StateError ENODATA when it is unfinished, and nobody makes it.
   */
  static open(name: string, options?: BarrierOptions & PlacedOpenOptions): Barrier {
    return Barrier.#kind.open(name, options);
  }

  /**
   * Finds the barrier of that name, or makes it; `created` says which. Blocks while a live process
   * is making it, for half a minute at most.
   *
   * @returns The barrier.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT.
   */
  static openOrCreate(
    name: string,
    options: BarrierCreateOptions & PlacedCreateOptions & OwnerOptions,
  ): Barrier {
    return Barrier.#kind.openOrCreate(name, options);
  }

  /**
   * Makes a barrier inside a segment. Blocks only while another process is making one there, for a
   * second at most.
   *
   * @param offset Where it starts, in bytes from the segment's start; a multiple of 128.
   * @returns The barrier.
   * @throws StateError EEXIST when a barrier exists there, EBUSY when another process takes over a
   *   second to make one; RangeError for a bad offset or number; TypeError for a bad option;
   *   LayoutError when something else is there.
   */
  static init(
    segment: Segment,
    offset: number,
    options: BarrierCreateOptions & PlacedInitOptions,
  ): Barrier {
    return Barrier.#kind.init(segment, offset, options);
  }

  /**
   * Finds the barrier that was made there with `init`. Blocks until it is there, for a second at
   * most.
   *
   * @param offset Where it starts, in bytes from the segment's start.
   * @returns The barrier.
   * @throws LayoutError when it is something else, or its number of parties
   *   is not the one asked for; StateError ENODATA when there is none.
   */
  static at(segment: Segment, offset: number, options?: BarrierOptions): Barrier {
    return Barrier.#kind.at(segment, offset, options);
  }

  /** How many participants complete a round. */
  get parties(): number {
    return this.#parties;
  }

  /** Whether it is broken until a `reset`; stale the moment it returns. @throws ClosedError. */
  get broken(): boolean {
    return load(this.#memory.words, BROKEN_WORD) !== 0;
  }

  /** How many participants are waiting; stale the moment it returns. @throws ClosedError. */
  get waiting(): number {
    let count = 0;
    for (const [seat, lock] of this.#seats.entries()) {
      // Whoever was waiting may be dead, or waits in the object that this is a copy of.
      if (this.#stateOf(seat) === ARRIVED && lock.isHeld) count++;
    }
    return count;
  }

  /**
   * Blocks this thread until all participants have arrived. A timeout breaks the barrier for all.
   *
   * @returns How the wait ended.
   * @throws StateError EBUSY when other handles have all seats, or this handle is already waiting;
   *   ClosedError; the signal's reason when it is already aborted, which does not count as
   *   arriving; RangeError, TypeError.
   */
  wait(options?: WaitOptions): BarrierOutcome {
    if (options !== undefined) checkWait(this.#action, options, WAIT_OPTIONS);
    const arrival = this.#arrive();
    if (arrival !== undefined) return arrival;
    let over = false;
    try {
      over = this.#memory.wait(() => this.#isOver(), options);
    } finally {
      if (!over) over = this.#giveUp();
    }
    return this.#leaveRound(over);
  }

  /**
   * Waits like `wait`, without blocking the event loop. A signal that is aborted during the wait
   * breaks the barrier too.
   *
   * @returns How the wait ended.
   * @throws The errors of `wait`, and the signal's reason as soon as it is aborted.
   */
  async waitAsync(options?: AsyncWaitOptions): Promise<BarrierOutcome> {
    checkWait(this.#action, options, ASYNC_WAIT_OPTIONS);
    const arrival = this.#arrive();
    if (arrival !== undefined) {
      if (isTurnDue()) await takeTurn();
      return arrival;
    }
    let over = false;
    try {
      over = await this.#memory.waitAsync(() => this.#isOver(), options);
    } finally {
      if (!over) over = this.#giveUp();
    }
    return this.#leaveRound(over);
  }

  /**
   * Makes a broken barrier usable again. Waits that are pending end with "broken". Blocks only
   * while another participant changes the barrier's state.
   *
   * @throws ClosedError.
   */
  reset(): void {
    this.#locked(() => {
      this.#census();
      this.#break();
      store(this.#memory.words, BROKEN_WORD, 0);
    });
  }

  /**
   * Ends the use of this handle, and leaves its seat to another. If it is waiting, that breaks the
   * barrier. Calling it again does nothing.
   */
  override close(): void {
    if (this.#seat >= 0 && !this.closed) {
      this.#locked(() => {
        if (this.#stateOf(this.#seat) === ARRIVED) this.#break();
        this.#setState(this.#seat, IDLE);
        this.#seats[this.#seat]!.letGo();
        this.#seat = -1;
        this.#hold.held = false;
      });
    }
    super.close();
  }

  #arrive(): BarrierOutcome | undefined {
    return this.#locked(() => {
      if (this.#seat < 0) this.#sitDown();
      if (this.#stateOf(this.#seat) === ARRIVED) {
        throw new StateError("EBUSY", `${this.#action}: this handle is already waiting`);
      }
      this.#census();
      if (this.broken) return "broken";
      this.#setState(this.#seat, ARRIVED);
      if (this.waiting < this.#parties) return undefined;
      store(this.#memory.words, RELEASING_WORD, 1);
      this.#release();
      this.#setState(this.#seat, IDLE);
      return "last";
    });
  }

  #sitDown(): void {
    for (let seat = 0; seat < this.#parties; seat++) {
      if (!this.#takeSeat(seat)) continue;
      this.#seat = seat;
      this.#hold.held = true;
      return;
    }
    const why = `other handles have all ${this.#parties} seats. One of them must close its handle`;
    throw new StateError("EBUSY", `${this.#action}: ${why}`);
  }

  /** Takes a seat that nobody has. @returns Whether it did. */
  #takeSeat(seat: number): boolean {
    const outcome = this.#seats[seat]!.tryLock();
    if (!isMine(outcome)) return false;
    const at = objectIndex(seat);
    // Who had a seat in a copy of this object, or before the machine's last start, is nobody here.
    const wasHere = load(this.#memory.words, at) === this.#object;
    if (outcome === INHERITED && wasHere) this.#break();
    store(this.#memory.words, at, this.#object);
    this.#setState(seat, IDLE);
    return true;
  }

  /** Called often during a wait: now and then it also checks whether the others are alive. */
  #isOver(): boolean {
    if (this.#stateOf(this.#seat) !== ARRIVED) return true;
    const now = monotonicMs();
    if (now - this.#lastCensusMs < CENSUS_MS) return false;
    const outcome = this.#lock.poll();
    if (!isMine(outcome)) return false;
    this.#lastCensusMs = now;
    this.#underMutex(outcome === INHERITED, () => this.#census());
    return this.#stateOf(this.#seat) !== ARRIVED;
  }

  /** Breaks the barrier unless the round has ended meanwhile. @returns Whether the round ended. */
  #giveUp(): boolean {
    if (this.closed) return false;
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
    this.#memory.checkOpen();
    return this.#underMutex(this.#lock.lock(), action);
  }

  #underMutex<T>(ownerDied: boolean, action: () => T): T {
    try {
      // Finishes what the dead one had begun: releasing the others, or breaking the barrier.
      if (ownerDied) {
        if (load(this.#memory.words, RELEASING_WORD) !== 0) this.#release();
        else if (this.broken) this.#break();
      }
      return action();
    } finally {
      this.#lock.unlock();
    }
  }

  /** Breaks the barrier if a participant has died. */
  #census(): void {
    for (let seat = 0; seat < this.#parties; seat++) {
      if (seat === this.#seat) continue;
      if (this.#takeSeat(seat)) this.#seats[seat]!.unlock();
    }
  }

  #release(): void {
    this.#endWaitsWith(PASSED);
    store(this.#memory.words, RELEASING_WORD, 0);
    this.#memory.waitPoint.wake();
  }

  #break(): void {
    store(this.#memory.words, BROKEN_WORD, 1);
    this.#endWaitsWith(BROKEN);
    this.#memory.waitPoint.wake();
  }

  #endWaitsWith(state: number): void {
    for (let seat = 0; seat < this.#parties; seat++) {
      if (this.#stateOf(seat) === ARRIVED) this.#setState(seat, state);
    }
  }

  get #action(): string {
    return `Cannot wait at ${this.#memory.what}`;
  }

  #stateOf(seat: number): number {
    return load(this.#memory.words, stateIndex(seat));
  }

  #setState(seat: number, state: number): void {
    store(this.#memory.words, stateIndex(seat), state);
  }
}

const seatOffset = (seat: number): number => BARRIER_FIRST_SEAT_OFFSET + seat * BARRIER_SEAT_LENGTH;

const stateIndex = (seat: number): number => (seatOffset(seat) + BARRIER_SEAT_STATE_OFFSET) >> 2;

const objectIndex = (seat: number): number => (seatOffset(seat) + BARRIER_SEAT_OBJECT_OFFSET) >> 2;
