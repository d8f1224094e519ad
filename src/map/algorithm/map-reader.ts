/*
 * How a map is read without a lock.
 *
 * The unit that a slot refers to may be freed, and used for another entry, at any moment. So:
 *
 *     read the slot · read the unit's sequence · the slot still says the same    (1)
 *     compare the key, copy the value
 *     the unit's sequence is the same                                            (2)
 *
 * A writer removes an entry from its slot before it raises the unit's sequence, and raises that
 * before the unit can be written again. By (1) the sequence is the one that the unit had while the
 * slot referred to it, and by (2) nothing was freed until after the copy. SYNC map-slot and SYNC
 * map-sequence name the pairs.
 *
 * An entry stays in its slot as long as it lives, and a new value of a key takes the slot of the
 * old value. So a reader that finds no slot with the key has seen a moment without the key.
 */
import {
  BUCKET_LIMIT_WORD,
  BUCKET_USED_WORD,
  BUCKET_WORDS,
  HASH_WORD,
  KEY_LENGTH_WORD,
  MAX_KEY_LENGTH,
  MAX_PROBE_DISTANCE,
  SEQUENCE_WORD,
  BUCKET_SLOTS,
  STRIPE_HEAD_WORDS,
  VALUE_LENGTH_WORD,
} from "../../layout/map-layout.ts";
import { load, loadFence } from "../../memory/atomics.ts";
import { type MapMemory, copyOut, startsWith } from "./map-memory.ts";
import type { HashedKey } from "../../struct/hashed-key.ts";
import type { Scratch } from "../../struct/scratch.ts";
import { longestEntry } from "./map-shape.ts";

/** Results that stand in the place of a length. */
export const ABSENT = -1;
const CHANGED = -2;
const OTHER_KEY = -3;

/** A read that fails this often meets bytes that are no map. */
const MAX_ATTEMPTS = 100_000;

/** Looks entries up, and copies them out. */
export class MapReader {
  readonly #memory: MapMemory;
  readonly #words: Int32Array;
  readonly #value: Scratch;
  readonly #marks: boolean;
  /** The bytes of the longest value that a map of this shape can hold. */
  readonly #longest: number;
  /** When the entry that was read last expires, by the map's clock; 0: never. */
  expiry = 0;
  /** Bytes of the key that `readSlot` read last, which starts the scratch. */
  keyLength = 0;

  /**
   * @param value The scratch that values are copied to.
   * @param marks Whether it marks what was read, for the eviction.
   */
  constructor(memory: MapMemory, value: Scratch, marks = true) {
    this.#memory = memory;
    this.#marks = marks;
    this.#words = memory.words;
    this.#value = value;
    this.#longest = longestEntry(memory.shape) * memory.unitWords * 4;
  }

  /**
   * Copies a key's value to the scratch.
   * @param copies Whether to copy it, and not only to find it.
   * @returns The value's length in bytes, 0 if it is not copied; ABSENT without a valid entry.
   * @throws LayoutError when the bytes are no map.
   */
  read(key: HashedKey, copies = true): number {
    const memory = this.#memory;
    const words = this.#words;
    const { hash } = key;
    const stripe = memory.stripeOf(hash);
    const home = memory.bucketOf(hash);
    const tag = hash >>> 24;
    let bucket = stripe + STRIPE_HEAD_WORDS + home * BUCKET_WORDS;
    // SYNC map-limit: a writer raises the limit before it stores a slot further on.
    const limit = load(words, bucket + BUCKET_LIMIT_WORD);
    const last = limit >= 0 && limit < MAX_PROBE_DISTANCE ? limit : MAX_PROBE_DISTANCE;
    for (let distance = 0; ; distance++) {
      let slot = (hash >>> 18) % BUCKET_SLOTS;
      for (let count = 0; count < BUCKET_SLOTS; count++) {
        const reference = words[bucket + slot]!;
        if (reference >>> 24 === tag && reference !== 0) {
          const length = this.#readReferenced(key, stripe, bucket, slot, copies);
          if (length !== OTHER_KEY) return length;
        }
        if (++slot >= BUCKET_SLOTS) slot = 0;
      }
      if (distance >= last) return ABSENT;
      const further = (home + distance + 1) & memory.bucketMask;
      bucket = stripe + STRIPE_HEAD_WORDS + further * BUCKET_WORDS;
    }
  }

  /**
   * Copies the value of a key to the scratch, like `read`, for a writer that has found its slot.
   * @param slot The index of the slot's word.
   */
  readAt(key: HashedKey, stripe: number, slot: number): number {
    const index = (slot - stripe) & (BUCKET_WORDS - 1);
    return this.#readReferenced(key, stripe, slot - index, index, true);
  }

  #readReferenced(
    key: HashedKey,
    stripe: number,
    bucket: number,
    slot: number,
    copies: boolean,
  ): number {
    const words = this.#words;
    const tag = key.hash >>> 24;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const reference = load(words, bucket + slot);
      if (reference >>> 24 !== tag || reference === 0) return OTHER_KEY;
      const length = this.#attempt(key, stripe, bucket + slot, reference, copies);
      if (length === CHANGED) continue;
      if (length >= 0 && this.#marks) {
        const used = words[bucket + BUCKET_USED_WORD]!;
        // A bit that a concurrent store overwrites costs an entry its second chance, and no more.
        if ((used & (1 << slot)) === 0) words[bucket + BUCKET_USED_WORD] = used | (1 << slot);
      }
      return length;
    }
    return this.#memory.corrupt("a slot that never comes to rest", bucket + slot);
  }

  #attempt(
    key: HashedKey,
    stripe: number,
    slot: number,
    reference: number,
    copies: boolean,
  ): number {
    const memory = this.#memory;
    const words = this.#words;
    const unit = memory.unitOf(reference, slot);
    const units = stripe + memory.unitsOffset;
    const first = units + unit * memory.unitWords;
    // SYNC map-slot: pairs with the store of the slot in MapWriter.
    const sequence = load(words, first + SEQUENCE_WORD);
    if (load(words, slot) !== reference) return CHANGED;
    let length = OTHER_KEY;
    if (
      words[first + HASH_WORD] === key.hash &&
      words[first + KEY_LENGTH_WORD] === key.length &&
      startsWith(memory, units, first, key.words, key.wordCount)
    ) {
      length = copies
        ? this.#copy(units, first, key.wordCount, 0, sequence)
        : memory.hasExpired(first)
          ? ABSENT
          : 0;
    }
    loadFence();
    // SYNC map-sequence: pairs with the addition in `freeEntry`.
    return load(words, first + SEQUENCE_WORD) === sequence ? length : CHANGED;
  }

  /**
   * Copies an entry's payload, without its first `skip` words: `keyWords` words of the key, and the
   * value.
   * @returns The value's length in bytes; ABSENT when it has expired; CHANGED when it was freed.
   */
  #copy(units: number, first: number, skip: number, keyWords: number, sequence: number): number {
    const memory = this.#memory;
    const expiry = memory.expiryOf(first);
    const length = this.#words[first + VALUE_LENGTH_WORD]!;
    if (length >= 0 && length <= this.#longest) {
      if (this.#value.lacks(length + MAX_KEY_LENGTH)) {
        // A torn length must not make this process allocate.
        if (load(this.#words, first + SEQUENCE_WORD) !== sequence) return CHANGED;
        this.#value.reserve(length + MAX_KEY_LENGTH);
      }
      this.expiry = expiry;
      const count = keyWords + ((length + 3) >> 2);
      if (copyOut(memory, units, first, skip, count, this.#value.fixed)) {
        return expiry !== 0 && expiry <= memory.clock.nowMs() ? ABSENT : length;
      }
    }
    if (load(this.#words, first + SEQUENCE_WORD) !== sequence) return CHANGED;
    return memory.corrupt("an entry", first + VALUE_LENGTH_WORD);
  }

  /**
   * Copies the entry at a slot to the scratch: the key, and the value from the next whole word on.
   *
   * @param slot The index of the slot's word.
   * @returns The value's length in bytes; ABSENT without a valid entry.
   */
  readSlot(stripe: number, slot: number): number {
    const memory = this.#memory;
    const words = this.#words;
    const units = stripe + memory.unitsOffset;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const reference = load(words, slot);
      if (reference === 0) return ABSENT;
      const first = units + memory.unitOf(reference, slot) * memory.unitWords;
      const sequence = load(words, first + SEQUENCE_WORD);
      if (load(words, slot) !== reference) continue;
      const keyLength = words[first + KEY_LENGTH_WORD]!;
      if (keyLength < 0 || keyLength > MAX_KEY_LENGTH) {
        if (load(words, first + SEQUENCE_WORD) !== sequence) continue;
        return memory.corrupt("a key's length", first + KEY_LENGTH_WORD);
      }
      const length = this.#copy(units, first, 0, (keyLength + 3) >> 2, sequence);
      loadFence();
      if (length === CHANGED || load(words, first + SEQUENCE_WORD) !== sequence) continue;
      this.keyLength = keyLength;
      return length;
    }
    return memory.corrupt("a slot that never comes to rest", slot);
  }
}
