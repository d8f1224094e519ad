/** The locks of a map's stripes, which are robust mutexes. */
import { RobustMutex } from "../locks/robust-mutex.ts";
import type { Structure } from "../segment/structure.ts";
import type { MapMemory } from "./algorithm/map-memory.ts";
import type { StripeLocks } from "./algorithm/map-writer.ts";

export class RobustStripeLocks implements StripeLocks {
  readonly #locks: readonly RobustMutex[];

  /** @param handle The map's handle: the memory outlives a handle that is forgotten in a hold. */
  constructor(handle: object, { segment, dataOffset, what }: Structure, memory: MapMemory) {
    const hold = segment.holds.register(handle, `a lock of ${what}`, segment.mapping);
    this.#locks = Array.from({ length: memory.stripeMask + 1 }, (_, stripe) => {
      const offset = dataOffset + stripe * memory.stride * 4;
      return new RobustMutex(segment.mapping, offset, `stripe ${stripe} of ${what}`, hold);
    });
  }

  /** Makes the mutexes. Called once, before other processes can see them. */
  init(): void {
    for (const lock of this.#locks) lock.init();
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
