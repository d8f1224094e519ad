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
  HIDDEN_COUNT_WORD,
  KEY_LENGTH_MASK,
  KEY_WORD,
  LAST_SWEEP_WORD,
  LIST_ENTRY,
  LOADER_WORD,
  LOAD_ENTRY,
  LOG_EVICTED,
  LOG_EXPIRED,
  NEXT_EXPIRY_WORD,
  BUCKET_SLOTS,
  STRIPE_BOOT_WORD,
  STRIPE_HEAD_WORDS,
  VALUE_ENTRY,
} from "../../layout/map-layout.ts";
import { store } from "../../memory/atomics.ts";
import type { MapLog } from "./map-log.ts";
import type { MapMemory } from "./map-memory.ts";
import { freeElements, freeEntry } from "./map-units.ts";

/** The least time between two sweeps of a stripe for expired entries, in ms. */
const SWEEP_PERIOD_MS = 100;
/** How often a sweep looks whether those that load a value live, in ms. */
const LOADER_LOOK_MS = 1000;

/** Removes entries of a stripe whose lock the caller holds. */
export class MapEvictor {
  readonly #memory: MapMemory;
  readonly #words: Int32Array;
  readonly #log: MapLog;
  readonly #isAlive: (participant: number) => boolean;
  /** How many values were evicted since somebody set this to 0. */
  evicted = 0;

  /** @param isAlive Whether the participant of a number lives. */
  constructor(memory: MapMemory, log: MapLog, isAlive: (participant: number) => boolean) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#log = log;
    this.#isAlive = isAlive;
  }

  /**
   * Removes an entry: empties its slot first, so that no reader finds the entry from then on.
   * @param what What the log says of it, if it is a value.
   */
  remove(stripe: number, slot: number, what: number): void {
    const words = this.#words;
    const unit = this.#memory.unitOf(words[slot]!, slot);
    const first = this.#memory.firstOf(stripe, unit);
    const sort = words[first + KEY_WORD]! & ~KEY_LENGTH_MASK;
    const isValue = sort === VALUE_ENTRY;
    const isLogged = isValue && this.#log.isWatched(stripe);
    if (isLogged) this.#log.addEntry(stripe, what, first);
    store(words, slot, 0);
    words[stripe + (isValue ? ENTRY_COUNT_WORD : HIDDEN_COUNT_WORD)]!--;
    if (sort === LIST_ENTRY) freeElements(this.#memory, stripe, first);
    freeEntry(this.#memory, stripe, unit);
    if (isLogged) this.#log.publish(stripe);
  }

  /** Whether an entry says that a living participant loads a value. */
  #isLoading(stripe: number, slot: number): boolean {
    const words = this.#words;
    const first = this.#memory.firstOf(stripe, this.#memory.unitOf(words[slot]!, slot));
    if ((words[first + KEY_WORD]! & ~KEY_LENGTH_MASK) !== LOAD_ENTRY) return false;
    const loader = this.#memory.wordOfValue(stripe, first, LOADER_WORD);
    return loader > 0 && this.#isAlive(this.#words[loader]!);
  }

  #evict(stripe: number, slot: number): void {
    const values = this.#words[stripe + ENTRY_COUNT_WORD]!;
    this.remove(stripe, slot, LOG_EVICTED);
    if (this.#words[stripe + ENTRY_COUNT_WORD] === values) return;
    this.#words[stripe + EVICTIONS_WORD]!++;
    this.evicted++;
  }

  /**
   * Evicts the next entry that the clock finds, except the one at `keep` and loads.
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
      if (this.#spare(start, index) || this.#isLoading(stripe, slot)) continue;
      words[stripe + HAND_WORD] = hand;
      this.#evict(stripe, slot);
      return true;
    }
    return false;
  }

  /**
   * Evicts one entry of a full bucket.
   * @returns The index of the word of its slot, now free; 0 when all are loads.
   */
  evictFrom(stripe: number, bucket: number): number {
    const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
    // The first lap clears every mark.
    for (let seen = 0; seen < 2 * BUCKET_SLOTS; seen++) {
      const index = seen % BUCKET_SLOTS;
      const slot = start + index;
      if (this.#words[slot] === 0) return slot;
      if (this.#spare(start, index) || this.#isLoading(stripe, slot)) continue;
      this.#evict(stripe, slot);
      return slot;
    }
    return 0;
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

  /**
   * Removes every entry whose time is over, except the one at `keep`, which is about to be
   * replaced, and loads.
   *
   * @param limit The most that are removed.
   * @returns How many values were removed.
   */
  sweep(stripe: number, keep: number, limit: number = Number.POSITIVE_INFINITY): number {
    const memory = this.#memory;
    const { floats } = memory;
    const words = this.#words;
    const now = memory.clock.nowMs();
    const values = words[stripe + ENTRY_COUNT_WORD]!;
    let next = 0;
    for (let bucket = 0; bucket <= memory.bucketMask; bucket++) {
      const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
      for (let slot = start; slot < start + BUCKET_SLOTS; slot++) {
        const reference = words[slot]!;
        if (reference === 0) continue;
        let end = memory.endOf(memory.firstOf(stripe, memory.unitOf(reference, slot)));
        if (end === 0) continue;
        if (end <= now && slot !== keep) {
          if (!this.#isLoading(stripe, slot)) {
            if (values - words[stripe + ENTRY_COUNT_WORD]! >= limit)
              return this.#swept(stripe, values);
            this.remove(stripe, slot, LOG_EXPIRED);
            continue;
          }
          end = now + LOADER_LOOK_MS;
        }
        if (next === 0 || end < next) next = end;
      }
    }
    this.#setNextExpiry(stripe, next);
    floats[(stripe + LAST_SWEEP_WORD) >> 1] = now;
    return this.#swept(stripe, values);
  }

  /** Counts what a sweep removed. @param values How many values there were before. */
  #swept(stripe: number, values: number): number {
    const removed = values - this.#words[stripe + ENTRY_COUNT_WORD]!;
    this.#words[stripe + EXPIRATIONS_WORD]! += removed;
    return removed;
  }
}
