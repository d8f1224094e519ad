/**
 * Many producers, one consumer, one order of records: lock-free between producers.
 *
 * The claim of a record is one compare-and-swap of its cell: "free in this lap" becomes "claimed by
 * this slot, this many units". So there is no instant at which a record is claimed but its length
 * or its owner is unknown, and a producer that dies leaves nothing to guess. (A design that first
 * advances a tail word and then writes a header has such an instant.)
 *
 * No word holds a tail. A producer remembers a place (lap, cell, position) and walks over the cells
 * that others have claimed meanwhile, adding up their units, until it finds a free one.
 *
 *   C1  Cells are claimed in order: whoever claims cell n has seen every earlier cell claimed.
 *   C2  A cell goes free(lap) → claimed → committed → free(lap + 1); a claim by a dead producer may
 *       become padding. It never goes back.
 *   C3  A free word carries its lap. If a walk finds cell n free in the lap that it expects, then
 *       no cell from n on was ever claimed, so no cell before n was claimed for a later lap, and
 *       all units that were added up belong to those very records. One comparison proves a whole
 *       walk; a swap that is late by any number of laps below 2^30 fails.
 *   C4  A word that is not free belongs to this lap's record, and not to one of the lap before, if
 *       fewer than `capacity` bytes lie between the consumer and it: records take at least 16 bytes
 *       and there is a cell for each 16. So a walk looks at the room first and at the cell next.
 *   C5  The consumer frees cells before it publishes its place, so nobody can claim one early (C4).
 *       Before that it announces which cells (SYNC release-intent): if it dies, its successor frees
 *       them again, and a producer's walk begins at the intended place, since the units before it
 *       are gone.
 *
 * The kernel's lock on a producer's slot tells whether the producer lives. The consumer reads a
 * claimed word, and then sees that nobody holds the slot: the writer of the word is gone, because a
 * new holder turns its predecessor's claims into padding before it claims (the constructor of
 * `MpscProducer` does so). Then the consumer reads the word again, since the writer may have
 * committed before it died; nobody writes later than that. If the word is still a claim, the record
 * is skipped, once, and only by the consumer.
 *
 * What a crash leaves: a killed producer leaves at most one record that is skipped. A killed
 * consumer leaves its last published place: its successor reads again what was read since.
 *
 * Source: the per-cell lap is Vyukov's bounded MPMC queue; the length in the claim is new here.
 */
import * as layout from "../../../layout/mpsc-layout.ts";
import { RECORD_HEADER_LENGTH } from "../../../layout/record-descriptor.ts";
import {
  DATA_WAIT_POINT_OFFSET,
  PRODUCER_FULL_OFFSET,
  PRODUCER_HIGH_WATER_OFFSET,
  PRODUCER_POSITION_OFFSET,
} from "../../../layout/ring-layout.ts";
import { compareExchange, load } from "../../../memory/atomics.ts";
import type { FixedBytes } from "../../../memory/fixed-bytes.ts";
import {
  DONE_WORD,
  INTENT_WORD,
  type MpscViews,
  type Place,
  advance,
  copyPlace,
  corruptCell,
  corruptRelease,
  isAfter,
  mpscViewsOf,
  readVersion,
} from "./cells.ts";
import { type RingProducerCore, type Wakeable, writeByClaim } from "../core.ts";
import { publish, wakeCalling } from "../publish.ts";
import type { RingMemory } from "../views.ts";

const READER_WORD = DATA_WAIT_POINT_OFFSET >> 2;

/** How often a walk begins again, and a place is read again, before the ring counts as corrupt. */
const MAX_RESTARTS = 1000;

/** One writing side of an MPSC ring. Its slot's lock is held while it exists. */
export class MpscProducer implements RingProducerCore {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly data: FixedBytes;
  readonly maxRecordLength: number;
  readonly reader: Wakeable;
  readonly #views: MpscViews;
  readonly #cells: Int32Array;
  readonly #words: Int32Array;
  readonly #capacity: number;
  readonly #claimed: number;
  readonly #isLight: boolean;
  /** Where the walk is. */
  readonly #at: Place = { lap: 0, cell: 0, position: 0 };
  /** The last place of the walk whose position is certain. */
  readonly #certain: Place = { lap: 0, cell: 0, position: 0 };
  /** The consumer's place as last read: what lies before it may be used again. */
  readonly #head: Place = { lap: 0, cell: 0, position: 0 };
  /** Where the consumer is or is about to be: walks begin here. */
  readonly #start: Place = { lap: 0, cell: 0, position: 0 };
  #openCell = -1;
  #openUnits = 0;
  #openIndex = 0;
  #openLength = 0;
  #openType = 0;

  /**
   * Ends the claims that a dead holder of the slot left, and finds the tail. Walks over the unread
   * records once.
   *
   * @param slot From 0 to PRODUCER_SLOT_COUNT - 1; the caller holds its lock.
   * @param isLight Whether it is a light waker (waiting/event-count.ts).
   * @throws LayoutError.
   */
  constructor(memory: RingMemory, reader: Wakeable, slot: number, isLight = false) {
    this.#isLight = isLight;
    this.#views = mpscViewsOf(memory);
    this.view = this.#views.view;
    this.bytes = this.#views.bytes;
    this.data = this.#views.data;
    this.#cells = this.#views.cells;
    this.#words = this.#views.words;
    this.#capacity = memory.capacity;
    this.maxRecordLength = layout.mpscMaxRecordLength(memory.capacity);
    this.reader = reader;
    this.#claimed = layout.CLAIMED | (slot << layout.SLOT_SHIFT);
    this.#recover();
  }

  /**
   * Turns every claim of this slot into padding, since their writers are dead. Ends at the tail.
   */
  #recover(): void {
    let recovered = false;
    for (let restart = 0; restart < MAX_RESTARTS; restart++) {
      this.#restart();
      let word = this.#look();
      for (; word < 0; word = this.#look()) {
        const { cell } = this.#at;
        const units = word & layout.UNITS_MASK;
        if (units === 0 || units << layout.UNIT_SHIFT > this.#toEnd()) break;
        if ((word & ~layout.UNITS_MASK) === this.#claimed) {
          // The swap fails if the consumer knew of the death and has skipped the record already.
          compareExchange(this.#cells, cell, word, layout.PADDING | units);
          recovered = true;
        }
        advance(this.#at, units, this.#cells.length);
      }
      // C3: a free cell proves the walk. So does a consumer that has not moved.
      const full = this.#isFull();
      if (full && this.#readHead()) continue;
      if (!full && word !== this.#at.lap) {
        if (this.#readStart()) continue;
        throw corruptCell(this.#views, this.#at.cell, word);
      }
      this.#trust(this.#at);
      if (recovered) this.reader.wake();
      return;
    }
    throw corruptCell(this.#views, this.#at.cell, load(this.#cells, this.#at.cell));
  }

  /** @returns The cell under the walk; a free one when the ring is full up to it (C4). */
  #look(): number {
    return this.#isFull() ? this.#at.lap : load(this.#cells, this.#at.cell);
  }

  #isFull(): boolean {
    const used = (this.#at.position - this.#head.position) | 0;
    return used < 0 || used >= this.#capacity;
  }

  tryWrite(source: ArrayBufferView, length: number, type: number): boolean {
    return writeByClaim(this, source, length, type);
  }

  tryClaim(length: number, type: number): number {
    const units = layout.unitsOf(length);
    const needed = units << layout.UNIT_SHIFT;
    const at = this.#at;
    for (let step = 0; step < MAX_RESTARTS + 2 * this.#cells.length; step++) {
      const toEnd = this.#toEnd();
      const padding = needed > toEnd ? toEnd : 0;
      if (!this.#hasRoom(padding + needed)) {
        if (this.#isCertain()) return this.#full();
        continue;
      }
      const wanted =
        padding > 0 ? layout.PADDING | (padding >>> layout.UNIT_SHIFT) : this.#claimed | units;
      const { cell } = at;
      const word = compareExchange(this.#cells, cell, at.lap, wanted);
      if (word === at.lap) {
        const index = at.position & (this.#capacity - 1);
        advance(at, wanted & layout.UNITS_MASK, this.#cells.length);
        this.#trust(at);
        if (padding > 0) continue;
        this.#openCell = cell;
        this.#openUnits = units;
        this.#openIndex = index;
        this.#openLength = length + RECORD_HEADER_LENGTH;
        this.#openType = type;
        return index + RECORD_HEADER_LENGTH;
      }
      const taken = word & layout.UNITS_MASK;
      if (word < 0 && taken > 0 && taken << layout.UNIT_SHIFT <= toEnd) {
        advance(at, taken, this.#cells.length);
      } else if (!this.#restart()) {
        // The consumer has not moved, so this is what the next record looks like.
        throw corruptCell(this.#views, cell, word);
      }
    }
    return this.#full();
  }

  /** C4: looks for room before the cell is looked at. */
  #hasRoom(wanted: number): boolean {
    const used = (this.#at.position - this.#head.position) | 0;
    if (used >= 0 && this.#capacity - used >= wanted) return true;
    this.#readHead();
    const now = (this.#at.position - this.#head.position) | 0;
    const { control } = this.#views;
    if (now > control[PRODUCER_HIGH_WATER_OFFSET >> 2]!)
      control[PRODUCER_HIGH_WATER_OFFSET >> 2] = now;
    return now >= 0 && this.#capacity - now >= wanted;
  }

  /**
   * Begins the walk again where the consumer is, unless its end is certain.
   * @returns Whether all records that the walk went over are still there, so that its end is.
   */
  #isCertain(): boolean {
    if (isAfter(this.#head, this.#certain)) {
      this.#restart();
      return false;
    }
    this.#trust(this.#at);
    return true;
  }

  #trust(place: Place): void {
    copyPlace(place, this.#certain);
  }

  /** Begins the walk again. @returns Whether it differs from the walk that has just failed. */
  #restart(): boolean {
    this.#readHead();
    const isNews = this.#readStart() || !samePlace(this.#certain, this.#start);
    copyPlace(this.#start, this.#at);
    copyPlace(this.#start, this.#certain);
    return isNews;
  }

  /** Reads the consumer's place. @returns Whether the consumer moved. */
  #readHead(): boolean {
    const { lap, cell } = this.#head;
    for (let attempt = 0; attempt < MAX_RESTARTS; attempt++) {
      // SYNC released: pairs with the consumer's store. The consumer writes a version again only
      // after it has published the other one, so this one is whole if the number did not change.
      const done = load(this.#views.control, DONE_WORD);
      readVersion(this.#views, done, this.#head);
      if (load(this.#views.control, DONE_WORD) !== done) continue;
      return this.#head.lap !== lap || this.#head.cell !== cell;
    }
    throw corruptRelease(this.#views, load(this.#views.control, DONE_WORD));
  }

  /**
   * Reads where the consumer is, or will be once it has freed cells.
   * @returns Whether that moved.
   */
  #readStart(): boolean {
    const { lap, cell } = this.#start;
    for (let attempt = 0; attempt < MAX_RESTARTS; attempt++) {
      // SYNC release-intent: pairs with the consumer's store. The version is whole, as above, while
      // its release is under way or is the last one.
      const intent = load(this.#views.control, INTENT_WORD);
      readVersion(this.#views, intent, this.#start);
      const behind = (intent - load(this.#views.control, DONE_WORD)) | 0;
      if (behind !== 0 && behind !== 1) continue;
      return this.#start.lap !== lap || this.#start.cell !== cell;
    }
    throw corruptRelease(this.#views, load(this.#views.control, INTENT_WORD));
  }

  #toEnd(): number {
    return this.#capacity - (this.#at.position & (this.#capacity - 1));
  }

  #full(): -1 {
    // A report, not exact: producers may overwrite each other's count.
    this.#views.counters[PRODUCER_FULL_OFFSET >> 3]!++;
    return -1;
  }

  commit(): void {
    if (this.#openCell < 0) return;
    const at = this.#openIndex >> 2;
    this.#words[at] = this.#openLength;
    this.#words[at + 1] = this.#openType;
    // A report, not exact.
    this.#views.control[PRODUCER_POSITION_OFFSET >> 2] = this.#at.position;
    this.#end(layout.COMMITTED | this.#openUnits);
  }

  abort(): void {
    if (this.#openCell >= 0) this.#end(layout.PADDING | this.#openUnits);
  }

  #end(word: number): void {
    // SYNC published: pairs with the consumer's load. Releases the header and the payload.
    publish(this.#cells, this.#openCell, word, this.#isLight);
    this.#openCell = -1;
    wakeCalling(this.#views.control, READER_WORD, this.#isLight, this.reader);
  }

  /** Nothing is held back: every record is published by its commit. */
  flush(): void {}
}

function samePlace(a: Place, b: Place): boolean {
  return a.lap === b.lap && a.cell === b.cell && a.position === b.position;
}
