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
 *       past a record only when its handler has returned or thrown (SYNC released).
 *
 * What a crash leaves: a producer killed anywhere leaves its published records and a terminator
 * (P1, P2); the next one finds its tail by walking there from consumerPosition. A consumer killed
 * anywhere leaves consumerPosition; the next one reads again what was read but not released.
 *
 * Source: the terminator is that of MengRao's SPSC_Queue (SPSCVarQueueOPT.h); the claim, Agrona's.
 */
import { LayoutError } from "../../../errors.ts";
import { PADDING_TYPE, RECORD_HEADER_LENGTH } from "../../../layout/record-descriptor.ts";
import * as layout from "../../../layout/ring-layout.ts";
import { load, store } from "../../../memory/atomics.ts";
import {
  type RecordHandler,
  type RingConsumerCore,
  type RingMemory,
  type RingProducerCore,
  type Wakeable,
  countersOf,
} from "../core.ts";

// Indices of the control words.
const CONSUMER_POSITION = layout.CONSUMER_POSITION >> 2;
const PRODUCER_POSITION = layout.PRODUCER_POSITION >> 2;
const PRODUCER_HIGH_WATER = layout.PRODUCER_HIGH_WATER >> 2;
// Indices of the counters.
const PRODUCER_RECORDS = layout.PRODUCER_RECORDS >> 3;
const PRODUCER_BYTES = layout.PRODUCER_BYTES >> 3;
const PRODUCER_FULL = layout.PRODUCER_FULL >> 3;
const CONSUMER_RECORDS = layout.CONSUMER_RECORDS >> 3;
const CONSUMER_BYTES = layout.CONSUMER_BYTES >> 3;

/**
 * The consumer gives room back each n-th of the ring, when it has read everything, and after each
 * read while a producer sleeps for want of room. One that only spins gets it by the n-th.
 */
const RELEASES_PER_LAP = 8;
/**
 * Pauses of a consumer that has caught up, in turns of about 1.2 ns: 0.3 to 5 µs. The longest are
 * reached only where records come by the ten million a second; they are the latency that such a
 * stream gets for a throughput that is a multiple on cores far apart.
 */
const SHORTEST_PAUSE = 256;
const LONGEST_PAUSE = 4096;
/** One catching up of 1024 pauses to find out whether records come in a stream. */
const TRIAL_MASK = 1023;

/**
 * As many records must a pause bring for the next one to be longer: two, or about one a 64 turns.
 */
function worthOf(pause: number): number {
  return Math.max(2, (pause >> 6) - 6);
}

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
  readonly #counters: Float64Array;
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
  #written: number;

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
    this.#counters = countersOf(memory);
    this.#words = dataWords(memory);
    this.#capacity = memory.capacity;
    this.#mask = memory.capacity - 1;
    this.#batch = batch;
    this.maxRecordLength = layout.maxRecordLength(memory.capacity);
    const head = load(this.#control, CONSUMER_POSITION);
    this.#tail = findTail(this.#words, memory.capacity, head);
    this.#limit = (head + memory.capacity) | 0;
    this.#records = this.#counters[PRODUCER_RECORDS]!;
    this.#written = this.#counters[PRODUCER_BYTES]!;
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
    if (used > this.#control[PRODUCER_HIGH_WATER]!) this.#control[PRODUCER_HIGH_WATER] = used;
    return this.#capacity - used >= wanted;
  }

  #full(): false {
    this.#counters[PRODUCER_FULL]!++;
    return false;
  }

  commit(): void {
    const length = this.#claimedLength;
    if (length === 0) return;
    this.#claimedLength = 0;
    this.#append(length, this.#claimedType);
    this.#records++;
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
    const aligned = (length + 7) & -8;
    this.#tail = (this.#tail + aligned) | 0;
    this.#written += aligned;
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
    this.#counters[PRODUCER_RECORDS] = this.#records;
    this.#counters[PRODUCER_BYTES] = this.#written;
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
  readonly #counters: Float64Array;
  readonly #words: Int32Array;
  readonly #capacity: number;
  readonly #releaseStep: number;
  /** The next record to read. */
  #position: number;
  /** What the producer knows of it. */
  #released: number;
  /** The pause of the next catching up, in turns. */
  #pause = 0;
  #paused = false;
  #readSince = 0;
  #looks = 0;
  /** What the pause computes; kept, so that the loop is not optimised away. */
  #idle = 0;
  #taken: Uint8Array<ArrayBuffer> | undefined;
  takenType = 0;

  /** Goes on where the last consumer released. @throws LayoutError. */
  constructor(memory: RingMemory, writer: Wakeable) {
    this.view = dataView(memory);
    this.writer = writer;
    this.#bytes = dataBytes(memory);
    this.#control = controlOf(memory);
    this.#counters = countersOf(memory);
    this.#words = dataWords(memory);
    this.#capacity = memory.capacity;
    this.#releaseStep = memory.capacity / RELEASES_PER_LAP;
    this.#position = load(this.#control, CONSUMER_POSITION);
    if ((this.#position & 7) !== 0) throw corrupt(0, this.#position);
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
      // At most one lap, so that a producer that keeps up cannot hold the reader here for ever.
      do {
        const index = position & mask;
        const aligned = (length + 7) & -8;
        if (length < RECORD_HEADER_LENGTH || length > this.#capacity - index) {
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
        length = load(words, (position & mask) >> 2);
      } while (length > 0 && count < limit && ((position - start) | 0) < this.#capacity);
    } finally {
      this.#counters[CONSUMER_RECORDS]! += count;
      this.#readSince += count;
      // A producer that announces itself after this look has it at the end of the next read.
      if (this.writer.hasWaiters && position !== this.#released) this.#release();
    }
    return count;
  }

  /**
   * Has read everything: gives the room back and, where records come in a stream, stays away for a
   * moment. A consumer that looks again at once takes each line of the ring out of the producer's
   * cache as soon as it is written, and both do little but wait for each other's lines.
   *
   * How long is learned from what each pause brings: several records make the next one longer, a
   * single one (somebody waits for our answer, say) makes it shorter. Without pauses, one look in
   * many is delayed, to find out.
   *
   * @returns Whether there are records now.
   */
  #catchUp(): boolean {
    this.#release();
    if (this.#paused) {
      const longer = Math.min(Math.max(this.#pause * 2, SHORTEST_PAUSE), LONGEST_PAUSE);
      if (this.#readSince >= worthOf(this.#pause)) this.#pause = longer;
      else this.#pause = this.#pause > SHORTEST_PAUSE ? this.#pause >> 1 : 0;
    }
    this.#readSince = 0;
    this.#paused = this.#pause > 0 || (++this.#looks & TRIAL_MASK) === 0;
    if (this.#paused) {
      let mixed = this.#idle;
      const turns = this.#pause || SHORTEST_PAUSE;
      for (let turn = 0; turn < turns; turn++) mixed = Math.imul(mixed, 0x2c1b3c6d) ^ turn;
      this.#idle = mixed;
    }
    return this.hasRecord();
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

  giveBack(): void {
    if (this.#position !== this.#released) this.#release();
  }

  #release(): void {
    this.#counters[CONSUMER_BYTES]! += (this.#position - this.#released) | 0;
    this.#released = this.#position;
    // SYNC released: pairs with the producer's load. All reads of the bytes came before.
    store(this.#control, CONSUMER_POSITION, this.#position);
    this.writer.wake();
  }
}
