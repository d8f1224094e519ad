/** Percentiles of what a histogram has observed. */
import type { HistogramValue } from "./meters-pages.ts";

/**
 * The value below which a share of the observations lies, as far as buckets tell.
 *
 * The bucket is the right one; within it, observations are taken for evenly spread. So the answer
 * is wrong by less than the bucket's width: with exponential bounds by less than `factor` - 1 of
 * the value. The largest value is known, so that the answer never lies above it, and the bucket
 * without an upper bound has one.
 *
 * @param share From 0 to 1.
 * @returns Undefined when nothing was observed.
 */
export function percentileOf(
  { count, max, buckets }: HistogramValue,
  bounds: readonly number[],
  share: number,
): number | undefined {
  if (!(count > 0)) return undefined;
  const rank = share * count;
  let below = 0;
  let at = 0;
  for (; at < buckets.length - 1; at++) {
    if (buckets[at]! > 0 && below + buckets[at]! >= rank) break;
    below += buckets[at]!;
  }
  const low = lowerBound(bounds, at);
  const most = max ?? Number.POSITIVE_INFINITY;
  // An observation writes its bucket before the largest value, and may have died in between.
  const high = Math.max(low, Math.min(bounds[at] ?? most, most));
  const inside = buckets[at]! > 0 ? (rank - below) / buckets[at]! : 1;
  const value = low + (high - low) * Math.min(1, Math.max(0, inside));
  return Number.isFinite(value) ? value : low;
}

/** Where a bucket begins: the first one at 0, unless its values may be negative. */
function lowerBound(bounds: readonly number[], at: number): number {
  if (at > 0) return bounds[at - 1]!;
  return Math.min(0, bounds[0]!);
}
