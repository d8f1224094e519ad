/** The limiter of rate-limiter-flexible, beside its RateLimiterMemory: same calls, same answers. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  BurstyRateLimiter,
  RateLimiterMemory,
  RateLimiterRes,
  RateLimiterUnion,
} from "rate-limiter-flexible";
import {
  RateLimiterSharedMap,
  type RateLimiterSharedMapOptions,
} from "../../adapters/rate-limiter-flexible.ts";
import { type SharedMap as AnyMap, SharedMap, codecs } from "../../src/index.ts";
import { inAnotherProcess } from "../support/adapter-apps.ts";
import { uniqueName } from "../support/names.ts";

function pointMap(size: number = 2 ** 20): AnyMap<number> {
  const map = SharedMap.create(uniqueName("points"), { size, codec: codecs.number });
  afterAll(() => {
    map.unlink();
    map.close();
  });
  return map;
}

type Options = Omit<RateLimiterSharedMapOptions, "storeClient">;
type Limiter = RateLimiterMemory | RateLimiterSharedMap;

const both = (options: Options): [Limiter, Limiter] => [
  new RateLimiterMemory(options),
  new RateLimiterSharedMap({ ...options, storeClient: pointMap() }),
];

/** What a call answers, or is rejected with; times rounded up to 10 s. */
async function answer(call: Promise<unknown>): Promise<unknown> {
  const shown = (value: unknown): unknown => {
    if (!(value instanceof RateLimiterRes)) return value;
    const { msBeforeNext, ...others } = value.toJSON();
    return { ...others, tens: msBeforeNext < 0 ? -1 : Math.ceil(msBeforeNext / 10_000) };
  };
  return call.then(
    (value) => ({ resolved: shown(value) }),
    (reason: unknown) => ({ rejected: shown(reason) }),
  );
}

/** Makes the same calls to both, and compares all answers. */
async function same(
  options: Options,
  calls: readonly ((limiter: Limiter) => Promise<unknown>)[],
): Promise<unknown[]> {
  const [memory, shared] = both(options);
  const answers: unknown[] = [];
  for (const [at, call] of calls.entries()) {
    const [expected, found] = [await answer(call(memory)), await answer(call(shared))];
    expect([at, found]).toEqual([at, expected]);
    answers.push(found);
  }
  return answers;
}

describe("RateLimiterSharedMap answers as RateLimiterMemory does", () => {
  test("consume, up to the limit and beyond", async () => {
    const consume = (limiter: Limiter): Promise<unknown> => limiter.consume("a");
    const answers = await same({ points: 2, duration: 60 }, [
      consume,
      consume,
      consume,
      consume,
      (limiter) => limiter.consume("b", 2),
      (limiter) => limiter.consume("c", 3),
      (limiter) => limiter.get("a"),
    ]);
    expect(answers.map((found) => Object.keys(found as object)[0])).toEqual([
      "resolved",
      "resolved",
      "rejected",
      "rejected",
      "resolved",
      "rejected",
      "resolved",
    ]);
  });

  test("get and delete of nobody", () =>
    same({ points: 2, duration: 60 }, [
      (limiter) => limiter.get("a"),
      (limiter) => limiter.delete("a"),
      (limiter) => limiter.consume("a"),
      (limiter) => limiter.delete("a"),
      (limiter) => limiter.get("a"),
    ]));

  test("penalty and reward", () =>
    same({ points: 5, duration: 60 }, [
      (limiter) => limiter.penalty("a", 2),
      (limiter) => limiter.consume("a", 2),
      (limiter) => limiter.reward("a"),
      (limiter) => limiter.penalty("a"),
      (limiter) => limiter.penalty("a", 5),
      (limiter) => limiter.consume("a"),
      (limiter) => limiter.reward("b"),
      (limiter) => limiter.get("b"),
    ]));

  test("set and block", () =>
    same({ points: 5, duration: 60 }, [
      (limiter) => limiter.set("a", 3, 30),
      (limiter) => limiter.get("a"),
      (limiter) => limiter.consume("a"),
      (limiter) => limiter.block("a", 20),
      (limiter) => limiter.consume("a"),
      (limiter) => limiter.set("b", 1, 0),
      (limiter) => limiter.get("b"),
    ]));

  test("blockDuration begins when the points are exceeded", () => {
    const block = async (limiter: Limiter): Promise<unknown> => {
      const reason = (await limiter.consume("a").catch((result: unknown) => result)) as object;
      // As with every store of that package, a block is not the first in its duration.
      return new RateLimiterRes(0, (reason as RateLimiterRes).msBeforeNext, 2);
    };
    return same({ points: 1, duration: 10, blockDuration: 100 }, [
      (limiter) => limiter.consume("a"),
      block,
      (limiter) => limiter.consume("a"),
      (limiter) => limiter.get("a"),
    ]);
  });

  test("duration 0 never ends", () =>
    same({ points: 1, duration: 0 }, [
      (limiter) => limiter.consume("a"),
      (limiter) => limiter.get("a"),
      (limiter) => limiter.consume("a"),
    ]));

  test("a call's own duration", () =>
    same({ points: 5, duration: 10 }, [
      (limiter) => limiter.consume("a", 1, { customDuration: 40 }),
      (limiter) => limiter.get("a"),
    ]));

  test("a window ends", async () => {
    const [, shared] = both({ points: 1, duration: 1 });
    await shared.consume("a");
    await Bun.sleep(1050);
    expect((await shared.consume("a")).consumedPoints).toBe(1);
  });
});

describe("RateLimiterSharedMap", () => {
  test("blocks in memory, without the map", async () => {
    const map = pointMap();
    const options = { points: 1, duration: 60, inMemoryBlockOnConsumed: 2 };
    const limiter = new RateLimiterSharedMap({ ...options, storeClient: map });
    await limiter.consume("a");
    await limiter.consume("a").catch(() => undefined);
    await limiter.consume("a").catch(() => undefined);
    expect([...map.values()]).toEqual([2]);
    await limiter.delete("a");
    expect((await limiter.consume("a")).consumedPoints).toBe(1);
  });

  test("limiters with other prefixes count apart; unions and bursts work", async () => {
    const storeClient = pointMap();
    const limiterOf = (keyPrefix: string, points: number): RateLimiterSharedMap =>
      new RateLimiterSharedMap({ storeClient, keyPrefix, points, duration: 60 });
    const [one, two] = [limiterOf("one", 2), limiterOf("two", 5)];
    const union = new RateLimiterUnion(one, two);
    const found = await union.consume("a");
    expect([found["one"]!.remainingPoints, found["two"]!.remainingPoints]).toEqual([1, 4]);
    const bursty = new BurstyRateLimiter(limiterOf("base", 1), limiterOf("burst", 1));
    await bursty.consume("a");
    await bursty.consume("a");
    await expect(bursty.consume("a")).rejects.toBeInstanceOf(RateLimiterRes);
    expect(storeClient.size).toBe(4);
  });

  test("a full map rejects, or leaves it to the insurance", async () => {
    const storeClient = pointMap(2 ** 14);
    for (let at = 0; storeClient.set(`fill ${at}`, at); at++);
    const options = { storeClient, points: 5, duration: 60 };
    const limiter = new RateLimiterSharedMap(options);
    await expect(limiter.consume("a")).rejects.toMatchObject({ code: "ENOSPC" });
    await expect(limiter.block("a", 5)).rejects.toMatchObject({ code: "ENOSPC" });
    const insuranceLimiter = new RateLimiterMemory({ points: 5, duration: 60 });
    const insured = new RateLimiterSharedMap({ ...options, insuranceLimiter });
    expect((await insured.consume("a")).remainingPoints).toBe(4);
  });

  test("two processes share the points of a key, exactly", async () => {
    const storeClient = pointMap();
    const limiter = new RateLimiterSharedMap({ storeClient, points: 60, duration: 600 });
    const others = [1, 2].map(() => inAnotherProcess("rate-limiter-flexible", storeClient.name));
    let own = 0;
    for (let turn = 0; turn < 50; turn++) {
      own += await limiter.consume("key").then(
        () => 1,
        () => 0,
      );
      await Bun.sleep(1);
    }
    const [one, two] = (await Promise.all(others)) as [number, number];
    expect(own + one + two).toBe(60);
    expect((await limiter.get("key"))!.consumedPoints).toBe(150);
  });

  test("refuses what is no map", () => {
    const options = { points: 1, duration: 1, storeClient: {} };
    expect(() => new RateLimiterSharedMap(options as never)).toThrow(
      "Cannot make a limiter: its map must be a SharedMap, not object",
    );
  });
});
