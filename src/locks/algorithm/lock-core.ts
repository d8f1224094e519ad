/**
 * The lock that every other lock of this package stands on.
 *
 * Two words: LOCK is 0, or its holder's number with two flags; NEXT is 0, or the number of whoever
 * gets the lock next.
 *
 *   take      T1  LOCK: 0 -> me
 *   release   U1  LOCK: me -> 0; nobody waits: done
 *             U2  read NEXT; if there is one:
 *             U3  LOCK: me|AWAITED -> next|GRANTED|AWAITED
 *             U4  NEXT: next -> 0; wake its sleeper: done, unless it was not there any more
 *             U5  LOCK: me|AWAITED or what U3 made of it -> 0; wake one sleeper of LOCK
 *             U6  read NEXT; if there is one, NEXT: next -> 0, and wake its sleeper
 *   wait      S1  LOCK: held -> held|AWAITED
 *             S2  sleep on LOCK while it is that
 *   again     S3  NEXT: 0 -> me; then from T1 on once more
 *             S4  sleep on NEXT while it is me
 *   accept    A1  LOCK: me|GRANTED|AWAITED -> me|AWAITED
 *   inherit   H1  LOCK: dead|… -> me|AWAITED    the kernel says that the holder is dead
 *   overtake  G1  LOCK: other|GRANTED|… -> me|AWAITED
 *   give up   E1  NEXT: me -> 0; then A1 if it was granted meanwhile
 *   abandon   L1  LOCK: me|… -> LOST; wake everybody
 *
 * Exclusion. Whoever takes the lock changes LOCK from a value that says that nobody is at work (0,
 * or GRANTED) or that the holder is dead, to its own number, in one compare-and-exchange. While the
 * holder lives, only it takes its number away (U1, U3, U5); others add AWAITED. Once a participant
 * is dead it stays dead, so that H1 cannot be late. LOCK names the holder at every instant, so that
 * a killed one is always known, and its heir is told: INHERITED. After GRANTED nobody was at work,
 * so whoever overtakes (G1) inherits nothing.
 *
 * No wake-up is lost. A waiter sleeps on LOCK only while it is as S1 left it; U1 fails for that
 * value, so the holder goes on to U3 or U5, which change it. In U5 a sleeper of LOCK is woken, and
 * takes AWAITED over: it takes the lock with AWAITED, or waits again and sets it (S1), so that the
 * other sleepers are remembered; after U3 AWAITED stays. A waiter sleeps on NEXT only while its
 * number stands there, and only after it looked at LOCK with its number in NEXT. If the holder
 * missed the number in U2, it looks again after it has freed LOCK: either it sees the number then,
 * or the waiter set it later, and so sees that LOCK is free. (SYNC lock-next: S3-T1 pairs with
 * U5-U6.) If it saw the number, it takes it away after LOCK was changed, so that the waiter does
 * not fall asleep any more, or is woken (U4, U6). A late holder may take away a number that its
 * owner has set anew; it wakes that one too. Whoever gives up takes its number away first, and then
 * looks whether it was granted: so a grant for one that gave up finds no number in U4, and is taken
 * back. If somebody is killed between a change and the wake that belongs to it, the sleepers find
 * out after a slice: all sleeps are cut into slices, after which the holder's life is examined too.
 *
 * Fairness. A sleeper that was woken and finds that somebody else was faster puts its number into
 * NEXT, if nobody is there; the next release hands the lock to it (U3), and not to those who come
 * by chance. The kernel wakes the sleepers of LOCK in their order. If the next one does not come,
 * since it is dead, stopped or busy, others overtake it after a while.
 *
 * Hostile bytes. Numbers are only compared and asked about, and are no addresses or indices.
 * Foreign values in LOCK can keep the lock held for as long as a living participant's number stands
 * there, or let two take it at once. They can neither crash anybody nor make a timed wait longer.
 *
 * Sources: Drepper, "Futexes Are Tricky" (mutex 3) for T, U1, U4 and S; the starvation mode of Go's
 * sync.Mutex for NEXT. The owner in the word is that of the kernel's robust futexes, without their
 * list of addresses in private memory.
 */
import {
  AWAITED,
  GRANTED,
  LOCK_WORD,
  LOST_NUMBER,
  NEXT_WORD,
  NUMBER_SHIFT,
} from "../../layout/lock-layout.ts";
import { compareExchange, load } from "../../memory/atomics.ts";

/** How a try ended; the first two mean that it was taken. */
export type Outcome = number;
export const TAKEN = 0;
/** Taken from a dead holder, whose data may be half written. */
export const INHERITED = 1;
/** Somebody else holds it. */
export const BUSY = 2;
/** This thread holds it already. */
export const OWN = 3;
/** The data of a dead holder were given up: nobody can take it again. */
export const LOST = 4;

/** Whether a try with this outcome took the lock. */
export function isMine(outcome: Outcome): boolean {
  return outcome <= INHERITED;
}

/** What a lock asks of the system. */
export interface LockSystem {
  /** Whether the participant of a number lives. */
  isAlive(number: number): boolean;
  /** Whether it is this thread, through this handle or another. */
  isOwn(number: number): boolean;
  /** Sleeps while a word is `expected`. @returns Whether only the time or a signal ended it. */
  sleep(index: number, expected: number, timeMs: number): boolean;
  /** Wakes sleepers of a word. */
  wake(index: number, count: number): void;
  /** Wakes those who wait in an event loop. */
  ring(): void;
  /** The monotonic clock, in ms. */
  nowMs(): number;
}

/** How long, in ms, a lock stays granted before others may overtake. */
const GRANT_MS = 1;
/** How long, in ms, the first sleep lasts before the holder's life is examined, and the longest. */
const FIRST_SLICE_MS = 1;
const LAST_SLICE_MS = 12;
/** How often, in ms, those who only look examine the life of one holder. */
const EXAMINE_MS = 8;

/**
 * Tries to inherit before the lock counts as busy. While a dead one holds it, the word changes
 * once, when somebody begins to wait; it changes all the time only if somebody scribbles over it.
 */
const INHERIT_TRIES = 8;

const ALL = 0x7fffffff;
const LOST_LOCK: number = LOST_NUMBER << NUMBER_SHIFT;

// Answers of a look beside TAKEN, which no marked LOCK can be: that has AWAITED set.
const OWN_SEEN = 2;
const LOST_SEEN = 4;

/** One lock, as one participant uses it. */
export class LockCore {
  readonly #words: Int32Array;
  readonly #lock: number;
  readonly #next: number;
  readonly #number: number;
  /** The value of LOCK when this participant holds it and nobody waits. */
  readonly #mine: number;
  readonly #system: LockSystem;
  /** Whether the last look found this participant in NEXT. */
  #isNext = false;
  /** What LOCK was when a look last examined it, and when that was. */
  #seen = 0;
  #seenMs = 0;

  /** @param at The index of the lock's first word. @param number This participant's. */
  constructor(words: Int32Array, at: number, number: number, system: LockSystem) {
    this.#words = words;
    this.#lock = at + LOCK_WORD;
    this.#next = at + NEXT_WORD;
    this.#number = number;
    this.#mine = number << NUMBER_SHIFT;
    this.#system = system;
  }

  /** T1: takes it if nobody has it. Never blocks. @returns TAKEN, BUSY or OWN. */
  tryTake(): Outcome {
    const seen = compareExchange(this.#words, this.#lock, 0, this.#mine);
    return seen === 0 ? TAKEN : this.#isMine(seen) ? OWN : BUSY;
  }

  /** Takes it also from the dead. Does not block, but asks the kernel whether the holder lives. */
  tryInherit(): Outcome {
    for (let tries = 0; tries < INHERIT_TRIES; tries++) {
      const seen = load(this.#words, this.#lock);
      const isTaken = seen !== 0 && (seen & GRANTED) === 0;
      if (isTaken) {
        const outcome = this.#statusOf(seen);
        if (outcome !== INHERITED) return outcome;
      }
      if (this.#replace(seen, false)) return isTaken ? INHERITED : TAKEN;
    }
    return BUSY;
  }

  /** Takes it like `tryTake`, and from the dead, but asks the kernel only now and then. */
  poll(): Outcome {
    const outcome = this.tryTake();
    return outcome === BUSY ? this.#examineInTime(load(this.#words, this.#lock)) : outcome;
  }

  /** Whether a living participant holds it, this one included; it asks the kernel. */
  get isHeld(): boolean {
    const seen = load(this.#words, this.#lock);
    if (seen === 0 || (seen & GRANTED) !== 0) return false;
    return [OWN, BUSY].includes(this.#statusOf(seen));
  }

  /** Releases it. Never blocks. @returns Whether this participant held it. */
  release(): boolean {
    const seen = compareExchange(this.#words, this.#lock, this.#mine, 0);
    return seen === this.#mine || this.#releaseAwaited(seen);
  }

  #releaseAwaited(seen: number): boolean {
    if (seen !== (this.#mine | AWAITED)) return false;
    const next = load(this.#words, this.#next);
    if (next === 0 || !this.#grant(seen, next)) this.#free(next === 0 ? seen : grantTo(next));
    this.#system.ring();
    return true;
  }

  /** U3 and U4. @returns Whether somebody waits under that number. */
  #grant(seen: number, next: number): boolean {
    compareExchange(this.#words, this.#lock, seen, grantTo(next));
    if (compareExchange(this.#words, this.#next, next, 0) !== next) return false;
    this.#system.wake(this.#next, 1);
    return true;
  }

  /** U5 and U6. */
  #free(seen: number): void {
    compareExchange(this.#words, this.#lock, seen, 0);
    this.#system.wake(this.#lock, 1);
    // SYNC lock-next
    const next = load(this.#words, this.#next);
    if (next === 0) return;
    compareExchange(this.#words, this.#next, next, 0);
    this.#system.wake(this.#next, 1);
  }

  /** L1: nobody can take it from now on. Only for the holder. */
  abandon(): void {
    for (;;) {
      const seen = load(this.#words, this.#lock);
      if (!this.#isMine(seen)) return;
      if (compareExchange(this.#words, this.#lock, seen, LOST_LOCK) === seen) break;
    }
    this.#system.wake(this.#lock, ALL);
    this.#system.wake(this.#next, ALL);
    this.#system.ring();
  }

  /**
   * Takes it, and blocks this thread until that is possible, for `timeoutMs` at most.
   * @returns BUSY when the time passed.
   */
  take(timeoutMs: number): Outcome {
    const deadline = this.#system.nowMs() + timeoutMs;
    let isUnwoken = false;
    for (let slices = 0; ; slices++) {
      const seen = this.#lookAndMark(slices > 0);
      if (seen === TAKEN) return TAKEN;
      if (seen === OWN_SEEN) return this.#endWith(OWN);
      if (seen === LOST_SEEN) return this.#endWith(LOST);
      if (isUnwoken) {
        const outcome = this.#examine(seen);
        if (isMine(outcome)) return this.#endWith(outcome);
      }
      const leftMs = deadline - this.#system.nowMs();
      if (leftMs <= 0) return this.giveUp();
      const timeMs = Math.min(leftMs, (seen & GRANTED) === 0 ? sliceMs(slices) : GRANT_MS);
      isUnwoken = this.#isNext
        ? this.#system.sleep(this.#next, this.#number, timeMs)
        : this.#system.sleep(this.#lock, seen, timeMs);
    }
  }

  /**
   * One look of a wait in the event loop. Never blocks.
   * @param again Whether it has looked before, and so gets in line.
   * @returns BUSY when it must look again, after a bell or a while.
   */
  look(again: boolean): Outcome {
    const seen = this.#lookAndMark(again);
    if (seen === TAKEN) return TAKEN;
    if (seen === OWN_SEEN) return OWN;
    if (seen === LOST_SEEN) return this.#endWith(LOST);
    const outcome = this.#examineInTime(seen);
    return isMine(outcome) ? this.#endWith(outcome) : BUSY;
  }

  /** E1: ends a wait. @returns TAKEN when it was granted at the last moment, else BUSY. */
  giveUp(): Outcome {
    this.#endWith(BUSY);
    const seen = load(this.#words, this.#lock);
    return this.#isGrantedToMe(seen) && this.#replace(seen, true) ? TAKEN : BUSY;
  }

  /** T1, A1, S1 and S3. @returns TAKEN, OWN_SEEN, LOST_SEEN, or LOCK as it is with AWAITED. */
  #lookAndMark(again: boolean): number {
    for (;;) {
      const seen = load(this.#words, this.#lock);
      if (seen === 0 || this.#isGrantedToMe(seen)) {
        if (this.#replace(seen, again)) return this.#endWith(TAKEN);
        continue;
      }
      const holder = seen >>> NUMBER_SHIFT;
      if (holder === LOST_NUMBER) return LOST_SEEN;
      if ((seen & GRANTED) === 0 && this.#system.isOwn(holder)) return OWN_SEEN;
      const marked = seen | AWAITED;
      if (seen !== marked && compareExchange(this.#words, this.#lock, seen, marked) !== seen) {
        continue;
      }
      const next = again ? compareExchange(this.#words, this.#next, 0, this.#number) : NOBODY;
      this.#isNext = next === this.#number;
      // SYNC lock-next: after S3 it looks at LOCK once more.
      if (next !== 0) return marked;
    }
  }

  /** H1 at the first sight of a holder, and now and then; G1 if nothing changes for a while. */
  #examineInTime(seen: number): Outcome {
    const now = this.#system.nowMs();
    const isNew = seen !== this.#seen;
    const isGranted = (seen & GRANTED) !== 0;
    if (!isNew && now - this.#seenMs < (isGranted ? GRANT_MS : EXAMINE_MS)) return BUSY;
    [this.#seen, this.#seenMs] = [seen, now];
    return isNew && isGranted ? BUSY : this.#examine(seen);
  }

  /** H1 and G1. */
  #examine(seen: number): Outcome {
    if ((seen & GRANTED) !== 0) return this.#replace(seen, true) ? TAKEN : BUSY;
    const outcome = this.#statusOf(seen);
    return outcome !== INHERITED || this.#replace(seen, true) ? outcome : BUSY;
  }

  /** What a try would meet. @returns LOST, OWN, BUSY, or INHERITED when the holder is dead. */
  #statusOf(seen: number): Outcome {
    const holder = seen >>> NUMBER_SHIFT;
    if (holder === LOST_NUMBER) return LOST;
    if (this.#system.isOwn(holder)) return OWN;
    return this.#system.isAlive(holder) ? BUSY : INHERITED;
  }

  /** @param awaited Whether others may be waiting, beside those of whom LOCK knows. */
  #replace(seen: number, awaited: boolean): boolean {
    const mine = this.#mine | (awaited ? AWAITED : seen & AWAITED);
    return compareExchange(this.#words, this.#lock, seen, mine) === seen;
  }

  /** Leaves the line, if this participant stands in it. */
  #endWith(outcome: Outcome): Outcome {
    compareExchange(this.#words, this.#next, this.#number, 0);
    return outcome;
  }

  #isMine(seen: number): boolean {
    return (seen & ~AWAITED) === this.#mine;
  }

  #isGrantedToMe(seen: number): boolean {
    return (seen & ~AWAITED) === (this.#mine | GRANTED);
  }
}

const grantTo = (number: number): number => (number << NUMBER_SHIFT) | GRANTED | AWAITED;

/** No participant's number, for who does not ask. */
const NOBODY = -1;

function sliceMs(slices: number): number {
  return Math.min(FIRST_SLICE_MS * 2 ** Math.min(slices, 10), LAST_SLICE_MS);
}
