/*
 * How a map is written: by one writer at a time in each stripe, which holds the stripe's lock.
 *
 *     set      write the entry into free units · store the slot · free the old entry's units
 *     delete   store 0 into the slot · free the units
 *
 * A writer that is killed before it stores the slot leaves the old value; after that, the new one.
 * The units that it had in hand belong to nobody until the next writer rebuilds the free list from
 * the index; the lock tells that writer of the death.
 */
import {
  BOOT_WORD,
  BUCKET_LIMIT_WORD,
  BUCKET_SLOTS,
  BUCKET_USED_WORD,
  BUCKET_WORDS,
  ENTRY_COUNT_WORD,
  ERROR_ENTRY,
  EXPIRY_WORD,
  FREE_COUNT_WORD,
  HIDDEN_COUNT_WORD,
  LOAD_AWAITED_WORD,
  LIST_ENTRY,
  LOAD_ENTRY,
  LOG_DELETED,
  LOG_EXPIRED,
  LOG_SET,
  REFUSALS_WORD,
  REPAIRS_WORD,
  SEQUENCE_WORD,
  STRIPE_HEAD_WORDS,
  VALUE_ENTRY,
} from "../../layout/map-layout.ts";
import { release, store, storeFence } from "../../memory/atomics.ts";
import type { MapMemory } from "./map-memory.ts";
import { MapEvictor } from "./map-evictor.ts";
import { MapIndex } from "./map-index.ts";
import { MapLog } from "./map-log.ts";
import { versionOf } from "./map-reader.ts";
import { rebuild } from "./map-repair.ts";
import { longestEntry, unitsFor } from "./map-shape.ts";
import { type MapDraft, freeEntry, writeEntry } from "./map-units.ts";
import type { HashedKey } from "../../struct/hashed-key.ts";

/** What the algorithm asks of the system: robust locks of the stripes, or a test's stand-in. */
export interface MapSystem {
  /** Takes a stripe's lock. @returns Whether the last owner died while it held the lock. */
  lock(stripe: number): boolean;
  unlock(stripe: number): void;
  /** Whether the participant of a number lives. */
  isAlive(participant: number): boolean;
  /** Wakes those who watch. */
  wakeWatchers(): void;
  /** Wakes those who wait for a load. */
  wakeLoads(): void;
}

/** The results of writes. */
export const STORED = 1;
export const REFUSED = 0;
/** What is there is not what was expected. */
export const UNEXPECTED = -1;

/** What a write expects to find: anything, any valid entry, none, or else the version of one. */
export const ANYTHING = -2;
export const PRESENT = -1;
export const NOTHING = 0;

/** What goes with a load of a key when that ends. */
export const LOAD_ALONE: readonly number[] = [];
export const LOAD_AND_ERROR: readonly number[] = [ERROR_ENTRY];
/** For a new value, or none: a key has no list beside its value. */
export const EVERYTHING: readonly number[] = [ERROR_ENTRY, LIST_ENTRY];

/** Changes a map. */
export class MapWriter {
  readonly evictor: MapEvictor;
  readonly log: MapLog;
  readonly #memory: MapMemory;
  readonly #words: Int32Array;
  readonly #index: MapIndex;
  readonly #system: MapSystem;
  readonly #evict: boolean;
  /** Units kept for new values of existing keys, so that a full map's values can still change. */
  readonly #reserve: number;
  readonly #longest: number;
  /** Whether a load was removed for which others wait. */
  #endedLoad = false;

  constructor(memory: MapMemory, system: MapSystem, evict: boolean) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#system = system;
    this.#evict = evict;
    this.log = new MapLog(memory);
    this.evictor = new MapEvictor(memory, this.log, (participant) => system.isAlive(participant));
    this.#index = new MapIndex(memory, this.evictor);
    this.#reserve = evict ? 0 : memory.unitCount >> 5;
    this.#longest = longestEntry(memory.shape);
  }

  /**
   * Takes the lock of a hash's stripe, and repairs what a dead owner left.
   * @returns The index of the stripe's first word.
   */
  lock(hash: number): number {
    const index = hash & this.#memory.stripeMask;
    const stripe = this.#memory.stripeOf(hash);
    if (this.#system.lock(index)) {
      rebuild(this.#memory, stripe);
      this.log.repair(stripe);
      this.#words[stripe + REPAIRS_WORD]!++;
    }
    return stripe;
  }

  unlock(hash: number): void {
    this.#system.unlock(hash & this.#memory.stripeMask);
    if (this.log.takeNews()) this.#system.wakeWatchers();
    if (!this.#endedLoad) return;
    this.#endedLoad = false;
    this.#system.wakeLoads();
  }

  /**
   * Stores a value; to readers it appears in one step. A load of the key that is under way comes to
   * nothing.
   *
   * @param expected ANYTHING, PRESENT, NOTHING or a version.
   * @returns STORED, REFUSED or UNEXPECTED.
   */
  set(key: HashedKey, draft: MapDraft, expected: number): number {
    this.measure(key, draft);
    const stripe = this.lock(key.hash);
    try {
      const slot = this.find(stripe, key);
      if (expected !== ANYTHING && !this.#isExpected(stripe, slot, expected)) return UNEXPECTED;
      return this.putValue(stripe, slot, key, draft);
    } finally {
      this.unlock(key.hash);
    }
  }

  #isExpected(stripe: number, slot: number, expected: number): boolean {
    const isThere = slot !== 0 && !this.isExpired(stripe, slot);
    if (expected === PRESENT || !isThere) return isThere === (expected !== NOTHING);
    return this.versionAt(stripe, slot) === expected;
  }

  /** Removes a key. @returns Whether its entry was there, and valid. */
  delete(key: HashedKey): boolean {
    const stripe = this.lock(key.hash);
    try {
      const slot = this.findAny(stripe, key);
      const isThere = slot !== 0 && !this.isExpired(stripe, slot);
      this.removeAt(stripe, slot, key, isThere ? LOG_DELETED : LOG_EXPIRED, EVERYTHING);
      return isThere;
    } finally {
      this.unlock(key.hash);
    }
  }

  /** Gives an entry another time to live. @returns Whether it was there, and valid. */
  touch(key: HashedKey, expiry: number): boolean {
    const stripe = this.lock(key.hash);
    try {
      const slot = this.findAny(stripe, key);
      if (slot === 0 || this.isExpired(stripe, slot)) return false;
      const { words, floats, clock } = this.#memory;
      const first = this.firstAt(stripe, slot);
      // A reader sees an old time with this start only if it never ends, so that neither matters.
      release(words, first + BOOT_WORD, clock.boot);
      storeFence();
      floats[(first + EXPIRY_WORD) >> 1] = expiry;
      const end = this.#memory.endOf(first);
      if (end !== 0) this.evictor.noteExpiry(stripe, end);
      return true;
    } finally {
      this.unlock(key.hash);
    }
  }

  /** Empties one stripe after the other. Loads that are under way come to nothing. */
  clear(): void {
    const { words, bucketMask, stripeMask } = this.#memory;
    for (let index = 0; index <= stripeMask; index++) {
      const stripe = this.lock(index);
      try {
        const isLogged = this.log.isWatched(stripe);
        if (isLogged) this.log.addSkipped(stripe);
        for (let bucket = 0; bucket <= bucketMask; bucket++) {
          const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
          for (let slot = start; slot < start + BUCKET_SLOTS; slot++) {
            if (words[slot] !== 0) store(words, slot, 0);
          }
          // Readers that still use the old limit find empty slots.
          store(words, start + BUCKET_LIMIT_WORD, 0);
        }
        if (words[stripe + HIDDEN_COUNT_WORD] !== 0) this.#endedLoad = true;
        rebuild(this.#memory, stripe);
        if (isLogged) this.log.publish(stripe);
      } finally {
        this.unlock(index);
      }
    }
  }

  /** Removes values whose time is over. @returns How many: at most `limit`. */
  flushExpired(limit: number): number {
    let removed = 0;
    for (let index = 0; index <= this.#memory.stripeMask && removed < limit; index++) {
      const stripe = this.lock(index);
      try {
        removed += this.evictor.sweep(stripe, 0, limit - removed);
      } finally {
        this.unlock(index);
      }
    }
    return removed;
  }

  /** Sets how many units a draft takes. @returns Whether a map of this shape can hold them. */
  fits(key: HashedKey, draft: MapDraft): boolean {
    const { unitWords } = this.#memory;
    draft.units = unitsFor(key.wordCount + ((draft.length + 3) >> 2), unitWords);
    return draft.units <= this.#longest;
  }

  /** Sets how many units a draft takes. @throws RangeError when this map cannot hold them. */
  measure(key: HashedKey, draft: MapDraft): void {
    if (this.fits(key, draft)) return;
    throw new RangeError(
      `Cannot store a value of ${draft.length} bytes: this map's entries have at most ` +
        `${this.#longest * this.#memory.unitWords * 4} bytes in all. Make the map larger`,
    );
  }

  // The caller holds the lock, here and below.

  /** @returns The index of the slot of a key's entry, or 0. */
  find(stripe: number, key: HashedKey, sort: number = VALUE_ENTRY): number {
    return this.#index.find(stripe, key, sort);
  }

  /** @returns The index of the slot of a key's value or list, or 0. */
  findAny(stripe: number, key: HashedKey): number {
    const slot = this.find(stripe, key);
    if (slot !== 0 || this.#words[stripe + HIDDEN_COUNT_WORD] === 0) return slot;
    return this.find(stripe, key, LIST_ENTRY);
  }

  /** @returns The index of the first word of the entry of a slot. */
  firstAt(stripe: number, slot: number): number {
    return this.#memory.firstOf(stripe, this.#memory.unitOf(this.#words[slot]!, slot));
  }

  versionAt(stripe: number, slot: number): number {
    const sequence = this.#words[this.firstAt(stripe, slot) + SEQUENCE_WORD]!;
    return versionOf(this.#words[slot]!, sequence);
  }

  isExpired(stripe: number, slot: number): boolean {
    return this.#memory.hasExpired(this.firstAt(stripe, slot));
  }

  /**
   * Stores a value like `put`, and ends a load of the key.
   * @param slot Where `find` saw the value last.
   */
  putValue(stripe: number, slot: number, key: HashedKey, draft: MapDraft): number {
    this.evictor.evicted = 0;
    const outcome = this.put(stripe, slot, key, draft);
    if (outcome === STORED) this.endLoad(stripe, key, EVERYTHING);
    return outcome;
  }

  /**
   * Removes the value or list at a slot, if that is not 0, and ends a load of the key.
   * @param others As `endLoad` takes them.
   */
  removeAt(
    stripe: number,
    slot: number,
    key: HashedKey,
    what: number,
    others: readonly number[],
  ): void {
    if (slot !== 0) this.evictor.remove(stripe, slot, what);
    this.endLoad(stripe, key, others);
  }

  /**
   * Removes what a key has beside its value: the load, and the other entries of these sorts.
   * @param others LOAD_ALONE, LOAD_AND_ERROR or EVERYTHING.
   */
  endLoad(stripe: number, key: HashedKey, others: readonly number[]): void {
    if (this.#words[stripe + HIDDEN_COUNT_WORD] === 0) return;
    const load = this.find(stripe, key, LOAD_ENTRY);
    if (load !== 0) {
      this.#endedLoad ||= this.#isAwaited(stripe, load);
      this.evictor.remove(stripe, load, LOG_DELETED);
    }
    for (const sort of others) {
      const slot = this.find(stripe, key, sort);
      if (slot !== 0) this.evictor.remove(stripe, slot, LOG_DELETED);
    }
  }

  #isAwaited(stripe: number, slot: number): boolean {
    const first = this.firstAt(stripe, slot);
    return this.#words[this.#memory.wordOfValue(stripe, first, LOAD_AWAITED_WORD)] !== 0;
  }

  /**
   * Stores an entry in the slot that `find` returned, or else in the free slot that it saw.
   * @param draft It has been measured.
   * @returns STORED or REFUSED.
   */
  put(stripe: number, slot: number, key: HashedKey, draft: MapDraft): number {
    const words = this.#words;
    const { evictor } = this;
    const { units } = draft;
    const nextExpiry = this.#memory.nextExpiryOf(stripe);
    if (nextExpiry !== 0) evictor.sweepNowAndThen(stripe, nextExpiry, slot);
    const isValue = draft.sort === VALUE_ENTRY;
    if (!this.hasRoom(stripe, slot, units, slot === 0 && isValue)) return this.refuse(stripe);
    const target = slot === 0 ? this.#index.takeFree(stripe, key, this.#evict) : slot;
    if (target === 0) return this.refuse(stripe);
    const old = words[target]!;
    // Before anything is taken, which nobody would give back.
    const oldUnit = old === 0 ? 0 : this.#memory.unitOf(old, target);
    const isLogged = isValue && this.log.isWatched(stripe);
    if (isLogged) this.log.addKey(stripe, LOG_SET, key);
    const unit = writeEntry(this.#memory, stripe, key, draft);
    if (draft.expiry !== 0) evictor.noteExpiry(stripe, draft.expiry + draft.staleMs);
    // SYNC map-slot: a reader that finds the unit here sees everything above.
    release(words, target, (key.hash & 0xff000000) | unit);
    if (old !== 0) freeEntry(this.#memory, stripe, oldUnit);
    else words[stripe + (isValue ? ENTRY_COUNT_WORD : HIDDEN_COUNT_WORD)]!++;
    if (isLogged) this.log.publish(stripe);
    return STORED;
  }

  /** Notes that the entry of a slot was used, for the eviction. */
  mark(slot: number): void {
    const index = slot & (BUCKET_WORDS - 1);
    this.#words[slot - index + BUCKET_USED_WORD]! |= 1 << index;
  }

  /** Counts a write that found no room. */
  refuse(stripe: number): number {
    this.#words[stripe + REFUSALS_WORD]!++;
    return REFUSED;
  }

  /**
   * Whether there are free units, or room could be made for them.
   *
   * @param keep The index of a slot whose entry stays, or 0.
   * @param isNew Whether it is more than a new value in the place of an old one.
   */
  hasRoom(stripe: number, keep: number, units: number, isNew: boolean): boolean {
    const floor = isNew ? this.#reserve + units : units;
    const free = this.#words[stripe + FREE_COUNT_WORD]!;
    return free >= floor || this.#makeRoom(stripe, keep, floor);
  }

  #makeRoom(stripe: number, keep: number, floor: number): boolean {
    const words = this.#words;
    const { evictor } = this;
    if (!this.#evict) {
      const nextExpiry = this.#memory.nextExpiryOf(stripe);
      if (nextExpiry !== 0 && nextExpiry <= this.#memory.clock.nowMs()) evictor.sweep(stripe, keep);
      return words[stripe + FREE_COUNT_WORD]! >= floor;
    }
    while (words[stripe + FREE_COUNT_WORD]! < floor) {
      if (!evictor.evictOne(stripe, keep)) return false;
    }
    return true;
  }
}
