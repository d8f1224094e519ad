/**
 * The event loop's share of a thread.
 *
 * An asynchronous call that is answered at once ends in a microtask, and timers, signals and
 * sockets wait until all microtasks are done. So a loop of such calls, behind a steady producer,
 * would keep them waiting for ever. Those calls look at the clock, and let the loop turn when it is
 * due.
 */
import { CALLS_PER_CLOCK, TURN_MS } from "./limits.ts";

let turnedMs = performance.now();
let calls = 0;

/**
 * Whether this thread has answered asynchronous calls at once for `TURN_MS`. To be asked once for
 * each such call: the clock costs a tenth of the call, so only some of them look at it.
 */
export function isTurnDue(): boolean {
  return ++calls % CALLS_PER_CLOCK === 0 && performance.now() - turnedMs >= TURN_MS;
}

/** Lets the event loop turn once. */
export async function takeTurn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  turnedMs = performance.now();
}
