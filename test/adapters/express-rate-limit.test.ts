/** The store for express-rate-limit and hono-rate-limiter, beside their memory stores. */
import { afterAll, describe, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import express from "express";
import { MemoryStore, type Options, type Store, rateLimit } from "express-rate-limit";
import { Hono } from "hono";
import { type Store as HonoStore, rateLimiter } from "hono-rate-limiter";
import { RateLimitStore } from "../../adapters/express-rate-limit.ts";
import { type SharedMap as AnyMap, SharedMap, codecs } from "../../src/index.ts";
import { inAnotherProcess } from "../support/adapter-apps.ts";
import { uniqueName } from "../support/names.ts";

function numberMap(size: number = 2 ** 20): AnyMap<number> {
  const map = SharedMap.create(uniqueName("limits"), { size, codec: codecs.number });
  afterAll(() => {
    map.unlink();
    map.close();
  });
  return map;
}

const optionsOf = (windowMs: number): Options => ({ windowMs }) as Options;

describe("the store, as express-rate-limit tests its stores", () => {
  const kinds: readonly [string, () => Store][] = [
    ["MemoryStore", () => new MemoryStore()],
    ["RateLimitStore", () => new RateLimitStore({ map: numberMap() })],
  ];
  for (const [name, make] of kinds) {
    describe(name, () => {
      const made = (windowMs = 60_000): Store => {
        const store = make();
        void store.init!(optionsOf(windowMs));
        return store;
      };

      test("the first request counts 1, and begins a window", async () => {
        const store = made();
        const before = Date.now();
        const { totalHits, resetTime } = await store.increment("a");
        expect(totalHits).toBe(1);
        const late = resetTime!.getTime() - before - 60_000;
        expect(late).toBeGreaterThanOrEqual(-1);
        expect(late).toBeLessThan(10_000);
      });

      test("more requests count in the same window", async () => {
        const store = made();
        const first = await store.increment("a");
        await Bun.sleep(500);
        const second = await store.increment("a");
        expect(second.totalHits).toBe(2);
        const moved = second.resetTime!.getTime() - first.resetTime!.getTime();
        expect(Math.abs(moved)).toBeLessThan(400);
      });

      test("clients count apart", async () => {
        const store = made();
        await store.increment("a");
        expect((await store.increment("b")).totalHits).toBe(1);
      });

      test("get finds a count, and nothing where none is", async () => {
        const store = made();
        expect(await store.get!("a")).toBeUndefined();
        await store.increment("a");
        const found = await store.get!("a");
        expect(found!.totalHits).toBe(1);
        expect(found!.resetTime).toBeInstanceOf(Date);
      });

      test("decrement takes one back, never below 0", async () => {
        const store = made();
        await store.increment("a");
        await store.increment("a");
        await store.decrement("a");
        expect((await store.get!("a"))!.totalHits).toBe(1);
        await store.decrement("a");
        await store.decrement("a");
        expect((await store.get!("a"))!.totalHits).toBe(0);
        await store.decrement("nobody");
        expect((await store.increment("a")).totalHits).toBe(1);
      });

      test("resetKey forgets a client, resetAll everybody", async () => {
        const store = made();
        await store.increment("a");
        await store.increment("b");
        await store.resetKey("a");
        expect((await store.increment("a")).totalHits).toBe(1);
        expect((await store.increment("b")).totalHits).toBe(2);
        await store.resetAll!();
        expect((await store.increment("a")).totalHits).toBe(1);
        expect((await store.increment("b")).totalHits).toBe(1);
      });

      test("a window ends, and the next request begins another", async () => {
        const store = made(50);
        await store.increment("a");
        await store.increment("a");
        await Bun.sleep(120);
        expect((await store.increment("a")).totalHits).toBe(1);
      });
    });
  }
});

interface Server {
  readonly url: string;
  close(): void;
}

function serve(options: Partial<Options>): Server {
  const app = express();
  app.use(rateLimit({ windowMs: 60_000, standardHeaders: true, legacyHeaders: false, ...options }));
  app.get("/", (_request, response) => void response.send("Hello"));
  app.get("/bad", (_request, response) => void response.status(400).send("Bad"));
  const failed: express.ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(500).json({ code: (error as { code?: string }).code });
  };
  app.use(failed);
  const server = app.listen(0, "127.0.0.1");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  };
}

async function withServer(
  options: Partial<Options>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = serve(options);
  try {
    await use(server.url);
  } finally {
    server.close();
  }
}

describe("express-rate-limit with the store", () => {
  test("limits, and says so, with its validations on", async () => {
    const store = new RateLimitStore({ map: numberMap() });
    await withServer({ limit: 2, store, validate: true }, async (url) => {
      const answers = [];
      for (let turn = 0; turn < 3; turn++) answers.push(await fetch(url));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
      expect(answers.map(({ headers }) => headers.get("ratelimit-remaining"))).toEqual([
        "1",
        "0",
        "0",
      ]);
      expect(Number(answers[2]!.headers.get("retry-after"))).toBeGreaterThan(50);
    });
  });

  test("takes requests back that it should skip", async () => {
    const map = numberMap();
    const store = new RateLimitStore({ map });
    await withServer({ limit: 1, store, skipFailedRequests: true }, async (url) => {
      for (let turn = 0; turn < 3; turn++) {
        expect((await fetch(`${url}/bad`)).status).toBe(400);
        // The answer is out before the request is taken back.
        while ([...map.values()].some((hits) => hits > 0)) await Bun.sleep(1);
      }
      expect((await fetch(url)).status).toBe(200);
      expect((await fetch(url)).status).toBe(429);
    });
  });

  test("a full map is an error, or lets requests pass, as the app says", async () => {
    const map = numberMap(2 ** 14);
    for (let at = 0; map.set(`fill ${at}`, at); at++);
    await withServer({ store: new RateLimitStore({ map }) }, async (url) => {
      const answer = await fetch(url);
      expect([answer.status, await answer.json()]).toEqual([500, { code: "ENOSPC" }]);
    });
    const options = { store: new RateLimitStore({ map }), passOnStoreError: true };
    const { error } = console;
    console.error = () => undefined;
    try {
      await withServer(options, async (url) => expect((await fetch(url)).status).toBe(200));
    } finally {
      console.error = error;
    }
  });

  test("limits of one map count apart by their prefixes", async () => {
    const map = numberMap();
    const [one, two] = ["one:", "two:"].map((prefix) => new RateLimitStore({ map, prefix }));
    await one!.increment("a");
    expect((await two!.increment("a")).totalHits).toBe(1);
    await one!.resetAll();
    expect(await one!.get("a")).toBeUndefined();
    expect((await two!.get("a"))!.totalHits).toBe(1);
  });
});

describe("hono-rate-limiter with the store", () => {
  test("limits over two apps", async () => {
    const map = numberMap();
    const appOf = (): Hono => {
      const app = new Hono();
      const store: HonoStore = new RateLimitStore({ map });
      app.use(rateLimiter({ windowMs: 60_000, limit: 3, store, keyGenerator: () => "client" }));
      return app.get("/", (context) => context.text("Hello"));
    };
    const [first, second] = [appOf(), appOf()];
    const statuses = [];
    for (const app of [first, second, first, second]) {
      statuses.push((await app.request("/")).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429]);
  });
});

describe("two processes", () => {
  test("count one client together, and lose nothing", async () => {
    const map = numberMap();
    const store: Store = new RateLimitStore({ map });
    await store.increment("client");
    const others = [1, 2].map(() => inAnotherProcess("express-rate-limit", map.name));
    for (let turn = 0; turn < 50; turn++) {
      await store.increment("client");
      await Bun.sleep(1);
    }
    const seen = (await Promise.all(others)) as number[];
    expect((await store.get!("client"))!.totalHits).toBe(151);
    expect(Math.max(...seen)).toBeLessThanOrEqual(151);
  });
});

test("bad options are refused by name", () => {
  const map = numberMap();
  for (const [options, words] of [
    [undefined, "its options must be an object"],
    [{}, "its map must be a SharedMap, not undefined"],
    [{ map, prefix: 1 }, "its prefix must be a string, not number"],
    [{ map, windowMs: 5 }, 'there is no option "windowMs"; there are map, prefix'],
  ] as const) {
    expect(() => new RateLimitStore(options as never)).toThrow(words);
  }
  expect(() => new RateLimitStore({ map }).init({} as never)).toThrow(
    "Cannot count requests: its windowMs must be a number above 0, not undefined",
  );
});
