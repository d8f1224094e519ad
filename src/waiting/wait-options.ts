/** How long a wait lasts: the options of every call that can wait. */
import { checkBoolean, checkOptions, shown } from "../arguments.ts";
import type { AbortSignalLike } from "./abort-signal.ts";

/** How long a wait lasts. */
export interface WaitOptions {
  /** Milliseconds; 0 only looks. Default: for ever. */
  readonly timeoutMs?: number | undefined;
  /**
   * Ends the wait: it throws the signal's reason. A blocking wait keeps the event loop from
   * aborting anything, so it looks at the signal when it begins.
   */
  readonly signal?: AbortSignalLike | undefined;
}

/** How long a wait in the event loop lasts. */
export interface AsyncWaitOptions extends WaitOptions {
  /** Whether the wait keeps the process alive. Default true. */
  readonly ref?: boolean | undefined;
}

/** The names of the options, for `checkOptions`. */
export const WAIT_OPTIONS: readonly string[] = ["timeoutMs", "signal"];
export const ASYNC_WAIT_OPTIONS: readonly string[] = [...WAIT_OPTIONS, "ref"];

/**
 * Checks the options of a wait, and that it may begin.
 *
 * @param action What is about to be done, as in `Cannot wait for semaphore "/x"`.
 * @param known `WAIT_OPTIONS` or `ASYNC_WAIT_OPTIONS`, or more.
 * @returns How long it lasts, in ms; Infinity is for ever.
 * @throws TypeError, RangeError for bad options; the signal's reason when it is aborted.
 */
export function checkWait(
  action: string,
  options: AsyncWaitOptions = {},
  known: readonly string[],
): number {
  checkOptions(action, options, known);
  const { timeoutMs, signal, ref } = options;
  const milliseconds = checkTimeout(timeoutMs);
  if (ref !== undefined) checkBoolean(action, "ref", ref);
  if (signal !== undefined) {
    if (typeof (signal as { throwIfAborted?: unknown } | null)?.throwIfAborted !== "function") {
      throw new TypeError(`${action}: signal must be an AbortSignal, not ${shown(signal)}`);
    }
    signal.throwIfAborted();
  }
  return milliseconds;
}

/**
 * The time that a caller gives a wait, in ms; undefined is for ever.
 *
 * @throws TypeError when it is no number; RangeError when it is below 0 or NaN.
 */
export function checkTimeout(timeoutMs: number | undefined, what = "timeoutMs"): number {
  if (timeoutMs === undefined) return Number.POSITIVE_INFINITY;
  if (typeof timeoutMs === "number" && timeoutMs >= 0) return timeoutMs;
  const message = `Cannot wait: ${what} must be a number of 0 or more, not ${shown(timeoutMs)}`;
  throw typeof timeoutMs === "number" ? new RangeError(message) : new TypeError(message);
}
