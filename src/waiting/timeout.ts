/**
 * The time that a caller gives a wait, in ms; undefined is for ever.
 *
 * @throws RangeError when it is no number of 0 or more.
 */
export function checkTimeout(timeoutMs: number | undefined): number {
  if (timeoutMs === undefined) return Number.POSITIVE_INFINITY;
  if (typeof timeoutMs === "number" && timeoutMs >= 0) return timeoutMs;
  throw new RangeError(
    `Cannot wait for ${String(timeoutMs)} ms: a timeout must be a number of 0 or more`,
  );
}
