/*
 * A hash map in fixed memory: stripes, each with a lock, an index and units of its own.
 *
 *     map      [ wait points | stripe 0 | stripe 1 | … ]   the hash's low bits choose the stripe
 *     stripe   [ lock 64 B | counts 64 B | buckets 64 B each | units | log ]
 *     bucket   [ 14 slots | used bits | probe limit ]   one cache line
 *     slot     tag (8 bits of the hash) << 24 | unit    0: empty
 *     unit     [ sequence | next | payload ]            64 B, or as large as the creator says
 *     entry    a chain of units; the first also holds hash, lengths and times:
 *              [ sequence | next | hash | kind, key length | value length | boot |
 *                expiry (f64) | stale | 0 | payload ]
 *
 * The payload is the key, filled up to a word, and then the value. Any unit fits any value, so
 * memory does not fragment: only the rest of each entry's last unit is lost.
 *
 * The index decides what is in the map. An entry is in it exactly while a slot refers to the entry,
 * and a slot is one word: `set` writes a chain of free units and stores the slot, `delete` stores
 * 0. Everything else (free list, counts) can be rebuilt from the index, and the next writer does so
 * after one has died. An entry never moves while a slot refers to it, and nothing of it changes but
 * its expiry, which is one store.
 *
 * Unit and sequence together name an entry for ever, since freeing raises the sequence: they are
 * its version.
 */

import {
  BUCKET_WORDS,
  FIRST_HEAD_WORDS,
  MAP_HEAD_LENGTH,
  OTHER_HEAD_WORDS,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";

/** How a map's memory is divided; its header holds these numbers. */
export interface MapShape {
  readonly stripeCount: number;
  /** Buckets in each stripe; a power of two. */
  readonly bucketCount: number;
  /** Units in each stripe; unit 0 is never used, since a slot of 0 is empty. */
  readonly unitCount: number;
  readonly unitWords: number;
}

/** The least and the most words of a stripe's log; the least hold a key of any length. */
const MIN_LOG_WORDS = 512;
const MAX_LOG_WORDS = 8192;

function wordsBeforeLog({ bucketCount, unitCount, unitWords }: MapShape): number {
  return STRIPE_HEAD_WORDS + bucketCount * BUCKET_WORDS + unitCount * unitWords;
}

/** @returns The words of a log, a power of two, in a stripe that has so many others. */
function logWordsFor(words: number): number {
  const wanted = 2 ** Math.floor(Math.log2(words / 32));
  return Math.min(Math.max(wanted, MIN_LOG_WORDS), MAX_LOG_WORDS);
}

/** @returns The words of a stripe's log. */
export function logWords(shape: MapShape): number {
  return logWordsFor(wordsBeforeLog(shape));
}

/** @returns The words from one stripe to the next. */
export function stripeWords(shape: MapShape): number {
  return (wordsBeforeLog(shape) + logWords(shape) + 31) & ~31;
}

/** @returns The bytes of a map's data. */
export function mapLength(shape: MapShape): number {
  return MAP_HEAD_LENGTH + shape.stripeCount * stripeWords(shape) * 4;
}

/** @returns The units that an entry takes. */
export function unitsFor(payloadWords: number, unitWords: number): number {
  const more = payloadWords - (unitWords - FIRST_HEAD_WORDS);
  return more <= 0 ? 1 : 1 + Math.ceil(more / (unitWords - OTHER_HEAD_WORDS));
}

/** @returns The most units of an entry: a stripe has room for several entries of any length. */
export function longestEntry({ unitCount }: MapShape): number {
  return Math.max(1, unitCount >> 2);
}

const isPowerOfTwo = (value: number): boolean => value > 0 && (value & (value - 1)) === 0;

/** @returns Whether numbers from a header make a map of exactly `byteLength` bytes. */
export function isShape(shape: MapShape, byteLength: number): boolean {
  const { stripeCount, bucketCount, unitCount, unitWords } = shape;
  return (
    isPowerOfTwo(stripeCount) &&
    stripeCount <= MAX_STRIPES &&
    isPowerOfTwo(bucketCount) &&
    bucketCount <= 2 ** 20 &&
    unitCount >= 8 &&
    unitCount < 2 ** 24 &&
    isPowerOfTwo(unitWords) &&
    unitWords >= 16 &&
    unitWords <= 1024 &&
    mapLength(shape) === byteLength
  );
}

/** The most stripes of a map. */
export const MAX_STRIPES = 64;
/**
 * More stripes let writers meet less often, but a value must fit into a quarter of one, and smaller
 * stripes fill less evenly. A little under 128 KiB, so that a size of 2^n gives 2^m stripes.
 */
const MIN_STRIPE_LENGTH = 120_000;
/** Stripes of this many entries fill evenly: when one is full, the others are nearly full too. */
const MIN_STRIPE_ENTRIES = 1000;
/** Entries planned for a bucket of 14 slots: 1 in 500 of 100,000 entries lies in another bucket. */
const ENTRIES_PER_BUCKET = 8;

/**
 * Divides memory.
 *
 * @param byteLength Bytes of all data, at most.
 * @param entryLength Bytes of a typical key and value, which decides how large the index is.
 * @param unitLength Bytes of a unit.
 * @returns The largest map that fits.
 * @throws RangeError when not even a small map fits.
 */
export function planMap(byteLength: number, entryLength: number, unitLength: number): MapShape {
  let stripeCount = 1;
  const least = Math.max(MIN_STRIPE_LENGTH, MIN_STRIPE_ENTRIES * entryLength);
  const stripesLength = byteLength - MAP_HEAD_LENGTH;
  while (stripeCount < MAX_STRIPES && stripesLength / (stripeCount * 2) >= least) stripeCount *= 2;
  const unitWords = unitLength / 4;
  const allWords = Math.floor(stripesLength / 4 / stripeCount / 32) * 32;
  const words = allWords - logWordsFor(allWords);
  const entryWords = unitsFor(Math.ceil(entryLength / 4), unitWords) * unitWords;
  const entries = words / (entryWords + BUCKET_WORDS / ENTRIES_PER_BUCKET);
  let bucketCount = 1;
  while (bucketCount * ENTRIES_PER_BUCKET < entries && bucketCount < 2 ** 20) bucketCount *= 2;
  const unitCount = Math.min(
    2 ** 24 - 1,
    Math.floor((words - STRIPE_HEAD_WORDS - bucketCount * BUCKET_WORDS) / unitWords),
  );
  const shape = { stripeCount, bucketCount, unitCount, unitWords };
  if (unitCount < 8) {
    throw new RangeError(
      `Cannot make a map of ${byteLength} bytes with units of ${unitLength}: it is too small`,
    );
  }
  return shape;
}
