/**
 * What an SPSC ring counts. Its producer writes two words with each record, and the counters, which
 * they are the lower halves of, when it looks for room: many times in 2^32 records or bytes.
 */
import * as layout from "../../../layout/ring-layout.ts";
import { load } from "../../../memory/atomics.ts";
import { type RingMemory, countersOf } from "../views.ts";

/**
 * @param earlier A counter some time ago.
 * @param low Its lower half now.
 * @returns The counter now.
 */
export function widened(earlier: number, low: number): number {
  return earlier + ((low - (earlier | 0)) >>> 0);
}

/** Counts what was published since the ring was made; bytes include headers and padding. */
export function spscPublished(memory: RingMemory): { records: number; bytes: number } {
  const counters = countersOf(memory);
  const words = new Int32Array(memory.buffer, memory.byteOffset, memory.dataOffset >> 2);
  // The earlier halves first: the later ones must not be older.
  const [records, bytes] = [
    counters[layout.PRODUCER_RECORDS_OFFSET >> 3]!,
    counters[layout.PRODUCER_BYTES_OFFSET >> 3]!,
  ];
  return {
    records: widened(records, load(words, layout.PRODUCER_RECORDS_LOW_OFFSET >> 2)),
    bytes: widened(bytes, load(words, layout.PRODUCER_POSITION_OFFSET >> 2)),
  };
}
