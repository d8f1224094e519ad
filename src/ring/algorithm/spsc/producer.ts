/**
 * One producer, one consumer: wait-free on both sides.
 *
 * The consumer does not read the producer's position. It looks at the header where the next record
 * will be: length 0 is "nothing yet". So the header is the signal, and the payload of a small
 * record arrives in the same cache line: each message costs one transfer between the cores, and not
 * two.
 *
 * Invariants, each kept by the writer of the words that it names:
 *
 *   P1  The header at the producer's tail has length 0 whenever the records before it are
 *       published: the producer writes that terminator first, and then the length that lets the
 *       consumer come there (SYNC published).
 *   P2  Records of a batch lie behind its first one, whose length is written last. Until then the
 *       consumer stands before it, and sees none of them.
 *   P3  The producer writes only from its tail to `consumerPosition + capacity`, terminator
 *       included.
 *   C1  The consumer reads only from its position to the terminator, and moves consumerPosition
 *       past a record only when its handler has returned or thrown (SYNC released).
 *
 * A light producer or consumer (waiting/event-count.ts) publishes by a plain store: on x86-64 all
 * stores of a thread become visible in their order. One that is late is as if the thread were late,
 * but for the looks at the other side's words after it. Those at the other's position may be early
 * at no harm, since a position only grows; the looks at a flag are what event-count.ts is about.
 *
 * What a crash leaves: a producer killed at any instant leaves its published records and a
 * terminator (P1, P2); the next one walks from consumerPosition to it, and so finds its tail. A
 * consumer killed at any instant leaves consumerPosition; the next one reads again what was read
 * but not released.
 *
 * Source: the terminator is that of MengRao's SPSC_Queue (SPSCVarQueueOPT.h); the claim, Agrona's.
 */
import { PADDING_TYPE, RECORD_HEADER_LENGTH } from "../../../layout/record-descriptor.ts";
import * as layout from "../../../layout/ring-layout.ts";
import { load } from "../../../memory/atomics.ts";
import type { FixedBytes } from "../../../memory/fixed-bytes.ts";
import type { RingProducerCore, Wakeable } from "../core.ts";
import { publish, wakeCalling } from "../publish.ts";
import { type RingMemory, corrupt, corruptRecord, viewsOf } from "../views.ts";
import { widened } from "./counts.ts";

// Indices of the words before the data.
const CONSUMER_POSITION_WORD = layout.CONSUMER_POSITION_OFFSET >> 2;
const POSITION_WORD = layout.PRODUCER_POSITION_OFFSET >> 2;
const HIGH_WATER_WORD = layout.PRODUCER_HIGH_WATER_OFFSET >> 2;
const RECORDS_LOW_WORD = layout.PRODUCER_RECORDS_LOW_OFFSET >> 2;
const READER_WORD = layout.DATA_WAIT_POINT_OFFSET >> 2;
// Indices of the counters.
const RECORDS_COUNTER = layout.PRODUCER_RECORDS_OFFSET >> 3;
const BYTES_COUNTER = layout.PRODUCER_BYTES_OFFSET >> 3;
const FULL_COUNTER = layout.PRODUCER_FULL_OFFSET >> 3;

/** The writing side of an SPSC ring. At most one exists at a time, in all processes. */
export class SpscProducer implements RingProducerCore {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly data: FixedBytes;
  readonly maxRecordLength: number;
  readonly reader: Wakeable;
  readonly #memory: RingMemory;
  readonly #counters: Float64Array;
  /** The whole ring, since each array that is used costs checks of its own. */
  readonly #words: Int32Array;
  /** Where the data begins, in words. */
  readonly #data: number;
  readonly #capacity: number;
  readonly #mask: number;
  readonly #batch: number;
  readonly #isLight: boolean;
  /** Where the next record goes. */
  #tail: number;
  /** The consumer's position as last read, plus the capacity: the tail stays below it. */
  #limit: number;
  #claimedLength = 0;
  #claimedType = 0;
  /** P2: the word and the withheld length of the first unpublished record; length 0 for none. */
  #heldWord = 0;
  #heldLength = 0;
  #heldRecords = 0;
  /** Records committed, mod 2^32. */
  #records: number;

  /**
   * Goes on where the last producer ended. Walks over the unread records once.
   *
   * @param batch Publish after this many records.
   * @param isLight Whether it is a light waker (waiting/event-count.ts).
   * @throws LayoutError when the bytes are no records.
   */
  constructor(memory: RingMemory, reader: Wakeable, batch = 1, isLight = false) {
    const { buffer, byteOffset, dataOffset, capacity } = memory;
    const views = viewsOf(memory);
    this.view = views.view;
    this.bytes = views.bytes;
    this.data = views.data;
    this.reader = reader;
    this.#memory = memory;
    this.#counters = views.counters;
    this.#words = new Int32Array(buffer, byteOffset, (dataOffset + capacity) >> 2);
    this.#data = dataOffset >> 2;
    this.#capacity = capacity;
    this.#mask = capacity - 1;
    this.#batch = batch;
    this.#isLight = isLight;
    this.maxRecordLength = layout.maxRecordLength(capacity);
    const head = load(this.#words, CONSUMER_POSITION_WORD);
    this.#tail = findTail(memory, views.words, head);
    this.#limit = (head + capacity) | 0;
    this.#records = this.#words[RECORDS_LOW_WORD]!;
  }

  tryWrite(source: ArrayBufferView, length: number, type: number): boolean {
    if (!this.#hasPlace(length)) return false;
    this.data.put((this.#tail & this.#mask) + RECORD_HEADER_LENGTH, source, length);
    this.#end(length + RECORD_HEADER_LENGTH, type);
    return true;
  }

  #hasPlace(length: number): boolean {
    const needed = (length + 15) & -8;
    const index = this.#tail & this.#mask;
    // The terminator needs room too.
    return (
      (((this.#limit - this.#tail) | 0) >= needed + RECORD_HEADER_LENGTH &&
        needed <= this.#capacity - index) ||
      this.#makeRoom(needed)
    );
  }

  tryClaim(length: number, type: number): number {
    if (!this.#hasPlace(length)) return -1;
    this.#claimedLength = length + RECORD_HEADER_LENGTH;
    this.#claimedType = type;
    return (this.#tail & this.#mask) + RECORD_HEADER_LENGTH;
  }

  /** The rare part of a claim: looks at the consumer's position, and pads the end of the ring. */
  #makeRoom(needed: number): boolean {
    const toEnd = this.#capacity - (this.#tail & this.#mask);
    const padding = needed > toEnd ? toEnd : 0;
    if (!this.#hasRoom(padding + needed)) {
      // The consumer may have read all that it was shown: nothing is held back from it now.
      this.flush();
      if (!this.#hasRoom(padding || needed)) return this.#full();
    }
    if (padding > 0) {
      this.#append(padding, PADDING_TYPE);
      if (!this.#hasRoom(needed)) {
        this.flush();
        return this.#full();
      }
    }
    return true;
  }

  #hasRoom(length: number): boolean {
    const wanted = length + RECORD_HEADER_LENGTH;
    if (((this.#limit - this.#tail) | 0) >= wanted) return true;
    // SYNC released: pairs with the consumer's store, after which it reads none of those bytes.
    const head = load(this.#words, CONSUMER_POSITION_WORD);
    const used = (this.#tail - head) | 0;
    if (used < 0 || used > this.#capacity || (head & 7) !== 0) {
      throw corrupt(this.#memory, "its consumer's position is wrong", {
        expected: `a position from ${(this.#tail - this.#capacity) | 0} to ${this.#tail}`,
        found: head,
        offset: layout.CONSUMER_POSITION_OFFSET,
      });
    }
    this.#limit = (head + this.#capacity) | 0;
    if (used > this.#words[HIGH_WATER_WORD]!) this.#words[HIGH_WATER_WORD] = used;
    this.#count();
    return this.#capacity - used >= wanted;
  }

  #full(): false {
    this.#counters[FULL_COUNTER]!++;
    return false;
  }

  /** Widens the counters, from which the words that say what is published must not run away. */
  #count(): void {
    const [counters, words] = [this.#counters, this.#words];
    counters[RECORDS_COUNTER] = widened(counters[RECORDS_COUNTER]!, words[RECORDS_LOW_WORD]!);
    counters[BYTES_COUNTER] = widened(counters[BYTES_COUNTER]!, words[POSITION_WORD]!);
  }

  commit(): void {
    const length = this.#claimedLength;
    if (length === 0) return;
    this.#claimedLength = 0;
    this.#end(length, this.#claimedType);
  }

  /** Adds a record whose bytes are written. */
  #end(length: number, type: number): void {
    this.#records = (this.#records + 1) | 0;
    if (this.#batch === 1 && this.#heldLength === 0) {
      this.#publish(this.#pass(length, type), length);
      return;
    }
    this.#append(length, type);
    if (++this.#heldRecords >= this.#batch) this.flush();
  }

  abort(): void {
    this.#claimedLength = 0;
  }

  /** Writes a record's type, and moves the tail over it. @returns The word of its length. */
  #pass(length: number, type: number): number {
    const at = this.#data + ((this.#tail & this.#mask) >> 2);
    this.#words[at + 1] = type;
    this.#tail = (this.#tail + ((length + 7) & -8)) | 0;
    return at;
  }

  /** Adds a record that is not published yet. */
  #append(length: number, type: number): void {
    const at = this.#pass(length, type);
    if (this.#heldLength === 0) {
      this.#heldWord = at;
      this.#heldLength = length;
    } else {
      this.#words[at] = length;
    }
  }

  flush(): void {
    const length = this.#heldLength;
    if (length === 0) return;
    this.#heldLength = 0;
    this.#heldRecords = 0;
    this.#publish(this.#heldWord, length);
  }

  /** Publishes all before the tail. @param at The word of the length that was held back. */
  #publish(at: number, length: number): void {
    const words = this.#words;
    const tail = this.#tail;
    words[this.#data + ((tail & this.#mask) >> 2)] = 0;
    // SYNC published: pairs with the consumer's load of this length. Releases the payloads, the
    // headers behind it and the terminator.
    publish(words, at, length, this.#isLight);
    words[POSITION_WORD] = tail;
    words[RECORDS_LOW_WORD] = this.#records;
    wakeCalling(words, READER_WORD, this.#isLight, this.reader);
  }
}

/** Walks over the published records to the terminator. @throws LayoutError. */
function findTail(memory: RingMemory, words: Int32Array, head: number): number {
  const { capacity } = memory;
  if ((head & 7) !== 0) {
    const expected = "a multiple of 8";
    const offset = layout.CONSUMER_POSITION_OFFSET;
    throw corrupt(memory, "its consumer's position is wrong", { expected, found: head, offset });
  }
  let position = head;
  while (((position - head) | 0) < capacity) {
    const index = position & (capacity - 1);
    const length = load(words, index >> 2);
    if (length <= 0) return position;
    const aligned = (length + 7) & -8;
    if (length < RECORD_HEADER_LENGTH || length > capacity - index) {
      throw corruptRecord(memory, index, length);
    }
    position = (position + aligned) | 0;
  }
  const index = head & (capacity - 1);
  throw corruptRecord(memory, index, load(words, index >> 2), "an end of the records");
}
