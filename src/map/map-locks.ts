/** The locks of a map's stripes. */
import { OwnedLock } from "../locks/owned-lock.ts";
import type { Structure } from "../segment/structure.ts";
import type { MapMemory } from "./algorithm/map-memory.ts";
import type { StripeLocks } from "./algorithm/map-writer.ts";

export class OwnedStripeLocks implements StripeLocks {
  readonly #locks: readonly OwnedLock[];

  constructor({ segment, dataOffset, what }: Structure, memory: MapMemory) {
    this.#locks = Array.from({ length: memory.stripeMask + 1 }, (_, stripe) => {
      const offset = dataOffset + stripe * memory.stride * 4;
      return new OwnedLock(segment, offset, `stripe ${stripe} of ${what}`);
    });
  }

  lock(stripe: number): boolean {
    return this.#locks[stripe]!.lock();
  }

  unlock(stripe: number): void {
    this.#locks[stripe]!.unlock();
  }
}
