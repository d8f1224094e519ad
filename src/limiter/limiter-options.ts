/** The options of rate limiters, and their checks. */
import { checkInteger, checkOneOf, checkOptions } from "../arguments.ts";
import { LIMITER_ALGORITHMS } from "../layout/limiter-layout.ts";
import {
  type PlacedInitOptions,
  type StructureCreateOptions,
  type StructureOpenOptions,
  structureOptions,
} from "../segment/placed-options.ts";
import {
  MAX_KEYS,
  MAX_LIMIT,
  MAX_WINDOW_MS,
  type Policy,
  type RateLimiterAlgorithm,
  hasBucket,
  ticksPerMs,
} from "./algorithm/limiter-shape.ts";

/** What a limiter allows, and how many keys it remembers. */
export interface RateLimiterNewOptions {
  /**
   * How requests are counted.
   *
   * - `"gcra"` and `"token-bucket"` decide alike: a key has `burst` points, and gets `limit` more
   *   in
   *   each `windowMs`, evenly. Never more than `burst + elapsed / windowMs * limit`.
   * - `"sliding-window"`: at most `limit` in any span of `windowMs`. A point counts for up to a
   *   31st
   *   part of the window longer than that.
   * - `"fixed-window"`: at most `limit` in a window, which starts with the key's first call. Two
   *   windows that meet can have twice that at their border.
   */
  readonly algorithm: RateLimiterAlgorithm;
  /** Points in each window; an integer from 1 to 1,000,000,000. */
  readonly limit: number;
  /** Milliseconds; an integer from 1 to 2^32 - 1, which are 49 days. */
  readonly windowMs: number;
  /**
   * The most points that a bucket holds, and so that are taken at once; only for `"gcra"` and
   * `"token-bucket"`. Default: `limit`.
   */
  readonly burst?: number | undefined;
  /**
   * How many keys it remembers, from 1 to 8,388,608. If there are more, those are forgotten that
   * were used longest ago, and count as new. Each takes 128 bytes and some; 256 for a sliding
   * window.
   */
  readonly keys: number;
}

/** What a limiter that is found must be; what is not given may be anything. */
export interface RateLimiterOptions {
  readonly algorithm?: RateLimiterAlgorithm | undefined;
  readonly limit?: number | undefined;
  readonly windowMs?: number | undefined;
  readonly burst?: number | undefined;
  readonly keys?: number | undefined;
}

/** How to make a limiter in a segment of its own. */
export interface RateLimiterCreateOptions extends StructureCreateOptions, RateLimiterNewOptions {}

/** How to make a limiter inside the caller's segment. */
export interface RateLimiterInitOptions extends PlacedInitOptions, RateLimiterNewOptions {}

/** How to find a limiter that has a segment of its own. */
export interface RateLimiterOpenOptions extends StructureOpenOptions, RateLimiterOptions {}

const OWN: readonly string[] = ["algorithm", "limit", "windowMs", "burst", "keys"];

/** The names of the options of each call. */
const OPTIONS = structureOptions(OWN, OWN);

export const ALGORITHMS: readonly RateLimiterAlgorithm[] = Object.keys(
  LIMITER_ALGORITHMS,
) as RateLimiterAlgorithm[];

/** Checks the options of a call that finds a limiter. @throws TypeError, RangeError. */
export function checkFindOptions(action: string, call: "open" | "at", options: unknown): void {
  checkOptions(action, options, OPTIONS[call]);
  const { algorithm, limit, windowMs, burst, keys } = (options ?? {}) as RateLimiterOptions;
  if (algorithm !== undefined) checkOneOf(action, "its algorithm", algorithm, ALGORITHMS);
  if (limit !== undefined) checkInteger(action, "its limit", limit, 1, MAX_LIMIT);
  if (windowMs !== undefined) checkInteger(action, "its windowMs", windowMs, 1, MAX_WINDOW_MS);
  if (burst !== undefined) checkInteger(action, "its burst", burst, 1, MAX_LIMIT);
  if (keys !== undefined) checkInteger(action, "its keys", keys, 1, MAX_KEYS);
}

/** Checks the options of a call that makes a limiter. @throws TypeError, RangeError. */
export function checkNewOptions(
  action: string,
  call: "create" | "openOrCreate" | "init",
  options: unknown,
): void {
  checkOptions(action, options, OPTIONS[call]);
  const given = Object(options) as Partial<RateLimiterNewOptions>;
  const algorithm = checkOneOf(action, "its algorithm", given.algorithm, ALGORITHMS);
  const limit = checkInteger(action, "its limit", given.limit, 1, MAX_LIMIT);
  const windowMs = checkInteger(action, "its windowMs", given.windowMs, 1, MAX_WINDOW_MS);
  checkInteger(action, "its keys", given.keys, 1, MAX_KEYS);
  if (given.burst !== undefined && !hasBucket(algorithm)) {
    throw new TypeError(
      `${action}: a ${algorithm} has no burst; the algorithms "gcra" and "token-bucket" have one`,
    );
  }
  const burst = checkInteger(action, "its burst", given.burst ?? limit, 1, MAX_LIMIT);
  if (ticksPerMs({ algorithm, limit, windowMs, burst }) > 0) return;
  throw new RangeError(
    `${action}: (limit + burst) * windowMs must be at most 2^53 for a ${algorithm}, and it is ` +
      `${(limit + burst) * windowMs}. Count in larger points, or over a shorter window`,
  );
}

/** @returns What a new limiter allows. */
export function policyOf({ algorithm, limit, windowMs, burst }: RateLimiterNewOptions): Policy {
  return { algorithm, limit, windowMs, burst: hasBucket(algorithm) ? (burst ?? limit) : 0 };
}
