/*
 * The table of named locks: for each name that somebody holds or waits for, a queue of requests.
 *
 *     name ─▶ [ held, shared ] ─▶ [ held, shared ] ─▶ [ waits, exclusive ] ─▶ [ waits, shared ]
 *
 * Invariant. In each queue the holders come first: one that is exclusive, or some that are shared.
 * Behind them stand those that wait, in the order of their requests; the first of them cannot hold
 * beside the one before it. Whoever changes a queue grants from the change on (`grant`), so that
 * this is so again when it lets go of the lock. It wakes the wait point afterwards, and each waiter
 * looks at the mark of its own request, without the lock. (SYNC named-lock-granted: the release of
 * the mark pairs with the load in `stateOf`. The unlock, a compare-and-exchange, stands between the
 * mark and the look for sleepers. After a death that wake may be missing; a waiter looks unasked
 * now and then.)
 *
 * Who writes. All words are the lock's owner's. A mark goes from 0 to WAITING, to HELD, and to 0;
 * or to STOLEN in between, by which its own participant learns of it. Nobody but that frees a
 * request, while it lives.
 *
 * Deaths of holders and waiters. A participant that the kernel says is dead stays dead. Its
 * requests are removed by whoever comes and does not get the lock, or waits and looks unasked: they
 * examine the holders, and the first that waits, since nothing else can keep a living one waiting
 * (`sweep`); and by whoever finds no room (`sweepAll`).
 *
 * Deaths of the lock's owner. A request is there exactly while its mark is not 0, and a mark is one
 * word, which is stored last when it comes and first when it goes. The text of a name is written
 * before the first mark, and not again before the last mark is 0. Everything else follows from the
 * requests that are there: the next owner makes it again (named-locks-repair.ts), and grants. A
 * thief marks those that lose the lock before itself, so that at no instant both hold it.
 *
 * Hostile bytes. Each number is checked before it is used, and each loop counts down. What cannot
 * be right is made again once; if it is wrong again at once, it is a LayoutError.
 */
import { NUMBER_SHIFT } from "../../layout/lock-layout.ts";
import {
  LOCKS_FREE_REQUEST_WORD,
  LOCKS_REPAIRS_WORD,
  REQUEST_HELD,
  REQUEST_MARK_WORD,
  REQUEST_PARTICIPANT_WORD,
  REQUEST_PREVIOUS_WORD,
  REQUEST_SHARED,
  REQUEST_WAITING,
} from "../../layout/named-locks-layout.ts";
import { load } from "../../memory/atomics.ts";
import { BROKEN, type NamedLocksMemory } from "./named-locks-memory.ts";
import { type LockKey, LockNames } from "./named-locks-names.ts";
import { type Census, LockQueues, type Manner } from "./named-locks-queues.ts";
import { rebuild } from "./named-locks-repair.ts";

/** What the table asks of the system. */
export interface NamedLocksSystem extends Census {
  /** Takes the table's lock. @returns Whether its last owner died with it. */
  lock(): boolean;
  unlock(): void;
  /** Whether it is this thread. */
  isOwn(participant: number): boolean;
  wakeWaiters(): void;
  wakeHolders(): void;
}

/** Answers of `enter` that are no requests. */
export const NOT_AVAILABLE = 0;
export const NO_REQUEST_LEFT = -1;
const NO_NAME_LEFT = -2;

/** The state of a request that is not there. */
export const GONE = 0;

/** One request in the table, for `list`. */
export interface ListedRequest {
  readonly name: string;
  readonly isHeld: boolean;
  readonly isShared: boolean;
  readonly participant: number;
}

export class NamedLocksTable {
  readonly #memory: NamedLocksMemory;
  readonly #words: Int32Array;
  readonly #system: NamedLocksSystem;
  readonly #participant: () => number;
  readonly #names: LockNames;
  readonly #queues: LockQueues;

  /** @param participant This one's number; asked for at the first request, since that costs. */
  constructor(memory: NamedLocksMemory, system: NamedLocksSystem, participant: () => number) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#system = system;
    this.#participant = participant;
    this.#names = new LockNames(memory);
    this.#queues = new LockQueues(memory, this.#names, system);
  }

  /** Fills in a new table. Nobody else may use it yet. */
  create(): void {
    rebuild(this.#memory);
  }

  /**
   * Asks for a name.
   * @returns The request; NOT_AVAILABLE, NO_REQUEST_LEFT, NO_NAME_LEFT. @throws LayoutError.
   */
  enter(key: LockKey, isShared: boolean, manner: Manner): number {
    return this.#run(() => {
      let entered = this.#enter(key, isShared, manner);
      if (entered < 0 && this.#queues.sweepAll()) entered = this.#enter(key, isShared, manner);
      return entered;
    });
  }

  /** @returns The number of a request of this participant's, which was just entered. */
  numberOf(request: number): number {
    return this.#memory.numberOf(request);
  }

  /** @returns REQUEST_WAITING, REQUEST_HELD, REQUEST_STOLEN, or GONE. Takes no lock. */
  stateOf(request: number, number: number): number {
    const { requests } = this.#memory;
    if (request > requests || this.#memory.numberOf(request) !== number) return GONE;
    const mark = load(this.#words, this.#memory.requestAt(request) + REQUEST_MARK_WORD);
    return mark & ~REQUEST_SHARED;
  }

  /** Removes the dead that keep a request waiting. */
  examine(request: number, number: number): void {
    this.#run(() => {
      if (this.stateOf(request, number) !== REQUEST_WAITING) return;
      this.#queues.sweep(this.#queues.nameOf(request));
    });
  }

  /** Whether this thread itself is ahead in the queue, so that it must not block. */
  isBehindOwn(request: number, number: number): boolean {
    return this.#run(() => {
      if (this.stateOf(request, number) !== REQUEST_WAITING) return false;
      const words = this.#words;
      let other = words[this.#memory.requestAt(request) + REQUEST_PREVIOUS_WORD]!;
      for (let left = this.#memory.requests; other !== 0; left--) {
        const at = this.#queues.requestAt(other, left);
        if (this.#system.isOwn(words[at + REQUEST_PARTICIPANT_WORD]! >>> NUMBER_SHIFT)) return true;
        other = words[at + REQUEST_PREVIOUS_WORD]!;
      }
      return false;
    });
  }

  /** Ends a request. @returns Its state until then. */
  leave(request: number, number: number): number {
    return this.#run(() => {
      const state = this.stateOf(request, number);
      if (state !== GONE) this.#queues.remove(request);
      return state;
    });
  }

  /** @returns All that hold or wait and live, in the order of their requests. */
  list(): ListedRequest[] {
    const memory = this.#memory;
    const words = this.#words;
    const found: { readonly number: number; readonly listed: ListedRequest }[] = [];
    this.#run(() => {
      found.length = 0;
      for (let request = 1; request <= memory.requests; request++) {
        const at = memory.requestAt(request);
        const mark = words[at + REQUEST_MARK_WORD]!;
        const state = mark & ~REQUEST_SHARED;
        if (state !== REQUEST_HELD && state !== REQUEST_WAITING) continue;
        const listed = {
          name: this.#names.textOf(this.#queues.nameOf(request)),
          isHeld: state === REQUEST_HELD,
          isShared: (mark & REQUEST_SHARED) !== 0,
          participant: words[at + REQUEST_PARTICIPANT_WORD]! >>> NUMBER_SHIFT,
        };
        found.push({ number: memory.numberOf(request), listed });
      }
    });
    found.sort((a, b) => a.number - b.number);
    const alive = new Map<number, boolean>();
    return found
      .map(({ listed }) => listed)
      .filter(({ participant }) => this.#queues.livesIn(alive, participant));
  }

  /** Takes the lock for an operation, and wakes afterwards whom it concerns. */
  #run<T>(operation: () => T): T {
    const system = this.#system;
    const isInherited = system.lock();
    let [hasGranted, hasStolen] = [false, false];
    try {
      if (isInherited) this.#repair();
      try {
        return operation();
      } catch (error) {
        if (error !== BROKEN) throw error;
        return this.#runAgain(operation);
      }
    } finally {
      [hasGranted, hasStolen] = [this.#queues.hasGranted, this.#queues.hasStolen];
      this.#queues.hasGranted = false;
      this.#queues.hasStolen = false;
      system.unlock();
      if (hasGranted) system.wakeWaiters();
      if (hasStolen) system.wakeHolders();
    }
  }

  #runAgain<T>(operation: () => T): T {
    this.#repair();
    try {
      return operation();
    } catch (error) {
      if (error !== BROKEN) throw error;
      return this.#memory.corrupt(this.#memory.start + LOCKS_FREE_REQUEST_WORD);
    }
  }

  #repair(): void {
    for (const request of rebuild(this.#memory)) this.#queues.grant(request);
    this.#words[this.#memory.start + LOCKS_REPAIRS_WORD]!++;
  }

  #enter(key: LockKey, isShared: boolean, manner: Manner): number {
    const words = this.#words;
    const { start } = this.#memory;
    let name = this.#names.find(key);
    if (name !== 0 && manner === "if-available" && !this.#queues.isAvailable(name, isShared)) {
      this.#queues.sweep(name);
      name = this.#names.find(key);
      if (name !== 0 && !this.#queues.isAvailable(name, isShared)) return NOT_AVAILABLE;
    }
    if (words[start + LOCKS_FREE_REQUEST_WORD] === 0) return NO_REQUEST_LEFT;
    if (name === 0) name = this.#names.add(key);
    return name === 0
      ? NO_NAME_LEFT
      : this.#queues.add(name, isShared, manner, this.#participant());
  }
}
