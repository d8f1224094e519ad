/*
 * Making room: expired entries first, and then the clock.
 *
 * A hand goes around the slots of a stripe. An entry that was read since the hand last passed loses
 * its mark and stays; one that was not is taken. A new entry has no mark: what is written and never
 * read goes before what is read now and then, which plain LRU cannot tell apart.
 * Source: F. J. Corbató, "A Paging Experiment with the Multics System", 1968 (CLOCK).
 */
import {
  BUCKET_USED_WORD,
  BUCKET_WORDS,
  ENTRY_COUNT_WORD,
  EVICTIONS_WORD,
  EXPIRATIONS_WORD,
  EXPIRY_WORD,
  HAND_WORD,
  LAST_SWEEP_WORD,
  NEXT_EXPIRY_WORD,
  BUCKET_SLOTS,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";
import { store } from "../../memory/atomics.ts";
import type { MapMemory } from "./map-memory.ts";
import { freeEntry } from "./map-units.ts";

/** Least time between two walks through a stripe in search of expired entries, in ms. */
const SWEEP_PERIOD_MS = 100;

/** Takes entries out of a stripe whose lock the caller holds. */
export class MapEvictor {
  readonly #memory: MapMemory;
  readonly #words: Int32Array;

  constructor(memory: MapMemory) {
    this.#memory = memory;
    this.#words = memory.words;
  }

  /** Takes an entry out: the slot first, so that from here on it is gone. */
  remove(stripe: number, slot: number): void {
    const words = this.#words;
    const reference = words[slot]!;
    const unit = reference & 0xffffff;
    if (unit === 0 || unit >= this.#memory.unitCount) this.#memory.corrupt("a slot", slot);
    store(words, slot, 0);
    words[stripe + ENTRY_COUNT_WORD]!--;
    freeEntry(this.#memory, stripe, unit);
  }

  /** Evicts the next entry that the clock finds, but not the one at `keep`. @returns Whether. */
  evictOne(stripe: number, keep: number): boolean {
    const words = this.#words;
    const slots = (this.#memory.bucketMask + 1) * BUCKET_SLOTS;
    let hand = words[stripe + HAND_WORD]! >>> 0;
    // Once around clears every mark, twice around finds every entry.
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

  /** Evicts one entry of a full bucket. @returns The word of the slot that is free now. */
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

  /** Whether an entry was read since the last look; it has to be read again to be spared again. */
  #spare(start: number, index: number): boolean {
    const used = this.#words[start + BUCKET_USED_WORD]!;
    if ((used & (1 << index)) === 0) return false;
    this.#words[start + BUCKET_USED_WORD] = used & ~(1 << index);
    return true;
  }

  /** Keeps the time at which the next entry expires. */
  noteExpiry(stripe: number, expiry: number): void {
    const { floats } = this.#memory;
    const next = floats[(stripe + NEXT_EXPIRY_WORD) >> 1]!;
    if (next === 0 || expiry < next) floats[(stripe + NEXT_EXPIRY_WORD) >> 1] = expiry;
  }

  /** Sweeps when something has expired and the last sweep is a while ago. */
  sweepNowAndThen(stripe: number, nextExpiry: number, keep: number): void {
    const now = Date.now();
    const last = this.#memory.floats[(stripe + LAST_SWEEP_WORD) >> 1]!;
    if (nextExpiry <= now && Math.abs(now - last) >= SWEEP_PERIOD_MS) this.sweep(stripe, keep);
  }

  /** Takes every expired entry out, but not the one at `keep`, which is about to be replaced. */
  sweep(stripe: number, keep: number): void {
    const memory = this.#memory;
    const { floats } = memory;
    const words = this.#words;
    const now = Date.now();
    const units = stripe + memory.unitsOffset;
    let next = 0;
    for (let bucket = 0; bucket <= memory.bucketMask; bucket++) {
      const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
      for (let slot = start; slot < start + BUCKET_SLOTS; slot++) {
        const reference = words[slot]!;
        if (reference === 0) continue;
        const unit = reference & 0xffffff;
        if (unit >= memory.unitCount) memory.corrupt("a slot", slot);
        const expiry = floats[(units + unit * memory.unitWords + EXPIRY_WORD) >> 1]!;
        if (expiry === 0) continue;
        if (expiry <= now && slot !== keep) {
          this.remove(stripe, slot);
          words[stripe + EXPIRATIONS_WORD]!++;
        } else if (next === 0 || expiry < next) next = expiry;
      }
    }
    floats[(stripe + NEXT_EXPIRY_WORD) >> 1] = next;
    floats[(stripe + LAST_SWEEP_WORD) >> 1] = now;
  }
}
