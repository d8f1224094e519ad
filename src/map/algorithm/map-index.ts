/** The index of a stripe whose lock the caller holds: where a key's entry is, or can go. */
import {
  BUCKET_LIMIT_WORD,
  BUCKET_SLOTS,
  BUCKET_USED_WORD,
  BUCKET_WORDS,
  HASH_WORD,
  KEY_WORD,
  MAX_PROBE_DISTANCE,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";
import { load, store } from "../../memory/atomics.ts";
import type { HashedKey } from "../../struct/hashed-key.ts";
import type { MapEvictor } from "./map-evictor.ts";
import { type MapMemory, startsWith } from "./map-memory.ts";

/** Finds slots. */
export class MapIndex {
  readonly #memory: MapMemory;
  readonly #words: Int32Array;
  readonly #evictor: MapEvictor;
  /** Where `find` saw the first free slot, 0 when there is none; and its distance from home. */
  #freeSlot = 0;
  #freeDistance = 0;

  constructor(memory: MapMemory, evictor: MapEvictor) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#evictor = evictor;
  }

  /** @returns The index of the slot of a key's entry, or 0. */
  find(stripe: number, key: HashedKey, sort: number): number {
    const memory = this.#memory;
    const words = this.#words;
    const { hash } = key;
    const keyWord = key.length | sort;
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
            words[first + KEY_WORD] === keyWord &&
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

  /**
   * @param evicts Whether to evict an entry where no slot is free.
   * @returns The index of a free slot for the key that `find` did not find just now; or 0.
   */
  takeFree(stripe: number, key: HashedKey, evicts: boolean): number {
    const words = this.#words;
    let target = this.#freeSlot;
    if (target === 0 || words[target] !== 0) {
      if (!evicts) return 0;
      target = this.#evictor.evictFrom(stripe, this.#memory.bucketOf(key.hash));
      if (target === 0) return 0;
      this.#freeDistance = 0;
    }
    this.#raiseLimit(stripe, key.hash, this.#freeDistance);
    const index = (target - stripe) & (BUCKET_WORDS - 1);
    words[target - index + BUCKET_USED_WORD]! &= ~(1 << index);
    return target;
  }

  /** SYNC map-limit: raised before the slot is stored that lies this far from home. */
  #raiseLimit(stripe: number, hash: number, distance: number): void {
    const words = this.#words;
    const home = stripe + STRIPE_HEAD_WORDS + this.#memory.bucketOf(hash) * BUCKET_WORDS;
    if (load(words, home + BUCKET_LIMIT_WORD) < distance)
      store(words, home + BUCKET_LIMIT_WORD, distance);
  }
}
