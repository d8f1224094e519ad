/**
 * The layout of an mpsc ring: many producers, one consumer. It adds to the words of every ring:
 *
 *     640    release words    written by the consumer only
 *     1024   slots            63 locks, one for each producer
 *     1536   cells            one 32-bit word for each 16 bytes of data
 *     …      data             `capacity` bytes
 *
 * Each record has a cell, in the order of the claims; the cells form a ring too. A record takes at
 * least 16 bytes, so cells never run out before bytes do. A cell holds in one word everything that
 * others need to know of its record, so that one compare-and-swap is the whole claim:
 *
 *     free       00 lap(30)                    claimable in this lap, and in no other
 *     claimed    10 slot(6) units(24)          being written by the holder of the slot's lock
 *     committed  11 0 units(24)                a record
 *     padding    11 63 units(24)               nothing: skipped
 *
 * A unit is 16 bytes. Memory that is all zero is a ring whose cells are free in lap 0.
 */
import { KIND_WORDS_OFFSET, RING, RING_DATA_OFFSET, maxRecordLength } from "./ring-layout.ts";
import { type Layout, layoutHash, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";
import { RECORD_HEADER, RECORD_HEADER_LENGTH } from "./record-descriptor.ts";
import { SEGMENT_HEADER } from "./segment-header.ts";

/** Offsets in bytes from the start of the ring. */
export const RELEASE_INTENT_OFFSET: number = KIND_WORDS_OFFSET;
export const RELEASE_DONE_OFFSET: number = KIND_WORDS_OFFSET + 4;
/** Two versions of the consumer's place; bit 0 of `done` says which one is valid. */
export const RELEASE_VERSIONS_OFFSET: number = KIND_WORDS_OFFSET + 8;
export const RELEASE_VERSION_LENGTH = 12;
/** The locks of the producers' slots. */
export const PRODUCER_SLOTS_OFFSET: number = RING_DATA_OFFSET;
export const CELLS_OFFSET: number = RING_DATA_OFFSET + 512;

/** Bytes of data in a unit; records start at multiples of it. */
export const UNIT_LENGTH = 16;
export const UNIT_SHIFT = 4;
export const UNITS_MASK = 0xffffff;
export const LAP_MASK = 0x3fffffff;
/** States of a cell, as signed words: all but "free" are negative. */
export const CLAIMED: number = 0x80000000 | 0;
export const COMMITTED: number = 0xc0000000 | 0;
export const STATE_MASK: number = 0xc0000000 | 0;
export const SLOT_SHIFT = 24;
export const SLOT_MASK = 0x3f;
/** The most live producers of a ring. */
export const PRODUCER_SLOT_COUNT = 63;
/** The slot number of padding, which no producer has. */
const PADDING_SLOT = 63;
/** A cell of padding, without its units. */
export const PADDING: number = COMMITTED | (PADDING_SLOT << SLOT_SHIFT);

export const MPSC_RELEASE: Layout = {
  name: "mpsc_release",
  text: "At byte 640 of a ring with many producers. Only the consumer writes it.",
  length: 32,
  fields: [
    u32(
      "intent",
      0,
      "Number of the release under way. One above `done`: its cells may be freed in part.",
    ),
    u32("done", 4, "Number of the last release. With release."),
    u32(
      "versions",
      8,
      "Two times lap, cell and position (bytes, mod 2^32) of the first unread record.",
      6,
    ),
  ],
};

export const MPSC_SLOTS: Layout = {
  name: "mpsc_slots",
  text: "At byte 1024 of a ring with many producers.",
  length: PRODUCER_SLOT_COUNT * LOCK_LENGTH,
  fields: [
    u32("slots", 0, "63 locks. Each its producer.", (PRODUCER_SLOT_COUNT * LOCK_LENGTH) / 4),
  ],
};

export const MPSC_CELL: Layout = {
  name: "mpsc_cell",
  text: "One word for each 16 bytes of data, from byte 1536. docs/LAYOUT.md has its states.",
  length: 4,
  fields: [
    u32(
      "word",
      0,
      "Free: consumer. Claimed: a producer, by compare-and-swap. Committed: that producer.",
    ),
  ],
};

export const MPSC_LAYOUT_HASH: number = layoutHash(
  SEGMENT_HEADER,
  RING,
  RECORD_HEADER,
  MPSC_RELEASE,
  MPSC_SLOTS,
  MPSC_CELL,
);

/** @returns The number of cells. */
export function cellCount(capacity: number): number {
  return capacity >> UNIT_SHIFT;
}

/** @returns Where the data starts, in bytes from the start of the ring; a multiple of 128. */
export function mpscDataOffset(capacity: number): number {
  return (CELLS_OFFSET + cellCount(capacity) * 4 + 127) & -128;
}

/** @returns The longest payload, in bytes; 24 bits of units limit it in huge rings. */
export function mpscMaxRecordLength(capacity: number): number {
  return Math.min(maxRecordLength(capacity), UNITS_MASK * UNIT_LENGTH - RECORD_HEADER_LENGTH);
}

/** @returns The units that a record with this payload takes. */
export function unitsOf(payloadLength: number): number {
  return (payloadLength + (RECORD_HEADER_LENGTH + UNIT_LENGTH - 1)) >>> UNIT_SHIFT;
}
