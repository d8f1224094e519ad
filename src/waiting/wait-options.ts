/** The options of every call that can wait. */
import { checkBoolean, checkOptions, shown } from "../arguments.ts";
import type { AbortSignalLike } from "./abort-signal.ts";

/** How long a wait may last. */
export interface WaitOptions {
  /** How many milliseconds it may last; 0 does not wait at all. Default: for ever. */
  readonly timeoutMs?: number | undefined;
  /**
   * Ends the wait, which then throws the signal's reason. While a blocking wait lasts, its thread
   * cannot abort the signal, so mostly it matters whether the signal is aborted at the beginning.
   */
  readonly signal?: AbortSignalLike | undefined;
}

/** How long an asynchronous wait may last, and whether it keeps the process alive. */
export interface AsyncWaitOptions extends WaitOptions {
  /** Whether the wait keeps the process alive. Default true. */
  readonly ref?: boolean | undefined;
}

/** The options' names, for `checkOptions`. */
export const WAIT_OPTIONS: readonly string[] = ["timeoutMs", "signal"];
export const ASYNC_WAIT_OPTIONS: readonly string[] = [...WAIT_OPTIONS, "ref"];

/**
 * Checks the options of a wait, and that it may begin.
 *
 * @param action The start of the message, as in `Cannot wait for semaphore "/x"`.
 * @param known The names of the call's options: `WAIT_OPTIONS`, `ASYNC_WAIT_OPTIONS`, or more.
 * @returns How long the wait may last, in ms; Infinity is for ever.
 * @throws TypeError, RangeError for bad options; the signal's reason when it is aborted.
 */
export function checkWait(
  action: string,
  options: AsyncWaitOptions = {},
  known: readonly string[],
): number {
  checkOptions(action, options, known);
  const { timeoutMs, signal, ref } = options;
  const limitMs = checkTimeout(timeoutMs);
  if (ref !== undefined) checkBoolean(action, "ref", ref);
  if (signal !== undefined) {
    if (typeof (signal as { throwIfAborted?: unknown } | null)?.throwIfAborted !== "function") {
      throw new TypeError(`${action}: signal must be an AbortSignal, not ${shown(signal)}`);
    }
    signal.throwIfAborted();
  }
  return limitMs;
}

/**
 * Checks the time that a caller gives a wait, in ms; undefined is for ever.
 *
 * @returns The time in ms; Infinity is for ever.
 * @throws TypeError when it is not a number; RangeError when it is below 0 or NaN.
 */
export function checkTimeout(timeoutMs: number | undefined, what = "timeoutMs"): number {
  if (timeoutMs === undefined) return Number.POSITIVE_INFINITY;
  if (typeof timeoutMs === "number" && timeoutMs >= 0) return timeoutMs;
  const message = `Cannot wait: ${what} must be a number of 0 or more, not ${shown(timeoutMs)}`;
  throw typeof timeoutMs === "number" ? new RangeError(message) : new TypeError(message);
}
