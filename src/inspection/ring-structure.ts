/** The rings: one producer or many, one consumer or many. */
import {
  CONSUMER_EMPTY,
  CONSUMER_LOST,
  CONSUMER_POSITION,
  CONSUMER_RECORDS,
  CONSUMER_WAITS,
  PRODUCER_FULL,
  PRODUCER_HIGH_WATER,
  PRODUCER_POSITION,
  PRODUCER_RECORDS,
  PRODUCER_RECOVERED,
  PRODUCER_WAITS,
  RING,
} from "../layout/ring-layout.ts";
import { HEADER_DATA_LENGTH } from "../layout/segment-header.ts";
import type { Activity } from "./activity.ts";
import type { ObjectWords } from "./object-words.ts";
import type { Part } from "./structure.ts";

export const ringParts: readonly Part[] = [{ layout: RING, offset: 0 }];

export function ringActivity(words: ObjectWords): Activity {
  const [bytesIn, bytesOut] = [words.u32(PRODUCER_POSITION), words.u32(CONSUMER_POSITION)];
  const capacity = words.u32(HEADER_DATA_LENGTH);
  return {
    in: words.u32(PRODUCER_RECORDS),
    out: words.u32(CONSUMER_RECORDS),
    bytesIn,
    bytesOut,
    // The two are read at different instants, and positions wrap.
    depth: Math.min((bytesIn - bytesOut) >>> 0, capacity),
    capacity,
    unit: "bytes",
    highWater: words.u32(PRODUCER_HIGH_WATER),
    waits: words.u32(PRODUCER_WAITS) + words.u32(CONSUMER_WAITS),
    full: words.u32(PRODUCER_FULL),
    empty: words.u32(CONSUMER_EMPTY),
    lost: words.u32(CONSUMER_LOST),
    recovered: words.u32(PRODUCER_RECOVERED),
  };
}

export function ringRoles(held: readonly number[]): string[] {
  return held.map((byte) => `lock ${byte}`);
}
