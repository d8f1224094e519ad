/** A shared record: after the segment's header, the writers' lock, a wait point, and the slots. */
import { type Layout, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";

/** Offsets in bytes from the start of the record's data. */
export const SHARED_RECORD_LATEST_OFFSET = 0;
export const SHARED_RECORD_LOCK_OFFSET = 128;
export const SHARED_RECORD_WAIT_POINT_OFFSET = 256;
/** The offset of slot 0, which lies on another pair of cache lines than `latest`. */
export const SHARED_RECORD_SLOTS_OFFSET = 384;

/** Offsets in bytes from the start of a slot. */
export const SLOT_VERSION_OFFSET = 0;
export const SLOT_VALUE_OFFSET = 8;

export const SHARED_RECORD: Layout = {
  name: "shared_record",
  text: "The latest value of a struct. The slots follow, each a multiple of 128 bytes.",
  length: SHARED_RECORD_SLOTS_OFFSET,
  fields: [
    u32(
      "latest",
      SHARED_RECORD_LATEST_OFFSET,
      "The newest version, 0 before the first. The writer, last. SYNC record-published.",
    ),
    u32("lock", SHARED_RECORD_LOCK_OFFSET, "The writers' lock: see the lock.", LOCK_LENGTH / 4),
    u32("changed", SHARED_RECORD_WAIT_POINT_OFFSET, "A wait point, woken after each write.", 32),
  ],
};

export const SHARED_RECORD_SLOT: Layout = {
  name: "shared_record_slot",
  text: "Starts a slot; the value follows. Version v lies in slot v mod the number of slots.",
  length: SLOT_VALUE_OFFSET,
  fields: [
    u32(
      "version",
      SLOT_VERSION_OFFSET,
      "The version that the slot holds; 0 while it is written. SYNC record-slot.",
    ),
  ],
};
