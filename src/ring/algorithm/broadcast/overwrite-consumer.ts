/** A consumer of a broadcast ring whose producer never waits. The invariants are in producer.ts. */
import type { LayoutError } from "../../../errors.ts";
import * as layout from "../../../layout/broadcast-layout.ts";
import { PADDING_TYPE } from "../../../layout/record-descriptor.ts";
import { CONSUMER_LOST_OFFSET } from "../../../layout/ring-layout.ts";
import { load, loadFence } from "../../../memory/atomics.ts";
import * as word from "./words.ts";
import { type RecordHandler, type RingConsumerCore, type Wakeable, checkHandled } from "../core.ts";
import { type RingMemory, type RingViews, corrupt, corruptRecord, viewsOf } from "../views.ts";

const { BROADCAST_ALIGNMENT, BROADCAST_HEADER_LENGTH } = layout;

/** How often it tries to find its position while the producer laps it. */
const MAX_ATTEMPTS = 100;
/** The most bytes of one copy, unless a record is longer; a larger copy is lapped too easily. */
const COPY_LENGTH = 16384;

/** One reading side. Any number exist, in any processes; the producer does not know of them. */
export class OverwriteConsumer implements RingConsumerCore {
  /** A private copy of what is handed over: never torn, and no other process changes it. */
  readonly view: DataView;
  readonly writer: Wakeable;
  readonly #memory: RingMemory;
  readonly #views: RingViews;
  readonly #capacity: number;
  readonly #copied: Uint8Array<ArrayBuffer>;
  readonly #copiedWords: Int32Array;
  /** The bytes of the copy that are not handed over yet: from, and to. */
  #from = 0;
  #to = 0;
  /** Where the next copy starts, in bytes since the ring was made. */
  #position = 0;
  /** The number of the next record. */
  #number = 0;
  #lost = 0;
  #ended = false;

  /** Joins the ring: it will see what is published from now on. @throws LayoutError. */
  constructor(memory: RingMemory, writer: Wakeable) {
    this.#memory = memory;
    this.#views = viewsOf(memory);
    this.#capacity = memory.capacity;
    this.writer = writer;
    const longest = layout.broadcastMaxRecordLength(memory.capacity) + 2 * BROADCAST_HEADER_LENGTH;
    this.#copied = new Uint8Array(new ArrayBuffer(Math.max(longest, COPY_LENGTH)));
    this.#copiedWords = new Int32Array(this.#copied.buffer);
    this.view = new DataView(this.#copied.buffer);
    const tail = this.#findTail();
    this.#position = tail.position;
    this.#number = tail.number;
  }

  /** Bytes from the beginning of the ring to the next record to copy. */
  get position(): number {
    return this.#position;
  }

  /** The number of records overwritten before this consumer read them, since it joined. Exact. */
  get lost(): number {
    return this.#lost;
  }

  /** @returns The published tail in full, and the number of the record that will come there. */
  #findTail(): { position: number; number: number } {
    const { control } = this.#views;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const before = word.readWide(control, word.TAIL_INTENT);
      const found = word.readTailNumber(control);
      const after = word.readWide(control, word.TAIL_INTENT);
      // O3: between the two looks the tail moved by so little that its upper bits are certain.
      if (found === undefined || after - before > this.#capacity) continue;
      return { position: word.widen(found.tail, after), number: found.number };
    }
    const tail = load(control, word.TAIL);
    throw this.#corruptTail("a tail whose record number is known", tail);
  }

  end(): void {
    this.#ended = true;
  }

  hasRecord(): boolean {
    if (this.#from < this.#to) return true;
    const { control } = this.#views;
    return load(control, word.TAIL) !== (this.#position | 0) || !this.#isIntact();
  }

  /** R4: whether no byte from the position on was overwritten. */
  #isIntact(): boolean {
    const intent = word.readWide(this.#views.control, word.TAIL_INTENT);
    return intent - this.#position <= this.#capacity;
  }

  read(handler: RecordHandler, limit: number): number {
    const { view } = this;
    const words = this.#copiedWords;
    let count = 0;
    let copies = 0;
    while (count < limit) {
      if (this.#from === this.#to) {
        // A bounded number, so that a producer that keeps up cannot keep the reader here for ever.
        if (copies++ === layout.QUARTER_COUNT || !this.#copy()) break;
      }
      const at = this.#from;
      const length = words[at >> 2]!;
      const type = words[(at >> 2) + 1]!;
      // Before the handler: a record whose handler throws has been read.
      this.#from = at + align(length);
      if (type === PADDING_TYPE) continue;
      count++;
      const result: unknown = handler(
        view,
        at + BROADCAST_HEADER_LENGTH,
        length - BROADCAST_HEADER_LENGTH,
        type,
      );
      if (result !== undefined) checkHandled(result);
      if (this.#ended || this.#views.bytes.length === 0) break;
    }
    return count;
  }

  /** Copies whole records, validates them, and moves past them. @returns Whether there were any. */
  #copy(): boolean {
    const { control, data } = this.#views;
    const capacity = this.#capacity;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      // SYNC published, SYNC overwrite: R1 to R4.
      const available = (load(control, word.TAIL) - (this.#position | 0)) | 0;
      if (available === 0 && this.#isIntact()) return false;
      const index = (this.#position | 0) & (capacity - 1);
      const length = Math.min(available, capacity - index, this.#copied.length);
      if (length > 0 && available <= capacity) {
        data.take(index, this.#copied, length);
        loadFence();
        if (this.#isIntact()) return this.#accept(index, length);
      } else if (this.#isIntact()) {
        throw this.#corruptTail("a tail after what was read", available);
      }
      this.#skip();
    }
    return false;
  }

  /** Checks the copied records, once: nobody else can change them any more. */
  #accept(index: number, length: number): boolean {
    const words = this.#copiedWords;
    let end = 0;
    let number = this.#number;
    while (end < length) {
      const at = end >> 2;
      const recordLength = words[at]!;
      // Compared before it is rounded up, since rounding would overflow a hostile length.
      const left = this.#capacity - index - end;
      if (recordLength < BROADCAST_HEADER_LENGTH || recordLength > left) {
        throw corruptRecord(this.#memory, index + end, recordLength);
      }
      const next = end + align(recordLength);
      // The rest of it comes with the next copy.
      if (next > length) break;
      const found = numberAt(words, at);
      if (found !== number) {
        throw corruptRecord(this.#memory, index + end + 8, found, `record number ${number}`);
      }
      if (words[at + 1] !== PADDING_TYPE) number++;
      end = next;
    }
    if (end === 0) {
      throw corruptRecord(this.#memory, index, words[0]!, "a whole record");
    }
    this.#number = number;
    this.#position += end;
    this.#from = 0;
    this.#to = end;
    return true;
  }

  /**
   * The producer has lapped this consumer: goes on at the oldest quarter mark that will last for a
   * while, or at the tail. Counts the loss.
   */
  #skip(): void {
    const { control, data } = this.#views;
    const capacity = this.#capacity;
    const intent = word.readWide(control, word.TAIL_INTENT);
    let mark = -1;
    for (let quarter = 0; quarter < layout.QUARTER_COUNT; quarter++) {
      const position = word.widen(load(control, word.QUARTER_MARKS + quarter), intent);
      const isLasting = intent - position <= capacity - capacity / layout.QUARTER_COUNT;
      if (isLasting && (mark < 0 || position < mark)) mark = position;
    }
    const tail = load(control, word.TAIL);
    if (mark >= 0) {
      const index = (mark | 0) & (capacity - 1) & -BROADCAST_ALIGNMENT;
      data.take(index, this.#copied, BROADCAST_HEADER_LENGTH);
      loadFence();
      const now = word.readWide(control, word.TAIL_INTENT);
      if (now - mark <= capacity && word.widen(tail, now) > mark) {
        this.#arrive(mark, numberAt(this.#copiedWords, 0));
        return;
      }
    }
    const end = this.#findTail();
    this.#arrive(end.position, end.number);
  }

  #arrive(position: number, number: number): void {
    const lost = number - this.#number;
    if (lost < 0) {
      const expected = `record number ${this.#number} or a later one`;
      throw corruptRecord(this.#memory, (position | 0) & (this.#capacity - 1), number, expected);
    }
    this.#lost += lost;
    // A report, not exact: consumers may overwrite each other's count. Their own count is exact.
    this.#views.counters[CONSUMER_LOST_OFFSET >> 3]! += lost;
    this.#position = position;
    this.#number = number;
  }

  #corruptTail(expected: string, found: number): LayoutError {
    return corrupt(this.#memory, "its tail is wrong", {
      expected,
      found,
      offset: layout.TAIL_OFFSET,
    });
  }
}

function align(length: number): number {
  return (length + BROADCAST_ALIGNMENT - 1) & -BROADCAST_ALIGNMENT;
}

function numberAt(words: Int32Array, at: number): number {
  return (words[at + 3]! >>> 0) * 2 ** 32 + (words[at + 2]! >>> 0);
}
