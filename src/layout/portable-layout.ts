/** The header of portable segments: 64 bytes, so that the data after it starts a cache line. */
import { MAKING, type Making } from "./making.ts";
import { type Layout, u32 } from "./description.ts";

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
/** How one is known while it is being made. */
export const PORTABLE_MAKING: Making = { offset: PORTABLE_RESERVED_OFFSET, words: [MAKING] };

export const PORTABLE_HEADER: Layout = {
  name: "portable_header",
  text: "Starts a portable segment; the data follows, aligned to 64 bytes.",
  length: PORTABLE_HEADER_LENGTH,
  fields: [
    u32("magic", 0, '"PSHM". Written last, with release.'),
    u32("version", PORTABLE_VERSION_OFFSET, "1."),
    u32("creator_pid", PORTABLE_CREATOR_PID_OFFSET, "For people; ids are reused."),
    u32("reserved", PORTABLE_RESERVED_OFFSET, "0; MAKING in the first one while it is made.", 13),
  ],
};
