/** The locks of a map's stripes. */
import { OwnedLock } from "../locks/owned-lock.ts";
import type { Structure } from "../segment/structure.ts";
import type { MapMemory } from "./algorithm/map-memory.ts";
import type { StripeLocks } from "./algorithm/map-writer.ts";

export class OwnedStripeLocks implements StripeLocks {
  readonly #locks: readonly OwnedLock[];

  /** @param handle The map's handle: the memory outlives a handle that is forgotten in a hold. */
  constructor(handle: object, { segment, dataOffset, what }: Structure, memory: MapMemory) {
    const hold = segment.holds.register(handle, `a lock of ${what}`, segment.mapping);
    this.#locks = Array.from({ length: memory.stripeMask + 1 }, (_, stripe) => {
      const offset = dataOffset + stripe * memory.stride * 4;
      return new OwnedLock(segment, offset, `stripe ${stripe} of ${what}`, hold);
    });
  }

  lock(stripe: number): boolean {
    return this.#locks[stripe]!.lock();
  }

  unlock(stripe: number): void {
    this.#locks[stripe]!.unlock();
  }

  /** Runs a user's function under a stripe's lock; the segment refuses to be closed meanwhile. */
  holding<T>(stripe: number, call: () => T): T {
    return this.#locks[stripe]!.holding(call);
  }
}
