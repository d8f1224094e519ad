/** What the consumers of a rate limiter record of their allowed calls, each in a place of its own. */
import type { Segment } from "../../src/index.ts";

export const LIMITER_KEYS = 8;
/** Allowed calls for which a place has room. */
const PLACE_CALLS = 50_000;
const PLACE_LENGTH: number = 64 + PLACE_CALLS * 24;

export interface AllowedCall {
  readonly key: number;
  /** Milliseconds since the machine's start. */
  readonly before: number;
  readonly after: number;
}

/** @returns The bytes that so many places take. */
export function recordLength(places: number): number {
  return places * PLACE_LENGTH;
}

/** @returns The number of calls in a place, and of each its key and both times. */
export function placeOf(
  { buffer }: Segment,
  place: number,
): { readonly count: Int32Array; readonly values: Float64Array } {
  const start = place * PLACE_LENGTH;
  return {
    count: new Int32Array(buffer, start, 1),
    values: new Float64Array(buffer, start + 64, PLACE_CALLS * 3),
  };
}

/** @returns All calls that were recorded. */
export function allowedCalls(segment: Segment, places: number): AllowedCall[] {
  const calls: AllowedCall[] = [];
  for (let place = 0; place < places; place++) {
    const { count, values } = placeOf(segment, place);
    for (let at = 0; at < count[0]! * 3; at += 3) {
      calls.push({ key: values[at]!, before: values[at + 1]!, after: values[at + 2]! });
    }
  }
  return calls;
}
