/** A shared record: after the segment's header, one writer's lock, a wait point, and the slots. */
import type { Layout } from "./description.ts";

/** Offsets in bytes from the start of the record's data. */
export const RECORD_LATEST = 0;
export const RECORD_LOCK = 128;
export const RECORD_WAIT_POINT = 256;
/** Offset of slot 0: on another pair of cache lines than `latest`. */
export const RECORD_SLOTS = 384;

/** In a slot: offset of its version, and of its bytes. */
export const SLOT_VERSION = 0;
export const SLOT_VALUE = 8;

export const RECORD: Layout = {
  name: "shared_record",
  text: "The latest value of a struct. The slots follow, each a multiple of 128 bytes.",
  length: RECORD_SLOTS,
  fields: [
    {
      name: "latest",
      type: "uint32_t",
      offset: RECORD_LATEST,
      text: "The newest version, 0 before the first; the writer, last. SYNC record-published.",
    },
    {
      name: "lock",
      type: "uint32_t",
      offset: RECORD_LOCK,
      count: 16,
      text: "The writer's role: a robust, process-shared, errorcheck pthread_mutex_t.",
    },
    {
      name: "changed",
      type: "uint32_t",
      offset: RECORD_WAIT_POINT,
      count: 32,
      text: "A wait point: rung after each write.",
    },
  ],
};

export const RECORD_SLOT: Layout = {
  name: "shared_record_slot",
  text: "Starts a slot; the value follows. Version v lies in slot v mod the number of slots.",
  length: SLOT_VALUE,
  fields: [
    {
      name: "version",
      type: "uint32_t",
      offset: SLOT_VERSION,
      text: "The version that the slot holds; 0 while it is written. SYNC record-slot.",
    },
  ],
};
