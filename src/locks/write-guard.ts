/** What a handle of a map or a record refuses: writes where it only reads, or during an update. */
import { StateError } from "../errors.ts";
import type { Hold } from "../segment/holds.ts";
import type { Placed } from "../segment/placed.ts";

/** Knows whether an `update` of the handle runs, which holds a lock, and whether it may write. */
export class WriteGuard {
  readonly #placed: Placed;
  readonly #hold: Hold;
  readonly #isReadOnly: boolean;

  /** @param hold Keeps the segment from being closed while the lock is held. */
  constructor(placed: Placed, hold: Hold) {
    this.#placed = placed;
    this.#hold = hold;
    this.#isReadOnly = placed.segment.access === "read";
  }

  /** Says that an update has the lock now. */
  begin(): void {
    this.#hold.held = true;
  }

  /** Says that the update is about to release the lock. */
  end(): void {
    this.#hold.held = false;
  }

  /**
   * Every write begins with it.
   * @throws ClosedError; TypeError for a handle that only reads; StateError EDEADLK.
   */
  check(verb: string): void {
    this.#placed.checkOpen();
    if (this.#hold.held || this.#isReadOnly) this.#refuse(`Cannot ${verb} ${this.#placed.what}`);
  }

  #refuse(action: string): never {
    if (this.#isReadOnly) throw new TypeError(`${action}: it was opened for reading only`);
    const why = "a callback of its own update is running, and holds a lock";
    throw new StateError("EDEADLK", `${action}: ${why}`);
  }

  /** @throws StateError EBUSY while the lock is held: nobody could take it again. */
  mayClose(): void {
    if (!this.#hold.held) return;
    throw new StateError("EBUSY", `Cannot close ${this.#placed.what}: its lock is held by update`);
  }
}
