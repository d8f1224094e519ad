/**
 * A consumer of a broadcast ring that holds the producer back. The invariants are in producer.ts.
 */
import * as layout from "../../../layout/broadcast-layout.ts";
import { PADDING_TYPE } from "../../../layout/record-descriptor.ts";
import { and, load, or, store } from "../../../memory/atomics.ts";
import * as word from "./words.ts";
import {
  RELEASES_PER_LAP,
  type RecordHandler,
  type RingConsumerCore,
  type Wakeable,
  checkHandled,
} from "../core.ts";
import { type RingMemory, corrupt, corruptRecord, viewsOf } from "../views.ts";

const { BROADCAST_ALIGNMENT, BROADCAST_HEADER_LENGTH } = layout;

/** How often it tries to join while the producer runs on, before it reports a corrupt ring. */
const MAX_ATTEMPTS = 1000;

/** One reading side. Its slot's lock is held while it exists. */
export class BlockConsumer implements RingConsumerCore {
  readonly view: DataView;
  readonly writer: Wakeable;
  readonly #memory: RingMemory;
  readonly #control: Int32Array;
  readonly #words: Int32Array;
  readonly #capacity: number;
  readonly #slot: number;
  #position = 0;
  #released = 0;
  #ended = false;

  /**
   * Joins the ring: it will see what is published from now on.
   *
   * @param slot From 0 to CONSUMER_SLOT_COUNT - 1; the caller holds its lock.
   * @throws LayoutError.
   */
  constructor(memory: RingMemory, writer: Wakeable, slot: number) {
    const views = viewsOf(memory);
    this.view = views.view;
    this.#memory = memory;
    this.#control = views.control;
    this.#words = views.words;
    this.#capacity = memory.capacity;
    this.#slot = slot;
    this.writer = writer;
    this.#join();
  }

  /** B2. */
  #join(): void {
    const control = this.#control;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const tail = word.readWide(control, word.TAIL);
      const position = tail | 0;
      store(control, word.slotIndex(this.#slot), position);
      // A dead predecessor may have left the bit set; its position is overwritten already.
      or(control, word.JOINED, 1 << this.#slot);
      // SYNC join: pairs with the producer's store of LIMIT before it looks at the positions.
      const ahead = (load(control, word.LIMIT) - position) | 0;
      // The tail must not have moved far: a LIMIT of 4 GiB later would look like this one.
      const moved = word.readWide(control, word.TAIL) - tail;
      if (ahead <= this.#capacity && moved <= this.#capacity) {
        this.#position = position;
        this.#released = position;
        if (position % BROADCAST_ALIGNMENT !== 0) break;
        return;
      }
    }
    throw corrupt(this.#memory, "no consumer can join it", {
      expected: "a limit near the tail",
      found: load(control, word.LIMIT),
      offset: layout.LIMIT_OFFSET,
    });
  }

  /** Bytes from the beginning of the ring to the next record to read, mod 2^32. */
  get position(): number {
    return this.#position;
  }

  /** Leaves: the producer no longer waits for it. The caller gives the lock back afterwards. */
  end(): void {
    this.#ended = true;
    if (this.#words.length === 0) return;
    and(this.#control, word.JOINED, ~(1 << this.#slot));
    this.writer.wake();
  }

  hasRecord(): boolean {
    return load(this.#control, word.TAIL) !== this.#position;
  }

  read(handler: RecordHandler, limit: number): number {
    const { view } = this;
    const words = this.#words;
    const capacity = this.#capacity;
    // SYNC published: pairs with the producer's store.
    const available = (load(this.#control, word.TAIL) - this.#position) | 0;
    if (available === 0) return 0;
    if (available < 0 || available > capacity) {
      throw corrupt(this.#memory, "its tail is wrong", {
        expected: `at most ${capacity} bytes after what was read`,
        found: available,
        offset: layout.TAIL_OFFSET,
      });
    }
    const end = (this.#position + available) | 0;
    let count = 0;
    try {
      while (count < limit && this.#position !== end) {
        const index = this.#position & (capacity - 1);
        const length = words[index >> 2]!;
        // Compared before it is rounded up, since rounding would overflow a hostile length.
        const left = Math.min((end - this.#position) | 0, capacity - index);
        if (length < BROADCAST_HEADER_LENGTH || length > left) {
          throw corruptRecord(this.#memory, index, length);
        }
        const aligned = (length + BROADCAST_ALIGNMENT - 1) & -BROADCAST_ALIGNMENT;
        const type = words[(index >> 2) + 1]!;
        // Before the handler: a record whose handler throws has been read.
        this.#position = (this.#position + aligned) | 0;
        if (type !== PADDING_TYPE) {
          count++;
          const result: unknown = handler(
            view,
            index + BROADCAST_HEADER_LENGTH,
            length - BROADCAST_HEADER_LENGTH,
            type,
          );
          if (result !== undefined) checkHandled(result);
          if (this.#ended || words.length === 0) return count;
        }
        const unreleased = (this.#position - this.#released) | 0;
        if (unreleased >= capacity / RELEASES_PER_LAP) this.#release();
      }
    } finally {
      const isOver = this.#ended || words.length === 0;
      if (!isOver && this.#position !== this.#released) this.#release();
    }
    return count;
  }

  #release(): void {
    this.#released = this.#position;
    // SYNC given back: pairs with the producer's load. All reads of the bytes came before.
    store(this.#control, word.slotIndex(this.#slot), this.#position);
    this.writer.wake();
  }
}
