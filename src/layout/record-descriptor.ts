/**
 * A record in a ring: an 8-byte header, the payload, and up to 7 bytes to the next multiple of 8.
 * So a header never wraps around the end of the ring, and its words are aligned.
 *
 * | byte | field | |
 * |---|---|---|
 * | 0 | length: i32 | header and payload, in bytes; 0 = nothing yet, negative = in progress |
 * | 4 | type: i32 | the user's, 0 or more; PADDING_TYPE fills the end of the ring |
 *
 * The length includes the header, so that an empty record differs from no record.
 *
 * Source: Agrona, concurrent/ringbuffer/RecordDescriptor.java.
 */
import type { Layout } from "./description.ts";

export const RECORD_HEADER_LENGTH = 8;
export const RECORD_ALIGNMENT = 8;
/** The type of a record that is skipped. */
export const PADDING_TYPE = -1;
/** The largest type that a user can give, since one bit is the sign. */
export const MAX_TYPE = 0x7fffffff;

export const RECORD_HEADER: Layout = {
  name: "record_header",
  text: "Starts every record; the payload follows.",
  length: RECORD_HEADER_LENGTH,
  fields: [
    {
      name: "length",
      type: "int32_t",
      offset: 0,
      text: "Bytes with the header. 0: nothing yet. Negative: in progress. Last, with release.",
    },
    { name: "type", type: "int32_t", offset: 4, text: "The user's, from 0; -1 is padding." },
  ],
};
