/**
 * The fixed parts of a rate limiter. How they make a limiter is in
 * src/limiter/algorithm/limiter-shape.ts.
 *
 * Offsets are in 32-bit words, as the code uses them; the descriptions say them in bytes.
 */
import { type Layout, wordFields } from "./description.ts";

/** The algorithms; a number is never used again for another one. */
export const LIMITER_ALGORITHMS = {
  gcra: 1,
  "token-bucket": 2,
  "sliding-window": 3,
  "fixed-window": 4,
} as const;

/** The parameters of a limiter's header, by their index. The last two are the hash's seed. */
export const LIMITER_ALGORITHM_PARAMETER = 0;
export const LIMITER_LIMIT_PARAMETER = 1;
export const LIMITER_WINDOW_PARAMETER = 2;
export const LIMITER_BURST_PARAMETER = 3;
export const LIMITER_KEYS_PARAMETER = 4;
export const LIMITER_ENTRIES_PARAMETER = 5;
export const LIMITER_SEED_PARAMETER = 6;
/** The first parameter has the algorithm in its low bits, and log2 of the stripes from here on. */
export const LIMITER_STRIPES_SHIFT = 8;

/** Words from a stripe's start. The first 16 are the lock's. */
export const FREE_HEAD_WORD = 16;
export const ENTRY_COUNT_WORD = 17;
export const NEWEST_WORD = 18;
export const OLDEST_WORD = 19;
/** The use that was counted last: f64. */
export const USES_WORD = 20;
export const ALLOWED_WORD = 22;
export const REFUSED_WORD = 23;
export const LOST_WORD = 24;
export const EXPIRED_WORD = 25;
export const REPAIRS_WORD = 26;
/** The start of the machine that times are counted from: 32 bits of its random id; 0 unknown. */
export const STRIPE_BOOT_WORD = 27;
/** The words before the buckets. */
export const STRIPE_HEAD_WORDS = 32;

/** Words from an entry's start. */
export const MARK_WORD = 0;
export const HASH_WORD = 1;
export const NEXT_WORD = 2;
export const NEWER_WORD = 3;
export const OLDER_WORD = 4;
export const CURRENT_WORD = 5;
/** The number of the entry's last use: f64. */
export const USED_WORD = 6;
/** Two states of four words each: a time and a level, both f64. */
export const STATES_WORD = 8;
export const STATE_WORDS = 4;
/** In the place of the states, for a sliding window. */
export const LATEST_WORD = 8;
export const KEY_WORD = 16;
export const COUNTS_WORD = 32;
/** The words of an entry; a sliding window's has its counts behind them. */
export const ENTRY_WORDS = 32;
export const SLIDING_ENTRY_WORDS = 64;

/** The counts of a sliding window; all but the newest one cover the window. */
export const SUB_WINDOWS = 32;
/** Bytes of the longest key that is stored as it is; of a longer one it is the SHA-256. */
export const MAX_STORED_KEY_LENGTH = 64;

export const LIMITER_STRIPE: Layout = {
  name: "limiter_stripe",
  text: "Starts each stripe; buckets (words) and entries follow. The lock's owner writes it.",
  length: STRIPE_HEAD_WORDS * 4,
  fields: wordFields(
    ["lock", 0, "See the lock; 14 words are not used.", 16],
    ["free_head", FREE_HEAD_WORD, "First free entry, from 1 on; 0 when there is none. Derived."],
    ["entry_count", ENTRY_COUNT_WORD, "Entries in use. Derived."],
    ["newest", NEWEST_WORD, "The entry that was used last; 0 when there is none. Derived."],
    ["oldest", OLDEST_WORD, "The entry that goes first; 0 when there is none. Derived."],
    ["uses", USES_WORD, "Numbers the uses of entries. Derived.", "double"],
    ["allowed", ALLOWED_WORD, "Calls that were allowed, mod 2^32."],
    ["refused", REFUSED_WORD, "Calls that were refused, mod 2^32."],
    ["lost", LOST_WORD, "Keys forgotten while they still owed something, mod 2^32."],
    ["expired", EXPIRED_WORD, "Keys forgotten that owed nothing any more, mod 2^32."],
    ["repairs", REPAIRS_WORD, "Rebuilds after an owner died, mod 2^32."],
    ["boot", STRIPE_BOOT_WORD, "The machine's start that all times of the stripe count from."],
  ),
};

export const LIMITER_ENTRY: Layout = {
  name: "limiter_entry",
  text: "One key. A sliding window's is followed by its counts (limiter_counts).",
  length: ENTRY_WORDS * 4,
  fields: wordFields(
    ["mark", MARK_WORD, "Bytes of the key plus 1; 0 free. Stored with release, last and first."],
    ["hash", HASH_WORD, "HalfSipHash-1-3 of the key."],
    ["next", NEXT_WORD, "The next entry of the bucket, or of the free ones; 0 ends. Derived."],
    ["newer", NEWER_WORD, "The entry that was used next after it; 0 ends. Derived."],
    ["older", OLDER_WORD, "The entry that was used last before it; 0 ends. Derived."],
    ["current", CURRENT_WORD, "Bit 0: which state counts. Stored with release, after the state."],
    ["used", USED_WORD, "The number of its last use.", "double"],
    ["time_0", STATES_WORD, "Ticks. A sliding window has `latest` here, a uint32_t.", "double"],
    ["level_0", STATES_WORD + 2, "See the text.", "double"],
    ["time_1", STATES_WORD + 4, "The other state.", "double"],
    ["level_1", STATES_WORD + 6, "The other state.", "double"],
    ["key", KEY_WORD, "The key, filled up with zeros; its SHA-256 if it is longer.", 16],
  ),
};

export const LIMITER_COUNTS: Layout = {
  name: "limiter_counts",
  text: "Behind each entry of a sliding window.",
  length: SUB_WINDOWS * 4,
  fields: wordFields(["counts", 0, "Points that were taken in sub-window i mod 32.", SUB_WINDOWS]),
};
