/** How long a wait lasts: the options of every call that can wait. */
import { checkBoolean, checkOptions, shown } from "../arguments.ts";

/** How long a wait lasts. */
export interface WaitOptions {
  /** Milliseconds; 0 only looks. Default: for ever. */
  readonly timeoutMs?: number | undefined;
  /**
   * Ends the wait: it throws the signal's reason. A blocking wait keeps the event loop from aborting
   * anything: there, the signal is looked at when the wait begins.
   */
  readonly signal?: AbortSignal | undefined;
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

/**
 * Checks the options of a call that can wait.
 *
 * @param action What is about to be done, as in `Cannot read from ring "/x"`.
 * @param known The names of all its options.
 * @throws TypeError, RangeError that name the option.
 */
export function checkWait(
  action: string,
  options: AsyncWaitOptions | undefined,
  known: readonly string[],
): void {
  if (options === undefined) return;
  checkOptions(action, options, known);
  checkTimeout(options.timeoutMs);
  const { signal, ref } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`${action}: its signal must be an AbortSignal, not ${shown(signal)}`);
  }
  if (ref !== undefined) checkBoolean(action, "ref", ref);
}
