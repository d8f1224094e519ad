/** The lease: a lock, and what its holder says about itself. */
import { type Layout, bytes, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

export const LEASE_MAGIC_OFFSET = 0;
export const LEASE_CURRENT_OFFSET = 4;
export const LEASE_TOKENS_OFFSET = 8;
export const LEASE_VERSION_OFFSET = 24;
export const LEASE_PID_OFFSET = 28;
export const LEASE_SINCE_OFFSET = 32;
export const LEASE_TEXT_LENGTH_OFFSET = 40;
export const LEASE_LOCK_OFFSET = 48;
export const LEASE_TEXT_OFFSET = 64;
/** Bytes of the longest text of a holder. */
export const MAX_LEASE_TEXT_LENGTH = 320;
export const LEASE_WAIT_POINT_OFFSET: number = LEASE_TEXT_OFFSET + MAX_LEASE_TEXT_LENGTH;

/** Bytes of a lease. */
export const LEASE_LENGTH: number = LEASE_WAIT_POINT_OFFSET + WAIT_POINT_LENGTH;

export const LEASE: Layout = {
  name: "lease",
  text: "A lock, and what its holder says about itself.",
  length: LEASE_LENGTH,
  fields: [
    u32("magic", LEASE_MAGIC_OFFSET, "The creator, last, with release."),
    u32(
      "current",
      LEASE_CURRENT_OFFSET,
      "Which of the two tokens is valid, 0 or 1. The holder, as for all fields below.",
    ),
    u32("tokens", LEASE_TOKENS_OFFSET, "Two fencing tokens, each a low and a high word.", 4),
    u32("version", LEASE_VERSION_OFFSET, "Odd while what follows is written."),
    u32("pid", LEASE_PID_OFFSET, "For people; nothing relies on it."),
    { name: "since", type: "double", offset: LEASE_SINCE_OFFSET, text: "Milliseconds since 1970." },
    u32("text_length", LEASE_TEXT_LENGTH_OFFSET, "Bytes."),
    u32("lock", LEASE_LOCK_OFFSET, "See the lock. The holder.", LOCK_LENGTH / 4),
    bytes("text", LEASE_TEXT_OFFSET, MAX_LEASE_TEXT_LENGTH, "UTF-8."),
    u32("wait_point", LEASE_WAIT_POINT_OFFSET, "See the wait point.", WAIT_POINT_LENGTH / 4),
  ],
};

/** "LEA2", little-endian. */
export const LEASE_MAGIC = 0x3241454c;
