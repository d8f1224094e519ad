/** What a map holds, counted without locks. */
import {
  BUCKET_WORDS,
  ENTRY_COUNT,
  EVICTIONS,
  EXPIRATIONS,
  FREE_COUNT,
  REFUSALS,
  REPAIRS,
  SLOTS,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";
import { load } from "../../memory/atomics.ts";
import type { MapMemory } from "./map-memory.ts";

/** What a map holds and has seen since it was made; counts of events are mod 2^32. */
export interface SharedMapStats {
  /** Entries, those included that expired and were not reclaimed yet. */
  readonly depth: number;
  /** Slots of the index: there are never more entries. */
  readonly capacity: number;
  /** Writes that found the map full, and were refused. */
  readonly full: number;
  /** Entries that were evicted. */
  readonly lost: number;
  /** Expired entries whose memory was reclaimed. */
  readonly expired: number;
  /** Stripes that were repaired after a writer died. */
  readonly repaired: number;
  /** Bytes that entries can take in all, and those that are free. */
  readonly byteLength: number;
  readonly freeBytes: number;
  readonly stripes: number;
  readonly unitLength: number;
}

function sum(memory: MapMemory, word: number): number {
  let total = 0;
  for (let stripe = 0; stripe <= memory.stripeMask; stripe++) {
    total += load(memory.words, memory.stripeOf(stripe) + word) >>> 0;
  }
  return total;
}

/** Entries of all stripes. */
export function mapSize(memory: MapMemory): number {
  return sum(memory, ENTRY_COUNT);
}

export function mapStats(memory: MapMemory): SharedMapStats {
  const { stripeCount, bucketCount, unitCount, unitWords } = memory.shape;
  return {
    depth: mapSize(memory),
    capacity: stripeCount * bucketCount * SLOTS,
    byteLength: stripeCount * (unitCount - 1) * unitWords * 4,
    freeBytes: sum(memory, FREE_COUNT) * unitWords * 4,
    stripes: stripeCount,
    unitLength: unitWords * 4,
    full: sum(memory, REFUSALS),
    lost: sum(memory, EVICTIONS),
    expired: sum(memory, EXPIRATIONS),
    repaired: sum(memory, REPAIRS),
  };
}

/** Every stripe's start with every slot in it, as words. */
export function* slotsOf(memory: MapMemory): Generator<[stripe: number, slot: number], void, void> {
  for (let index = 0; index <= memory.stripeMask; index++) {
    const stripe = memory.stripeOf(index);
    for (let bucket = 0; bucket <= memory.bucketMask; bucket++) {
      const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
      for (let slot = start; slot < start + SLOTS; slot++) yield [stripe, slot];
    }
  }
}
