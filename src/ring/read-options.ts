/** How a ring is read. */
import type { AbortSignalLike } from "../waiting/abort-signal.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
} from "../waiting/wait-options.ts";
import type { WaitStrategy } from "../waiting/wait-point.ts";

/** How a consumer works. */
export interface RingConsumerOptions {
  /** How blocking reads wait for a record. Default "adaptive". */
  readonly strategy?: WaitStrategy | undefined;
}

/** How many records to read, and how long to wait for the first of them. */
export interface RingReadOptions extends WaitOptions {
  /** The most records to read; an integer above 0. Default: all that are there, at most one lap. */
  readonly limit?: number | undefined;
}

/** How many records to read, and how to wait for the first of them in the event loop. */
export interface RingReadAsyncOptions extends AsyncWaitOptions {
  /** The most records to read; an integer above 0. Default: all that are there, at most one lap. */
  readonly limit?: number | undefined;
}

/** What ends an iteration before its consumer is closed. */
export interface RingValuesOptions {
  /** Ends the iteration: the iterator throws the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
  /**
   * Ends the iteration also when everything is read and no live producer has a role, after one has
   * had it. The kernel says who lives. It is noticed within a quarter of a second. Default false.
   */
  readonly untilProducersEnd?: boolean | undefined;
}

export const READ_OPTIONS: readonly string[] = ["limit", ...WAIT_OPTIONS];
export const READ_ASYNC_OPTIONS: readonly string[] = ["limit", ...ASYNC_WAIT_OPTIONS];
export const VALUES_OPTIONS: readonly string[] = ["signal", "untilProducersEnd"];
