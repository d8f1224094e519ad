import type { Stats } from "../segment/stats.ts";

/**
 * What moved through a structure since it was made, and what is in it now, as its bytes tell.
 * Counts wrap at 2^32.
 */
export interface Activity extends Stats {
  /** What it can hold. */
  readonly capacity?: number;
  /** Entries of a map whose time was over. */
  readonly expired?: number;
  /** What `depth`, `highWater` and `capacity` count. */
  readonly unit?: "bytes" | "messages" | "entries";
}
