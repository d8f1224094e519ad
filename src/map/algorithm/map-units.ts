/** The units of a stripe: a stack of free ones, chains of used ones. Callers hold its lock. */
import {
  BOOT_WORD,
  EXPIRY_WORD,
  FIRST_HEAD_WORDS,
  FOLLOWING_WORD,
  FREE_COUNT_WORD,
  FREE_HEAD_WORD,
  HASH_WORD,
  KEY_LENGTH_MASK,
  KEY_WORD,
  LIST_COUNT_WORD,
  LIST_FIRST_WORD,
  NEXT_WORD,
  OTHER_HEAD_WORDS,
  SEQUENCE_WORD,
  STALE_WORD,
  VALUE_ENTRY,
  VALUE_LENGTH_WORD,
} from "../../layout/map-layout.ts";
import { release, storeFence } from "../../memory/atomics.ts";
import type { MapMemory } from "./map-memory.ts";
import { unitsFor } from "./map-shape.ts";
import type { HashedKey } from "../../struct/hashed-key.ts";
import type { Scratch } from "../../struct/scratch.ts";

/** Takes a free unit. @returns The unit. @throws LayoutError when the stack is corrupt. */
function take(memory: MapMemory, stripe: number): number {
  const { words } = memory;
  const unit = words[stripe + FREE_HEAD_WORD]!;
  if (unit <= 0 || unit >= memory.unitCount)
    memory.corrupt("the free list", stripe + FREE_HEAD_WORD);
  const next = words[stripe + memory.unitsOffset + unit * memory.unitWords + NEXT_WORD]!;
  words[stripe + FREE_HEAD_WORD] = next;
  words[stripe + FREE_COUNT_WORD]!--;
  return unit;
}

/** An entry that is about to be stored, but for its key: the private memory of one handle. */
export class MapDraft {
  readonly value: Scratch;
  /** Bytes of the value. */
  length = 0;
  /** VALUE_ENTRY or another one. */
  sort: number = VALUE_ENTRY;
  /** When it expires, by the map's clock; 0: never. */
  expiry = 0;
  /** For how long it is kept then, in ms. */
  staleMs = 0;
  /** How many units it takes. */
  units = 0;

  constructor(value: Scratch) {
    this.value = value;
  }
}

/**
 * Writes an entry into free units, of which there must be enough. No reader sees it yet.
 * @returns The entry's first unit.
 */
export function writeEntry(
  memory: MapMemory,
  stripe: number,
  key: HashedKey,
  draft: MapDraft,
): number {
  const { words, unitWords } = memory;
  const { value, length } = draft;
  const units = stripe + memory.unitsOffset;
  const unit = take(memory, stripe);
  let cell = units + unit * unitWords;
  words[cell + HASH_WORD] = key.hash;
  words[cell + KEY_WORD] = key.length | draft.sort;
  words[cell + VALUE_LENGTH_WORD] = length;
  words[cell + BOOT_WORD] = memory.clock.boot;
  memory.floats[(cell + EXPIRY_WORD) >> 1] = draft.expiry;
  words[cell + STALE_WORD] = draft.staleMs;
  let at = cell + FIRST_HEAD_WORDS;
  let end = cell + unitWords;
  const { words: keyWords, wordCount } = key;
  const valueWords = (length + 3) >> 2;
  const total = wordCount + valueWords;
  for (let done = 0; done < total;) {
    if (at === end) {
      const next = take(memory, stripe);
      words[cell + NEXT_WORD] = next;
      cell = units + next * unitWords;
      at = cell + OTHER_HEAD_WORDS;
      end = cell + unitWords;
    }
    for (; done < wordCount && at < end; done++) words[at++] = keyWords[done]!;
    if (done < wordCount) continue;
    const part = Math.min(end - at, total - done);
    value.fixed.copyTo(memory.bytes, at * 4, (done - wordCount) * 4, part * 4);
    at += part;
    done += part;
  }
  words[cell + NEXT_WORD] = 0;
  return unit;
}

/**
 * Frees an entry that no slot refers to any more. SYNC map-sequence: this comes before
 * anything else is written to its units, and pairs with the last load in MapReader.
 */
export function freeEntry(memory: MapMemory, stripe: number, first: number): void {
  const { words, unitWords, unitCount } = memory;
  const units = stripe + memory.unitsOffset;
  let cell = units + first * unitWords;
  const count = entryUnits(memory, cell);
  release(words, cell + SEQUENCE_WORD, (words[cell + SEQUENCE_WORD]! + 1) | 0);
  storeFence();
  let unit = first;
  for (let freed = 0; freed < count; freed++) {
    const next = words[cell + NEXT_WORD]!;
    words[cell + NEXT_WORD] = words[stripe + FREE_HEAD_WORD]!;
    words[stripe + FREE_HEAD_WORD] = unit;
    words[stripe + FREE_COUNT_WORD]!++;
    if (freed + 1 === count) return;
    if (next <= 0 || next >= unitCount) memory.corrupt("a chain of units", cell + NEXT_WORD);
    unit = next;
    cell = units + next * unitWords;
  }
}

/** Frees the elements of a list that no slot refers to any more. */
export function freeElements(memory: MapMemory, stripe: number, list: number): void {
  const { words } = memory;
  let element = memory.stateOf(stripe, list, LIST_FIRST_WORD);
  for (let left = memory.stateOf(stripe, list, LIST_COUNT_WORD); left > 0; left--) {
    const unit = memory.elementOf(element, list);
    element = words[memory.firstOf(stripe, unit) + FOLLOWING_WORD]!;
    freeEntry(memory, stripe, unit);
  }
}

/** @returns The units of an entry by its lengths; more than there are if those are corrupt. */
export function entryUnits(memory: MapMemory, first: number): number {
  const { words, unitWords } = memory;
  const keyLength = words[first + KEY_WORD]! & KEY_LENGTH_MASK;
  const valueLength = words[first + VALUE_LENGTH_WORD]! >>> 0;
  return unitsFor(Math.ceil(keyLength / 4) + Math.ceil(valueLength / 4), unitWords);
}
