/** Limits of rate-limiter-flexible: `bun-shm/rate-limiter-flexible`. */
import { RateLimiterMemcache, RateLimiterRes } from "rate-limiter-flexible";
import type { SharedMap } from "../src/index.ts";
import { checkMap, refusal } from "./checks.ts";

/** The options of rate-limiter-flexible's stores, with a map as the client. */
export type RateLimiterSharedMapOptions = Omit<
  ConstructorParameters<typeof RateLimiterMemcache>[0],
  "storeClient"
> & {
  /** A map of `codecs.number`. */
  readonly storeClient: SharedMap<number>;
};

/** What a key has consumed, and when that ends; -1: never. */
interface Stored {
  readonly consumedPoints: number;
  readonly msBeforeNext: number;
}

// The package exports no class that all its stores extend. This one has nothing of its own but the
// four methods that each store has, so what remains of it is that class.
/**
 * A limiter of rate-limiter-flexible, whose points all processes share that open the same map. It
 * does all that the limiters of that package do that have a store: blocks, penalties, rewards, even
 * delays, and blocks in memory. Points are counted in one step, which no kill can halve or double.
 *
 * If the map is full and refuses, calls are rejected with a StateError ENOSPC, or go to the
 * `insuranceLimiter`. The map stays the caller's.
 *
 * @example
 * ```ts
 * import { SharedMap, codecs } from "bun-shm";
 * import { RateLimiterSharedMap } from "bun-shm/rate-limiter-flexible";
 *
 * using map = SharedMap.openOrCreate("/points", { size: 2 ** 22, codec: codecs.number });
 * const logins = new RateLimiterSharedMap({ storeClient: map, points: 5, duration: 60 });
 * const { remainingPoints } = await logins.consume("ada");
 * console.log(remainingPoints); // 4
 * map.unlink();
 * ```
 */
export class RateLimiterSharedMap extends RateLimiterMemcache {
  readonly #map: SharedMap<number>;

  /** @throws TypeError when the client is no SharedMap; the errors of rate-limiter-flexible. */
  constructor(options: RateLimiterSharedMapOptions) {
    super(options);
    checkMap("Cannot make a limiter", options.storeClient);
    this.#map = options.storeClient;
  }

  /** @internal */
  _getRateLimiterRes(_key: string, changedPoints: number, stored: Stored): RateLimiterRes {
    const { consumedPoints, msBeforeNext } = stored;
    const remainingPoints = Math.max(this.points - consumedPoints, 0);
    const isFirst = consumedPoints === changedPoints;
    return new RateLimiterRes(remainingPoints, msBeforeNext, consumedPoints, isFirst);
  }

  /** @internal */
  async _upsert(key: string, points: number, ms: number, forceExpire = false): Promise<Stored> {
    const ttlMs = ms > 0 ? ms : Number.POSITIVE_INFINITY;
    if (forceExpire) {
      if (!this.#map.set(key, points, { ttlMs })) throw this.#refusal();
      return { consumedPoints: points, msBeforeNext: ms > 0 ? ms : -1 };
    }
    const consumedPoints = this.#map.increment(key, points, { initialTtlMs: ttlMs });
    if (consumedPoints === undefined) throw this.#refusal();
    return { consumedPoints, msBeforeNext: this.#msBeforeNext(key) };
  }

  /** @internal */
  async _get(key: string): Promise<Stored | null> {
    const consumedPoints = this.#map.get(key);
    if (consumedPoints === undefined) return null;
    return { consumedPoints, msBeforeNext: this.#msBeforeNext(key) };
  }

  /** @internal */
  async _delete(key: string): Promise<boolean> {
    return this.#map.delete(key);
  }

  #msBeforeNext(key: string): number {
    // The entry may expire between the two calls.
    const leftMs = this.#map.ttl(key) ?? 0;
    return leftMs === Number.POSITIVE_INFINITY ? -1 : Math.ceil(leftMs);
  }

  #refusal(): Error {
    return refusal(this.#map, "points");
  }
}
