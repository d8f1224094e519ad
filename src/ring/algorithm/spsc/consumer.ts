/** The reading side of a ring with one producer. The invariants are in producer.ts. */
import { PADDING_TYPE, RECORD_HEADER_LENGTH } from "../../../layout/record-descriptor.ts";
import * as layout from "../../../layout/ring-layout.ts";
import { load } from "../../../memory/atomics.ts";
import {
  RELEASES_PER_LAP,
  type RecordHandler,
  type RingConsumerCore,
  type Wakeable,
  checkHandled,
} from "../core.ts";
import { publish, wakeCalling } from "../publish.ts";
import { type RingMemory, corrupt, corruptRecord, viewsOf } from "../views.ts";
import { Pause, stayAway } from "./pause.ts";

const CONSUMER_POSITION_WORD = layout.CONSUMER_POSITION_OFFSET >> 2;
const WRITER_WORD = layout.SPACE_WAIT_POINT_OFFSET >> 2;
const CONSUMER_RECORDS_COUNTER = layout.CONSUMER_RECORDS_OFFSET >> 3;
const CONSUMER_BYTES_COUNTER = layout.CONSUMER_BYTES_OFFSET >> 3;

/**
 * The reading side of an SPSC ring. At most one exists at a time, in all processes.
 *
 * It gives room back after each eighth of the ring, when it has read everything, and after each
 * read while a producer sleeps for want of room. A producer that spins gets room by the eighth.
 */
export class SpscConsumer implements RingConsumerCore {
  readonly view: DataView;
  readonly writer: Wakeable;
  readonly #memory: RingMemory;
  readonly #control: Int32Array;
  readonly #counters: Float64Array;
  readonly #words: Int32Array;
  readonly #capacity: number;
  readonly #releaseStep: number;
  readonly #isLight: boolean;
  readonly #pause: Pause | undefined;
  /** The next record to read. */
  #position: number;
  /** The position that the producer knows. */
  #released: number;
  #readSincePause = 0;
  /** Records that the read in progress has handed over, and not counted yet. */
  #handed = 0;
  #ended = false;

  /**
   * Goes on where the last consumer released.
   * @param isLight Whether it is a light waker (waiting/event-count.ts).
   * @param pauses Whether it stays away for a moment where records come in a stream.
   * @throws LayoutError.
   */
  constructor(memory: RingMemory, writer: Wakeable, isLight = false, pauses = false) {
    this.#isLight = isLight;
    this.#pause = pauses ? new Pause() : undefined;
    const views = viewsOf(memory);
    this.view = views.view;
    this.writer = writer;
    this.#memory = memory;
    this.#control = views.control;
    this.#counters = views.counters;
    this.#words = views.words;
    this.#capacity = memory.capacity;
    this.#releaseStep = memory.capacity / RELEASES_PER_LAP;
    this.#position = load(this.#control, CONSUMER_POSITION_WORD);
    if ((this.#position & 7) !== 0) {
      throw corrupt(memory, "its consumer's position is wrong", {
        expected: "a multiple of 8",
        found: this.#position,
        offset: layout.CONSUMER_POSITION_OFFSET,
      });
    }
    this.#released = this.#position;
  }

  hasRecord(): boolean {
    return load(this.#words, (this.#position & (this.#capacity - 1)) >> 2) > 0;
  }

  read(handler: RecordHandler, limit: number): number {
    const words = this.#words;
    const mask = this.#capacity - 1;
    const start = this.#position;
    // SYNC published: pairs with the producer's store in flush. So do the loads below.
    let length = load(words, (start & mask) >> 2);
    if (length <= 0) {
      if (start === this.#released || !this.#catchUp()) return 0;
      length = load(words, (start & mask) >> 2);
    }
    const { view } = this;
    let position = start;
    let count = 0;
    try {
      // At most one lap, so that a producer that keeps up cannot keep the reader here for ever.
      do {
        const index = position & mask;
        const aligned = (length + 7) & -8;
        if (length < RECORD_HEADER_LENGTH || length > this.#capacity - index) {
          throw corruptRecord(this.#memory, index, length);
        }
        const type = words[(index >> 2) + 1]!;
        position = (position + aligned) | 0;
        // Before the handler: a record whose handler throws has been read.
        this.#position = position;
        if (type !== PADDING_TYPE) {
          count++;
          this.#handed = count;
          const result: unknown = handler(
            view,
            index + RECORD_HEADER_LENGTH,
            length - RECORD_HEADER_LENGTH,
            type,
          );
          if (result !== undefined) checkHandled(result);
          if (this.#ended || words.length === 0) return count;
        }
        if (((position - this.#released) | 0) >= this.#releaseStep) this.#release();
        length = load(words, (position & mask) >> 2);
      } while (length > 0 && count < limit && ((position - start) | 0) < this.#capacity);
    } finally {
      this.#handed = 0;
      if (!this.#ended && words.length > 0) {
        this.#counters[CONSUMER_RECORDS_COUNTER]! += count;
        this.#readSincePause += count;
        // A producer that goes to sleep after this look gets room at the end of the next read.
        if (this.writer.hasWaiters && position !== this.#released) this.#release();
      }
    }
    return count;
  }

  /** Gives all room back once everything is read. @returns Whether there are records now. */
  #catchUp(): boolean {
    this.#release();
    if (this.#pause !== undefined) stayAway(this.#pause.next(this.#readSincePause));
    this.#readSincePause = 0;
    return this.hasRecord();
  }

  end(): void {
    this.#ended = true;
    if (this.#words.length === 0) return;
    this.#counters[CONSUMER_RECORDS_COUNTER]! += this.#handed;
    if (this.#position !== this.#released) this.#release();
  }

  #release(): void {
    this.#counters[CONSUMER_BYTES_COUNTER]! += (this.#position - this.#released) | 0;
    this.#released = this.#position;
    // SYNC released: pairs with the producer's load. All reads of the bytes came before.
    publish(this.#control, CONSUMER_POSITION_WORD, this.#position, this.#isLight);
    wakeCalling(this.#control, WRITER_WORD, this.#isLight, this.writer);
  }
}
