/**
 * The layout of a ring:
 *
 *     0     segment header
 *     128   producer's words         written by the producers only
 *     256   consumer's words         written by the consumer only
 *     384   wait point "data"        consumers wait here for records
 *     512   wait point "space"       producers wait here for room
 *     640   reserved for the kind    (claims of many producers, cursors of many consumers)
 *     1024  data                     `capacity` bytes, a power of two
 *
 * Words that different processes write are 128 bytes apart: two cache lines, since processors fetch
 * them in pairs. Positions count bytes since the ring was made, modulo 2^32, and are compared by
 * wrapping subtraction; `position & (capacity - 1)` is an index into the data.
 */
import { type Field, type Layout, layoutHash, u32 } from "./description.ts";
import { RECORD_HEADER } from "./record-descriptor.ts";
import { SEGMENT_HEADER } from "./segment-header.ts";

/** Offsets in bytes from the start of the ring. Counters are doubles: exact up to 2^53. */
export const PRODUCER_POSITION_OFFSET = 128;
export const PRODUCER_HIGH_WATER_OFFSET = 132;
export const PRODUCER_RECORDS_OFFSET = 136;
export const PRODUCER_BYTES_OFFSET = 144;
export const PRODUCER_FULL_OFFSET = 152;
export const PRODUCER_WAITS_OFFSET = 160;
/** Between the words of a broadcast ring and the role. */
export const PRODUCER_RECORDS_LOW_OFFSET = 240;
/** The locks of the only producer and of the only consumer, where a kind has such. */
export const PRODUCER_ROLE_OFFSET = 248;
export const CONSUMER_ROLE_OFFSET = 376;
export const CONSUMER_POSITION_OFFSET = 256;
export const CONSUMER_RECORDS_OFFSET = 264;
export const CONSUMER_BYTES_OFFSET = 272;
export const CONSUMER_EMPTY_OFFSET = 280;
export const CONSUMER_WAITS_OFFSET = 288;
export const CONSUMER_LOST_OFFSET = 296;
export const CONSUMER_RECOVERED_OFFSET = 304;
export const DATA_WAIT_POINT_OFFSET = 384;
export const SPACE_WAIT_POINT_OFFSET = 512;
/** The words that only one kind of ring has. */
export const KIND_WORDS_OFFSET = 640;
/** Where the data of an SPSC ring starts; some kinds keep more words before their data. */
export const RING_DATA_OFFSET = 1024;

export const MIN_CAPACITY = 64;
/** A quarter of the range of positions: half would do, and this leaves a margin for checks. */
export const MAX_CAPACITY: number = 2 ** 30;

const count = (name: string, offset: number, text: string): Field => ({
  name,
  type: "double",
  offset,
  text,
});
const point = (name: string, offset: number, text: string): Field => u32(name, offset, text, 32);

export const RING: Layout = {
  name: "ring",
  text: "A ring of records. The data follows.",
  length: RING_DATA_OFFSET,
  fields: [
    u32(
      "producer_position",
      PRODUCER_POSITION_OFFSET,
      "Bytes published, mod 2^32. A report, stale.",
    ),
    u32(
      "producer_high_water",
      PRODUCER_HIGH_WATER_OFFSET,
      "Most bytes in use that a producer saw.",
    ),
    count(
      "producer_records",
      PRODUCER_RECORDS_OFFSET,
      "Records published. One producer; a report. SPSC: some time ago.",
    ),
    count(
      "producer_bytes",
      PRODUCER_BYTES_OFFSET,
      "Bytes published, headers and padding too. SPSC: some time ago.",
    ),
    count("producer_full", PRODUCER_FULL_OFFSET, "Claims refused for want of room."),
    count("producer_waits", PRODUCER_WAITS_OFFSET, "Waits for room."),
    u32(
      "producer_records_low",
      PRODUCER_RECORDS_LOW_OFFSET,
      "SPSC: records published, mod 2^32. The newest.",
    ),
    u32("producer_role", PRODUCER_ROLE_OFFSET, "See the lock. The only producer.", 2),
    u32("consumer_position", CONSUMER_POSITION_OFFSET, "Bytes released, mod 2^32. With release."),
    count("consumer_records", CONSUMER_RECORDS_OFFSET, "Records read. Consumer; a report."),
    count("consumer_bytes", CONSUMER_BYTES_OFFSET, "Bytes released, headers and padding too."),
    count("consumer_empty", CONSUMER_EMPTY_OFFSET, "Reads that found nothing."),
    count("consumer_waits", CONSUMER_WAITS_OFFSET, "Waits for records."),
    count("consumer_lost", CONSUMER_LOST_OFFSET, "Records overwritten before they were read."),
    count(
      "consumer_recovered",
      CONSUMER_RECOVERED_OFFSET,
      "Dead producers' claims that were skipped.",
    ),
    u32("consumer_role", CONSUMER_ROLE_OFFSET, "See the lock. The only consumer.", 2),
    point("data_wait_point", DATA_WAIT_POINT_OFFSET, "Where consumers wait for records."),
    point("space_wait_point", SPACE_WAIT_POINT_OFFSET, "Where producers wait for room."),
  ],
};

/** The hash in the header of an SPSC ring. */
export const SPSC_LAYOUT_HASH: number = layoutHash(SEGMENT_HEADER, RING, RECORD_HEADER);

/** @returns Why a capacity is refused; undefined when it is not. */
export function capacityProblem(capacity: number): string | undefined {
  if (!Number.isInteger(capacity) || capacity < MIN_CAPACITY || capacity > MAX_CAPACITY) {
    return `it must be a power of two from ${MIN_CAPACITY} to ${MAX_CAPACITY} bytes`;
  }
  return (capacity & (capacity - 1)) === 0 ? undefined : "it must be a power of two";
}

/**
 * @returns The longest payload, in bytes: a quarter of the ring, so that a record always finds room
 *   in an empty ring, wherever its end falls and whatever padding that costs.
 */
export function maxRecordLength(capacity: number): number {
  return capacity >> 2;
}
