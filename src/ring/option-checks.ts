/** Checks of the options of a handle's calls. */
import { type AsyncWaitOptions, checkWait } from "../waiting/wait-options.ts";

/**
 * Checks the options of calls that can wait. In a loop the same object comes again and again: it is
 * checked once.
 */
export class OptionChecks {
  readonly #action: string;
  #options: AsyncWaitOptions | undefined;
  #known: readonly string[] | undefined;

  /** @param action As in `Cannot read with the consumer of ring "/x"`. */
  constructor(action: string) {
    this.#action = action;
  }

  /** @throws TypeError, RangeError; the reason of a signal that was aborted. */
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
