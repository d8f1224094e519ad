/**
 * The fixed parts of a shared map. How they make a map is in src/map/algorithm/map-shape.ts.
 *
 * Offsets are in 32-bit words, as the code uses them; the descriptions say them in bytes.
 */
import { type Layout, u32, wordFields } from "./description.ts";
import { WAIT_POINT_LENGTH } from "./wait-point-layout.ts";

/** Bytes from a map's data to each of its wait points, and to its first stripe. */
export const LOADS_WAIT_OFFSET = 0;
export const CHANGES_WAIT_OFFSET: number = WAIT_POINT_LENGTH;
export const MAP_HEAD_LENGTH: number = 2 * WAIT_POINT_LENGTH;

/** The words of a bucket, and how many of them are slots. */
export const BUCKET_WORDS = 16;
export const BUCKET_SLOTS = 14;
/** Bit i says that slot i was read since the hand last passed. */
export const BUCKET_USED_WORD = 14;
/** How many buckets further on the entries of this home bucket may lie; it only grows. */
export const BUCKET_LIMIT_WORD = 15;
/** The largest value of a bucket's limit. */
export const MAX_PROBE_DISTANCE = 7;

/** Words from a stripe's start. The first 15 are the lock's. */
export const HIDDEN_COUNT_WORD = 15;
export const FREE_HEAD_WORD = 16;
export const FREE_COUNT_WORD = 17;
export const ENTRY_COUNT_WORD = 18;
/** The slot at which the eviction hand stands. */
export const HAND_WORD = 19;
/**
 * Times are in ms since the machine's start (f64), and the word of the start names which one, since
 * a map in a file outlives it: 32 bits of the kernel's random id, 0 when it is not known.
 */

/** When the next entry expires, and is not kept any longer; 0: never. */
export const NEXT_EXPIRY_WORD = 20;
/** When the last sweep for expired entries was. */
export const LAST_SWEEP_WORD = 22;
export const EVICTIONS_WORD = 24;
export const EXPIRATIONS_WORD = 25;
export const REFUSALS_WORD = 26;
export const REPAIRS_WORD = 27;
/** The start that the two times are counted from. */
export const STRIPE_BOOT_WORD = 28;
/** Whether changes are logged: one of the three values below. */
export const WATCHED_WORD = 29;
/** Words that were logged so far, and words that were or are about to be: positions in the log. */
export const LOG_POSITION_WORD = 30;
export const LOG_RESERVED_WORD = 31;
/** The words before the buckets. */
export const STRIPE_HEAD_WORDS = 32;

/** Nobody watches; somebody may still watch, and has to say so; somebody watches. */
export const UNWATCHED = 0;
export const QUESTIONED = 1;
export const WATCHED = 2;

/** A record of the log is a word, what << 16 | bytes of the key, and then the key. */
export const LOG_WHAT_SHIFT = 16;
/** What a record says; 0 fills up the end of the log. */
export const LOG_SET = 1;
export const LOG_DELETED = 2;
export const LOG_EXPIRED = 3;
export const LOG_EVICTED = 4;
/** Without a key: everything was removed, or a writer died, and its change may not be logged. */
export const LOG_SKIPPED = 5;

/** Words from a unit's start. */
export const SEQUENCE_WORD = 0;
export const NEXT_WORD = 1;
export const HASH_WORD = 2;
/** What the entry is, and the bytes of the key. */
export const KEY_WORD = 3;
export const VALUE_LENGTH_WORD = 4;
/** The start that the expiry is counted from. */
export const BOOT_WORD = 5;
export const EXPIRY_WORD = 6;
/** How long it is kept after it has expired, in ms. */
export const STALE_WORD = 8;
/** The words before the payload, in an entry's first unit and in its others. */
export const FIRST_HEAD_WORDS = 10;
export const OTHER_HEAD_WORDS = 2;

/** The bits of the length in an entry's key word; the others say what the entry is. */
export const KEY_LENGTH_MASK = 0xffff;
/** A key has one entry of each sort, at most; only values are shown to users. */
export const VALUE_ENTRY = 0;
/** Somebody loads the value: its number as a participant, the number of the load, who waits. */
export const LOAD_ENTRY = 0x10000;
/** The last load failed: the error, as JSON. */
export const ERROR_ENTRY = 0x20000;
/** A list: which of its two states counts, and both of them. */
export const LIST_ENTRY = 0x30000;
/** The words of a load's value. */
export const LOADER_WORD = 0;
export const LOAD_NUMBER_WORD = 1;
export const LOAD_AWAITED_WORD = 2;
export const LOAD_WORDS = 3;
/** The words of a list's value: 0 or 1, and the two states. */
export const LIST_CURRENT_WORD = 0;
export const LIST_STATES_WORD = 1;
export const LIST_STATE_WORDS = 3;
export const LIST_WORDS = 7;
/** The words of a state: the units where the first and the last element begin, and their number. */
export const LIST_FIRST_WORD = 0;
export const LIST_LAST_WORD = 1;
export const LIST_COUNT_WORD = 2;
/** Words of an element, which is an entry without a key that no slot refers to: its neighbours. */
export const FOLLOWING_WORD: number = HASH_WORD;
export const PRECEDING_WORD: number = BOOT_WORD;

/** The index of the flags among the parameters of a map's header. */
export const MAP_FLAGS_PARAMETER = 6;
/** Flags: the map evicts; its keys are bytes, and not text. */
export const MAP_EVICTS = 1;
export const MAP_BYTES_KEYS = 2;

/** Bytes of the longest key. */
export const MAX_KEY_LENGTH = 1024;

export const MAP_HEAD: Layout = {
  name: "map_head",
  text: "Starts a map's data; the stripes follow.",
  length: MAP_HEAD_LENGTH,
  fields: [
    u32("loads", LOADS_WAIT_OFFSET, "A wait point: for those who wait for a load.", 32),
    u32("changes", CHANGES_WAIT_OFFSET, "A wait point: for those who watch.", 32),
  ],
};

export const MAP_STRIPE: Layout = {
  name: "map_stripe",
  text: "Starts each stripe of a map; buckets, units and log follow. The lock's owner writes it.",
  length: STRIPE_HEAD_WORDS * 4,
  fields: wordFields(
    ["lock", 0, "See the lock; 13 words are not used.", 15],
    ["hidden_count", HIDDEN_COUNT_WORD, "Entries that are no values. Derived."],
    ["free_head", FREE_HEAD_WORD, "First free unit; 0 when there is none. Derived."],
    ["free_count", FREE_COUNT_WORD, "Free units. Derived."],
    ["entry_count", ENTRY_COUNT_WORD, "Values, including expired ones. Derived."],
    ["hand", HAND_WORD, "Where the eviction clock stands, in slots."],
    ["next_expiry", NEXT_EXPIRY_WORD, "When the next entry may go; 0 never.", "double"],
    [
      "last_sweep",
      LAST_SWEEP_WORD,
      "When expired entries were looked for, ms since the machine's start.",
      "double",
    ],
    ["evictions", EVICTIONS_WORD, "Entries evicted, mod 2^32."],
    ["expirations", EXPIRATIONS_WORD, "Expired entries reclaimed, mod 2^32."],
    ["refusals", REFUSALS_WORD, "Writes refused because the map was full, mod 2^32."],
    ["repairs", REPAIRS_WORD, "Rebuilds after a writer died, mod 2^32."],
    ["boot", STRIPE_BOOT_WORD, "The machine's start that the two times count from."],
    ["watched", WATCHED_WORD, "2: changes are logged. A lap of the log lowers it; watchers set 2."],
    ["log_position", LOG_POSITION_WORD, "Words logged, mod 2^32; with release. SYNC map-log."],
    ["log_reserved", LOG_RESERVED_WORD, "Words that may be overwritten. SYNC map-log-lap."],
  ),
};

export const MAP_BUCKET: Layout = {
  name: "map_bucket",
  text: "14 slots of the index. A slot is tag << 24 | unit, 0 when empty.",
  length: BUCKET_WORDS * 4,
  fields: wordFields(
    ["slots", 0, "Stored with release by the stripe's writer. SYNC map-slot.", BUCKET_SLOTS],
    [
      "used",
      BUCKET_USED_WORD,
      "Bit i: slot i was read since the hand passed. Any process; a hint.",
    ],
    ["limit", BUCKET_LIMIT_WORD, "Buckets further that entries of this home lie. SYNC map-limit."],
  ),
};

export const MAP_ENTRY: Layout = {
  name: "map_entry",
  text: "Starts an entry's first unit; the others have only its first two words.",
  length: FIRST_HEAD_WORDS * 4,
  fields: wordFields(
    ["sequence", SEQUENCE_WORD, "Raised when the entry is freed. SYNC map-sequence."],
    ["next", NEXT_WORD, "The next unit of the chain or of the free list; 0 ends it."],
    ["hash", HASH_WORD, "HalfSipHash-1-3 of the key; of a list's element, the following one."],
    ["key", KEY_WORD, "Bytes of the key; above 16 bits: 1 a load, 2 an error, 3 a list."],
    ["value_length", VALUE_LENGTH_WORD, "Bytes."],
    ["boot", BOOT_WORD, "The machine's start of the expiry; of an element, the one before."],
    ["expiry", EXPIRY_WORD, "Ms since the machine's start; 0 never. Changed in place.", "double"],
    ["stale", STALE_WORD, "Ms for which it is kept when it has expired."],
  ),
};
