/*
 * A rate limiter in fixed memory: stripes, each with a lock, an index and entries of its own.
 *
 *     limiter  [ stripe 0 | stripe 1 | … ]              the hash's low bits choose the stripe
 *     stripe   [ lock 64 B | counts 64 B | buckets, one word each | entries ]
 *     bucket   the first entry of a chain, from 1 on; 0: empty
 *     entry    [ mark | hash | links | state | key ]    128 B; 256 B with the counts of a sliding
 *                                                       window
 *
 * The entries decide what a limiter knows: one is in use while its mark is not 0. Chains, the order
 * of use, the free list and the number of entries follow from them, and are made again by whoever
 * gets the lock from a dead owner.
 */
import {
  ENTRY_WORDS,
  SLIDING_ENTRY_WORDS,
  STRIPE_HEAD_WORDS,
} from "../../layout/limiter-layout.ts";

/** How requests are counted. */
export type RateLimiterAlgorithm = "gcra" | "token-bucket" | "sliding-window" | "fixed-window";

/** What is allowed. */
export interface Policy {
  readonly algorithm: RateLimiterAlgorithm;
  readonly limit: number;
  readonly windowMs: number;
  /** Points that are there at most; a window has none beside its limit, and 0 here. */
  readonly burst: number;
}

/** How a limiter's memory is divided. */
export interface LimiterShape {
  readonly stripeCount: number;
  /** Entries in each stripe. */
  readonly entryCount: number;
  readonly entryWords: number;
}

/** Twice of it, which penalties can make of a count, fits into 31 bits. */
export const MAX_LIMIT = 1_000_000_000;
export const MAX_WINDOW_MS: number = 2 ** 32 - 1;
export const MAX_KEYS: number = 2 ** 23;
export const MAX_STRIPES = 64;
/** Fewer keys would lie unevenly, and so need much more room. */
const MIN_STRIPE_KEYS = 128;
/** Up to here, numbers of points times ticks are exact. */
const MAX_EXACT = 2 ** 53;

/** @returns Whether an algorithm has a bucket that fills, and not a window that is counted. */
export function hasBucket(algorithm: RateLimiterAlgorithm): boolean {
  return algorithm === "gcra" || algorithm === "token-bucket";
}

/**
 * The unit of times: microseconds, unless a level would be too large a number then.
 * @returns Ticks in a millisecond: 1000 or 1; 0 when neither is exact.
 */
export function ticksPerMs({ algorithm, limit, windowMs, burst }: Policy): number {
  if (!hasBucket(algorithm)) return 1000;
  const range = (limit + burst) * windowMs;
  if (range * 1000 <= MAX_EXACT) return 1000;
  return range <= MAX_EXACT ? 1 : 0;
}

/** @returns The words of an entry; a power of two. */
export function entryWordsOf(algorithm: RateLimiterAlgorithm): number {
  return algorithm === "sliding-window" ? SLIDING_ENTRY_WORDS : ENTRY_WORDS;
}

/** @returns The buckets of a stripe: a power of two, and at least one for each entry. */
export function bucketCountOf(entryCount: number): number {
  let count = 16;
  while (count < entryCount) count *= 2;
  return count;
}

/** @returns The words from one stripe to the next. */
export function stripeWords({ entryCount, entryWords }: LimiterShape): number {
  return (STRIPE_HEAD_WORDS + bucketCountOf(entryCount) + entryCount * entryWords + 31) & ~31;
}

/** @returns The bytes of all stripes. */
export function limiterLength(shape: LimiterShape): number {
  return shape.stripeCount * stripeWords(shape) * 4;
}

/**
 * Divides memory so that a limiter remembers `keys` keys, wherever their hashes put them.
 *
 * Of m keys a stripe, by chance, one stripe gets more: with a standard deviation of √m. Room for
 * eight of those above m is too little in less than one of 10^9 limiters, by the bound of Chernoff,
 * exp(m (u - (1 + u) ln(1 + u))) with u = 8 / √m: 4·10^-12 a stripe at m = 128, and less above.
 */
export function planLimiter(keys: number, algorithm: RateLimiterAlgorithm): LimiterShape {
  let stripeCount = 1;
  while (stripeCount < MAX_STRIPES && keys / (stripeCount * 2) >= MIN_STRIPE_KEYS) stripeCount *= 2;
  const mean = keys / stripeCount;
  const entryCount = stripeCount === 1 ? keys : Math.ceil(mean + 8 * Math.sqrt(mean) + 1);
  return { stripeCount, entryCount, entryWords: entryWordsOf(algorithm) };
}
