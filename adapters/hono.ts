/** A limit of requests for Hono: `bun-shm/hono`. */
import type { Context, Env, MiddlewareHandler } from "hono";
import type { RateLimiter, RateLimiterResult } from "../src/index.ts";
import { checkNames } from "./checks.ts";

/** Whom a limit is for, and what a refused request gets. */
export interface HonoRateLimitOptions<E extends Env = any> {
  /** Says who asks: an address, an account, an API key. */
  readonly key: (context: Context<E>) => string | Promise<string>;
  /** Points that a request takes. Default 1. */
  readonly cost?: number | ((context: Context<E>) => number | Promise<number>) | undefined;
  /** Makes the answer to a refused request. Default: 429, with a sentence. */
  readonly refuse?:
    ((context: Context<E>, result: RateLimiterResult) => Response | Promise<Response>) | undefined;
}

/**
 * Limits requests of a Hono app by a RateLimiter, so over all processes that open the same one, and
 * exactly: by any of its algorithms, with a `Retry-After` and the `RateLimit-*` fields on every
 * answer. For what is written for hono-rate-limiter, `bun-shm/express-rate-limit` has a store.
 *
 * @param limiter Stays the caller's.
 * @returns The middleware.
 * @throws TypeError for bad options. The middleware fails with the errors of `consume`.
 *
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import { RateLimiter } from "bun-shm";
 * import { rateLimiter } from "bun-shm/hono";
 *
 * using limiter = RateLimiter.openOrCreate("/api", {
 *   algorithm: "gcra",
 *   limit: 100,
 *   windowMs: 60_000,
 *   keys: 10_000,
 * });
 * const app = new Hono();
 * app.use(rateLimiter(limiter, { key: (c) => c.req.header("x-api-key") ?? "nobody" }));
 * app.get("/", (c) => c.text("Hello"));
 * const response = await app.request("/");
 * console.log(response.status, response.headers.get("RateLimit-Remaining")); // 200 99
 * limiter.unlink();
 * ```
 */
export function rateLimiter<E extends Env = any>(
  limiter: RateLimiter,
  options: HonoRateLimitOptions<E>,
): MiddlewareHandler<E> {
  const action = "Cannot limit requests";
  checkNames(action, options, ["key", "cost", "refuse"]);
  const { key, cost = 1, refuse = (context) => context.text("Too many requests", 429) } = options;
  for (const [name, value] of Object.entries({ key, refuse })) {
    if (typeof value === "function") continue;
    throw new TypeError(`${action}: its ${name} must be a function, not ${typeof value}`);
  }
  return async (context, next) => {
    const points = typeof cost === "function" ? await cost(context) : cost;
    const result = limiter.consume(await key(context), points);
    if (result.allowed) await next();
    else context.res = await refuse(context, result);
    // The answer may be one that takes no other fields; then `header` makes one that does.
    for (const [name, value] of Object.entries(limiter.headers(result))) {
      context.header(name, value);
    }
  };
}
