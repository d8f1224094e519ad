/*
 * The keys of a stripe: chains from buckets, the order of their last use, and the free entries.
 * Callers hold the stripe's lock.
 *
 *     add      a free entry, or the one that was used longest ago · state and key · mark
 *     remove   mark: 0 · links
 *
 * An entry is there exactly while its mark is not 0, and the mark is one word. So whoever is killed
 * leaves each key there or not there, and a key that is not there has taken nothing: a new one was
 * not asked yet, and one that goes was to be forgotten. The links follow from the entries, and the
 * next owner makes them again. It does so too when a number in them cannot be right, which only
 * hostile bytes bring about; if that is so again at once, it is an error.
 */
import {
  CURRENT_WORD,
  ENTRY_COUNT_WORD,
  EXPIRED_WORD,
  FREE_HEAD_WORD,
  HASH_WORD,
  KEY_WORD,
  LOST_WORD,
  MARK_WORD,
  NEWER_WORD,
  NEWEST_WORD,
  NEXT_WORD,
  OLDER_WORD,
  OLDEST_WORD,
  REPAIRS_WORD,
  USED_WORD,
  USES_WORD,
} from "../../layout/limiter-layout.ts";
import { release, storeFence } from "../../memory/atomics.ts";
import type { LimiterMemory } from "./limiter-memory.ts";
import { rebuild } from "./limiter-repair.ts";
import type { Rule } from "./rule.ts";

/** A key as an entry stores it. */
export interface StoredKey {
  readonly hash: number;
  /** Bytes of the whole key plus 1. */
  readonly mark: number;
  /** What is stored: the key, filled up to a word, or its SHA-256. */
  readonly words: Int32Array;
  readonly wordCount: number;
}

/** In the place of an entry: a number in the index cannot be right. */
const BROKEN = -1;

export class LimiterTable {
  readonly #memory: LimiterMemory;
  readonly #words: Int32Array;
  readonly #rule: Rule;

  constructor(memory: LimiterMemory, rule: Rule) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#rule = rule;
  }

  /** @returns The index of the first word of a key's entry; 0 when there is none. */
  find(stripe: number, key: StoredKey): number {
    const cell = this.#seek(stripe, key);
    return cell === BROKEN ? this.#findAgain(stripe, key) : cell;
  }

  #findAgain(stripe: number, key: StoredKey): number {
    this.repair(stripe);
    const cell = this.#seek(stripe, key);
    return cell === BROKEN ? this.#memory.corrupt(stripe + NEWEST_WORD) : cell;
  }

  #seek(stripe: number, key: StoredKey): number {
    const memory = this.#memory;
    const words = this.#words;
    const { hash, mark } = key;
    let entry = words[memory.bucketOf(stripe, hash)]!;
    for (let left = memory.entryCount; entry !== 0; left--) {
      if (!memory.isEntry(entry) || left === 0) return BROKEN;
      const cell = memory.cellOf(stripe, entry);
      if (
        words[cell + HASH_WORD] === hash &&
        words[cell + MARK_WORD] === mark &&
        this.#isKey(cell, key)
      ) {
        return cell;
      }
      entry = words[cell + NEXT_WORD]!;
    }
    return 0;
  }

  #isKey(cell: number, { words: key, wordCount }: StoredKey): boolean {
    const words = this.#words;
    for (let at = 0; at < wordCount; at++) {
      if (words[cell + KEY_WORD + at] !== key[at]) return false;
    }
    return true;
  }

  /** Finds a key, or adds it, and makes it the one that was used last. @returns Its first word. */
  use(stripe: number, key: StoredKey, now: number): number {
    const cell = this.find(stripe, key);
    if (cell === 0) return this.#add(stripe, key, now);
    const entry = this.#entryOf(stripe, cell);
    if (this.#words[stripe + NEWEST_WORD] === entry) return cell;
    if (!this.#leaveOrder(stripe, cell)) {
      this.repair(stripe);
      if (this.#words[stripe + NEWEST_WORD] === entry) return cell;
      if (!this.#leaveOrder(stripe, cell)) this.#memory.corrupt(stripe + NEWEST_WORD);
    }
    this.#makeNewest(stripe, cell, entry);
    return cell;
  }

  /** Removes an entry that was found. */
  remove(stripe: number, cell: number): void {
    const words = this.#words;
    const entry = this.#entryOf(stripe, cell);
    release(words, cell + MARK_WORD, 0);
    // Nothing else of the entry may change while it still has its mark.
    storeFence();
    if (!this.#leaveChain(stripe, cell, entry) || !this.#leaveOrder(stripe, cell)) {
      this.repair(stripe);
      return;
    }
    words[cell + NEXT_WORD] = words[stripe + FREE_HEAD_WORD]!;
    words[stripe + FREE_HEAD_WORD] = entry;
    words[stripe + ENTRY_COUNT_WORD]!--;
  }

  /** Makes all that follows from the entries, and counts that it did. */
  repair(stripe: number): void {
    rebuild(this.#memory, stripe);
    this.#words[stripe + REPAIRS_WORD]!++;
  }

  #add(stripe: number, key: StoredKey, now: number): number {
    const words = this.#words;
    const entry = this.#takeFree(stripe, now);
    const cell = this.#memory.cellOf(stripe, entry);
    const { hash, words: keyWords, wordCount } = key;
    words[stripe + FREE_HEAD_WORD] = words[cell + NEXT_WORD]!;
    words[cell + HASH_WORD] = hash;
    words[cell + CURRENT_WORD] = 0;
    for (let at = 0; at < wordCount; at++) words[cell + KEY_WORD + at] = keyWords[at]!;
    this.#rule.fill(cell, now);
    this.#makeNewest(stripe, cell, entry);
    const bucket = this.#memory.bucketOf(stripe, hash);
    words[cell + NEXT_WORD] = words[bucket]!;
    words[bucket] = entry;
    release(words, cell + MARK_WORD, key.mark);
    words[stripe + ENTRY_COUNT_WORD]!++;
    return cell;
  }

  /** @returns The first free entry; if there was none, the oldest one was removed. */
  #takeFree(stripe: number, now: number): number {
    const words = this.#words;
    // Once more after a repair, and after the oldest one went.
    for (let tries = 0; tries < 3; tries++) {
      const entry = words[stripe + FREE_HEAD_WORD]!;
      if (entry !== 0) {
        if (this.#isMarked(stripe, entry, false)) return entry;
        this.repair(stripe);
        continue;
      }
      const oldest = words[stripe + OLDEST_WORD]!;
      if (!this.#isMarked(stripe, oldest, true)) {
        this.repair(stripe);
        continue;
      }
      const cell = this.#memory.cellOf(stripe, oldest);
      words[stripe + (this.#rule.isFull(cell, now) ? EXPIRED_WORD : LOST_WORD)]!++;
      this.remove(stripe, cell);
    }
    const entry = words[stripe + FREE_HEAD_WORD]!;
    return this.#isMarked(stripe, entry, false)
      ? entry
      : this.#memory.corrupt(stripe + FREE_HEAD_WORD);
  }

  /** @returns Whether there is such an entry, and it is in use, or free. */
  #isMarked(stripe: number, entry: number, isUsed: boolean): boolean {
    const memory = this.#memory;
    if (!memory.isEntry(entry)) return false;
    return (this.#words[memory.cellOf(stripe, entry) + MARK_WORD] !== 0) === isUsed;
  }

  #entryOf(stripe: number, cell: number): number {
    const { entriesOffset, entryWords } = this.#memory;
    return ((cell - stripe - entriesOffset) / entryWords) | 0;
  }

  /** @returns Whether all numbers were right; if not, nothing changed. */
  #leaveOrder(stripe: number, cell: number): boolean {
    const memory = this.#memory;
    const words = this.#words;
    const newer = words[cell + NEWER_WORD]!;
    const older = words[cell + OLDER_WORD]!;
    if (newer !== 0 && !memory.isEntry(newer)) return false;
    if (older !== 0 && !memory.isEntry(older)) return false;
    if (newer === 0) words[stripe + NEWEST_WORD] = older;
    else words[memory.cellOf(stripe, newer) + OLDER_WORD] = older;
    if (older === 0) words[stripe + OLDEST_WORD] = newer;
    else words[memory.cellOf(stripe, older) + NEWER_WORD] = newer;
    return true;
  }

  #makeNewest(stripe: number, cell: number, entry: number): void {
    const memory = this.#memory;
    const words = this.#words;
    const { floats } = memory;
    const newest = words[stripe + NEWEST_WORD]!;
    words[cell + NEWER_WORD] = 0;
    words[cell + OLDER_WORD] = newest;
    if (memory.isEntry(newest)) words[memory.cellOf(stripe, newest) + NEWER_WORD] = entry;
    else words[stripe + OLDEST_WORD] = entry;
    words[stripe + NEWEST_WORD] = entry;
    const use = floats[(stripe + USES_WORD) >> 1]! + 1;
    floats[(stripe + USES_WORD) >> 1] = use;
    floats[(cell + USED_WORD) >> 1] = use;
  }

  /** @returns Whether the entry was in its chain. */
  #leaveChain(stripe: number, cell: number, entry: number): boolean {
    const memory = this.#memory;
    const words = this.#words;
    let at = memory.bucketOf(stripe, words[cell + HASH_WORD]!);
    for (let left = memory.entryCount; left > 0; left--) {
      const next = words[at]!;
      if (next === entry) {
        words[at] = words[cell + NEXT_WORD]!;
        return true;
      }
      if (!memory.isEntry(next)) return false;
      at = memory.cellOf(stripe, next) + NEXT_WORD;
    }
    return false;
  }
}
