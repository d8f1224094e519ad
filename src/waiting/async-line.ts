/** A line in which asynchronous calls of one handle wait for their turn. */
import type { AbortSignalLike } from "./abort-signal.ts";
import { MAX_TIMER_MS } from "./limits.ts";

/** Lets one call in at a time, in the order in which they came. */
export class AsyncLine {
  readonly #waiting: ((mine: boolean) => void)[] = [];
  #taken = false;

  /** Whether a call has the turn. */
  get taken(): boolean {
    return this.#taken;
  }

  /**
   * Waits for the turn. A caller that gets it must call `leave`.
   *
   * @param ref Whether the wait keeps the process alive.
   * @returns Whether the turn came: false when the timeout passed.
   * @throws The signal's reason when it is aborted.
   */
  async enter(
    timeoutMs: number,
    signal: AbortSignalLike | undefined,
    ref = true,
  ): Promise<boolean> {
    signal?.throwIfAborted();
    if (!this.#taken) return (this.#taken = true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = (): void => {
      const at = this.#waiting.indexOf(resolve);
      if (at >= 0) this.#waiting.splice(at, 1);
      resolve(false);
    };
    signal?.addEventListener("abort", giveUp, { once: true });
    this.#waiting.push(resolve);
    // Without a timeout it still keeps the process alive, whatever the call at the front does.
    const timer =
      timeoutMs <= MAX_TIMER_MS
        ? setTimeout(giveUp, timeoutMs)
        : setInterval(() => undefined, MAX_TIMER_MS);
    if (!ref) timer.unref();
    const mine = await promise;
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    if (!mine) signal?.throwIfAborted();
    return mine;
  }

  /** Ends the turn, and begins the next call's. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken = false;
    else next(true);
  }
}
