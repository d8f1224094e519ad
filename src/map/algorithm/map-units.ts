/** The units of a stripe: a stack of free ones, chains of used ones. Under the stripe's lock. */
import {
  EXPIRY,
  FIRST_HEAD,
  FREE_COUNT,
  FREE_HEAD,
  HASH,
  KEY_LENGTH,
  NEXT,
  OTHER_HEAD,
  SEQUENCE,
  VALUE_LENGTH,
} from "../../layout/map-layout.ts";
import { add, storeFence } from "../../memory/atomics.ts";
import type { MapMemory } from "./map-memory.ts";
import { unitsFor } from "./map-shape.ts";
import type { MapKey } from "./map-key.ts";
import type { Scratch } from "../../struct/scratch.ts";

/** Takes a free unit. @throws LayoutError when the stack leads astray. */
function take(memory: MapMemory, stripe: number): number {
  const { words } = memory;
  const unit = words[stripe + FREE_HEAD]!;
  if (unit <= 0 || unit >= memory.unitCount) memory.corrupt("the free list", stripe + FREE_HEAD);
  const next = words[stripe + memory.unitsOffset + unit * memory.unitWords + NEXT]!;
  words[stripe + FREE_HEAD] = next;
  words[stripe + FREE_COUNT]!--;
  return unit;
}

/**
 * Writes an entry into free units, of which there are enough; nobody sees it yet.
 * @returns Its first unit.
 */
export function writeEntry(
  memory: MapMemory,
  stripe: number,
  key: MapKey,
  value: Scratch,
  valueLength: number,
  expiry: number,
): number {
  const { words, unitWords } = memory;
  const units = stripe + memory.unitsOffset;
  const unit = take(memory, stripe);
  let cell = units + unit * unitWords;
  words[cell + HASH] = key.hash;
  words[cell + KEY_LENGTH] = key.length;
  words[cell + VALUE_LENGTH] = valueLength;
  memory.floats[(cell + EXPIRY) >> 1] = expiry;
  let at = cell + FIRST_HEAD;
  let end = cell + unitWords;
  const { words: keyWords, wordCount } = key;
  const { words: valueWords } = value;
  const total = wordCount + ((valueLength + 3) >> 2);
  for (let done = 0; done < total;) {
    if (at === end) {
      const next = take(memory, stripe);
      words[cell + NEXT] = next;
      cell = units + next * unitWords;
      at = cell + OTHER_HEAD;
      end = cell + unitWords;
    }
    if (done < wordCount) {
      for (; done < wordCount && at < end; done++) words[at++] = keyWords[done]!;
    } else {
      for (; done < total && at < end; done++) words[at++] = valueWords[done - wordCount]!;
    }
  }
  words[cell + NEXT] = 0;
  return unit;
}

/**
 * Frees an entry that no slot refers to any more. SYNC map-sequence: the addition comes before
 * anything else is written to its units, and pairs with the last load in MapReader.
 */
export function freeEntry(memory: MapMemory, stripe: number, first: number): void {
  const { words, unitWords, unitCount } = memory;
  const units = stripe + memory.unitsOffset;
  let cell = units + first * unitWords;
  const count = entryUnits(memory, cell);
  add(words, cell + SEQUENCE, 1);
  storeFence();
  let unit = first;
  for (let freed = 0; freed < count; freed++) {
    const next = words[cell + NEXT]!;
    words[cell + NEXT] = words[stripe + FREE_HEAD]!;
    words[stripe + FREE_HEAD] = unit;
    words[stripe + FREE_COUNT]!++;
    if (freed + 1 === count) return;
    if (next <= 0 || next >= unitCount) memory.corrupt("a chain of units", cell + NEXT);
    unit = next;
    cell = units + next * unitWords;
  }
}

/** How many units an entry has, by its lengths; more than there are when those are corrupt. */
export function entryUnits(memory: MapMemory, first: number): number {
  const { words, unitWords } = memory;
  const keyLength = words[first + KEY_LENGTH]! >>> 0;
  const valueLength = words[first + VALUE_LENGTH]! >>> 0;
  return unitsFor(Math.ceil(keyLength / 4) + Math.ceil(valueLength / 4), unitWords);
}
