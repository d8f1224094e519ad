/** The limit for Hono apps, in process. */
import { afterAll, describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { type HonoRateLimitOptions, rateLimiter } from "../../adapters/hono.ts";
import {
  RateLimiter,
  type RateLimiterAlgorithm,
  type RateLimiter as AnyLimiter,
} from "../../src/index.ts";
import { inAnotherProcess } from "../support/adapter-apps.ts";
import { uniqueName } from "../support/names.ts";

function limiterOf(limit: number, algorithm: RateLimiterAlgorithm = "sliding-window"): AnyLimiter {
  const options = { algorithm, limit, windowMs: 600_000, keys: 100 } as const;
  const limiter = RateLimiter.create(uniqueName("hono"), options);
  afterAll(() => {
    limiter.unlink();
    limiter.close();
  });
  return limiter;
}

function appOf(limiter: RateLimiter, options: Partial<HonoRateLimitOptions> = {}): Hono {
  const app = new Hono();
  app.use(rateLimiter(limiter, { key: (c) => c.req.header("x-key") ?? "nobody", ...options }));
  app.get("/", (c) => c.text("Hello"));
  app.get("/raw", () => new Response("raw", { headers: { "x-own": "1" } }));
  app.get("/redirect", () => Response.redirect("http://elsewhere.example/", 302));
  app.get("/error", () => {
    throw new Error("of the handler");
  });
  app.onError((error, c) => c.text(error.name, 500));
  return app;
}

const ask = (app: Hono, path = "/", key = "ada"): Promise<Response> =>
  Promise.resolve(app.request(path, { headers: { "x-key": key } }));

describe("rateLimiter", () => {
  for (const algorithm of ["fixed-window", "sliding-window", "token-bucket", "gcra"] as const) {
    test(`limits each key by a ${algorithm}, and says so`, async () => {
      const app = appOf(limiterOf(2, algorithm));
      const answers = [await ask(app), await ask(app), await ask(app)];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
      const field = (name: string): (string | null)[] =>
        answers.map(({ headers }) => headers.get(name));
      expect(field("ratelimit-limit")).toEqual(["2", "2", "2"]);
      expect(field("ratelimit-remaining")).toEqual(["1", "0", "0"]);
      expect(field("retry-after").map((value) => value === null)).toEqual([true, true, false]);
      expect(await answers[2]!.text()).toBe("Too many requests");
      expect((await ask(app, "/", "eve")).status).toBe(200);
    });
  }

  test("every kind of answer gets the fields, and keeps its own", async () => {
    const app = appOf(limiterOf(100));
    for (const [path, status] of [
      ["/raw", 200],
      ["/redirect", 302],
      ["/error", 500],
      ["/missing", 404],
    ] as const) {
      const answer = await ask(app, path);
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.headers.get("ratelimit-limit")).toBe("100");
      if (path === "/raw") expect(answer.headers.get("x-own")).toBe("1");
    }
  });

  test("the app says what a request costs, and what a refused one gets", async () => {
    const limiter = limiterOf(10);
    const app = appOf(limiter, {
      cost: async (c) => Number(c.req.query("cost")),
      refuse: (c, { retryAfterMs }) => c.json({ later: retryAfterMs > 0 }, 503),
    });
    expect((await ask(app, "/?cost=7")).status).toBe(200);
    const refused = await ask(app, "/?cost=4");
    expect([refused.status, await refused.json()]).toEqual([503, { later: true }]);
    expect(refused.headers.has("retry-after")).toBe(true);
    expect((await ask(app, "/?cost=3")).status).toBe(200);
    // A cost that can never be allowed is an error of the app.
    expect(await (await ask(app, "/?cost=11")).text()).toBe("RangeError");
    expect((await ask(appOf(limiter, { key: async () => "other" }))).status).toBe(200);
  });

  test("two processes share a limit, exactly", async () => {
    const limiter = limiterOf(60);
    const app = appOf(limiter, { key: () => "client" });
    const others = [1, 2].map(() => inAnotherProcess("hono", limiter.name));
    let own = 0;
    for (let turn = 0; turn < 50; turn++) {
      if ((await ask(app)).ok) own++;
      await Bun.sleep(1);
    }
    const [one, two] = (await Promise.all(others)) as [number, number];
    expect(own + one + two).toBe(60);
  });

  test("bad options are refused by name", () => {
    const limiter = limiterOf(1);
    for (const [options, words] of [
      [undefined, "its options must be an object"],
      [{}, "its key must be a function, not undefined"],
      [{ key: () => "", refuse: 429 }, "its refuse must be a function, not number"],
      [{ key: () => "", limit: 5 }, 'there is no option "limit"; there are key, cost, refuse'],
    ] as const) {
      expect(() => rateLimiter(limiter, options as never)).toThrow(words);
    }
  });
});
