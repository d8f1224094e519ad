/** A line in which the asynchronous calls of one handle wait for their turn. */
import type { AbortSignalLike } from "./abort-signal.ts";
import { MAX_TIMER_MS } from "./limits.ts";

/** One at a time, in the order in which they came. */
export class AsyncLine {
  readonly #waiting: ((mine: boolean) => void)[] = [];
  #taken = false;

  /**
   * Waits for the turn.
   *
   * @param ref Whether the time that is waited for keeps the process alive.
   * @returns Whether it came before the time was over; then call `leave`.
   * @throws The signal's reason.
   */
  async enter(
    milliseconds: number,
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
    this.#waiting.push(resolve);
    const timer = milliseconds <= MAX_TIMER_MS ? setTimeout(giveUp, milliseconds) : undefined;
    if (!ref) timer?.unref();
    signal?.addEventListener("abort", giveUp, { once: true });
    const mine = await promise;
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    if (!mine) signal?.throwIfAborted();
    return mine;
  }

  /** Ends the turn: the next one's begins. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken = false;
    else next(true);
  }
}
