/*
 * Lists under a key, which grow and shrink at both ends.
 *
 *     list      an entry of the index, with two states: first and last element, and how many
 *     element   a chain of units that no slot refers to, with both its neighbours
 *
 *     push      P1 write the element · P2 link it and its neighbour · P3 the other state · P4 flip
 *     pop       Q1 copy the element out · Q2 the other state · Q3 flip · Q4 free the element
 *
 * One word of the list says which state counts, and flipping it is the one instant at which the
 * list changes. Whoever walks goes from the first element so many steps on, or from the last one a
 * step back: so the links beyond both ends may say anything, as P2 leaves them where a writer dies
 * before P4. Its element belongs to nobody then, and neither does one that was popped and not
 * freed; the repair frees both. So a dead writer has pushed or popped, or has not. A pop needs no
 * room.
 *
 * Only the holder of the stripe's lock reads elements. The length is also read without it: it is
 * that of one of both states, and so one that the list had.
 */
import {
  FOLLOWING_WORD,
  LIST_COUNT_WORD,
  LIST_CURRENT_WORD,
  LIST_ENTRY,
  LIST_FIRST_WORD,
  LIST_LAST_WORD,
  LIST_STATES_WORD,
  LIST_STATE_WORDS,
  LIST_WORDS,
  LOG_DELETED,
  LOG_EXPIRED,
  PRECEDING_WORD,
  VALUE_LENGTH_WORD,
} from "../../layout/map-layout.ts";
import { release } from "../../memory/atomics.ts";
import { HashedKey } from "../../struct/hashed-key.ts";
import { Scratch } from "../../struct/scratch.ts";
import { type MapMemory, copyOut } from "./map-memory.ts";
import { ABSENT } from "./map-reader.ts";
import { longestEntry } from "./map-shape.ts";
import { MapDraft, freeEntry, writeEntry } from "./map-units.ts";
import { type MapWriter, REFUSED, STORED } from "./map-writer.ts";

/** What a push returns in the place of a length: the key has a value. */
export const IS_VALUE = -1;

/** Changes the lists of a map, for one handle. */
export class MapLists {
  readonly #memory: MapMemory;
  readonly #writer: MapWriter;
  readonly #list: MapDraft = new MapDraft(new Scratch(LIST_WORDS * 4));
  /** The key of elements, which have none. */
  readonly #noKey: HashedKey = new HashedKey(0, 0);
  #first = 0;
  #last = 0;
  #count = 0;

  constructor(memory: MapMemory, writer: MapWriter) {
    this.#memory = memory;
    this.#writer = writer;
    this.#list.sort = LIST_ENTRY;
    this.#list.length = LIST_WORDS * 4;
    this.#noKey.set("");
  }

  /**
   * Adds an element.
   *
   * @param draft Its value.
   * @param atLeft At which end.
   * @returns The new length of the list; REFUSED when there is no room; IS_VALUE.
   * @throws RangeError when a map of this shape cannot hold it.
   */
  push(key: HashedKey, draft: MapDraft, atLeft: boolean): number {
    const writer = this.#writer;
    writer.measure(this.#noKey, draft);
    writer.measure(key, this.#list);
    const stripe = writer.lock(key.hash);
    try {
      writer.evictor.evicted = 0;
      const value = writer.find(stripe, key);
      if (value !== 0 && !writer.isExpired(stripe, value)) return IS_VALUE;
      const slot = this.#open(stripe, key);
      const units = draft.units + (slot === 0 ? this.#list.units : 0);
      if (!writer.hasRoom(stripe, slot, units, true)) return writer.refuse(stripe);
      const element = writeEntry(this.#memory, stripe, this.#noKey, draft);
      this.#link(stripe, element, atLeft);
      if (slot !== 0) this.#flip(stripe, slot);
      else if (!this.#make(stripe, key)) {
        freeEntry(this.#memory, stripe, element);
        return REFUSED;
      }
      return this.#count;
    } finally {
      writer.unlock(key.hash);
    }
  }

  /** Puts an element at an end of the list that is about to be stored. */
  #link(stripe: number, element: number, atLeft: boolean): void {
    const { words } = this.#memory;
    const first = this.#memory.firstOf(stripe, element);
    if (this.#count++ === 0) {
      this.#first = element;
      this.#last = element;
    } else if (atLeft) {
      words[first + FOLLOWING_WORD] = this.#first;
      words[this.#memory.firstOf(stripe, this.#first) + PRECEDING_WORD] = element;
      this.#first = element;
    } else {
      words[first + PRECEDING_WORD] = this.#last;
      words[this.#memory.firstOf(stripe, this.#last) + FOLLOWING_WORD] = element;
      this.#last = element;
    }
  }

  /**
   * Removes an element.
   * @returns The bytes of its value, which is at the start of the scratch; ABSENT without one.
   */
  pop(key: HashedKey, found: Scratch, atLeft: boolean): number {
    const writer = this.#writer;
    writer.measure(key, this.#list);
    const stripe = writer.lock(key.hash);
    try {
      const slot = this.#open(stripe, key);
      if (this.#count === 0) return ABSENT;
      const element = atLeft ? this.#first : this.#last;
      const length = this.#copy(stripe, element, found);
      const { words } = this.#memory;
      const first = this.#memory.firstOf(stripe, element);
      if (atLeft) this.#first = words[first + FOLLOWING_WORD]!;
      else this.#last = words[first + PRECEDING_WORD]!;
      if (--this.#count === 0) writer.evictor.remove(stripe, slot, LOG_DELETED);
      else {
        this.#memory.elementOf(atLeft ? this.#first : this.#last, first);
        this.#flip(stripe, slot);
        freeEntry(this.#memory, stripe, element);
      }
      return length;
    } finally {
      writer.unlock(key.hash);
    }
  }

  #copy(stripe: number, element: number, found: Scratch): number {
    const memory = this.#memory;
    const first = memory.firstOf(stripe, element);
    const length = memory.words[first + VALUE_LENGTH_WORD]!;
    const longest = longestEntry(memory.shape) * memory.unitWords * 4;
    if (length < 0 || length > longest) memory.corrupt("a list", first + VALUE_LENGTH_WORD);
    found.reserve(length);
    const units = stripe + memory.unitsOffset;
    const isWhole = copyOut(memory, units, first, 0, (length + 3) >> 2, found.fixed);
    return isWhole ? length : memory.corrupt("a list", first);
  }

  /** Reads the list of a key, if it has one. @returns The index of its slot, or 0. */
  #open(stripe: number, key: HashedKey): number {
    const writer = this.#writer;
    const memory = this.#memory;
    this.#count = 0;
    const slot = writer.find(stripe, key, LIST_ENTRY);
    if (slot === 0) return 0;
    if (writer.isExpired(stripe, slot)) {
      writer.evictor.remove(stripe, slot, LOG_EXPIRED);
      return writer.find(stripe, key, LIST_ENTRY);
    }
    const list = writer.firstAt(stripe, slot);
    this.#count = memory.stateOf(stripe, list, LIST_COUNT_WORD);
    this.#first = memory.elementOf(memory.stateOf(stripe, list, LIST_FIRST_WORD), list);
    this.#last = memory.elementOf(memory.stateOf(stripe, list, LIST_LAST_WORD), list);
    if (this.#count <= 0 || this.#count >= memory.unitCount) memory.corrupt("a list", list);
    writer.mark(slot);
    return slot;
  }

  /** Stores a new list. @returns Whether there was room. */
  #make(stripe: number, key: HashedKey): boolean {
    const { words } = this.#list.value;
    words[LIST_CURRENT_WORD] = 0;
    words[LIST_STATES_WORD + LIST_FIRST_WORD] = this.#first;
    words[LIST_STATES_WORD + LIST_LAST_WORD] = this.#last;
    words[LIST_STATES_WORD + LIST_COUNT_WORD] = this.#count;
    return this.#writer.put(stripe, 0, key, this.#list) === STORED;
  }

  /** P3 and P4: makes a new state the one that counts. */
  #flip(stripe: number, slot: number): void {
    const memory = this.#memory;
    const { words } = memory;
    const list = this.#writer.firstAt(stripe, slot);
    const current = memory.wordOfValue(stripe, list, LIST_CURRENT_WORD);
    const next = ~words[current]! & 1;
    const write = (word: number, value: number): void => {
      const at = LIST_STATES_WORD + next * LIST_STATE_WORDS + word;
      words[memory.wordOfValue(stripe, list, at)] = value;
    };
    write(LIST_FIRST_WORD, this.#first);
    write(LIST_LAST_WORD, this.#last);
    write(LIST_COUNT_WORD, this.#count);
    release(words, current, next);
  }
}

/** @returns The length of a list whose words are at the start of a scratch. */
export function lengthIn({ words }: Scratch): number {
  const current = words[LIST_CURRENT_WORD]! & 1;
  return words[LIST_STATES_WORD + current * LIST_STATE_WORDS + LIST_COUNT_WORD]!;
}
