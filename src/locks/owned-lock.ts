/**
 * The lock of `algorithm/lock-core.ts` in a segment: its words are the segment's, the kernel wakes
 * its sleepers, and its participants are the handles of the segment.
 */
import { ClosedError, StateError } from "../errors.ts";
import { LOCK_LENGTH } from "../layout/lock-layout.ts";
import { E, fail } from "../libc/errno.ts";
import { HAS_FUTEX, futexWait, futexWake } from "../libc/futex.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import type { Mapping } from "../memory/mapping.ts";
import type { Participant } from "../segment/participant.ts";
import type { Segment } from "../segment/segment.ts";
import { LOCK_TRIES, POLL_MS } from "../waiting/limits.ts";
import type { WaitPoint } from "../waiting/wait-point.ts";
import {
  BUSY,
  INHERITED,
  LOST,
  LockCore,
  type LockSystem,
  OWN,
  type Outcome,
  TAKEN,
} from "./algorithm/lock-core.ts";

// The words of a lock that is not bound, and of one that is closed.
const NOTHING: Int32Array = new Int32Array(0);

/** What the locks of a segment ask of the kernel. */
class SegmentSystem implements LockSystem {
  readonly #mapping: Mapping;
  readonly #base: number;
  readonly #participant: Participant;
  readonly #bells: WaitPoint | undefined;

  constructor(segment: Segment, base: number, bells: WaitPoint | undefined) {
    this.#mapping = segment.mapping;
    this.#participant = segment.participant;
    this.#base = base;
    this.#bells = bells;
  }

  isAlive(number: number): boolean {
    return this.#participant.isAlive(number);
  }

  isOwn(number: number): boolean {
    return this.#participant.isOwn(number);
  }

  sleep(index: number, expected: number, timeMs: number): boolean {
    if (!HAS_FUTEX) {
      sleepMs(Math.min(timeMs, POLL_MS));
      return timeMs <= POLL_MS;
    }
    const result = futexWait(this.#mapping.address + this.#base + index * 4, expected, timeMs);
    if (result >= 0 || result === -E.EAGAIN) return false;
    // Signals may come so often that no sleep ever lasts for its whole time.
    return result === -E.ETIMEDOUT || result === -E.EINTR || fail("Cannot wait", result, "futex");
  }

  wake(index: number, count: number): void {
    futexWake(this.#mapping.address + this.#base + index * 4, count);
  }

  ring(): void {
    this.#bells?.wake();
  }

  nowMs(): number {
    return monotonicMs();
  }
}

/** One lock, as one handle uses it. */
export class OwnedLock {
  readonly #segment: Segment;
  readonly #offset: number;
  readonly #what: string;
  readonly #bells: WaitPoint | undefined;
  // Its length is 0 before the first use, and once the memory is unmapped or the handle is closed.
  #words: Int32Array = NOTHING;
  #core!: LockCore;
  #closed = false;

  /**
   * @param what The lock's name in messages, as in `mutex "/x"`.
   * @param bells Where those wait who wait for it in an event loop.
   */
  constructor(segment: Segment, byteOffset: number, what: string, bells?: WaitPoint) {
    this.#segment = segment;
    this.#offset = byteOffset;
    this.#what = what;
    this.#bells = bells;
  }

  // The fast paths repeat the check and call little, because the engine inlines only short
  // functions, and only five levels deep.

  /** Takes it if nobody has it. Never blocks. @returns TAKEN, BUSY or OWN. */
  tryTake(): Outcome {
    if (this.#words.length === 0) this.#bind();
    return this.#core.tryTake();
  }

  /** Takes it like `tryTake`, and from a dead holder. Does not block. */
  tryLock(): Outcome {
    if (this.#words.length === 0) this.#bind();
    const outcome = this.#core.tryTake();
    return outcome === TAKEN ? TAKEN : this.#core.tryInherit();
  }

  /** Takes it like `tryLock`, and seldom asks the kernel: for waits that look often. */
  poll(): Outcome {
    if (this.#words.length === 0) this.#bind();
    return this.#core.poll();
  }

  /** Takes it, and blocks this thread until that is possible, for `timeoutMs` at most. */
  lockFor(timeoutMs: number): Outcome {
    for (let tries = 0; tries < LOCK_TRIES; tries++) {
      const outcome = this.tryTake();
      if (outcome !== BUSY) return outcome;
    }
    return this.#core.take(timeoutMs);
  }

  /** One look of a wait in the event loop, which ends with `stopLooking` unless it got the lock. */
  look(again: boolean): Outcome {
    if (this.#words.length === 0) this.#bind();
    return this.#core.look(again);
  }

  /** Ends a wait in the event loop that did not get the lock. */
  stopLooking(): void {
    if (this.#words.length > 0 && this.#core.giveUp() === TAKEN) this.unlock();
  }

  /**
   * Takes it, and blocks this thread until that is possible.
   *
   * @returns Whether the last holder died with it. Then the caller repairs the data before it
   *   unlocks; if the caller dies too, the next holder gets the same answer.
   * @throws StateError EDEADLK when this thread holds it.
   */
  lock(): boolean {
    const outcome = this.tryTake();
    return outcome === TAKEN ? false : this.#lockSlowly();
  }

  #lockSlowly(): boolean {
    const outcome = this.lockFor(Number.POSITIVE_INFINITY);
    if (outcome === TAKEN) return false;
    return outcome === INHERITED || this.#refuse(outcome);
  }

  /** Releases it, and wakes those who wait. Never blocks. @throws StateError EPERM. */
  unlock(): void {
    if (this.#words.length === 0) this.#bind();
    if (!this.#core.release()) this.#failUnlock();
  }

  /** Releases it if this handle's participant has it, and the memory is there. */
  letGo(): void {
    if (this.#words.length === 0 && this.#segment.closed) return;
    if (this.#words.length === 0) this.#bind();
    this.#core.release();
  }

  /** Whether a living participant holds it; stale the moment it returns. @throws ClosedError. */
  get isHeld(): boolean {
    if (this.#words.length === 0) this.#bind();
    return this.#core.isHeld;
  }

  /** Releases it so that nobody gets it any more. */
  abandon(): void {
    if (this.#words.length === 0) this.#bind();
    this.#core.abandon();
  }

  /** Ends the use, because the handle is closed; the memory may stay mapped. */
  close(): void {
    this.#closed = true;
    this.#words = NOTHING;
  }

  /** Takes part in the segment's locks at the first use, and not earlier: that costs a call. */
  #bind(): void {
    const segment = this.#segment;
    if (this.#closed || segment.closed) throw new ClosedError(this.#what);
    const words = new Int32Array(segment.buffer, this.#offset, LOCK_LENGTH / 4);
    const system = new SegmentSystem(segment, this.#offset, this.#bells);
    this.#core = new LockCore(words, 0, segment.participant.number, system);
    this.#words = words;
  }

  #refuse(outcome: Outcome): never {
    const action = `Cannot lock ${this.#what}`;
    if (outcome === OWN) {
      const why = "this thread holds it already, through another handle or in a callback";
      throw new StateError("EDEADLK", `${action}: ${why}`);
    }
    const why = outcome === LOST ? "a holder died, and its data were given up" : "it is busy";
    throw new StateError("ENOTRECOVERABLE", `${action}: ${why}. Make it again when nobody uses it`);
  }

  #failUnlock(): never {
    const why = "its bytes were changed, and name another holder";
    throw new StateError("EPERM", `Cannot unlock ${this.#what}: ${why}`);
  }
}
