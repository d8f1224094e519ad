/** A shared record: after the segment's header, the writers' lock, a wait point, and the slots. */
import type { Layout } from "./description.ts";

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
    {
      name: "latest",
      type: "uint32_t",
      offset: SHARED_RECORD_LATEST_OFFSET,
      text: "The newest version, 0 before the first. The writer, last. SYNC record-published.",
    },
    {
      name: "lock",
      type: "uint32_t",
      offset: SHARED_RECORD_LOCK_OFFSET,
      count: 16,
      text: "The writers' lock: a robust, process-shared, errorcheck pthread_mutex_t.",
    },
    {
      name: "changed",
      type: "uint32_t",
      offset: SHARED_RECORD_WAIT_POINT_OFFSET,
      count: 32,
      text: "A wait point, woken after each write.",
    },
  ],
};

export const SHARED_RECORD_SLOT: Layout = {
  name: "shared_record_slot",
  text: "Starts a slot; the value follows. Version v lies in slot v mod the number of slots.",
  length: SLOT_VALUE_OFFSET,
  fields: [
    {
      name: "version",
      type: "uint32_t",
      offset: SLOT_VERSION_OFFSET,
      text: "The version that the slot holds; 0 while it is written. SYNC record-slot.",
    },
  ],
};
