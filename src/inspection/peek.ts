/**
 * Reads what is in a ring or a queue without taking it. The object is copied, and the copy is read
 * by the same algorithms as ever: nothing in the object changes, and its consumer notices nothing.
 */
import {
  TAIL_WORD,
  COUNT_WORD,
  HEAD_WORD,
  QUEUE_HEADER_LENGTH,
} from "../layout/message-queue-layout.ts";
import { CONSUMER_RECORDS, PRODUCER_RECORDS } from "../layout/ring-layout.ts";
import { HEADER_DATA_LENGTH, HEADER_DATA_OFFSET } from "../layout/segment-header.ts";
import { MpscConsumer } from "../ring/algorithm/mpsc/consumer.ts";
import { NOBODY, type RecordHandler, type RingConsumerCore } from "../ring/algorithm/core.ts";
import { SpscConsumer } from "../ring/algorithm/spsc/consumer.ts";
import type { RingMemory } from "../ring/algorithm/views.ts";
import type { ObjectReader } from "./object-reader.ts";
import { ObjectWords } from "./object-words.ts";
import { queueGeometry } from "./kinds/queue.ts";

/** A record that was seen, and its number since the structure was made. */
export interface Peeked {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly type: number;
}

/** What was in a structure at one moment. */
export interface Peek {
  readonly records: readonly Peeked[];
  /** Number of the first record that was in it, had there been one. */
  readonly first: number;
}

/** The largest ring that is copied for a look, in bytes. */
export const PEEK_MAX: number = 2 ** 28;
const ATTEMPTS = 5;

function ringConsumer(kind: string, memory: RingMemory): RingConsumerCore {
  if (kind === "ring") return new SpscConsumer(memory, NOBODY);
  return new MpscConsumer(memory, NOBODY, () => true);
}

function recordsOf(kind: string, memory: RingMemory): Peeked[] {
  const counters = new DataView(memory.buffer as ArrayBuffer);
  const records: { number: number; bytes: Uint8Array; type: number }[] = [];
  const keep: RecordHandler = ({ buffer, byteOffset }, index, length, type) => {
    const bytes = new Uint8Array(buffer, byteOffset + index, length).slice();
    records.push({ number: records.length, bytes, type });
  };
  // Reading the copy counts in the copy.
  const taken = counters.getFloat64(CONSUMER_RECORDS, true);
  const consumer = ringConsumer(kind, memory);
  while (consumer.read(keep, 2 ** 30) > 0);
  // One producer counts what it published, also what was read and lies there still. Many do not.
  const first =
    kind === "ring"
      ? Math.max(0, counters.getFloat64(PRODUCER_RECORDS, true) - records.length)
      : taken;
  for (const record of records) record.number += first;
  return records;
}

/** Looks into a ring. Records that were taken while it was copied are left out. */
export function peekRing(reader: ObjectReader, kind: string): Peek {
  for (let attempt = 1; ; attempt++) {
    const words = new ObjectWords(reader);
    const buffer = new ArrayBuffer(Math.min(words.size, PEEK_MAX));
    new Uint8Array(buffer).set(words.bytes(0, buffer.byteLength));
    const first = new ObjectWords(reader).f64(CONSUMER_RECORDS);
    const view = new DataView(buffer);
    const memory = {
      buffer,
      byteOffset: 0,
      dataOffset: view.getUint32(HEADER_DATA_OFFSET, true),
      capacity: view.getUint32(HEADER_DATA_LENGTH, true),
      what: `ring "${reader.name}"`,
    };
    try {
      const records = recordsOf(kind, memory);
      return { records: records.filter(({ number }) => number >= first), first };
    } catch (error) {
      // The ring went on while it was copied; a corrupt one stays so.
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

/** Looks into a queue. Its messages have no numbers of their own: they are counted from `after`. */
export function peekQueue(reader: ObjectReader): Peek & { readonly head: number } {
  const words = new ObjectWords(reader);
  const { slots, slotSize } = queueGeometry(words);
  const head = words.u32(HEAD_WORD * 4) % slots;
  const count = Math.min(words.u32(COUNT_WORD * 4), slots);
  const records = Array.from({ length: count }, (_, at): Peeked => {
    const slot = (head + at) % slots;
    const bytes = words.bytes(QUEUE_HEADER_LENGTH + slot * slotSize, slotSize);
    const end = bytes.indexOf(0);
    return { number: at, bytes: end < 0 ? bytes : bytes.subarray(0, end), type: 0 };
  });
  return { records, first: 0, head };
}

/** The slot that a queue's producer writes next, and how many slots there are. */
export function queueTail(reader: ObjectReader): { tail: number; slots: number } {
  const words = new ObjectWords(reader);
  const { slots } = queueGeometry(words);
  return { tail: words.u32(TAIL_WORD * 4) % slots, slots };
}
