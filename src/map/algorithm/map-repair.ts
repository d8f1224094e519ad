/** Rebuilds the parts of a stripe that follow from its index. */
import {
  BUCKET_LIMIT_WORD,
  BUCKET_WORDS,
  ENTRY_COUNT_WORD,
  FOLLOWING_WORD,
  FREE_COUNT_WORD,
  FREE_HEAD_WORD,
  HAND_WORD,
  HASH_WORD,
  HIDDEN_COUNT_WORD,
  KEY_LENGTH_MASK,
  KEY_WORD,
  LAST_SWEEP_WORD,
  LIST_COUNT_WORD,
  LIST_ENTRY,
  LIST_FIRST_WORD,
  NEXT_WORD,
  NEXT_EXPIRY_WORD,
  MAX_PROBE_DISTANCE,
  SEQUENCE_WORD,
  STRIPE_BOOT_WORD,
  BUCKET_SLOTS,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";
import { add, load, store, storeFence } from "../../memory/atomics.ts";
import type { MapMemory } from "./map-memory.ts";
import { entryUnits } from "./map-units.ts";

/**
 * Makes the free list and the counts: for a new stripe, or again after its writer died. The caller
 * holds the stripe's lock. A writer that dies in here leaves as much to do as it found.
 *
 * Every unit outside of an entry gets a new sequence, since a reader may be at an entry that the
 * dead writer had just removed from its slot. A slot whose entry makes no sense is emptied; only a
 * program that is not this package writes such a slot.
 */
export function rebuild(memory: MapMemory, stripe: number): void {
  const { words, unitCount, unitWords } = memory;
  const units = stripe + memory.unitsOffset;
  const marks = new Uint8Array(unitCount);
  let values = 0;
  let hidden = 0;
  let nextExpiry = 0;
  for (let bucket = 0; bucket <= memory.bucketMask; bucket++) {
    const start = stripe + STRIPE_HEAD_WORDS + bucket * BUCKET_WORDS;
    const limit = load(words, start + BUCKET_LIMIT_WORD);
    if (limit < 0 || limit > MAX_PROBE_DISTANCE)
      store(words, start + BUCKET_LIMIT_WORD, MAX_PROBE_DISTANCE);
    for (let slot = start; slot < start + BUCKET_SLOTS; slot++) {
      const reference = load(words, slot);
      if (reference === 0) continue;
      if (!isEntry(memory, stripe, bucket, reference, marks)) {
        store(words, slot, 0);
        continue;
      }
      const first = units + (reference & 0xffffff) * unitWords;
      if (words[first + KEY_WORD]! <= KEY_LENGTH_MASK) values++;
      else hidden++;
      const end = memory.endOf(first);
      if (end !== 0 && (nextExpiry === 0 || end < nextExpiry)) nextExpiry = end;
    }
  }
  let head = 0;
  let free = 0;
  for (let unit = unitCount - 1; unit > 0; unit--) {
    if (marks[unit] !== 0) continue;
    add(words, units + unit * unitWords + SEQUENCE_WORD, 1);
    words[units + unit * unitWords + NEXT_WORD] = head;
    head = unit;
    free++;
  }
  storeFence();
  words[stripe + FREE_HEAD_WORD] = head;
  words[stripe + FREE_COUNT_WORD] = free;
  words[stripe + ENTRY_COUNT_WORD] = values;
  words[stripe + HIDDEN_COUNT_WORD] = hidden;
  words[stripe + HAND_WORD] = 0;
  memory.floats[(stripe + NEXT_EXPIRY_WORD) >> 1] = nextExpiry;
  words[stripe + STRIPE_BOOT_WORD] = memory.clock.boot;
  memory.floats[(stripe + LAST_SWEEP_WORD) >> 1] = 0;
}

/** @returns Whether a slot refers to a whole entry, within reach of its home. Marks its units. */
function isEntry(
  memory: MapMemory,
  stripe: number,
  bucket: number,
  reference: number,
  marks: Uint8Array,
): boolean {
  const { words, unitCount } = memory;
  const unit = reference & 0xffffff;
  if (unit === 0 || unit >= unitCount) return false;
  const first = memory.firstOf(stripe, unit);
  const hash = words[first + HASH_WORD]!;
  const distance = (bucket - memory.bucketOf(hash)) & memory.bucketMask;
  if (hash >>> 24 !== reference >>> 24 || distance > MAX_PROBE_DISTANCE) return false;
  if (memory.stripeOf(hash) !== stripe) return false;
  const chain: number[] = [];
  const isList = (words[first + KEY_WORD]! & ~KEY_LENGTH_MASK) === LIST_ENTRY;
  if (markChain(memory, stripe, unit, marks, chain)) {
    if (!isList || markElements(memory, stripe, first, marks, chain)) return true;
  }
  for (const marked of chain) marks[marked] = 0;
  return false;
}

/** Marks the units of a chain. @returns Whether it is whole, and nothing else has its units. */
function markChain(
  memory: MapMemory,
  stripe: number,
  first: number,
  marks: Uint8Array,
  chain: number[],
): boolean {
  const { words, unitCount } = memory;
  const count = entryUnits(memory, memory.firstOf(stripe, first));
  if (count > unitCount) return false;
  for (let unit = first, done = 1; ; done++) {
    if (unit <= 0 || unit >= unitCount || marks[unit] !== 0) return false;
    marks[unit] = 1;
    chain.push(unit);
    if (done === count) return true;
    unit = words[memory.firstOf(stripe, unit) + NEXT_WORD]!;
  }
}

/** Marks the elements of a list. @returns Whether they are whole. */
function markElements(
  memory: MapMemory,
  stripe: number,
  list: number,
  marks: Uint8Array,
  chain: number[],
): boolean {
  const { words, unitCount } = memory;
  let element = memory.stateOf(stripe, list, LIST_FIRST_WORD);
  for (let left = memory.stateOf(stripe, list, LIST_COUNT_WORD); left > 0; left--) {
    if (element <= 0 || element >= unitCount) return false;
    if (!markChain(memory, stripe, element, marks, chain)) return false;
    element = words[memory.firstOf(stripe, element) + FOLLOWING_WORD]!;
  }
  return true;
}
