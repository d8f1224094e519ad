/**
 * The layout of a broadcast ring: one producer, and many consumers that each see every record.
 * It adds to the words of every ring:
 *
 *     128    producer_position is the tail: the end of what is published
 *     168    broadcast words       written by the producer only
 *     640    joined                one bit for each consumer; its consumer, or who buries it
 *     1024   slots                 32 of 128 bytes, each its consumer's; only where consumers block
 *     …      data                  `capacity` bytes
 *
 * A record has a longer header here, which holds its number after length and type. Records are
 * numbered from 0, in 64 bits, and padding has no number of its own; so a consumer knows how many
 * records it lost.
 *
 * Positions are the lower 32 bits of a count that goes on for ever. `half_laps` counts how often
 * their top bit changed, and is written before the position that changes it. A process that reads
 * the position first and `half_laps` next never takes an old position for a new one.
 */
import {
  KIND_WORDS_OFFSET,
  PRODUCER_POSITION_OFFSET,
  RING,
  RING_DATA_OFFSET,
} from "./ring-layout.ts";
import { type Layout, layoutHash, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";
import { RECORD_HEADER } from "./record-descriptor.ts";
import { SEGMENT_HEADER } from "./segment-header.ts";

/** Offsets in bytes from the start of the ring. */
export const TAIL_OFFSET: number = PRODUCER_POSITION_OFFSET;
/** Where the writes that may be going on end; beyond the tail while the producer writes. */
export const TAIL_INTENT_OFFSET = 168;
export const HALF_LAPS_OFFSET = 172;
/** Where blocking consumers hold the producer back. */
export const LIMIT_OFFSET = 176;
/** Two versions of a tail and the next record's number; the one whose tail is the tail is valid. */
export const TAIL_NUMBERS_OFFSET = 180;
export const TAIL_NUMBER_LENGTH = 12;
/** For each quarter of the ring, the position of the latest record that was the first in it. */
export const QUARTER_MARKS_OFFSET = 204;
export const QUARTER_COUNT = 4;
export const JOINED_OFFSET: number = KIND_WORDS_OFFSET;
export const CONSUMER_SLOTS_OFFSET: number = RING_DATA_OFFSET;
export const CONSUMER_SLOT_LENGTH = 128;
/** The lock of a slot, from its start. */
export const CONSUMER_SLOT_LOCK_OFFSET = 64;
/** How many consumers can hold a producer back. */
export const CONSUMER_SLOT_COUNT = 32;

export const BROADCAST_HEADER_LENGTH = 16;
export const BROADCAST_ALIGNMENT = 16;
export const BROADCAST_MIN_CAPACITY = 256;

/**
 * What happens when a consumer falls behind: it loses records, or it holds the producer back.
 */
export type BroadcastPolicy = "overwrite" | "block";

export const BROADCAST: Layout = {
  name: "broadcast",
  text: "At byte 168 of a broadcast ring. Only the producer writes them.",
  length: 52,
  fields: [
    u32("tail_intent", 0, "End of the writes going on. Stored before the bytes, with a fence."),
    u32("half_laps", 4, "Changes of the top bit of tail_intent (overwrite) or tail (block)."),
    u32("limit", 8, "Where the tail may go: at most one capacity beyond each consumer's position."),
    u32("tail_numbers", 12, "Two times: tail, number of the next record (low, high).", 6),
    u32("quarter_marks", 36, "Start of the latest first record in each quarter of the ring.", 4),
  ],
};

export const BROADCAST_SLOT: Layout = {
  name: "broadcast_slot",
  text: "32 of them from byte 1024, where consumers block. Only its consumer writes one.",
  length: CONSUMER_SLOT_LENGTH,
  fields: [
    u32("position", 0, "Bytes that its consumer has given back. With release."),
    u32("lock", CONSUMER_SLOT_LOCK_OFFSET, "See the lock. Its consumer.", LOCK_LENGTH / 4),
  ],
};

export const BROADCAST_RECORD_HEADER: Layout = {
  name: "broadcast_record_header",
  text: "Starts every record of a broadcast ring; the payload follows.",
  length: BROADCAST_HEADER_LENGTH,
  fields: [
    ...RECORD_HEADER.fields,
    u32("number_low", 8, "Number of the record, from 0; of padding, that of the next record."),
    u32("number_high", 12, "Its upper 32 bits."),
  ],
};

export const BROADCAST_LAYOUT_HASH: number = layoutHash(
  SEGMENT_HEADER,
  RING,
  BROADCAST,
  BROADCAST_SLOT,
  BROADCAST_RECORD_HEADER,
);

/** @returns Where the data starts, in bytes from the start of the ring. */
export function broadcastDataOffset(policy: BroadcastPolicy): number {
  if (policy === "overwrite") return RING_DATA_OFFSET;
  return CONSUMER_SLOTS_OFFSET + CONSUMER_SLOT_COUNT * CONSUMER_SLOT_LENGTH;
}

/** @returns The longest payload, in bytes: so short that records start in each quarter of a lap. */
export function broadcastMaxRecordLength(capacity: number): number {
  return capacity >> 3;
}

/** @returns The bytes that a record with this payload takes. */
export function broadcastAlignedLength(payloadLength: number): number {
  return (
    (payloadLength + (BROADCAST_HEADER_LENGTH + BROADCAST_ALIGNMENT - 1)) & -BROADCAST_ALIGNMENT
  );
}
