/*
 * How a map makes room: it removes expired entries first, and then evicts by a clock.
 *
 * The clock's hand goes around the slots of a stripe. An entry that was read since the hand last
 * passed loses its mark and stays; any other entry is evicted. A new entry has no mark, so entries
 * that are written and never read go before those that are read now and then. Plain LRU cannot tell
 * the two apart.
 * Source: F. J. Corbató, "A Paging Experiment with the Multics System", 1968 (CLOCK).
 */
import {
  BUCKET_USED_WORD,
  BUCKET_WORDS,
  ENTRY_COUNT_WORD,
  EVICTIONS_WORD,
  EXPIRATIONS_WORD,
  HAND_WORD,
  LAST_SWEEP_WORD,
  NEXT_EXPIRY_WORD,
  BUCKET_SLOTS,
  STRIPE_BOOT_WORD,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";
import { store } from "../../memory/atomics.ts";
import type { MapMemory } from "./map-memory.ts";
import { freeEntry } from "./map-units.ts";

/** The least time between two sweeps of a stripe for expired entries, in ms. */
const SWEEP_PERIOD_MS = 100;

/** Removes entries of a stripe whose lock the caller holds. */
export class MapEvictor {
  readonly #memory: MapMemory;
  readonly #words: Int32Array;

  constructor(memory: MapMemory) {
    this.#memory = memory;
    this.#words = memory.words;
  }

  /** Removes an entry: empties its slot first, so that no reader finds the entry from then on. */
  remove(stripe: number, slot: number): void {
    const words = this.#words;
    const reference = words[slot]!;
    const unit = this.#memory.unitOf(reference, slot);
    store(words, slot, 0);
    words[stripe + ENTRY_COUNT_WORD]!--;
    freeEntry(this.#memory, stripe, unit);
  }

  /**
   * Evicts the next entry that the clock finds, except the one at `keep`.
   * @returns Whether there was one.
   */
  evictOne(stripe: number, keep: number): boolean {
    const words = this.#words;
    const slots = (this.#memory.bucketMask + 1) * BUCKET_SLOTS;
    let hand = words[stripe + HAND_WORD]! >>> 0;
    // The first lap clears every mark, so the second one finds an entry if there is any.
    for (let seen = 0; seen <= 2 * slots; seen++) {
      if (++hand >= slots) hand = 0;
      const start = stripe + STRIPE_HEAD_WORDS + Math.trunc(hand / BUCKET_SLOTS) * BUCKET_WORDS;
      const index = hand % BUCKET_SLOTS;
      const slot = start + index;
      if (words[slot] === 0 || slot === keep) continue;
      if (this.#spare(start, index)) continue;
      words[stripe + HAND_WORD] = hand;
      this.remove(stripe, slot);
      words[stripe + EVICTIONS_WORD]!++;
      return true;
    }
    return false;
  }

  /** Evicts one entry of a full bucket. @returns The index of the word of its slot, now free. */
  evictFrom(stripe: number, bucket: number): number {
    const words = this.#words;
    const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
    let victim = 0;
    while (victim < BUCKET_SLOTS - 1 && words[start + victim] !== 0 && this.#spare(start, victim)) {
      victim++;
    }
    if (words[start + victim] !== 0) {
      this.remove(stripe, start + victim);
      words[stripe + EVICTIONS_WORD]!++;
    }
    return start + victim;
  }

  /** @returns Whether an entry was read since the last look. The mark is cleared. */
  #spare(start: number, index: number): boolean {
    const used = this.#words[start + BUCKET_USED_WORD]!;
    if ((used & (1 << index)) === 0) return false;
    this.#words[start + BUCKET_USED_WORD] = used & ~(1 << index);
    return true;
  }

  /** Notes when an entry expires, for the next sweep. */
  noteExpiry(stripe: number, expiry: number): void {
    const next = this.#memory.nextExpiryOf(stripe);
    if (next === 0 || expiry < next) this.#setNextExpiry(stripe, expiry);
  }

  #setNextExpiry(stripe: number, expiry: number): void {
    const { floats, clock } = this.#memory;
    floats[(stripe + NEXT_EXPIRY_WORD) >> 1] = expiry;
    this.#words[stripe + STRIPE_BOOT_WORD] = clock.boot;
  }

  /** Sweeps if something has expired and the last sweep is long enough ago. */
  sweepNowAndThen(stripe: number, nextExpiry: number, keep: number): void {
    const now = this.#memory.clock.nowMs();
    const last = this.#memory.floats[(stripe + LAST_SWEEP_WORD) >> 1]!;
    if (nextExpiry <= now && Math.abs(now - last) >= SWEEP_PERIOD_MS) this.sweep(stripe, keep);
  }

  /** Removes every expired entry except the one at `keep`, which is about to be replaced. */
  sweep(stripe: number, keep: number): void {
    const memory = this.#memory;
    const { floats } = memory;
    const words = this.#words;
    const now = memory.clock.nowMs();
    const units = stripe + memory.unitsOffset;
    let next = 0;
    for (let bucket = 0; bucket <= memory.bucketMask; bucket++) {
      const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
      for (let slot = start; slot < start + BUCKET_SLOTS; slot++) {
        const reference = words[slot]!;
        if (reference === 0) continue;
        const unit = memory.unitOf(reference, slot);
        const expiry = memory.expiryOf(units + unit * memory.unitWords);
        if (expiry === 0) continue;
        if (expiry <= now && slot !== keep) {
          this.remove(stripe, slot);
          words[stripe + EXPIRATIONS_WORD]!++;
        } else if (next === 0 || expiry < next) next = expiry;
      }
    }
    this.#setNextExpiry(stripe, next);
    floats[(stripe + LAST_SWEEP_WORD) >> 1] = now;
  }
}
