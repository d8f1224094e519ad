/**
 * A reader of a broadcast ring that holds the producer back. The invariants are in broadcast.ts.
 */
import * as layout from "../../../layout/broadcast-layout.ts";
import { PADDING_TYPE } from "../../../layout/record-descriptor.ts";
import { and, load, or, store } from "../../../memory/atomics.ts";
import * as word from "./words.ts";
import type { RecordHandler, RingConsumerCore, RingMemory, Wakeable } from "../core.ts";

const { BROADCAST_ALIGNMENT, BROADCAST_HEADER_LENGTH } = layout;

/** The consumer gives room back at least this often within one read: each n-th of the ring. */
const RELEASES_PER_LAP = 8;
/** How often it tries to join while the producer runs on. */
const MAX_ATTEMPTS = 1000;

/** One reading side. Its slot's lock is held while it exists. */
export class BlockConsumer implements RingConsumerCore {
  readonly view: DataView;
  readonly writer: Wakeable;
  readonly #views: word.BroadcastViews;
  readonly #words: Int32Array;
  readonly #capacity: number;
  readonly #slot: number;
  #position = 0;
  #released = 0;
  #taken: Uint8Array<ArrayBuffer> | undefined;
  takenType = 0;

  /**
   * Joins: sees what is published from now on.
   *
   * @param slot From 0 to CONSUMER_SLOTS - 1; the caller holds its lock.
   * @throws LayoutError.
   */
  constructor(memory: RingMemory, writer: Wakeable, slot: number) {
    this.#views = word.viewsOf(memory);
    this.view = this.#views.view;
    this.#words = this.#views.words;
    this.#capacity = memory.capacity;
    this.#slot = slot;
    this.writer = writer;
    this.#join();
  }

  /** B2. */
  #join(): void {
    const { control } = this.#views;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const tail = word.readWide(control, word.TAIL);
      const position = tail | 0;
      store(control, word.slotIndex(this.#slot), position);
      // A dead predecessor may have left the bit; its position is replaced already.
      or(control, word.JOINED, 1 << this.#slot);
      // SYNC join: pairs with the producer's store of LIMIT before it looks at the positions.
      const ahead = (load(control, word.LIMIT) - position) | 0;
      // The tail has not moved far, or a LIMIT of 4 GiB later could pass for this one.
      const moved = word.readWide(control, word.TAIL) - tail;
      if (ahead <= this.#capacity && moved <= this.#capacity) {
        this.#position = position;
        this.#released = position;
        if (position % BROADCAST_ALIGNMENT !== 0) break;
        return;
      }
    }
    const limit = load(control, word.LIMIT);
    throw word.corruptRecord(layout.LIMIT, "a limit near the tail", limit);
  }

  /** Bytes from the beginning of the ring to the next record to read, mod 2^32. */
  get position(): number {
    return this.#position;
  }

  /** Leaves: the producer waits for it no more. The lock is given back afterwards. */
  giveBack(): void {
    and(this.#views.control, word.JOINED, ~(1 << this.#slot));
    this.writer.wake();
  }

  hasRecord(): boolean {
    return load(this.#views.control, word.TAIL) !== this.#position;
  }

  read(handler: RecordHandler, limit: number): number {
    const { view } = this;
    const words = this.#words;
    const capacity = this.#capacity;
    // SYNC published: pairs with the producer's store.
    const available = (load(this.#views.control, word.TAIL) - this.#position) | 0;
    if (available === 0) return 0;
    if (available < 0 || available > capacity) {
      throw word.corruptRecord(layout.TAIL, `at most ${capacity} after what was read`, available);
    }
    const end = (this.#position + available) | 0;
    let count = 0;
    try {
      while (count < limit && this.#position !== end) {
        const index = this.#position & (capacity - 1);
        const length = words[index >> 2]!;
        // Compared before it is rounded up, which a hostile length would overflow.
        const left = Math.min((end - this.#position) | 0, capacity - index);
        if (length < BROADCAST_HEADER_LENGTH || length > left) {
          throw word.corruptRecord(index, "a length that ends within the ring", length);
        }
        const aligned = (length + BROADCAST_ALIGNMENT - 1) & -BROADCAST_ALIGNMENT;
        const type = words[(index >> 2) + 1]!;
        // Before the handler: a record whose handler throws has been read.
        this.#position = (this.#position + aligned) | 0;
        if (type !== PADDING_TYPE) {
          count++;
          handler(view, index + BROADCAST_HEADER_LENGTH, length - BROADCAST_HEADER_LENGTH, type);
        }
        const unreleased = (this.#position - this.#released) | 0;
        if (unreleased >= capacity / RELEASES_PER_LAP) this.#release();
      }
    } finally {
      if (this.#position !== this.#released) this.#release();
    }
    return count;
  }

  take(): Uint8Array<ArrayBuffer> | undefined {
    this.#taken = undefined;
    this.read(this.#keep, 1);
    return this.#taken;
  }

  readonly #keep: RecordHandler = (_view, index, length, type) => {
    this.takenType = type;
    this.#taken = new Uint8Array(length);
    this.#taken.set(this.#views.bytes.subarray(index, index + length));
  };

  #release(): void {
    this.#released = this.#position;
    // SYNC given back: pairs with the producer's load. All reads of the bytes came before.
    store(this.#views.control, word.slotIndex(this.#slot), this.#position);
    this.writer.wake();
  }
}
