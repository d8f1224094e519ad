/** Counts for express-rate-limit and hono-rate-limiter: `bun-shm/express-rate-limit`. */
import type { SharedMap } from "../src/index.ts";
import { checkMap, checkNames, checkPrefix, checkTime, refusal, removeAll } from "./checks.ts";

/** Where the counts of a limit are. */
export interface RateLimitStoreOptions {
  /** A map of `codecs.number`. */
  readonly map: SharedMap<number>;
  /** What its keys begin with; each limit that shares the map needs its own. Default "rl:". */
  readonly prefix?: string | undefined;
}

/** How often a client asked in its window, and when the window ends. */
export interface RateLimitHits {
  totalHits: number;
  resetTime: Date;
}

/**
 * A store for express-rate-limit, and for hono-rate-limiter, whose stores have the same methods. It
 * counts over all processes that open the same map, and counts as their memory stores do: a
 * client's window begins with its first request, and every request counts, also a refused one. A
 * request is counted in one step, which no kill can halve or double.
 *
 * If the map is full and refuses a client's count, `increment` is rejected: the middleware answers
 * with the error, or lets the request pass with `passOnStoreError`. In a map with `whenFull:
 * "evict"` a count that was not read lately goes, and its client begins anew. The map stays the
 * caller's: `shutdown` is not needed.
 *
 * @example
 * ```ts
 * import { rateLimit } from "express-rate-limit";
 * import { SharedMap, codecs } from "bun-shm";
 * import { RateLimitStore } from "bun-shm/express-rate-limit";
 *
 * using map = SharedMap.openOrCreate("/limits", { size: 2 ** 22, codec: codecs.number });
 * const limiter = rateLimit({ windowMs: 60_000, limit: 100, store: new RateLimitStore({ map }) });
 * console.log(typeof limiter); // app.use(limiter), in each process
 * map.unlink();
 * ```
 */
export class RateLimitStore {
  /** Says to express-rate-limit that other stores see the same counts. */
  readonly localKeys = false;
  /** What the keys in the map begin with. */
  readonly prefix: string;
  readonly #map: SharedMap<number>;
  #windowMs = 60_000;

  /** @throws TypeError for bad options. */
  constructor(options: RateLimitStoreOptions) {
    const action = "Cannot make a store for rate limits";
    checkNames(action, options, ["map", "prefix"]);
    const { map, prefix = "rl:" } = options;
    checkMap(action, map);
    checkPrefix(action, "prefix", prefix);
    this.#map = map;
    this.prefix = prefix;
  }

  /** Gets the window's length from the middleware. @throws TypeError, RangeError for a bad one. */
  init(options: { readonly windowMs: number }): void {
    checkTime("Cannot count requests", "windowMs", options.windowMs);
    this.#windowMs = options.windowMs;
  }

  /** @returns A promise of a client's count; undefined when it has none in this window. */
  async get(key: string): Promise<RateLimitHits | undefined> {
    const stored = this.prefix + key;
    const totalHits = this.#map.get(stored);
    return totalHits === undefined ? undefined : this.#hits(stored, totalHits);
  }

  /**
   * Counts a request.
   * @returns A promise of the count with it; rejected with StateError ENOSPC when the map is full.
   */
  async increment(key: string): Promise<RateLimitHits> {
    const stored = this.prefix + key;
    const totalHits = this.#map.increment(stored, 1, { initialTtlMs: this.#windowMs });
    if (totalHits === undefined) throw refusal(this.#map, `the count of ${JSON.stringify(key)}`);
    return this.#hits(stored, totalHits);
  }

  #hits(stored: string, totalHits: number): RateLimitHits {
    // The window may end between the two calls.
    const leftMs = this.#map.ttl(stored) ?? 0;
    return { totalHits, resetTime: new Date(Date.now() + Math.ceil(leftMs)) };
  }

  /** Takes a request back, never below 0; its window ends when it would have. */
  async decrement(key: string): Promise<void> {
    this.#map.update(this.prefix + key, (hits) =>
      hits === undefined ? undefined : Math.max(hits - 1, 0),
    );
  }

  /** Forgets a client's count. */
  async resetKey(key: string): Promise<void> {
    this.#map.delete(this.prefix + key);
  }

  /** Forgets all counts that begin with this store's prefix. */
  async resetAll(): Promise<void> {
    removeAll(this.#map, this.prefix);
  }
}
