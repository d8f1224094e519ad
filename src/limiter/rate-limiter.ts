import { checkInteger, shown } from "../arguments.ts";
import { OwnedStripeLocks } from "../locks/stripe-locks.ts";
import { bootClock } from "../memory/boot.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Placed } from "../segment/placed.ts";
import { Segment } from "../segment/segment.ts";
import { StructureHandle } from "../segment/structure-handle.ts";
import { Structure, structureLength } from "../segment/structure.ts";
import {
  LimiterCore,
  type RateLimiterResult,
  type RateLimiterStats,
} from "./algorithm/limiter-core.ts";
import { LimiterMemory } from "./algorithm/limiter-memory.ts";
import { MAX_LIMIT, type Policy, hasBucket } from "./algorithm/limiter-shape.ts";
import { rateLimitFields } from "./http-fields.ts";
import { LIMITER_KIND, checkFoundLimiter, limiterHeader, readLimiter } from "./limiter-header.ts";
import { LimiterKey } from "./limiter-key.ts";
import {
  type RateLimiterCreateOptions,
  type RateLimiterInitOptions,
  type RateLimiterOpenOptions,
  type RateLimiterOptions,
  checkFindOptions,
  checkNewOptions,
} from "./limiter-options.ts";

/**
 * A limit on how often something is done, for each of many keys, which any number of processes and
 * Workers share: requests of a client, logins of an account, calls of somebody's API.
 *
 * It is exact: whatever the processes do at the same time, and whenever one is killed, no key gets
 * more than its algorithm allows (see `algorithm` in the options). Times are those since the
 * machine's start, which no setting of its clock moves. Every answer comes at once: nothing waits
 * for the limit. A call blocks only while another one is in the same of up to 64 stripes.
 *
 * Its memory is fixed. It remembers at least `keys` keys; if there are more, one that was used
 * longest ago in its stripe is forgotten, and counts as new: then that key can get more, and
 * `stats().lost` counts it. Keys are text, which stands for its UTF-8, or bytes, 1024 at most; a
 * key of more than 64 bytes costs a SHA-256 more.
 *
 * What a crash leaves: a call whose process is killed has taken its points, or has not. The next
 * one repairs the stripe. In a file, after a restart of the machine, all keys are as new.
 *
 * Use Redis or the like when several machines share a limit.
 *
 * @example
 * ```ts
 * using limiter = RateLimiter.openOrCreate("/api", {
 *   algorithm: "sliding-window",
 *   limit: 100,
 *   windowMs: 60_000,
 *   keys: 10_000,
 * });
 * // The same in each process of a server; with `reusePort` they share one port, too.
 * const server = Bun.serve({
 *   port: 0,
 *   fetch(request, server) {
 *     const result = limiter.consume(server.requestIP(request)?.address ?? "unknown");
 *     const headers = limiter.headers(result);
 *     if (!result.allowed) return new Response("Too many requests", { status: 429, headers });
 *     return new Response("Hello", { headers });
 *   },
 * });
 * const response = await fetch(server.url);
 * console.log(response.status, response.headers.get("RateLimit-Remaining")); // 200 99
 * await server.stop();
 * limiter.unlink();
 * ```
 */
export class RateLimiter extends StructureHandle {
  readonly #placed: Placed;
  readonly #core: LimiterCore;
  readonly #key: LimiterKey;
  readonly #policy: Policy;
  readonly #keys: number;
  readonly #capacity: number;
  readonly #isReadOnly: boolean;

  private constructor(structure: Structure) {
    Structure.check(structure, "RateLimiter");
    super(structure.placed);
    const { placed, segment, dataOffset } = structure;
    const { policy, shape, keys, seeds } = readLimiter(structure);
    const memory = new LimiterMemory(segment.buffer, dataOffset, shape, bootClock());
    this.#placed = placed;
    const locks = new OwnedStripeLocks(structure, {
      offset: memory.start * 4,
      stride: memory.stride * 4,
      count: memory.stripeCount,
    });
    this.#core = new LimiterCore(memory, policy, locks);
    this.#key = new LimiterKey(seeds[0] | 0, seeds[1] | 0);
    this.#policy = policy;
    this.#keys = keys;
    this.#capacity = this.#core.capacity;
    this.#isReadOnly = segment.access === "read";
  }

  /**
   * Makes a limiter in a segment of its own. Does not block.
   *
   * @param name The segment's name, as `Segment.create` takes it.
   * @returns A handle to close.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static create(name: string, options: RateLimiterCreateOptions): RateLimiter {
    checkNewOptions(`Cannot create rate limiter ${shown(name)}`, "create", options);
    return Structure.create(LIMITER_KIND, name, limiterHeader(options), options, RateLimiter.#fill);
  }

  /**
   * Finds a limiter that has a segment of its own. Blocks for `waitMs` while there is no such name,
   * and while its creator is at work, which `waitMs` bounds too (half a minute without it).
   *
   * @param options What it must be; what is not given may be anything.
   * @returns A handle to close.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when the limiter differs in an option that is given, or something else has the
   *   name; StateError ENODATA when it is unfinished.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static open(name: string, options: RateLimiterOpenOptions = {}): RateLimiter {
    checkFindOptions(`Cannot open rate limiter ${shown(name)}`, "open", options);
    return Structure.open(LIMITER_KIND, name, options, RateLimiter.#finder(options));
  }

  /**
   * Finds a limiter, or makes it: exactly one of several callers at the same time makes it, and
   * `created` says which. Blocks like `open` while another caller is at work.
   *
   * @returns A handle to close.
   * @throws The errors of `create` and `open`, except EEXIST and ENOENT.
   */
  static openOrCreate(name: string, options: RateLimiterCreateOptions & OwnerOptions): RateLimiter {
    checkNewOptions(`Cannot open or create rate limiter ${shown(name)}`, "openOrCreate", options);
    return Structure.openOrCreate(
      LIMITER_KIND,
      name,
      limiterHeader(options),
      options,
      RateLimiter.#fill,
      RateLimiter.#finder(options),
    );
  }

  /**
   * Makes a limiter inside the caller's segment. Blocks for half a minute at most, while another
   * process makes one there.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws StateError EEXIST when a limiter is there, unless `overwrite` is set.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static init(segment: Segment, offset: number, options: RateLimiterInitOptions): RateLimiter {
    checkNewOptions("Cannot make a rate limiter", "init", options);
    const header = limiterHeader(options);
    return Structure.init(LIMITER_KIND, segment, offset, header, options, RateLimiter.#fill);
  }

  /**
   * Finds a limiter inside the caller's segment. Blocks while its maker lives and is at work, for
   * half a minute at most.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @param options What it must be; what is not given may be anything.
   * @returns A handle; closing it leaves the segment open.
   * @throws LayoutError when the limiter differs in an option that is given, or something else is
   *   there; StateError ENODATA when nothing is there, or its maker died half way.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static at(segment: Segment, offset: number, options: RateLimiterOptions = {}): RateLimiter {
    checkFindOptions("Cannot find a rate limiter", "at", options);
    return Structure.at(LIMITER_KIND, segment, offset, RateLimiter.#finder(options));
  }

  /** @returns The bytes that a limiter takes in a segment. @throws RangeError, TypeError. */
  static byteLength(options: RateLimiterInitOptions): number {
    checkNewOptions("Cannot measure a rate limiter", "init", options);
    return structureLength(limiterHeader(options));
  }

  static readonly #fill = (structure: Structure): RateLimiter => {
    const limiter = new RateLimiter(structure);
    limiter.#core.create();
    return limiter;
  };

  /** @returns The function that makes a handle of a limiter that was found. */
  static #finder(options: RateLimiterOptions) {
    return (structure: Structure): RateLimiter => {
      checkFoundLimiter(structure, options);
      return new RateLimiter(structure);
    };
  }

  /** How requests are counted. */
  get algorithm(): Policy["algorithm"] {
    return this.#policy.algorithm;
  }

  /** Points in each window. */
  get limit(): number {
    return this.#policy.limit;
  }

  /** Milliseconds of a window. */
  get windowMs(): number {
    return this.#policy.windowMs;
  }

  /** The most points that are taken at once; for the windows, that is their limit. */
  get burst(): number {
    return this.#capacity;
  }

  /** How many keys it remembers, at least. */
  get keys(): number {
    return this.#keys;
  }

  /**
   * Asks for points of a key, and takes them if they are there. Blocks only while another call is
   * in the same stripe.
   *
   * @param key Text, which stands for its UTF-8, or bytes: at most 1024 of them.
   * @param cost Points; an integer of at least 1. Default 1.
   * @returns Whether they were there, and how the key stands now.
   * @throws RangeError for a bad key, or a cost that can never be allowed; TypeError for a bad key
   *   or cost, or a handle that only reads; LayoutError when the bytes are no limiter; ClosedError.
   */
  consume(key: string | Uint8Array, cost = 1): RateLimiterResult {
    this.#checkWritable("consume from");
    this.#checkCost("consume from", cost);
    this.#key.set(key);
    return this.#core.consume(this.#key, cost);
  }

  /**
   * Asks for points of a key, and takes them if they are there; allocates nothing for a key of up
   * to 64 bytes. Blocks like `consume`.
   *
   * @param cost Points; an integer of at least 1. Default 1.
   * @returns Whether they were there. If not, none were taken.
   * @throws The errors of `consume`.
   */
  tryConsume(key: string | Uint8Array, cost = 1): boolean {
    this.#checkWritable("consume from");
    this.#checkCost("consume from", cost);
    this.#key.set(key);
    return this.#core.tryConsume(this.#key, cost);
  }

  /**
   * Takes points of a key, whether they are there or not: for what turned out to cost more. What
   * is missing then comes back as time passes; a key owes `limit` points at most. Blocks like
   * `consume`.
   *
   * @param points An integer of at least 1.
   * @returns How the key stands now, and whether a call of cost 1 would be allowed.
   * @throws The errors of `consume`.
   */
  penalize(key: string | Uint8Array, points: number): RateLimiterResult {
    this.#checkWritable("penalize a key of");
    checkInteger(`Cannot penalize a key of ${this.#placed.what}`, "points", points, 1, MAX_LIMIT);
    this.#key.set(key);
    return this.#core.penalize(this.#key, points);
  }

  /**
   * Gives points of a key back, as for a request that failed; never above full. A window forgets
   * the newest points first. Blocks like `consume`.
   *
   * @param points An integer of at least 1.
   * @returns How the key stands now, and whether a call of cost 1 would be allowed.
   * @throws The errors of `consume`.
   */
  reward(key: string | Uint8Array, points: number): RateLimiterResult {
    this.#checkWritable("reward a key of");
    checkInteger(`Cannot reward a key of ${this.#placed.what}`, "points", points, 1, MAX_LIMIT);
    this.#key.set(key);
    return this.#core.reward(this.#key, points);
  }

  /**
   * Looks at a key without taking anything, or counting as a use of it. Blocks like `consume`.
   *
   * @param cost Points; an integer of at least 1. Default 1.
   * @returns Whether they are there, and how the key stands; stale the moment it is returned.
   * @throws The errors of `consume`.
   */
  peek(key: string | Uint8Array, cost = 1): RateLimiterResult {
    this.#checkWritable("look at a key of");
    this.#checkCost("look at a key of", cost);
    this.#key.set(key);
    return this.#core.peek(this.#key, cost);
  }

  /**
   * Forgets a key, which has everything then, and owes nothing. Blocks like `consume`.
   * @returns Whether it was known.
   * @throws The errors of `consume`.
   */
  reset(key: string | Uint8Array): boolean {
    this.#checkWritable("reset a key of");
    this.#key.set(key);
    return this.#core.reset(this.#key);
  }

  /**
   * Forgets all keys, one stripe after the other. Blocks like `consume`.
   * @throws The errors of `consume`.
   */
  clear(): void {
    this.#checkWritable("clear");
    this.#core.clear();
  }

  /**
   * The fields of an HTTP response that tell a client of its limit: `RateLimit-Limit` (the most
   * points that are there at once), `RateLimit-Remaining`, `RateLimit-Reset` (seconds until
   * everything is there again, rounded up), and for a refused call `Retry-After` (seconds, rounded
   * up). They have the form of draft-ietf-httpapi-ratelimit-headers-00 to -06, which clients know
   * best; later drafts put them into one structured field. Does not block.
   *
   * @param result What `consume` or `peek` returned.
   * @returns An object for `new Response(body, { headers })`.
   * @throws TypeError when it is no result; ClosedError.
   */
  headers(result: RateLimiterResult): Record<string, string> {
    this.#placed.checkOpen();
    return rateLimitFields(this.#capacity, result);
  }

  /** The number of keys that it knows. Never blocks; stale at once. @throws ClosedError. */
  get size(): number {
    this.#placed.checkOpen();
    return this.#core.size;
  }

  /**
   * Counts what the limiter holds and has done. Never blocks.
   * @returns Numbers that are right one by one, and stale the moment they are returned.
   * @throws ClosedError.
   */
  stats(): RateLimiterStats {
    this.#placed.checkOpen();
    return this.#core.stats();
  }

  /**
   * Closes this handle, and the segment if this handle opened it. What was counted stays. Does
   * nothing when called again.
   */
  close(): void {
    this.#placed.close();
  }

  #checkWritable(verb: string): void {
    this.#placed.checkOpen();
    if (this.#isReadOnly) this.#refuseWrite(verb);
  }

  #refuseWrite(verb: string): never {
    throw new TypeError(`Cannot ${verb} ${this.#placed.what}: it was opened for reading only`);
  }

  #checkCost(verb: string, cost: number): void {
    const isInteger = typeof cost === "number" && (cost | 0) === cost;
    if (!isInteger || cost < 1 || cost > this.#capacity) this.#refuseCost(verb, cost);
  }

  #refuseCost(verb: string, cost: unknown): void {
    const action = `Cannot ${verb} ${this.#placed.what}`;
    checkInteger(action, "the cost", cost, 1);
    const which = hasBucket(this.#policy.algorithm) ? "burst" : "limit";
    throw new RangeError(
      `${action}: a cost of ${String(cost)} can never be allowed, since its ${which} is ` +
        `${this.#capacity}`,
    );
  }
}
