/** The reading side of a ring with many producers. The invariants are in producer.ts. */
import * as layout from "../../../layout/mpsc-layout.ts";
import { RECORD_HEADER_LENGTH } from "../../../layout/record-descriptor.ts";
import {
  CONSUMER_BYTES_OFFSET,
  CONSUMER_POSITION_OFFSET,
  CONSUMER_RECORDS_OFFSET,
  CONSUMER_RECOVERED_OFFSET,
} from "../../../layout/ring-layout.ts";
import { load, store, storeFence } from "../../../memory/atomics.ts";
import {
  DONE_WORD,
  INTENT_WORD,
  type MpscViews,
  type Place,
  advance,
  copyPlace,
  corruptCell,
  corruptRelease,
  mpscViewsOf,
  readVersion,
  versionIndex,
} from "./cells.ts";
import {
  RELEASES_PER_LAP,
  type RecordHandler,
  type RingConsumerCore,
  type Wakeable,
  checkHandled,
} from "../core.ts";
import { type RingMemory, corruptRecord } from "../views.ts";

/**
 * Looks at a claimed record between two questions to the kernel whether its producer lives. Most
 * claims end sooner; and eight looks of a waiter that sleeps in slices take under half a second.
 */
const LOOKS_PER_QUESTION = 8;

/** The reading side of an MPSC ring. At most one exists at a time, in all processes. */
export class MpscConsumer implements RingConsumerCore {
  readonly view: DataView;
  readonly writer: Wakeable;
  readonly #views: MpscViews;
  readonly #cells: Int32Array;
  readonly #words: Int32Array;
  readonly #isAlive: (slot: number) => boolean;
  readonly #capacity: number;
  /** The next record to read. */
  readonly #at: Place = { lap: 0, cell: 0, position: 0 };
  /** The published place: everything before it was given back. */
  readonly #released: Place = { lap: 0, cell: 0, position: 0 };
  readonly #looksPerQuestion: number;
  #release: number;
  #looks = 0;
  /** Records that the read in progress has handed over, and not counted yet. */
  #handed = 0;
  #ended = false;

  /**
   * Goes on where the last consumer released.
   *
   * @param isAlive Says whether a live producer holds the lock of a slot.
   * @param looksPerQuestion Looks at a claimed record for each call of `isAlive`.
   * @throws LayoutError.
   */
  constructor(
    memory: RingMemory,
    writer: Wakeable,
    isAlive: (slot: number) => boolean,
    looksPerQuestion: number = LOOKS_PER_QUESTION,
  ) {
    this.#looksPerQuestion = looksPerQuestion;
    this.#views = mpscViewsOf(memory);
    this.view = this.#views.view;
    this.#cells = this.#views.cells;
    this.#words = this.#views.words;
    this.#capacity = memory.capacity;
    this.writer = writer;
    this.#isAlive = isAlive;
    this.#release = load(this.#views.control, DONE_WORD);
    readVersion(this.#views, this.#release, this.#released);
    // SYNC release-intent: a predecessor died while it freed cells. It had read everything before
    // the intended place.
    const intent = load(this.#views.control, INTENT_WORD);
    if (intent !== this.#release) this.#finishRelease(intent);
    copyPlace(this.#released, this.#at);
  }

  #finishRelease(intent: number): void {
    const { control } = this.#views;
    if (intent !== ((this.#release + 1) | 0)) {
      throw corruptRelease(this.#views, intent);
    }
    readVersion(this.#views, intent, this.#at);
    this.#free();
    store(control, DONE_WORD, intent);
    this.#release = intent;
    copyPlace(this.#at, this.#released);
    this.writer.wake();
  }

  hasRecord(): boolean {
    try {
      return this.#next() < 0;
    } catch {
      // The ring is corrupt, and `read` reports it.
      return true;
    }
  }

  skipDead(): void {
    this.#next(1);
  }

  /**
   * Goes to the next record, past padding and the claims of the dead.
   *
   * @param looksPerQuestion Looks at a claim for each question to the kernel.
   * @returns Its cell; 0 when there is none yet. @throws LayoutError.
   */
  #next(looksPerQuestion: number = this.#looksPerQuestion): number {
    const at = this.#at;
    // Each step frees at least a unit, or ends the loop: at most one lap.
    for (let step = 0; step <= this.#cells.length; step++) {
      // C4: beyond a whole ring lie cells that this consumer has read and not freed yet.
      if (((at.position - this.#released.position) | 0) >= this.#capacity) break;
      const { cell } = at;
      // SYNC published: pairs with the producer's store in commit or abort.
      let word = load(this.#cells, cell);
      if (word < 0 && isClaim(word)) {
        if (++this.#looks % looksPerQuestion !== 0) break;
        if (this.#isAlive((word >>> layout.SLOT_SHIFT) & layout.SLOT_MASK)) break;
        // It may have committed and ended since the look. Nobody writes this cell any more now,
        // except a successor that turns the claim into padding.
        word = load(this.#cells, cell);
      }
      if (word >= 0) {
        if (word !== at.lap) throw corruptCell(this.#views, cell, word);
        break;
      }
      const units = word & layout.UNITS_MASK;
      const index = at.position & (this.#capacity - 1);
      if (units === 0 || units << layout.UNIT_SHIFT > this.#capacity - index) {
        throw corruptCell(this.#views, cell, word);
      }
      if (isClaim(word)) this.#views.counters[CONSUMER_RECOVERED_OFFSET >> 3]!++;
      else if ((word & ~layout.UNITS_MASK) !== layout.PADDING) return word;
      this.#looks = 0;
      advance(at, units, this.#cells.length);
    }
    // The next read may be far off: what was skipped is given back now.
    this.#publish();
    return 0;
  }

  read(handler: RecordHandler, limit: number): number {
    const { view } = this;
    const at = this.#at;
    const start = at.position;
    let count = 0;
    try {
      // At most one lap, so that producers that keep up cannot hold the reader here for ever.
      while (count < limit && ((at.position - start) | 0) < this.#capacity) {
        const word = this.#next();
        if (word === 0) break;
        const index = at.position & (this.#capacity - 1);
        const units = word & layout.UNITS_MASK;
        const length = this.#words[index >> 2]!;
        if (length < RECORD_HEADER_LENGTH || length > units << layout.UNIT_SHIFT) {
          const expected = `${RECORD_HEADER_LENGTH} to ${units << layout.UNIT_SHIFT} bytes`;
          throw corruptRecord(this.#views.memory, index, length, expected);
        }
        const type = this.#words[(index >> 2) + 1]!;
        // Before the handler: a record whose handler throws has been read.
        advance(at, units, this.#cells.length);
        count++;
        this.#handed = count;
        const result: unknown = handler(
          view,
          index + RECORD_HEADER_LENGTH,
          length - RECORD_HEADER_LENGTH,
          type,
        );
        if (result !== undefined) checkHandled(result);
        if (this.#ended || this.#words.length === 0) return count;
        const unreleased = (at.position - this.#released.position) | 0;
        if (unreleased >= this.#capacity / RELEASES_PER_LAP) this.#publish();
      }
    } finally {
      this.#handed = 0;
      if (count > 0 && !this.#ended && this.#words.length > 0) {
        this.#views.counters[CONSUMER_RECORDS_OFFSET >> 3]! += count;
        this.#publish();
      }
    }
    return count;
  }

  end(): void {
    this.#ended = true;
    if (this.#words.length === 0) return;
    this.#views.counters[CONSUMER_RECORDS_OFFSET >> 3]! += this.#handed;
    this.#publish();
  }

  /** Frees the cells of what was read, and publishes the new place: C5. */
  #publish(): void {
    const at = this.#at;
    if (at.position === this.#released.position) return;
    const { control } = this.#views;
    const release = (this.#release + 1) | 0;
    const version = versionIndex(release);
    // A producer that still reads this old version finds a new number afterwards: the fence keeps
    // the store of that number, in the last release, before these stores.
    storeFence();
    control[version] = at.lap;
    control[version + 1] = at.cell;
    control[version + 2] = at.position;
    // SYNC release-intent: pairs with the constructor of a successor.
    store(control, INTENT_WORD, release);
    this.#free();
    // A report: the version is what counts.
    control[CONSUMER_POSITION_OFFSET >> 2] = at.position;
    this.#views.counters[CONSUMER_BYTES_OFFSET >> 3]! +=
      (at.position - this.#released.position) | 0;
    // SYNC released: pairs with the producer's load. All reads of the bytes came before.
    store(control, DONE_WORD, release);
    this.#release = release;
    copyPlace(at, this.#released);
    this.writer.wake();
  }

  /** Frees the cells from the released place to where the consumer is, for their next lap. */
  #free(): void {
    const { lap, cell } = this.#released;
    const next = (lap + 1) & layout.LAP_MASK;
    if (this.#at.lap === lap) {
      this.#cells.fill(next, cell, this.#at.cell);
      return;
    }
    this.#cells.fill(next, cell);
    this.#cells.fill((next + 1) & layout.LAP_MASK, 0, this.#at.cell);
  }
}

function isClaim(word: number): boolean {
  return (word & layout.STATE_MASK) === layout.CLAIMED;
}
