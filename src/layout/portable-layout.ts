/** The header of portable segments: 64 bytes, so that the data after it starts a cache line. */
import type { Layout } from "./description.ts";

/** "PSHM" as bytes in memory. */
export const PORTABLE_MAGIC = 0x4d485350;
export const PORTABLE_VERSION = 1;
export const PORTABLE_HEADER_LENGTH = 64;
/** The index of the magic's word. */
export const PORTABLE_MAGIC_WORD = 0;
/** Offsets in bytes from the start of the segment. */
export const PORTABLE_VERSION_OFFSET = 4;
export const PORTABLE_CREATOR_PID_OFFSET = 8;
const PORTABLE_RESERVED_OFFSET = 12;

export const PORTABLE_HEADER: Layout = {
  name: "portable_header",
  text: "Starts a portable segment; the data follows, aligned to 64 bytes.",
  length: PORTABLE_HEADER_LENGTH,
  fields: [
    { name: "magic", type: "uint32_t", offset: 0, text: '"PSHM". Written last, with release.' },
    { name: "version", type: "uint32_t", offset: PORTABLE_VERSION_OFFSET, text: "1." },
    {
      name: "creator_pid",
      type: "uint32_t",
      offset: PORTABLE_CREATOR_PID_OFFSET,
      text: "For people; ids are reused.",
    },
    { name: "reserved", type: "uint32_t", offset: PORTABLE_RESERVED_OFFSET, count: 13, text: "0." },
  ],
};
