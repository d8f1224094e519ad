/** The locks of a limiter's stripes. */
import { OwnedLock } from "../locks/owned-lock.ts";
import type { Structure } from "../segment/structure.ts";
import type { StripeLocks } from "./algorithm/limiter-core.ts";
import type { LimiterMemory } from "./algorithm/limiter-memory.ts";

export class LimiterLocks implements StripeLocks {
  readonly #locks: readonly OwnedLock[];

  constructor({ segment, what }: Structure, { stripeCount, start, stride }: LimiterMemory) {
    this.#locks = Array.from({ length: stripeCount }, (_, stripe) => {
      const offset = (start + stripe * stride) * 4;
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
