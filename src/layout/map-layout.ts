/**
 * The fixed parts of a shared map. How they make a map is in src/map/algorithm/map-shape.ts.
 *
 * Offsets are in 32-bit words, as the code uses them; the descriptions say them in bytes.
 */
import type { Layout } from "./description.ts";

/** Words of a bucket, and how many of them are slots. */
export const BUCKET_WORDS = 16;
export const SLOTS = 14;
/** Words in a bucket: bit i says that slot i was read since the hand last passed. */
export const BUCKET_USED = 14;
/** How many buckets further entries of this home bucket may lie; only ever grows. */
export const BUCKET_LIMIT = 15;
/** The most that a probe limit may be. */
export const PROBE_MAX = 7;

/** Words in a stripe's head: offsets from its start. The lock has the first 16. */
export const FREE_HEAD = 16;
export const FREE_COUNT = 17;
export const ENTRY_COUNT = 18;
/** The slot at which the eviction hand stands. */
export const HAND = 19;
/** When the next entry expires, in ms since 1970 (f64); 0 when none will. */
export const NEXT_EXPIRY = 20;
/** When expired entries were last looked for (f64). */
export const LAST_SWEEP = 22;
export const EVICTIONS = 24;
export const EXPIRATIONS = 25;
export const REFUSALS = 26;
export const REPAIRS = 27;
/** Words before the buckets. */
export const STRIPE_HEAD_WORDS = 32;

/** Words in a unit. */
export const SEQUENCE = 0;
export const NEXT = 1;
export const HASH = 2;
export const KEY_LENGTH = 3;
export const VALUE_LENGTH = 4;
export const EXPIRY = 6;
/** Words before the payload, in an entry's first unit and in the others. */
export const FIRST_HEAD = 8;
export const OTHER_HEAD = 2;

/** Where the flags are among the parameters of a map's header. */
export const MAP_FLAGS_PARAMETER = 6;
/** Bits in the flags: it evicts; its keys are bytes and no text. From bit 8 on: the mutex ABI. */
export const MAP_EVICTS = 1;
export const MAP_BYTES_KEYS = 2;

/** Longest key in bytes. */
export const KEY_MAX = 1024;

type Fields = Layout["fields"];
type Described = readonly [name: string, word: number, text: string, count?: number | "double"];

const words = (...described: Described[]): Fields =>
  described.map(([name, word, text, count]) => ({
    name,
    type: count === "double" ? "double" : "uint32_t",
    offset: word * 4,
    text,
    ...(typeof count === "number" ? { count } : {}),
  }));

export const MAP_STRIPE: Layout = {
  name: "map_stripe",
  text: "Starts each stripe of a map; buckets and units follow. By the lock's owner.",
  length: STRIPE_HEAD_WORDS * 4,
  fields: words(
    ["lock", 0, "A robust, process-shared, errorcheck pthread_mutex_t.", 16],
    ["free_head", FREE_HEAD, "First free unit; 0 when there is none. Derived."],
    ["free_count", FREE_COUNT, "Free units. Derived."],
    ["entry_count", ENTRY_COUNT, "Entries, expired ones too. Derived."],
    ["hand", HAND, "Where the eviction clock stands, in slots."],
    ["next_expiry", NEXT_EXPIRY, "When the next entry expires; 0 never.", "double"],
    ["last_sweep", LAST_SWEEP, "When expired entries were looked for, ms since 1970.", "double"],
    ["evictions", EVICTIONS, "Entries evicted, mod 2^32."],
    ["expirations", EXPIRATIONS, "Expired entries reclaimed, mod 2^32."],
    ["refusals", REFUSALS, "Writes refused because the map was full, mod 2^32."],
    ["repairs", REPAIRS, "Rebuilds after a writer died, mod 2^32."],
  ),
};

export const MAP_BUCKET: Layout = {
  name: "map_bucket",
  text: "14 slots of the index. A slot is tag << 24 | unit, 0 when empty.",
  length: BUCKET_WORDS * 4,
  fields: words(
    ["slots", 0, "Stored with release by the stripe's writer. SYNC map-slot.", SLOTS],
    ["used", BUCKET_USED, "Bit i: slot i was read since the hand passed. Anybody; a hint."],
    ["limit", BUCKET_LIMIT, "Buckets further that entries of this home lie. SYNC map-limit."],
  ),
};

export const MAP_ENTRY: Layout = {
  name: "map_entry",
  text: "Starts an entry's first unit; the others have only its first two words.",
  length: FIRST_HEAD * 4,
  fields: words(
    ["sequence", SEQUENCE, "Raised when the entry is freed. SYNC map-sequence."],
    ["next", NEXT, "The next unit of the chain or of the free list; 0 ends it."],
    ["hash", HASH, "HalfSipHash-1-3 of the key."],
    ["key_length", KEY_LENGTH, "Bytes."],
    ["value_length", VALUE_LENGTH, "Bytes."],
    ["expiry", EXPIRY, "Ms since 1970; 0 never.", "double"],
  ),
};
