/** Checks the options of the calls of a producer or consumer. */
import { type AsyncWaitOptions, checkWait } from "../waiting/wait-options.ts";

/**
 * Checks the options of calls that can wait. A loop passes the same object again and again: that
 * object is checked once, and after that only its signal is looked at.
 */
export class OptionChecks {
  readonly #action: string;
  #options: AsyncWaitOptions | undefined;
  #known: readonly string[] | undefined;

  /** @param action What failed, for messages: `Cannot read with the consumer of ring "/x"`. */
  constructor(action: string) {
    this.#action = action;
  }

  /**
   * @param known The names of the call's options; always the same array for the same call.
   * @throws TypeError, RangeError for bad options; the signal's reason when it is aborted.
   */
  check(options: AsyncWaitOptions | undefined, known: readonly string[]): void {
    if (options === undefined) return;
    if (options === this.#options && known === this.#known) {
      options.signal?.throwIfAborted();
      return;
    }
    checkWait(this.#action, options, known);
    this.#options = options;
    this.#known = known;
  }
}
