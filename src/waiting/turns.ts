/**
 * The event loop's share of a thread.
 *
 * An asynchronous call that is answered at once ends in a microtask, and timers, signals and
 * sockets wait until all microtasks are done. So a loop of such calls, behind a steady producer,
 * would keep them waiting for ever. Those calls look at the clock, and let the loop turn when it is
 * due.
 */
import { TURN_MS } from "./limits.ts";

let turnedMs = performance.now();

/** Whether this thread has answered asynchronous calls at once for `TURN_MS`. */
export function isTurnDue(): boolean {
  return performance.now() - turnedMs >= TURN_MS;
}

/** Lets the event loop turn once. */
export async function takeTurn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  turnedMs = performance.now();
}
