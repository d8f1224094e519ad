/**
 * Reads what is in a ring or a queue without taking it. A ring is copied, and the ring's own
 * algorithm reads the copy: nothing in the object changes, and its consumer notices nothing.
 */
import { shown } from "../arguments.ts";
import { UnsupportedError } from "../errors.ts";
import {
  COUNT_WORD,
  HEAD_WORD,
  QUEUE_HEADER_LENGTH,
  TAIL_WORD,
} from "../layout/message-queue-layout.ts";
import { CONSUMER_RECORDS_OFFSET } from "../layout/ring-layout.ts";
import { spscPublished } from "../ring/algorithm/spsc/counts.ts";
import { HEADER_DATA_LENGTH_OFFSET, HEADER_DATA_OFFSET_OFFSET } from "../layout/segment-header.ts";
import { MpscConsumer } from "../ring/algorithm/mpsc/consumer.ts";
import { NOBODY, type RecordHandler, type RingConsumerCore } from "../ring/algorithm/core.ts";
import { SpscConsumer } from "../ring/algorithm/spsc/consumer.ts";
import type { RingMemory } from "../ring/algorithm/views.ts";
import type { ObjectKind } from "./kinds/kind.ts";
import type { ObjectReader } from "./object-reader.ts";
import { ObjectWords } from "./object-words.ts";
import { queueGeometry } from "./kinds/queue.ts";

/** A record or message that was seen in a ring or queue. */
export interface SeenRecord {
  /** In a ring, its number since the ring was made; in a queue, its place, 0 for the oldest. */
  readonly number: number;
  /** A copy of its bytes. */
  readonly bytes: Uint8Array;
  /** The type that its producer gave it; 0 in a queue. */
  readonly type: number;
}

/** What came into a ring or queue between two looks. */
export interface FreshRecords {
  readonly records: readonly SeenRecord[];
  /** The number of records that came into a ring and were taken between the two looks. */
  readonly missed: number;
}

/** Looks at the records of an object. */
export interface Peeker {
  /** @returns The records that are in it now, oldest first. */
  records(): readonly SeenRecord[];
  /** @returns The records that came since the last call; none at the first call. */
  fresh(): FreshRecords;
}

/** Bytes of the largest ring or queue that is copied for a look. */
const MAX_COPY_LENGTH = 2 ** 28;
/** How often a ring is copied again that changed during the copy. */
const MAX_ATTEMPTS = 5;

/** @returns The object's peeker; undefined when its records cannot be read beside its consumer. */
export function peekerOf(reader: ObjectReader, kind: ObjectKind): Peeker | undefined {
  if (kind === "queue") return new QueuePeeker(reader);
  return kind === "ring" || kind === "mpsc-ring" ? new RingPeeker(reader, kind) : undefined;
}

/** @returns The object's size. @throws UnsupportedError when it is too large for a copy. */
function checkCopied(reader: ObjectReader, kind: ObjectKind): number {
  const size = reader.size();
  if (size <= MAX_COPY_LENGTH) return size;
  throw new UnsupportedError(
    `Cannot look into ${kind} ${shown(reader.name)}: a look copies it, and it has ${size} bytes, ` +
      `of at most ${MAX_COPY_LENGTH}`,
  );
}

type RingObject = "ring" | "mpsc-ring";

function ringConsumer(kind: RingObject, memory: RingMemory): RingConsumerCore {
  if (kind === "ring") return new SpscConsumer(memory, NOBODY);
  return new MpscConsumer(memory, NOBODY, () => true);
}

function recordsOf(kind: RingObject, memory: RingMemory): SeenRecord[] {
  const counters = new DataView(memory.buffer as ArrayBuffer);
  const records: { number: number; bytes: Uint8Array; type: number }[] = [];
  const keep: RecordHandler = ({ buffer, byteOffset }, index, length, type) => {
    const bytes = new Uint8Array(buffer, byteOffset + index, length).slice();
    records.push({ number: records.length, bytes, type });
  };
  // Read before the consumer runs, which counts in the copy.
  const taken = counters.getFloat64(CONSUMER_RECORDS_OFFSET, true);
  const consumer = ringConsumer(kind, memory);
  // Once: a read goes through the whole ring at most, and a corrupt one would have no end.
  consumer.read(keep, 2 ** 30);
  // A single producer's count tells the number of the first record, even when the copy still has
  // records that were read. Many producers have no common count.
  const first =
    kind === "ring" ? Math.max(0, spscPublished(memory).records - records.length) : taken;
  for (const record of records) record.number += first;
  return records;
}

class RingPeeker implements Peeker {
  readonly #reader: ObjectReader;
  readonly #kind: RingObject;
  /** The number of the next record that is new; -1 before the first look. */
  #next = -1;

  constructor(reader: ObjectReader, kind: RingObject) {
    this.#reader = reader;
    this.#kind = kind;
  }

  records(): readonly SeenRecord[] {
    return this.#look().records;
  }

  fresh(): FreshRecords {
    const { records, first } = this.#look();
    if (this.#next < 0) this.#next = first + records.length;
    const missed = Math.max(0, first - this.#next);
    this.#next += missed;
    const fresh = records.filter(({ number }) => number >= this.#next);
    this.#next += fresh.length;
    return { records: fresh, missed };
  }

  /**
   * Copies the ring and reads the copy, without records that were taken meanwhile.
   * @returns The records, and the number of the first one that was not taken.
   */
  #look(): { records: SeenRecord[]; first: number } {
    for (let attempt = 1; ; attempt++) {
      const memory = this.#copy();
      const first = new ObjectWords(this.#reader).f64(CONSUMER_RECORDS_OFFSET);
      try {
        const records = recordsOf(this.#kind, memory);
        return { records: records.filter(({ number }) => number >= first), first };
      } catch (error) {
        // The ring changed while it was copied; a corrupt one fails each time.
        if (attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  #copy(): RingMemory {
    const size = checkCopied(this.#reader, "ring");
    const buffer = new ArrayBuffer(size);
    new Uint8Array(buffer).set(this.#reader.read(0, size));
    const view = new DataView(buffer);
    return {
      buffer,
      byteOffset: 0,
      dataOffset: view.getUint32(HEADER_DATA_OFFSET_OFFSET, true),
      capacity: view.getUint32(HEADER_DATA_LENGTH_OFFSET, true),
      what: `ring ${shown(this.#reader.name)}`,
    };
  }
}

class QueuePeeker implements Peeker {
  readonly #reader: ObjectReader;
  /** The slot that is filled next; -1 before the first look. */
  #tail = -1;

  constructor(reader: ObjectReader) {
    this.#reader = reader;
  }

  records(): readonly SeenRecord[] {
    return this.#look().records;
  }

  /** Messages have no numbers: the new ones are those from the last look's tail on. */
  fresh(): FreshRecords {
    if (this.#tail < 0) this.#tail = this.#look().tail;
    const { records, head, slots } = this.#look();
    // How many of the queued messages were there before the last look's tail.
    const old = Math.min((this.#tail - head + slots) % slots, records.length);
    const full = records.length === slots && this.#tail === head;
    this.#tail = (head + records.length) % slots;
    return { records: full ? [] : records.slice(old), missed: 0 };
  }

  #look(): { records: SeenRecord[]; head: number; tail: number; slots: number } {
    checkCopied(this.#reader, "queue");
    const words = new ObjectWords(this.#reader);
    const { slots, slotSize } = queueGeometry(words);
    const head = words.u32(HEAD_WORD * 4) % slots;
    const tail = words.u32(TAIL_WORD * 4) % slots;
    const count = Math.min(words.u32(COUNT_WORD * 4), slots);
    const records = Array.from({ length: count }, (_, at): SeenRecord => {
      const slot = (head + at) % slots;
      const bytes = words.bytes(QUEUE_HEADER_LENGTH + slot * slotSize, slotSize);
      const end = bytes.indexOf(0);
      return { number: at, bytes: end < 0 ? bytes : bytes.subarray(0, end), type: 0 };
    });
    return { records, head, tail, slots };
  }
}
