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
  BUCKET_LIMIT_WORD,
  BUCKET_USED_WORD,
  BUCKET_WORDS,
  ENTRY_COUNT_WORD,
  FREE_COUNT_WORD,
  HASH_WORD,
  KEY_LENGTH_WORD,
  MAX_PROBE_DISTANCE,
  REFUSALS_WORD,
  REPAIRS_WORD,
  BUCKET_SLOTS,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";
import { load, release, store } from "../../memory/atomics.ts";
import { type MapMemory, startsWith } from "./map-memory.ts";
import { MapEvictor } from "./map-evictor.ts";
import { rebuild } from "./map-repair.ts";
import type { HashedKey } from "../../struct/hashed-key.ts";
import type { Scratch } from "../../struct/scratch.ts";
import { longestEntry, unitsFor } from "./map-shape.ts";
import { freeEntry, writeEntry } from "./map-units.ts";

/** The locks of the stripes: robust mutexes, or a test's stand-in. */
export interface StripeLocks {
  /** Takes a lock. @returns Whether the last owner died while it held the lock. */
  lock(stripe: number): boolean;
  unlock(stripe: number): void;
}

/** The results of `put` and `set`. */
export const STORED = 1;
export const REFUSED = 0;
const EXISTS = -1;

/** Changes a map. */
export class MapWriter {
  readonly #memory: MapMemory;
  readonly #words: Int32Array;
  readonly #locks: StripeLocks;
  readonly #evict: boolean;
  readonly #evictor: MapEvictor;
  /** Units kept for new values of existing keys, so that a full map's values can still change. */
  readonly #reserve: number;
  readonly #longest: number;
  /** Where `find` saw the first free slot, 0 when there is none; and its distance from home. */
  #freeSlot = 0;
  #freeDistance = 0;

  constructor(memory: MapMemory, locks: StripeLocks, evict: boolean) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#locks = locks;
    this.#evict = evict;
    this.#evictor = new MapEvictor(memory);
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
    if (this.#locks.lock(index)) {
      rebuild(this.#memory, stripe);
      this.#words[stripe + REPAIRS_WORD]!++;
    }
    return stripe;
  }

  unlock(hash: number): void {
    this.#locks.unlock(hash & this.#memory.stripeMask);
  }

  /** Stores a value; to readers it appears in one step. @returns STORED, REFUSED or EXISTS. */
  set(key: HashedKey, value: Scratch, length: number, expiry: number, ifAbsent: boolean): number {
    const need = this.checkLength(key, length);
    const stripe = this.lock(key.hash);
    try {
      const slot = this.find(stripe, key);
      if (ifAbsent && slot !== 0 && !this.isExpired(stripe, slot)) return EXISTS;
      return this.put(stripe, slot, key, value, length, expiry, need);
    } finally {
      this.unlock(key.hash);
    }
  }

  /** Removes a key. @returns Whether its entry was there, and valid. */
  delete(key: HashedKey): boolean {
    const stripe = this.lock(key.hash);
    try {
      const slot = this.find(stripe, key);
      if (slot === 0) return false;
      const expired = this.isExpired(stripe, slot);
      this.#evictor.remove(stripe, slot);
      return !expired;
    } finally {
      this.unlock(key.hash);
    }
  }

  /** Empties one stripe after the other. */
  clear(): void {
    const { words, bucketMask, stripeMask } = this.#memory;
    for (let index = 0; index <= stripeMask; index++) {
      const stripe = this.lock(index);
      try {
        for (let bucket = 0; bucket <= bucketMask; bucket++) {
          const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
          for (let slot = start; slot < start + BUCKET_SLOTS; slot++) {
            if (words[slot] !== 0) store(words, slot, 0);
          }
          // Readers that still use the old limit find empty slots.
          store(words, start + BUCKET_LIMIT_WORD, 0);
        }
        rebuild(this.#memory, stripe);
      } finally {
        this.unlock(index);
      }
    }
  }

  /** @returns The units that an entry takes. @throws RangeError when this map cannot hold it. */
  checkLength(key: HashedKey, length: number): number {
    const { unitWords } = this.#memory;
    const need = unitsFor(key.wordCount + ((length + 3) >> 2), unitWords);
    if (need <= this.#longest) return need;
    throw new RangeError(
      `Cannot store a value of ${length} bytes: this map's entries have at most ` +
        `${this.#longest * unitWords * 4} bytes in all. Make the map larger`,
    );
  }

  /** @returns The index of a key's slot, or 0. The caller holds the lock, here and below. */
  find(stripe: number, key: HashedKey): number {
    const memory = this.#memory;
    const words = this.#words;
    const { hash } = key;
    const home = memory.bucketOf(hash);
    const tag = hash >>> 24;
    const units = stripe + memory.unitsOffset;
    const limit = load(words, stripe + STRIPE_HEAD_WORDS + home * BUCKET_WORDS + BUCKET_LIMIT_WORD);
    const last = limit >= 0 && limit < MAX_PROBE_DISTANCE ? limit : MAX_PROBE_DISTANCE;
    this.#freeSlot = 0;
    for (let distance = 0; distance <= MAX_PROBE_DISTANCE; distance++) {
      // Beyond the limit there can only be a free slot.
      if (distance > last && this.#freeSlot !== 0) return 0;
      const bucket =
        stripe + STRIPE_HEAD_WORDS + ((home + distance) & memory.bucketMask) * BUCKET_WORDS;
      let slot = (hash >>> 18) % BUCKET_SLOTS;
      for (let count = 0; count < BUCKET_SLOTS; count++) {
        const reference = words[bucket + slot]!;
        if (reference === 0) {
          if (this.#freeSlot === 0) {
            this.#freeSlot = bucket + slot;
            this.#freeDistance = distance;
          }
        } else if (reference >>> 24 === tag && distance <= last) {
          const first = units + memory.unitOf(reference, bucket + slot) * memory.unitWords;
          if (
            words[first + HASH_WORD] === hash &&
            words[first + KEY_LENGTH_WORD] === key.length &&
            startsWith(memory, units, first, key.words, key.wordCount)
          ) {
            return bucket + slot;
          }
        }
        if (++slot >= BUCKET_SLOTS) slot = 0;
      }
    }
    return 0;
  }

  /** Removes the entry of a slot. */
  remove(stripe: number, slot: number): void {
    this.#evictor.remove(stripe, slot);
  }

  isExpired(stripe: number, slot: number): boolean {
    const memory = this.#memory;
    const unit = this.#words[slot]! & 0xffffff;
    return memory.hasExpired(stripe + memory.unitsOffset + unit * memory.unitWords);
  }

  /**
   * Stores an entry in the slot that `find` returned, or else in the free slot that it saw.
   *
   * @param need The units that the entry takes, as `checkLength` returned them.
   * @returns STORED or REFUSED.
   */
  put(
    stripe: number,
    slot: number,
    key: HashedKey,
    value: Scratch,
    length: number,
    expiry: number,
    need: number,
  ): number {
    const words = this.#words;
    const evictor = this.#evictor;
    const nextExpiry = this.#memory.nextExpiryOf(stripe);
    if (nextExpiry !== 0) evictor.sweepNowAndThen(stripe, nextExpiry, slot);
    const floor = slot === 0 ? this.#reserve + need : need;
    if (words[stripe + FREE_COUNT_WORD]! < floor && !this.#makeRoom(stripe, slot, floor)) {
      words[stripe + REFUSALS_WORD]!++;
      return REFUSED;
    }
    let target = slot;
    if (slot === 0) {
      target = this.#freeSlot;
      if (target === 0 || words[target] !== 0) {
        if (!this.#evict) {
          words[stripe + REFUSALS_WORD]!++;
          return REFUSED;
        }
        target = evictor.evictFrom(stripe, this.#memory.bucketOf(key.hash));
        this.#freeDistance = 0;
      }
      this.#raiseLimit(stripe, key.hash, this.#freeDistance);
      const index = (target - stripe) & (BUCKET_WORDS - 1);
      words[target - index + BUCKET_USED_WORD]! &= ~(1 << index);
    }
    const old = words[target]!;
    // Before anything is taken, which nobody would give back.
    const oldUnit = old === 0 ? 0 : this.#memory.unitOf(old, target);
    const unit = writeEntry(this.#memory, stripe, key, value, length, expiry);
    if (expiry !== 0) evictor.noteExpiry(stripe, expiry);
    // SYNC map-slot: a reader that finds the unit here sees everything above.
    release(words, target, (key.hash & 0xff000000) | unit);
    if (old === 0) words[stripe + ENTRY_COUNT_WORD]!++;
    else freeEntry(this.#memory, stripe, oldUnit);
    return STORED;
  }

  #makeRoom(stripe: number, keep: number, floor: number): boolean {
    const words = this.#words;
    const evictor = this.#evictor;
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

  /** SYNC map-limit: raised before the slot is stored that lies this far from home. */
  #raiseLimit(stripe: number, hash: number, distance: number): void {
    const words = this.#words;
    const home = stripe + STRIPE_HEAD_WORDS + this.#memory.bucketOf(hash) * BUCKET_WORDS;
    if (load(words, home + BUCKET_LIMIT_WORD) < distance)
      store(words, home + BUCKET_LIMIT_WORD, distance);
  }
}
