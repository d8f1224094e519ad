/** How a ring is read. */
import { checkBoolean, checkOneOf, checkOptions } from "../arguments.ts";
import type { AbortSignalLike } from "../waiting/abort-signal.ts";
import { MAY_SPIN } from "../waiting/limits.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
} from "../waiting/wait-options.ts";
import { WAIT_STRATEGIES, type WaitStrategy } from "../waiting/wait-point.ts";

/** How a consumer works. */
export interface RingConsumerOptions {
  /** How blocking reads wait for a record. Default "adaptive". */
  readonly strategy?: WaitStrategy | undefined;
  /**
   * Whether a consumer of an SPSC ring that has caught up stays away for a moment, of 0.3 to 5 µs,
   * where it has learned that records come in a stream: they are then read several at a time, in
   * half the time each or less. `false` is for the least latency of each record. Default true,
   * unless the strategy is "block" or the machine has one core.
   */
  readonly pause?: boolean | undefined;
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

/** Checks how a consumer is to work. @returns How. @throws TypeError. */
export function checkConsumer(
  action: string,
  options: RingConsumerOptions,
): { readonly strategy: WaitStrategy; readonly pause: boolean } {
  checkOptions(action, options, ["strategy", "pause"]);
  const { strategy = "adaptive", pause = MAY_SPIN && strategy !== "block" } = options;
  checkOneOf(action, "its strategy", strategy, WAIT_STRATEGIES);
  checkBoolean(action, "pause", pause);
  return { strategy, pause };
}

export const READ_OPTIONS: readonly string[] = ["limit", ...WAIT_OPTIONS];
export const READ_ASYNC_OPTIONS: readonly string[] = ["limit", ...ASYNC_WAIT_OPTIONS];
export const VALUES_OPTIONS: readonly string[] = ["signal", "untilProducersEnd"];
