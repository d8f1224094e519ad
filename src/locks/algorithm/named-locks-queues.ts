/*
 * The queues of a table of named locks: see named-locks-table.ts. Callers hold the table's lock.
 */
import { NUMBER_SHIFT } from "../../layout/lock-layout.ts";
import {
  LOCKS_DEATHS_WORD,
  LOCKS_FREE_REQUEST_WORD,
  LOCKS_GRANTS_WORD,
  LOCKS_NEWEST_WORD,
  LOCKS_REQUEST_COUNT_WORD,
  LOCKS_STEALS_WORD,
  NAME_FIRST_WORD,
  NAME_LAST_WORD,
  REQUEST_HELD,
  REQUEST_MARK_WORD,
  REQUEST_NAME_WORD,
  REQUEST_NEXT_WORD,
  REQUEST_NUMBER_WORD,
  REQUEST_PARTICIPANT_WORD,
  REQUEST_PREVIOUS_WORD,
  REQUEST_SHARED,
  REQUEST_STOLEN,
  REQUEST_WAITING,
} from "../../layout/named-locks-layout.ts";
import { release, storeFence } from "../../memory/atomics.ts";
import { BROKEN, type NamedLocksMemory } from "./named-locks-memory.ts";
import type { LockNames } from "./named-locks-names.ts";
import { append } from "./named-locks-repair.ts";

/** What a request does when it cannot be granted at once: waits in line, goes, or steals. */
export type Manner = "wait" | "if-available" | "steal";

/** Whom a queue asks who lives. */
export interface Census {
  /** Whether the participant of a number lives; any number. */
  isAlive(participant: number): boolean;
}

export class LockQueues {
  /** Whether something was granted, or stolen, since somebody last set these to false. */
  hasGranted = false;
  hasStolen = false;
  readonly #memory: NamedLocksMemory;
  readonly #words: Int32Array;
  readonly #names: LockNames;
  readonly #system: Census;

  constructor(memory: NamedLocksMemory, names: LockNames, system: Census) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#names = names;
    this.#system = system;
  }

  /** Lets those hold that can, from a request on; 0 is none. */
  grant(from: number): void {
    const words = this.#words;
    let request = from;
    for (let left = this.#memory.requests; request !== 0; left--) {
      const at = this.requestAt(request, left);
      const mark = words[at + REQUEST_MARK_WORD]!;
      if ((mark & ~REQUEST_SHARED) !== REQUEST_WAITING) return;
      const previous = words[at + REQUEST_PREVIOUS_WORD]!;
      const isShared = (mark & REQUEST_SHARED) !== 0;
      const isNext =
        previous === 0 || (isShared && this.#markOf(previous) === (REQUEST_HELD | REQUEST_SHARED));
      if (!isNext) return;
      release(words, at + REQUEST_MARK_WORD, REQUEST_HELD | (mark & REQUEST_SHARED));
      words[this.#memory.start + LOCKS_GRANTS_WORD]!++;
      this.hasGranted = true;
      request = words[at + REQUEST_NEXT_WORD]!;
    }
  }

  isAvailable(name: number, isShared: boolean): boolean {
    const last = this.#words[this.#memory.nameAt(name) + NAME_LAST_WORD]!;
    return last === 0 || (isShared && this.#markOf(last) === (REQUEST_HELD | REQUEST_SHARED));
  }

  /** Adds a request. @returns The request, which holds its name or waits for it. */
  add(name: number, isShared: boolean, manner: Manner, participant: number): number {
    const memory = this.#memory;
    const words = this.#words;
    const { start } = memory;
    const request = words[start + LOCKS_FREE_REQUEST_WORD]!;
    const number = memory.float(start + LOCKS_NEWEST_WORD) + 1;
    if (this.#markOf(request) !== 0 || !Number.isSafeInteger(number)) throw BROKEN;
    if (manner === "steal") this.#dispossess(name);
    const at = memory.requestAt(request);
    words[start + LOCKS_FREE_REQUEST_WORD] = words[at + REQUEST_NEXT_WORD]!;
    words[at + REQUEST_PARTICIPANT_WORD] = participant << NUMBER_SHIFT;
    words[at + REQUEST_NAME_WORD] = name;
    memory.setFloat(start + LOCKS_NEWEST_WORD, number);
    memory.setFloat(at + REQUEST_NUMBER_WORD, number);
    words[start + LOCKS_REQUEST_COUNT_WORD]!++;
    if (manner === "steal") this.#goFirst(request, name);
    else {
      const last = words[memory.nameAt(name) + NAME_LAST_WORD]!;
      if (last !== 0) this.#markOf(last);
      append(memory, request);
    }
    const mode = isShared ? REQUEST_SHARED : 0;
    release(words, at + REQUEST_MARK_WORD, REQUEST_WAITING | mode);
    const { hasGranted } = this;
    this.grant(request);
    // Nobody sleeps for what comes just now, and those who sleep for other names may sleep on.
    this.hasGranted = hasGranted;
    if (this.#markOf(request) === (REQUEST_WAITING | mode)) this.#sweepFor(request, name);
    return request;
  }

  /** Removes the dead ahead of a new request, which leaves if the system does not say who lives. */
  #sweepFor(request: number, name: number): void {
    try {
      this.sweep(name);
    } catch (error) {
      this.remove(request);
      throw error;
    }
  }

  /** Takes a name away from its holders, who learn of it from their marks. */
  #dispossess(name: number): void {
    const words = this.#words;
    const at = this.#memory.nameAt(name);
    for (let left = this.#memory.requests; left > 0; left--) {
      const first = words[at + NAME_FIRST_WORD]!;
      if (first === 0) return;
      const mark = this.#markOf(first);
      if ((mark & ~REQUEST_SHARED) !== REQUEST_HELD) return;
      this.#checkLinks(first);
      release(words, this.#memory.requestAt(first) + REQUEST_MARK_WORD, REQUEST_STOLEN);
      storeFence();
      this.#unlink(first);
      words[this.#memory.start + LOCKS_STEALS_WORD]!++;
      this.hasStolen = true;
    }
    throw BROKEN;
  }

  #goFirst(request: number, name: number): void {
    const memory = this.#memory;
    const words = this.#words;
    const at = memory.requestAt(request);
    const nameAt = memory.nameAt(name);
    const first = words[nameAt + NAME_FIRST_WORD]!;
    if (first !== 0) this.#markOf(first);
    words[at + REQUEST_PREVIOUS_WORD] = 0;
    words[at + REQUEST_NEXT_WORD] = first;
    if (first === 0) words[nameAt + NAME_LAST_WORD] = request;
    else words[memory.requestAt(first) + REQUEST_PREVIOUS_WORD] = request;
    words[nameAt + NAME_FIRST_WORD] = request;
  }

  /** Frees a request, and grants those behind it what they can have now. */
  remove(request: number): void {
    const words = this.#words;
    const { start } = this.#memory;
    const at = this.#memory.requestAt(request);
    const isQueued = (words[at + REQUEST_MARK_WORD]! & ~REQUEST_SHARED) !== REQUEST_STOLEN;
    if (isQueued) this.#checkLinks(request);
    release(words, at + REQUEST_MARK_WORD, 0);
    // Nothing else of the request may change while it still has its mark.
    storeFence();
    const next = words[at + REQUEST_NEXT_WORD]!;
    if (isQueued) this.#unlink(request);
    words[at + REQUEST_NEXT_WORD] = words[start + LOCKS_FREE_REQUEST_WORD]!;
    words[start + LOCKS_FREE_REQUEST_WORD] = request;
    words[start + LOCKS_REQUEST_COUNT_WORD]!--;
    if (!isQueued) return;
    const name = words[at + REQUEST_NAME_WORD]!;
    if (words[this.#memory.nameAt(name) + NAME_FIRST_WORD] === 0) this.#names.remove(name);
    else this.grant(next);
  }

  #unlink(request: number): void {
    const memory = this.#memory;
    const words = this.#words;
    const at = memory.requestAt(request);
    const name = memory.nameAt(words[at + REQUEST_NAME_WORD]!);
    const next = words[at + REQUEST_NEXT_WORD]!;
    const previous = words[at + REQUEST_PREVIOUS_WORD]!;
    if (previous === 0) words[name + NAME_FIRST_WORD] = next;
    else words[memory.requestAt(previous) + REQUEST_NEXT_WORD] = next;
    if (next === 0) words[name + NAME_LAST_WORD] = previous;
    else words[memory.requestAt(next) + REQUEST_PREVIOUS_WORD] = previous;
  }

  /** Removes the dead among those who hold a name, and who come next. */
  sweep(name: number): void {
    const words = this.#words;
    let request = words[this.#memory.nameAt(name) + NAME_FIRST_WORD]!;
    let living = -1;
    for (let left = this.#memory.requests; request !== 0; left--) {
      const at = this.requestAt(request, left);
      const participant = words[at + REQUEST_PARTICIPANT_WORD]! >>> NUMBER_SHIFT;
      const isWaiting = (words[at + REQUEST_MARK_WORD]! & ~REQUEST_SHARED) === REQUEST_WAITING;
      const next = words[at + REQUEST_NEXT_WORD]!;
      if (participant === living || this.#system.isAlive(participant)) {
        if (isWaiting) return;
        living = participant;
      } else this.#bury(request);
      request = next;
    }
  }

  /** Removes all requests of the dead. @returns Whether there were any. */
  sweepAll(): boolean {
    const words = this.#words;
    const alive = new Map<number, boolean>();
    let found = false;
    for (let request = 1; request <= this.#memory.requests; request++) {
      if (this.#markOf(request) === 0) continue;
      const at = this.#memory.requestAt(request);
      if (this.livesIn(alive, words[at + REQUEST_PARTICIPANT_WORD]! >>> NUMBER_SHIFT)) continue;
      this.#bury(request);
      found = true;
    }
    return found;
  }

  #bury(request: number): void {
    this.remove(request);
    this.#words[this.#memory.start + LOCKS_DEATHS_WORD]!++;
  }

  /** Asks the system once for each participant. */
  livesIn(known: Map<number, boolean>, participant: number): boolean {
    let lives = known.get(participant);
    if (lives === undefined) known.set(participant, (lives = this.#system.isAlive(participant)));
    return lives;
  }

  /** @returns The mark of a request whose number comes out of the table. */
  #markOf(request: number): number {
    return this.#words[this.requestAt(request, 1) + REQUEST_MARK_WORD]!;
  }

  /** @param left How many more may come; a loop among them would not end. */
  requestAt(request: number, left: number): number {
    if (!this.#memory.isRequest(request) || left <= 0) throw BROKEN;
    return this.#memory.requestAt(request);
  }

  nameOf(request: number): number {
    const name = this.#words[this.#memory.requestAt(request) + REQUEST_NAME_WORD]!;
    if (!this.#memory.isName(name)) throw BROKEN;
    return name;
  }

  #checkLinks(request: number): void {
    const words = this.#words;
    const at = this.#memory.requestAt(request);
    this.nameOf(request);
    for (const word of [REQUEST_NEXT_WORD, REQUEST_PREVIOUS_WORD]) {
      const other = words[at + word]!;
      if (other !== 0 && !this.#memory.isRequest(other)) throw BROKEN;
    }
  }
}
