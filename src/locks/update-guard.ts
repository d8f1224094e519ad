/** What a handle of a map or a record refuses while the user's part of its `update` runs. */
import { StateError } from "../errors.ts";
import type { Hold } from "../segment/holds.ts";
import type { Placed } from "../segment/placed.ts";

/** Knows whether an `update` of the handle runs, which holds a lock. */
export class UpdateGuard {
  readonly #placed: Placed;
  readonly #hold: Hold;

  /** @param hold Keeps the segment from being closed while the lock is held. */
  constructor(placed: Placed, hold: Hold) {
    this.#placed = placed;
    this.#hold = hold;
  }

  /** Says that an update has the lock now. */
  begin(): void {
    this.#hold.held = true;
  }

  /** Says that the update is about to release the lock. */
  end(): void {
    this.#hold.held = false;
  }

  /** Every write begins with it. @throws ClosedError; StateError EDEADLK. */
  mustBeFree(verb: string): void {
    this.#placed.checkOpen();
    if (!this.#hold.held) return;
    const why = "a callback of its own update is running, and holds a lock";
    throw new StateError("EDEADLK", `Cannot ${verb} ${this.#placed.what}: ${why}`);
  }

  /** @throws StateError EBUSY while the lock is held: nobody could take it again. */
  mayClose(): void {
    if (!this.#hold.held) return;
    throw new StateError("EBUSY", `Cannot close ${this.#placed.what}: its lock is held by update`);
  }
}
