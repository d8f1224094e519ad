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
  KEY_LENGTH_MASK,
  KEY_WORD,
  LIST_ENTRY,
  LOAD_ENTRY,
  MAX_KEY_LENGTH,
  MAX_PROBE_DISTANCE,
  SEQUENCE_WORD,
  BUCKET_SLOTS,
  STALE_WORD,
  STRIPE_HEAD_WORDS,
  VALUE_ENTRY,
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

/** Versions are this times a sequence, plus a unit: a safe integer, since units have 24 bits. */
const VERSION_STEP = 2 ** 24;
const VERSION_SEQUENCES = 2 ** 29 - 1;

/**
 * @param reference What the entry's slot holds.
 * @param sequence The sequence of its first unit.
 * @returns A number above 0 that no other entry of the stripe has, until one unit was used again
 *   2^29 times.
 */
export function versionOf(reference: number, sequence: number): number {
  return (sequence & VERSION_SEQUENCES) * VERSION_STEP + (reference & 0xffffff);
}

/** Looks entries up, and copies them out. */
export class MapReader {
  readonly #memory: MapMemory;
  readonly #words: Int32Array;
  readonly #value: Scratch;
  readonly #marks: boolean;
  /** The bytes of the longest value that a map of this shape can hold. */
  readonly #longest: number;
  /** When the entry that was copied last expires, by the map's clock; 0: never. */
  expiry = 0;
  /** For how long it is kept then, in ms. */
  staleMs = 0;
  /** Where the entry is that was found last: its slot, what that holds, its unit's first word. */
  slot = 0;
  reference = 0;
  first = 0;
  /** What the sequence of that unit was. */
  sequence = 0;
  /** Whether expired entries are found too. */
  #takesExpired = false;
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

  /** The version of the entry that was found last. */
  get version(): number {
    return versionOf(this.reference, this.sequence);
  }

  /** Copies a key's value to the scratch like `read`, also one that has expired. */
  readExpired(key: HashedKey, sort: number = VALUE_ENTRY): number {
    this.#takesExpired = true;
    try {
      return this.read(key, true, sort);
    } finally {
      this.#takesExpired = false;
    }
  }

  /** Whether the entry that was copied last has expired. */
  get hasExpired(): boolean {
    return this.expiry !== 0 && this.expiry <= this.#memory.clock.nowMs();
  }

  /**
   * Whether an entry that was found before is there still, and valid; marks it as used.
   *
   * Its slot is read first: if the unit was not freed until after that (SYNC map-sequence), what
   * the slot held was this entry.
   */
  isCurrent(slot: number, reference: number, first: number, sequence: number): boolean {
    const words = this.#words;
    if (load(words, slot) !== reference) return false;
    if (load(words, first + SEQUENCE_WORD) !== sequence) return false;
    const index = slot & (BUCKET_WORDS - 1);
    this.#mark(slot - index, index);
    return !this.#memory.hasExpired(first);
  }

  /**
   * Copies a key's value to the scratch.
   *
   * @param copies Whether to copy it, and not only to find it.
   * @param sort Which of the key's entries.
   * @returns The value's length in bytes, 0 if it is not copied; ABSENT without a valid entry.
   * @throws LayoutError when the bytes are no map.
   */
  read(key: HashedKey, copies = true, sort: number = VALUE_ENTRY): number {
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
          const length = this.#readReferenced(key, stripe, bucket, slot, copies, key.length | sort);
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
  readAt(key: HashedKey, stripe: number, slot: number, sort: number = VALUE_ENTRY): number {
    const index = (slot - stripe) & (BUCKET_WORDS - 1);
    return this.#readReferenced(key, stripe, slot - index, index, true, key.length | sort);
  }

  #readReferenced(
    key: HashedKey,
    stripe: number,
    bucket: number,
    slot: number,
    copies: boolean,
    keyWord: number,
  ): number {
    const words = this.#words;
    const tag = key.hash >>> 24;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const reference = load(words, bucket + slot);
      if (reference >>> 24 !== tag || reference === 0) return OTHER_KEY;
      const length = this.#attempt(key, stripe, bucket + slot, reference, copies, keyWord);
      if (length === CHANGED) continue;
      if (length >= 0) this.#mark(bucket, slot);
      return length;
    }
    return this.#memory.corrupt("a slot that never comes to rest", bucket + slot);
  }

  /** Notes that the entry was used, for the eviction. */
  #mark(bucket: number, index: number): void {
    if (!this.#marks) return;
    const used = this.#words[bucket + BUCKET_USED_WORD]!;
    // A bit that a concurrent store overwrites costs an entry its second chance, and no more.
    if ((used & (1 << index)) === 0) this.#words[bucket + BUCKET_USED_WORD] = used | (1 << index);
  }

  #attempt(
    key: HashedKey,
    stripe: number,
    slot: number,
    reference: number,
    copies: boolean,
    keyWord: number,
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
      words[first + KEY_WORD] === keyWord &&
      startsWith(memory, units, first, key.words, key.wordCount)
    ) {
      this.slot = slot;
      this.reference = reference;
      this.first = first;
      this.sequence = sequence;
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
      this.staleMs = this.#words[first + STALE_WORD]! >>> 0;
      const count = keyWords + ((length + 3) >> 2);
      if (copyOut(memory, units, first, skip, count, this.#value.fixed)) {
        if (expiry === 0 || this.#takesExpired) return length;
        return expiry <= memory.clock.nowMs() ? ABSENT : length;
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
      const keyWord = words[first + KEY_WORD]!;
      const keyLength = keyWord & KEY_LENGTH_MASK;
      const sort = keyWord - keyLength;
      if (sort !== VALUE_ENTRY || keyLength > MAX_KEY_LENGTH) {
        if (load(words, first + SEQUENCE_WORD) !== sequence) continue;
        if (sort >= LOAD_ENTRY && sort <= LIST_ENTRY) return ABSENT;
        return memory.corrupt("a key's length", first + KEY_WORD);
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
