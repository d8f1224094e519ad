/** How a value is loaded that is not there. */
import type { AbortSignalLike, GivenAbortSignal } from "../waiting/abort-signal.ts";
import { checkWait } from "../waiting/wait-options.ts";
import type { SharedMapKey } from "./map-options.ts";
import { type SharedMapSetOptions, checkMs, checkTimes } from "./map-times.ts";

/** What a loader learns. */
export interface SharedMapLoadContext<V> {
  /** Is aborted when nobody in this process waits for the value any more. */
  readonly signal: GivenAbortSignal;
  /** The expired value that the key still has, if any. */
  readonly stale: V | undefined;
}

/** Loads the value of a key. */
export type SharedMapLoader<V, K extends SharedMapKey = string> = (
  key: K | string,
  context: SharedMapLoadContext<V>,
) => V | PromiseLike<V>;

/** How long a loaded value is valid, and how long a call waits for one. */
export interface SharedMapLoadOptions extends SharedMapSetOptions {
  /**
   * Milliseconds for which a failure is shared: until then every call of every process throws the
   * error, and nobody loads. Above 0. Default: only those who wait in the same process get it.
   */
  readonly errorTtlMs?: number | undefined;
  /** Milliseconds that the call waits for a value, loaded here or elsewhere. Default: no end. */
  readonly timeoutMs?: number | undefined;
  /** Ends the call, which then throws the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
}

const LOAD_OPTIONS: readonly string[] = ["ttlMs", "staleMs", "errorTtlMs", "timeoutMs", "signal"];

/** @throws TypeError, RangeError for bad options; the signal's reason when it is aborted. */
export function checkLoad(action: string, options: SharedMapLoadOptions): void {
  checkWait(action, options, LOAD_OPTIONS);
  const { errorTtlMs } = options;
  checkTimes(action, options);
  if (errorTtlMs !== undefined) checkMs(action, "errorTtlMs", errorTtlMs);
}
