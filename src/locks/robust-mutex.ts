/**
 * The robust mutex that everything here stands on: one owner at a time, and the kernel passes it on
 * when the owner dies, and says so.
 *
 * It is libc's own (robust, process-shared, errorcheck), and this file is all that knows it. The
 * owner is a thread. Its address must stay mapped while it is held: see `segment/holds.ts`.
 */
import { ClosedError, LayoutError, StateError, UnsupportedError } from "../errors.ts";
import { hex } from "../arguments.ts";
import { MUTEX_ABI_OFFSET } from "../layout/mutex-layout.ts";
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
import { load, store } from "../memory/atomics.ts";
import type { Mapping } from "../memory/mapping.ts";
import type { Hold } from "../segment/holds.ts";
import type { Placed } from "../segment/placed.ts";
import { LOCK_TRIES, SLICE_MS } from "../waiting/limits.ts";

/** What came of a try: one of the next five, of which the first two took it. */
export type Outcome = number;
export const TAKEN = 0;
/** Taken from an owner that died: `declareWhole` before `unlock`, or nobody gets it any more. */
export const INHERITED = 1;
/** Another thread has it. */
export const BUSY = 2;
/** This thread has it; musl says BUSY to a try. */
export const OWN = 3;
/** What a dead owner left was given up: nobody gets it any more. */
export const GIVEN_UP = 4;

// What a mutex without a known address has for a probe.
const NOTHING: Uint8Array = new Uint8Array(0);

/** Whether a try took it. */
export function isMine(outcome: Outcome): boolean {
  return outcome <= INHERITED;
}

/** @throws UnsupportedError where libc has no such mutex. */
export function checkRobustMutex(noun: string): void {
  if (HAS_ROBUST_MUTEX) return;
  throw new UnsupportedError(
    `Cannot use a ${noun}: ${process.platform} has no mutex that outlives its owner`,
  );
}

/** Notes in a lock's words which libc and processor made its mutexes. */
export function writeAbi(words: Int32Array): void {
  words[MUTEX_ABI_OFFSET >> 2] = MUTEX_ABI;
}

/** @throws LayoutError when another libc, or another processor's, made a lock's mutexes. */
export function checkAbi({ what, offset }: Placed, words: Int32Array): void {
  const abi = load(words, MUTEX_ABI_OFFSET >> 2);
  if (abi === MUTEX_ABI) return;
  throw new LayoutError(`Cannot open ${what}: another libc or processor made it`, {
    expected: hex(MUTEX_ABI),
    found: hex(abi),
    offset: offset + MUTEX_ABI_OFFSET,
  });
}

/** One mutex. */
export class RobustMutex {
  readonly #mapping: Mapping;
  readonly #offset: number;
  readonly #what: string;
  readonly #hold: Hold;
  // With a length while the address is known, the memory is there, and the handle is not closed.
  #probe: Uint8Array = NOTHING;
  #address = 0;
  #closed = false;

  /**
   * @param what For messages, as in `mutex "/x"`.
   * @param hold What makes the segment refuse to be closed during `holding`.
   */
  constructor(mapping: Mapping, byteOffset: number, what: string, hold: Hold) {
    this.#mapping = mapping;
    this.#offset = byteOffset;
    this.#what = what;
    this.#hold = hold;
  }

  /** Makes the mutex; once, before anybody else sees it. */
  init(): void {
    const result = mutexInit(this.#mapping.address + this.#offset);
    if (result < 0) fail(`Cannot make ${this.#what}`, result, "pthread_mutex_init");
  }

  // The fast paths are flat, and repeat the check of the probe: the engine inlines what is short,
  // and five calls deep at most.

  /** Takes it at once or not at all. */
  tryLock(): Outcome {
    if (this.#probe.length === 0) this.#locate();
    const result = mutexTryLock(this.#address);
    return result === 0 ? TAKEN : this.#outcomeOf(result, "pthread_mutex_trylock");
  }

  /** As `tryLock`, but sleeps until it is free, for so many ms at most. */
  lockFor(milliseconds: number): Outcome {
    if (this.#probe.length === 0) this.#locate();
    const result = mutexLock(this.#address, milliseconds);
    return result === 0 ? TAKEN : this.#outcomeOf(result, "pthread_mutex_lock");
  }

  /**
   * As `tryLock`, for what needs no repair: after INHERITED it is whole.
   * @throws StateError ENOTRECOVERABLE.
   */
  tryTake(): Outcome {
    if (this.#probe.length === 0) this.#locate();
    const result = mutexTryLock(this.#address);
    return result === 0 ? TAKEN : this.#settle(result);
  }

  #settle(result: number): Outcome {
    const outcome = this.#outcomeOf(result, "pthread_mutex_trylock");
    if (outcome === INHERITED) this.declareWhole();
    return outcome === GIVEN_UP ? this.#refuse(outcome) : outcome;
  }

  /**
   * Takes it, however long its owner needs.
   *
   * @returns Whether the last owner died with it. The data are the caller's to repair, before it
   *   unlocks; if it dies as well, the next one learns of it.
   * @throws StateError EDEADLK when this thread has it; ENOTRECOVERABLE.
   */
  lock(): boolean {
    const outcome = this.tryLock();
    return outcome === TAKEN ? false : this.#lockSlowly(outcome);
  }

  #lockSlowly(first: Outcome): boolean {
    let outcome = first;
    for (let tries = 0; outcome === BUSY && tries < LOCK_TRIES; tries++) outcome = this.tryLock();
    while (outcome === BUSY) outcome = this.lockFor(SLICE_MS);
    if (outcome === TAKEN) return false;
    if (outcome !== INHERITED) return this.#refuse(outcome);
    this.declareWhole();
    return true;
  }

  /** Gives it back. @throws StateError EPERM when this thread does not have it. */
  unlock(): void {
    if (this.#probe.length === 0) this.#locate();
    const result = mutexUnlock(this.#address);
    if (result < 0) this.#failUnlock(result);
  }

  /** For who inherited it: what it guards is whole again. */
  declareWhole(): void {
    if (this.#probe.length === 0) this.#locate();
    const result = mutexConsistent(this.#address);
    if (result < 0) fail(`Cannot mend ${this.#what}`, result, "pthread_mutex_consistent");
  }

  /** Runs a user's function while it is held: its segment stays mapped meanwhile. */
  holding<T>(call: () => T): T {
    this.#hold.held = true;
    try {
      return call();
    } finally {
      this.#hold.held = false;
    }
  }

  /** Ends the use by a handle that is closed, whether or not the memory goes. */
  close(): void {
    this.#closed = true;
    this.#probe = NOTHING;
  }

  /** At the first use, and not before: a Worker maps the memory once more for it. */
  #locate(): void {
    if (this.#closed || this.#mapping.detached) throw new ClosedError(this.#what);
    this.#address = this.#mapping.lastingAddress + this.#offset;
    this.#probe = new Uint8Array(this.#mapping.buffer, this.#offset, 1);
  }

  #outcomeOf(result: number, syscall: string): Outcome {
    if (result === -E.EBUSY || result === -E.ETIMEDOUT) return BUSY;
    if (result === -E.EOWNERDEAD) return INHERITED;
    if (result === -E.EDEADLK) return OWN;
    if (result !== -E.ENOTRECOVERABLE) fail(`Cannot lock ${this.#what}`, result, syscall);
    this.#letGo();
    return GIVEN_UP;
  }

  /**
   * glibc's trylock keeps the lock word when it answers ENOTRECOVERABLE, where its lock lets go of
   * it: everyone else would wait for this thread. Source: nptl/pthread_mutex_trylock.c, 2.36.
   */
  #letGo(): void {
    if (mutexTryLock(this.#address) !== -E.EDEADLK) return;
    store(new Int32Array(this.#mapping.buffer, this.#offset, 1), 0, 0);
    futexWake(this.#address, 0x7fffffff);
  }

  #refuse(outcome: Outcome): never {
    const action = `Cannot lock ${this.#what}`;
    if (outcome === OWN) {
      const why = "this thread has it already, through another handle or in a callback";
      throw new StateError("EDEADLK", `${action}: ${why}`);
    }
    const why = "an owner died, and what it left was given up";
    throw new StateError("ENOTRECOVERABLE", `${action}: ${why}. Make it again when nobody uses it`);
  }

  #failUnlock(result: number): never {
    const action = `Cannot unlock ${this.#what}`;
    if (result !== -E.EPERM) fail(action, result, "pthread_mutex_unlock");
    throw new StateError("EPERM", `${action}: this thread does not have it`);
  }
}
