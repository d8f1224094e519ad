/**
 * One producer, one consumer: wait-free on both sides.
 *
 * The consumer needs no position of the producer. It looks at the header where the next record will
 * be: length 0 is "nothing yet". So the header is the signal, and with a small record the payload
 * arrives in the same cache line: one transfer between the cores a message, and not two.
 *
 * Invariants, each kept by the one who writes the words that it names:
 *
 *   P1  The header at the producer's tail has length 0 whenever the records before it are
 *       published: the producer writes that terminator first, and then the length that lets the
 *       consumer come there (SYNC published).
 *   P2  Records of a batch lie behind its first one, whose length is written last. Until then the
 *       consumer stands before it, and sees none of them.
 *   P3  The producer writes only from its tail to `consumerPosition + capacity`, terminator
 *       included.
 *   C1  The consumer reads only from its position to the terminator, and moves consumerPosition
 *       past a record when its handler has returned or thrown (SYNC released).
 *
 * What a crash leaves: a producer killed anywhere leaves its published records and a terminator
 * (P1, P2); the next one finds its tail by walking there from consumerPosition. A consumer killed
 * anywhere leaves consumerPosition; the next one reads again what was read but not released.
 *
 * Source: the terminator is that of MengRao's SPSC_Queue (SPSCVarQueueOPT.h); the claim, Agrona's.
 */
import { LayoutError } from "../errors.ts";
import { PADDING_TYPE, RECORD_HEADER_LENGTH } from "../layout/record-descriptor.ts";
import * as layout from "../layout/ring-layout.ts";
import { load, store } from "../memory/atomics.ts";
import type {
  RecordHandler,
  RingConsumerCore,
  RingMemory,
  RingProducerCore,
  Wakeable,
} from "./ring.ts";

// Indices of the control words.
const CONSUMER_POSITION = layout.CONSUMER_POSITION >> 2;
const CONSUMER_RECORDS = layout.CONSUMER_RECORDS >> 2;
const PRODUCER_POSITION = layout.PRODUCER_POSITION >> 2;
const PRODUCER_RECORDS = layout.PRODUCER_RECORDS >> 2;
const PRODUCER_FULL = layout.PRODUCER_FULL >> 2;

/** The consumer gives room back at least this often within one read: each n-th of the ring. */
const RELEASES_PER_LAP = 8;

function controlOf({ buffer, byteOffset, dataOffset }: RingMemory): Int32Array {
  return new Int32Array(buffer, byteOffset, dataOffset >> 2);
}

function dataWords({ buffer, byteOffset, dataOffset, capacity }: RingMemory): Int32Array {
  return new Int32Array(buffer, byteOffset + dataOffset, capacity >> 2);
}

function dataBytes({ buffer, byteOffset, dataOffset, capacity }: RingMemory): Uint8Array {
  return new Uint8Array(buffer, byteOffset + dataOffset, capacity);
}

function dataView({ buffer, byteOffset, dataOffset, capacity }: RingMemory): DataView {
  return new DataView(buffer, byteOffset + dataOffset, capacity);
}

/** The writing side of an SPSC ring. At most one exists at a time, in all processes. */
export class SpscProducer implements RingProducerCore {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly maxRecordLength: number;
  readonly reader: Wakeable;
  readonly #control: Int32Array;
  readonly #words: Int32Array;
  readonly #capacity: number;
  readonly #mask: number;
  readonly #batch: number;
  /** Where the next record goes. */
  #tail: number;
  /** The consumer's position as last read, plus the capacity: the tail stays below. */
  #limit: number;
  #claimedLength = 0;
  #claimedType = 0;
  /** P2: the index and the withheld length of the first unpublished record; length 0 for none. */
  #heldIndex = 0;
  #heldLength = 0;
  #heldRecords = 0;
  #records: number;

  /**
   * Goes on where the last producer ended. Walks over what is unread, once.
   *
   * @param batch Publish after so many records.
   * @throws LayoutError when the bytes are no records.
   */
  constructor(memory: RingMemory, reader: Wakeable, batch = 1) {
    this.view = dataView(memory);
    this.bytes = dataBytes(memory);
    this.reader = reader;
    this.#control = controlOf(memory);
    this.#words = dataWords(memory);
    this.#capacity = memory.capacity;
    this.#mask = memory.capacity - 1;
    this.#batch = batch;
    this.maxRecordLength = layout.maxRecordLength(memory.capacity);
    const head = load(this.#control, CONSUMER_POSITION);
    this.#tail = findTail(this.#words, memory.capacity, head);
    this.#limit = (head + memory.capacity) | 0;
    this.#records = this.#control[PRODUCER_RECORDS]!;
  }

  tryClaim(length: number, type: number): number {
    const needed = (length + 15) & -8;
    const index = this.#tail & this.#mask;
    // The terminator needs room too.
    if (
      ((this.#limit - this.#tail) | 0) < needed + RECORD_HEADER_LENGTH ||
      needed > this.#capacity - index
    ) {
      if (!this.#makeRoom(needed)) return -1;
    }
    this.#claimedLength = length + RECORD_HEADER_LENGTH;
    this.#claimedType = type;
    return (this.#tail & this.#mask) + RECORD_HEADER_LENGTH;
  }

  /** The rare part of a claim: looks at the consumer's position, and pads the end of the ring. */
  #makeRoom(needed: number): boolean {
    const toEnd = this.#capacity - (this.#tail & this.#mask);
    const padding = needed > toEnd ? toEnd : 0;
    if (!this.#hasRoom(padding + needed)) {
      // The reader may be at the end of what it was shown: nothing is held back from it now.
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
    // SYNC released: pairs with the consumer's store. Its reads of the bytes are over.
    const head = load(this.#control, CONSUMER_POSITION);
    const used = (this.#tail - head) | 0;
    if (used < 0 || used > this.#capacity || (head & 7) !== 0) {
      throw new LayoutError("The ring is corrupt: the consumer cannot be there", {
        expected: `a position from ${(this.#tail - this.#capacity) | 0} to ${this.#tail}`,
        found: String(head),
        offset: layout.CONSUMER_POSITION,
      });
    }
    this.#limit = (head + this.#capacity) | 0;
    return this.#capacity - used >= wanted;
  }

  #full(): false {
    this.#control[PRODUCER_FULL]!++;
    return false;
  }

  commit(): void {
    const length = this.#claimedLength;
    if (length === 0) return;
    this.#claimedLength = 0;
    this.#append(length, this.#claimedType);
    this.#records = (this.#records + 1) | 0;
    if (++this.#heldRecords >= this.#batch) this.flush();
  }

  abort(): void {
    this.#claimedLength = 0;
  }

  /** Adds a record that is not published yet. */
  #append(length: number, type: number): void {
    const at = (this.#tail & this.#mask) >> 2;
    this.#words[at + 1] = type;
    if (this.#heldLength === 0) {
      this.#heldIndex = at;
      this.#heldLength = length;
    } else {
      this.#words[at] = length;
    }
    this.#tail = (this.#tail + ((length + 7) & -8)) | 0;
  }

  flush(): void {
    if (this.#heldLength === 0) return;
    this.#words[(this.#tail & this.#mask) >> 2] = 0;
    // SYNC published: pairs with the consumer's load of this length. Releases the payloads, the
    // headers behind it and the terminator.
    store(this.#words, this.#heldIndex, this.#heldLength);
    this.#heldLength = 0;
    this.#heldRecords = 0;
    this.#control[PRODUCER_POSITION] = this.#tail;
    this.#control[PRODUCER_RECORDS] = this.#records;
    this.reader.wake();
  }
}

/** Walks over the published records to the terminator. */
function findTail(words: Int32Array, capacity: number, head: number): number {
  if ((head & 7) !== 0) throw corrupt(head & (capacity - 1), head);
  let position = head;
  while (((position - head) | 0) < capacity) {
    const index = position & (capacity - 1);
    const length = load(words, index >> 2);
    if (length <= 0) return position;
    const aligned = (length + 7) & -8;
    if (length < RECORD_HEADER_LENGTH || length > capacity - index) throw corrupt(index, length);
    position = (position + aligned) | 0;
  }
  throw corrupt(head & (capacity - 1), load(words, (head & (capacity - 1)) >> 2));
}

function corrupt(index: number, length: number): LayoutError {
  return new LayoutError("The ring is corrupt: there is no record", {
    expected: "a length that ends within the ring",
    found: String(length),
    offset: index,
  });
}

/** The reading side of an SPSC ring. At most one exists at a time, in all processes. */
export class SpscConsumer implements RingConsumerCore {
  readonly view: DataView;
  readonly writer: Wakeable;
  readonly #bytes: Uint8Array;
  readonly #control: Int32Array;
  readonly #words: Int32Array;
  readonly #capacity: number;
  readonly #releaseStep: number;
  /** The next record to read. */
  #position: number;
  /** What the producer knows of it. */
  #released: number;
  #records: number;
  #taken: Uint8Array<ArrayBuffer> | undefined;
  takenType = 0;

  /** Goes on where the last consumer released. @throws LayoutError. */
  constructor(memory: RingMemory, writer: Wakeable) {
    this.view = dataView(memory);
    this.writer = writer;
    this.#bytes = dataBytes(memory);
    this.#control = controlOf(memory);
    this.#words = dataWords(memory);
    this.#capacity = memory.capacity;
    this.#releaseStep = memory.capacity / RELEASES_PER_LAP;
    this.#position = load(this.#control, CONSUMER_POSITION);
    if ((this.#position & 7) !== 0) throw corrupt(0, this.#position);
    this.#released = this.#position;
    this.#records = this.#control[CONSUMER_RECORDS]!;
  }

  hasRecord(): boolean {
    return load(this.#words, (this.#position & (this.#capacity - 1)) >> 2) > 0;
  }

  read(handler: RecordHandler, limit: number): number {
    const { view } = this;
    const words = this.#words;
    const capacity = this.#capacity;
    const start = this.#position;
    let position = start;
    let count = 0;
    try {
      // At most one lap, so that a producer that keeps up cannot hold the reader here for ever.
      while (count < limit && ((position - start) | 0) < capacity) {
        const index = position & (capacity - 1);
        // SYNC published: pairs with the producer's store in flush.
        const length = load(words, index >> 2);
        if (length <= 0) break;
        const aligned = (length + 7) & -8;
        if (length < RECORD_HEADER_LENGTH || length > capacity - index) {
          throw corrupt(index, length);
        }
        const type = words[(index >> 2) + 1]!;
        position = (position + aligned) | 0;
        // Before the handler: a record whose handler throws has been read.
        this.#position = position;
        if (type !== PADDING_TYPE) {
          count++;
          handler(view, index + RECORD_HEADER_LENGTH, length - RECORD_HEADER_LENGTH, type);
        }
        if (((position - this.#released) | 0) >= this.#releaseStep) this.#release();
      }
    } finally {
      if (position !== this.#released) {
        this.#records = (this.#records + count) | 0;
        this.#control[CONSUMER_RECORDS] = this.#records;
        this.#release();
      }
    }
    return count;
  }

  take(): Uint8Array<ArrayBuffer> | undefined {
    this.#taken = undefined;
    this.read(this.#copy, 1);
    return this.#taken;
  }

  readonly #copy: RecordHandler = (_view, index, length, type) => {
    this.takenType = type;
    this.#taken = new Uint8Array(length);
    this.#taken.set(this.#bytes.subarray(index, index + length));
  };

  #release(): void {
    this.#released = this.#position;
    // SYNC released: pairs with the producer's load. All reads of the bytes came before.
    store(this.#control, CONSUMER_POSITION, this.#position);
    this.writer.wake();
  }
}
