/** The one loop that blocks until it finds something that nobody can announce. */
import { monotonicMs, sleepMs } from "../libc/time.ts";
import {
  CREATOR_LOOK_MS,
  CREATOR_PATIENCE_MS,
  LIVE_MAKER_PATIENCE_MS,
  NAME_LOOK_MS,
} from "./limits.ts";
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

/**
 * How long a call waits for what a process may be making, in ms of the monotonic clock. The first
 * deadline is for makers of whom nobody knows whether they live, the second for those that live.
 */
export interface MakerDeadlines {
  readonly unknownMs: number;
  readonly liveMs: number;
}

/**
 * The deadlines of a call that begins now.
 * @param waitMs As long as the caller said. @throws TypeError, RangeError.
 */
export function deadlinesFor(waitMs?: number): MakerDeadlines {
  if (waitMs !== undefined) checkTimeout(waitMs, "waitMs");
  const now = monotonicMs();
  const unknownMs = now + Math.max(waitMs ?? 0, CREATOR_PATIENCE_MS);
  return { unknownMs, liveMs: waitMs === undefined ? now + LIVE_MAKER_PATIENCE_MS : unknownMs };
}

/**
 * Looks until something is found: while its maker lives up to the later deadline, and else up to
 * the earlier one.
 *
 * @param look Returns undefined while there is nothing.
 * @param isMakerAlive Whether a process that makes it is known to live; it may take milliseconds.
 * @returns What was found; undefined when the time passed.
 */
export function waitForMaker<T>(
  look: () => T | undefined,
  isMakerAlive: () => boolean,
  { unknownMs, liveMs }: MakerDeadlines,
): T | undefined {
  let patientMs = unknownMs;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    const now = monotonicMs();
    if (now >= liveMs) return undefined;
    if (now < patientMs) {
      sleepMs(CREATOR_LOOK_MS);
    } else if (isMakerAlive()) {
      // Once it is not seen any more, it may be between two steps.
      patientMs = now + CREATOR_PATIENCE_MS;
    } else {
      return undefined;
    }
  }
}
