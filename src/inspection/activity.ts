import type { Stats } from "../segment/stats.ts";

/**
 * What moved through a structure since it was made, and what is in it now, read from its bytes.
 * Counts of maps, tables, records, named locks and queues wrap at 2^32.
 */
export interface Activity extends Stats {
  /** The most that it can hold. */
  readonly capacity?: number;
  /** Expired entries of a map or a rate limiter whose memory was reclaimed. */
  readonly expired?: number;
  /** The unit of `depth`, `highWater` and `capacity`. */
  readonly unit?: "bytes" | "messages" | "entries" | "rows" | "series" | "names";
}
