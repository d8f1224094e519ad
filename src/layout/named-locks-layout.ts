/**
 * Named locks: after the segment's header come a head, the buckets, the requests and the names.
 * Where each begins is in src/locks/algorithm/named-locks-memory.ts.
 *
 * Offsets are in 32-bit words, as the code uses them; the descriptions say them in bytes.
 */
import { type Layout, bytes, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";

/** The parameters of the header, by their index. The last two are the hash's seed. */
export const NAMED_LOCKS_PARAMETERS = { names: 0, requests: 1, seedLow: 2, seedHigh: 3 } as const;

/** Bytes from the start of the data. */
export const LOCKS_GRANTED_POINT_OFFSET = 0;
export const LOCKS_STOLEN_POINT_OFFSET = 128;
export const LOCKS_LOCK_OFFSET = 256;

/** Words from the start of the data. */
export const LOCKS_FREE_REQUEST_WORD = 80;
export const LOCKS_FREE_NAME_WORD = 81;
export const LOCKS_REQUEST_COUNT_WORD = 82;
export const LOCKS_NAME_COUNT_WORD = 83;
/** The number of the newest request: f64. */
export const LOCKS_NEWEST_WORD = 84;
export const LOCKS_GRANTS_WORD = 86;
export const LOCKS_STEALS_WORD = 87;
export const LOCKS_DEATHS_WORD = 88;
export const LOCKS_REPAIRS_WORD = 89;
/** The words before the buckets. */
export const LOCKS_HEAD_WORDS = 96;

/** Words from a request's start. */
export const REQUEST_MARK_WORD = 0;
export const REQUEST_PARTICIPANT_WORD = 1;
export const REQUEST_NAME_WORD = 2;
export const REQUEST_NEXT_WORD = 3;
export const REQUEST_PREVIOUS_WORD = 4;
/** The request's number: f64. */
export const REQUEST_NUMBER_WORD = 6;
export const REQUEST_WORDS = 8;

/** What a mark's low bits say; 0 is free. */
export const REQUEST_WAITING = 1;
export const REQUEST_HELD = 2;
export const REQUEST_STOLEN = 3;
/** A flag of the mark: others may hold it too. */
export const REQUEST_SHARED = 4;

/** Words from a name's start. */
export const NAME_MARK_WORD = 0;
export const NAME_HASH_WORD = 1;
export const NAME_NEXT_WORD = 2;
export const NAME_FIRST_WORD = 3;
export const NAME_LAST_WORD = 4;
export const NAME_TEXT_WORD = 8;
export const NAME_WORDS = 72;
/** Bytes of UTF-8 that a name has at most. */
export const MAX_LOCK_NAME_LENGTH: number = (NAME_WORDS - NAME_TEXT_WORD) * 4;

export const NAMED_LOCKS: Layout = {
  name: "named_locks",
  text: "Starts the data of named locks. The lock's owner writes it.",
  length: LOCKS_HEAD_WORDS * 4,
  fields: [
    u32("granted", LOCKS_GRANTED_POINT_OFFSET, "A wait point, woken after each grant.", 32),
    u32("stolen", LOCKS_STOLEN_POINT_OFFSET, "A wait point, woken after a lock was stolen.", 32),
    u32("lock", LOCKS_LOCK_OFFSET, "Of all that follows: see the lock.", LOCK_LENGTH / 4),
    u32(
      "free_request",
      LOCKS_FREE_REQUEST_WORD * 4,
      "First free request, from 1 on; 0 when there is none. Derived.",
    ),
    u32(
      "free_name",
      LOCKS_FREE_NAME_WORD * 4,
      "First free name, from 1 on; 0 when there is none. Derived.",
    ),
    u32("request_count", LOCKS_REQUEST_COUNT_WORD * 4, "Requests in use. Derived."),
    u32("name_count", LOCKS_NAME_COUNT_WORD * 4, "Names in use. Derived."),
    {
      name: "newest",
      type: "double",
      offset: LOCKS_NEWEST_WORD * 4,
      text: "The number of the newest request.",
    },
    u32("grants", LOCKS_GRANTS_WORD * 4, "Locks granted, mod 2^32."),
    u32("steals", LOCKS_STEALS_WORD * 4, "Locks taken away from a holder, mod 2^32."),
    u32("deaths", LOCKS_DEATHS_WORD * 4, "Requests removed because their owners died, mod 2^32."),
    u32("repairs", LOCKS_REPAIRS_WORD * 4, "Rebuilds after an owner died, mod 2^32."),
  ],
};

export const NAMED_LOCK_REQUEST: Layout = {
  name: "named_lock_request",
  text: "Somebody who holds a name, waits for it, or has lost it and does not know yet.",
  length: REQUEST_WORDS * 4,
  fields: [
    u32(
      "mark",
      REQUEST_MARK_WORD * 4,
      "0 free, else state | SHARED. Stored with release: last when it comes, first when it goes. " +
        "SYNC named-lock-granted.",
    ),
    u32(
      "participant",
      REQUEST_PARTICIPANT_WORD * 4,
      "Whose it is: participant << 2, as in a lock that is held.",
    ),
    u32("name", REQUEST_NAME_WORD * 4, "The name, from 1 on."),
    u32(
      "next",
      REQUEST_NEXT_WORD * 4,
      "The next in the name's queue, or of the free ones; 0 ends. Derived.",
    ),
    u32("previous", REQUEST_PREVIOUS_WORD * 4, "The one before it in the queue. Derived."),
    u32("reserved", 5 * 4, "0."),
    {
      name: "number",
      type: "double",
      offset: REQUEST_NUMBER_WORD * 4,
      text: "Numbers the requests in the order in which they came.",
    },
  ],
};

export const NAMED_LOCK_NAME: Layout = {
  name: "named_lock_name",
  text: "A name that is held or waited for: it is in use while such a request has it.",
  length: NAME_WORDS * 4,
  fields: [
    u32("mark", NAME_MARK_WORD * 4, "Bytes of the name plus 1."),
    u32("hash", NAME_HASH_WORD * 4, "HalfSipHash-1-3 of the name."),
    u32(
      "next",
      NAME_NEXT_WORD * 4,
      "The next of the bucket, or of the free ones; 0 ends. Derived.",
    ),
    u32("first", NAME_FIRST_WORD * 4, "The first request of its queue. Derived."),
    u32("last", NAME_LAST_WORD * 4, "The last request of its queue. Derived."),
    u32("reserved", 5 * 4, "0.", 3),
    bytes(
      "text",
      NAME_TEXT_WORD * 4,
      MAX_LOCK_NAME_LENGTH,
      "UTF-8, filled up to a word with zeros.",
    ),
  ],
};
