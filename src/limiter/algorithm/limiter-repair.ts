/** Makes the parts of a stripe that follow from its entries. */
import {
  ENTRY_COUNT_WORD,
  FREE_HEAD_WORD,
  HASH_WORD,
  MARK_WORD,
  NEWER_WORD,
  NEWEST_WORD,
  NEXT_WORD,
  OLDER_WORD,
  OLDEST_WORD,
  STRIPE_HEAD_WORDS,
  USED_WORD,
  USES_WORD,
} from "../../layout/limiter-layout.ts";
import { MAX_KEY_LENGTH } from "../../layout/map-layout.ts";
import { store } from "../../memory/atomics.ts";
import type { LimiterMemory } from "./limiter-memory.ts";

/**
 * Makes chains, order of use, free list and counts: for a new stripe, or again after its owner
 * died. The caller holds the stripe's lock. An owner that dies in here leaves as much to do as it
 * found, since no entry changes: but for those that make no sense, which only a program that is not
 * this package writes, and which are freed.
 */
export function rebuild(memory: LimiterMemory, stripe: number): void {
  const { words, floats, entryCount, bucketMask } = memory;
  const used: { readonly entry: number; readonly use: number }[] = [];
  let free = 0;
  words.fill(0, stripe + STRIPE_HEAD_WORDS, stripe + STRIPE_HEAD_WORDS + bucketMask + 1);
  for (let entry = entryCount; entry > 0; entry--) {
    const cell = memory.cellOf(stripe, entry);
    const mark = words[cell + MARK_WORD]!;
    const hash = words[cell + HASH_WORD]!;
    if (mark < 1 || mark > MAX_KEY_LENGTH + 1 || memory.stripeOf(hash) !== stripe) {
      if (mark !== 0) store(words, cell + MARK_WORD, 0);
      words[cell + NEXT_WORD] = free;
      free = entry;
      continue;
    }
    const bucket = memory.bucketOf(stripe, hash);
    words[cell + NEXT_WORD] = words[bucket]!;
    words[bucket] = entry;
    const use = floats[(cell + USED_WORD) >> 1]!;
    used.push({ entry, use: Number.isSafeInteger(use) ? use : 0 });
  }
  used.sort((a, b) => a.use - b.use);
  const at = (place: number): number => used[place]?.entry ?? 0;
  for (const [place, { entry }] of used.entries()) {
    const cell = memory.cellOf(stripe, entry);
    words[cell + OLDER_WORD] = at(place - 1);
    words[cell + NEWER_WORD] = at(place + 1);
  }
  words[stripe + OLDEST_WORD] = at(0);
  words[stripe + NEWEST_WORD] = at(used.length - 1);
  words[stripe + FREE_HEAD_WORD] = free;
  words[stripe + ENTRY_COUNT_WORD] = used.length;
  floats[(stripe + USES_WORD) >> 1] = used.at(-1)?.use ?? 0;
}
