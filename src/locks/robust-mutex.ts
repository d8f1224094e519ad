/**
 * The robust mutex that the locks are built on: it has one owner at a time, and when the owner
 * dies, the kernel passes it on and says so.
 *
 * It is libc's own kind (robust, process-shared, errorcheck), and only this file uses it. The owner
 * is a thread. Its address must stay mapped while it is held: see `segment/holds.ts`.
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

/** The outcome of a try: one of the next five, of which the first two mean that it was taken. */
export type Outcome = number;
export const TAKEN = 0;
/** Taken from a dead owner. Without `declareWhole` before `unlock`, nobody can take it again. */
export const INHERITED = 1;
/** Another thread holds it. */
export const BUSY = 2;
/** This thread holds it already; on musl, `tryLock` answers BUSY instead. */
export const OWN = 3;
/** The data of a dead owner were given up: nobody can take it again. */
export const GIVEN_UP = 4;

// The probe of a mutex whose address is not known.
const NOTHING: Uint8Array = new Uint8Array(0);

/** Whether a try with this outcome took the mutex. */
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

/** Writes into a lock's words which libc and which processor made its mutexes. */
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

/** One mutex, as one handle uses it. */
export class RobustMutex {
  readonly #mapping: Mapping;
  readonly #offset: number;
  readonly #what: string;
  readonly #hold: Hold;
  // Its length is 1 while the address is known, the memory is mapped and the handle is open; else
  // 0.
  #probe: Uint8Array = NOTHING;
  #address = 0;
  #closed = false;

  /**
   * @param what The lock's name in messages, as in `mutex "/x"`.
   * @param hold Keeps the segment from being closed during `holding`.
   */
  constructor(mapping: Mapping, byteOffset: number, what: string, hold: Hold) {
    this.#mapping = mapping;
    this.#offset = byteOffset;
    this.#what = what;
    this.#hold = hold;
  }

  /** Makes the mutex: once, before anybody else uses it. */
  init(): void {
    const result = mutexInit(this.#mapping.address + this.#offset);
    if (result < 0) fail(`Cannot make ${this.#what}`, result, "pthread_mutex_init");
  }

  // The fast paths repeat the check of the probe and call little, because the engine inlines only
  // short functions, and only five levels deep.

  /** Takes it if it is free; does not block. */
  tryLock(): Outcome {
    if (this.#probe.length === 0) this.#locate();
    const result = mutexTryLock(this.#address);
    return result === 0 ? TAKEN : this.#outcomeOf(result, "pthread_mutex_trylock");
  }

  /** Takes it, and sleeps until it is free, for `timeoutMs` at most. */
  lockFor(timeoutMs: number): Outcome {
    if (this.#probe.length === 0) this.#locate();
    const result = mutexLock(this.#address, timeoutMs);
    return result === 0 ? TAKEN : this.#outcomeOf(result, "pthread_mutex_lock");
  }

  /**
   * Takes it if it is free, for data that need no repair: `declareWhole` is called for INHERITED.
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
   * Takes it, and blocks until it is free.
   *
   * @returns Whether the last owner died with it. Then the caller must repair the data before it
   *   unlocks; if the caller dies too, the next owner gets the same answer.
   * @throws StateError EDEADLK when this thread holds it; ENOTRECOVERABLE.
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

  /** Releases it. @throws StateError EPERM when this thread does not hold it. */
  unlock(): void {
    if (this.#probe.length === 0) this.#locate();
    const result = mutexUnlock(this.#address);
    if (result < 0) this.#failUnlock(result);
  }

  /** Tells libc, after INHERITED, that the guarded data are whole again. */
  declareWhole(): void {
    if (this.#probe.length === 0) this.#locate();
    const result = mutexConsistent(this.#address);
    if (result < 0) fail(`Cannot mend ${this.#what}`, result, "pthread_mutex_consistent");
  }

  /** Runs a user's function while the mutex is held, and keeps the segment mapped meanwhile. */
  holding<T>(call: () => T): T {
    this.#hold.held = true;
    try {
      return call();
    } finally {
      this.#hold.held = false;
    }
  }

  /** Ends the use, because the handle is closed; the memory may stay mapped. */
  close(): void {
    this.#closed = true;
    this.#probe = NOTHING;
  }

  /** Finds the address at the first use and not earlier, because a Worker maps the memory again. */
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
   * Works around glibc: when its trylock answers ENOTRECOVERABLE it keeps the lock word, which its
   * lock releases, so everyone else would wait for this thread for ever. Source:
   * nptl/pthread_mutex_trylock.c, 2.36.
   */
  #letGo(): void {
    if (mutexTryLock(this.#address) !== -E.EDEADLK) return;
    store(new Int32Array(this.#mapping.buffer, this.#offset, 1), 0, 0);
    futexWake(this.#address, 0x7fffffff);
  }

  #refuse(outcome: Outcome): never {
    const action = `Cannot lock ${this.#what}`;
    if (outcome === OWN) {
      const why = "this thread holds it already, through another handle or in a callback";
      throw new StateError("EDEADLK", `${action}: ${why}`);
    }
    const why = "an owner died, and its data were given up";
    throw new StateError("ENOTRECOVERABLE", `${action}: ${why}. Make it again when nobody uses it`);
  }

  #failUnlock(result: number): never {
    const action = `Cannot unlock ${this.#what}`;
    if (result !== -E.EPERM) fail(action, result, "pthread_mutex_unlock");
    throw new StateError("EPERM", `${action}: this thread does not hold it`);
  }
}
