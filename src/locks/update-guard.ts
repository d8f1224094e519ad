/** What a handle of a map or a record refuses while the user's part of its `update` runs. */
import { StateError } from "../errors.ts";
import type { Placed } from "../segment/placed.ts";

/** Knows whether the user's part of an `update` runs, which holds a lock. */
export class UpdateGuard {
  readonly #placed: Placed;
  #updating = false;

  constructor(placed: Placed) {
    this.#placed = placed;
  }

  /** Runs the user's part of an update. @returns What it returned. */
  during<T>(call: () => T): T {
    this.#updating = true;
    try {
      return call();
    } finally {
      this.#updating = false;
    }
  }

  /** Every write begins with it. @throws ClosedError; StateError EDEADLK. */
  mustBeFree(verb: string): void {
    this.#placed.checkOpen();
    if (!this.#updating) return;
    const why = "a callback of its own update is running, and holds a lock";
    throw new StateError("EDEADLK", `Cannot ${verb} ${this.#placed.what}: ${why}`);
  }

  /** @throws StateError EBUSY while the lock is held: nobody could take it again. */
  mayClose(): void {
    if (!this.#updating) return;
    throw new StateError("EBUSY", `Cannot close ${this.#placed.what}: its lock is held by update`);
  }
}
