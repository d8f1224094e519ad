/** What a map holds, counted without locks. */
import {
  BUCKET_WORDS,
  ENTRY_COUNT_WORD,
  EVICTIONS_WORD,
  EXPIRATIONS_WORD,
  FREE_COUNT_WORD,
  REFUSALS_WORD,
  REPAIRS_WORD,
  BUCKET_SLOTS,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";
import { load } from "../../memory/atomics.ts";
import type { MapMemory } from "./map-memory.ts";

/** What a map holds, and has done since it was made; counts of events are mod 2^32. */
export interface SharedMapStats {
  /** Entries, including expired ones whose memory was not reclaimed yet. */
  readonly depth: number;
  /** Slots of the index, and so the most entries. */
  readonly capacity: number;
  /** Writes that were refused because the map was full. */
  readonly full: number;
  /** Entries that were evicted. */
  readonly lost: number;
  /** Expired entries whose memory was reclaimed. */
  readonly expired: number;
  /** Stripes that were repaired after a writer died. */
  readonly repaired: number;
  /** Bytes of all units. */
  readonly byteLength: number;
  /** Bytes of the free units. */
  readonly freeBytes: number;
  readonly stripes: number;
  /** Bytes of a unit. */
  readonly unitLength: number;
}

function sum(memory: MapMemory, word: number): number {
  let total = 0;
  for (let stripe = 0; stripe <= memory.stripeMask; stripe++) {
    total += load(memory.words, memory.stripeOf(stripe) + word) >>> 0;
  }
  return total;
}

/** @returns The number of entries in all stripes. */
export function mapSize(memory: MapMemory): number {
  return sum(memory, ENTRY_COUNT_WORD);
}

export function mapStats(memory: MapMemory): SharedMapStats {
  const { stripeCount, bucketCount, unitCount, unitWords } = memory.shape;
  return {
    depth: mapSize(memory),
    capacity: stripeCount * bucketCount * BUCKET_SLOTS,
    byteLength: stripeCount * (unitCount - 1) * unitWords * 4,
    freeBytes: sum(memory, FREE_COUNT_WORD) * unitWords * 4,
    stripes: stripeCount,
    unitLength: unitWords * 4,
    full: sum(memory, REFUSALS_WORD),
    lost: sum(memory, EVICTIONS_WORD),
    expired: sum(memory, EXPIRATIONS_WORD),
    repaired: sum(memory, REPAIRS_WORD),
  };
}

/** Yields each slot: the indices of the first word of its stripe, and of its own word. */
export function* slotsOf(memory: MapMemory): Generator<[stripe: number, slot: number], void, void> {
  for (let index = 0; index <= memory.stripeMask; index++) {
    const stripe = memory.stripeOf(index);
    for (let bucket = 0; bucket <= memory.bucketMask; bucket++) {
      const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
      for (let slot = start; slot < start + BUCKET_SLOTS; slot++) yield [stripe, slot];
    }
  }
}
