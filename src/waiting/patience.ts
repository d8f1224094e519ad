/** The one loop that blocks until it finds something that nobody can announce. */
import { monotonicMs, sleepMs } from "../libc/time.ts";
import { CREATOR_LOOK_MS, CREATOR_PATIENCE_MS, NAME_LOOK_MS } from "./limits.ts";
import { checkTimeout } from "./wait-options.ts";

/** How long to look, and how often. */
export interface Patience {
  readonly timeoutMs: number;
  readonly everyMs: number;
}

/** The patience with another process that is between two steps of making something. */
export const FOR_CREATOR: Patience = { timeoutMs: CREATOR_PATIENCE_MS, everyMs: CREATOR_LOOK_MS };

/**
 * Looks at once and then periodically, blocking this thread, until something is found.
 *
 * @param look Returns undefined while there is nothing.
 * @returns What was found; undefined when the timeout passed.
 */
export function waitUntil<T>(
  look: () => T | undefined,
  { timeoutMs, everyMs }: Patience,
): T | undefined {
  let found = look();
  if (found !== undefined || timeoutMs === 0) return found;
  const deadline = monotonicMs() + timeoutMs;
  while (monotonicMs() < deadline) {
    sleepMs(everyMs);
    found = look();
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Looks for a name as long as the option `waitMs` says, which is 0 by default.
 * @returns What was found; undefined when the time passed. @throws TypeError, RangeError.
 */
export function waitForName<T>(
  look: () => T | undefined,
  waitMs: number | undefined,
): T | undefined {
  const timeoutMs = checkTimeout(waitMs ?? 0, "waitMs");
  return waitUntil(look, { timeoutMs, everyMs: NAME_LOOK_MS });
}
