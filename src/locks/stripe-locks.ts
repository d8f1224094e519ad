/** One lock for each stripe of a structure. */
import type { Structure } from "../segment/structure.ts";
import { OwnedLock } from "./owned-lock.ts";

/** Where the locks lie: bytes from the segment's start, from one to the next, and how many. */
export interface StripePlaces {
  readonly offset: number;
  readonly stride: number;
  readonly count: number;
}

export class OwnedStripeLocks {
  readonly #locks: readonly OwnedLock[];

  constructor({ segment, what }: Structure, { offset, stride, count }: StripePlaces) {
    this.#locks = Array.from(
      { length: count },
      (_, stripe) =>
        new OwnedLock(segment, offset + stripe * stride, `stripe ${stripe} of ${what}`),
    );
  }

  /**
   * Takes a stripe's lock. Blocks this thread until that is possible.
   * @returns Whether the last owner died while it held the lock. @throws StateError EDEADLK.
   */
  lock(stripe: number): boolean {
    return this.#locks[stripe]!.lock();
  }

  unlock(stripe: number): void {
    this.#locks[stripe]!.unlock();
  }
}
