import { afterEach, describe, expect, test } from "bun:test";
import {
  ClosedError,
  LayoutError,
  RateLimiter,
  type RateLimiterAlgorithm,
  Segment,
  StateError,
  SystemError,
} from "../../src/index.ts";
import { STRIPE_BOOT_WORD } from "../../src/layout/limiter-layout.ts";
import { SEGMENT_HEADER_LENGTH } from "../../src/layout/segment-header.ts";
import { accessesPlainly } from "../../src/memory/atomics.ts";
import { testWithTimeNamespaces } from "../support/needs.ts";
import { uniqueName } from "../support/names.ts";
import { BUN } from "../support/process.ts";
import { ALGORITHMS } from "./local-limiter.ts";

const names: string[] = [];
function name(): string {
  const made = uniqueName("limiter");
  names.push(made);
  return made;
}
afterEach(() => {
  for (const each of names.splice(0)) Segment.unlink(each);
});

const HOUR_MS = 3_600_000;
const HOURLY = { limit: 3, windowMs: HOUR_MS, keys: 100 };

function create(algorithm: RateLimiterAlgorithm, more: object = {}): RateLimiter {
  return RateLimiter.create(name(), { ...HOURLY, algorithm, ...more });
}

describe.each(ALGORITHMS)("%s", (algorithm) => {
  test("allows the limit, to all handles together, and then says when to come again", () => {
    using one = create(algorithm);
    using other = RateLimiter.open(one.name);
    expect(one.consume("k")).toMatchObject({ allowed: true, remaining: 2, retryAfterMs: 0 });
    expect(other.tryConsume("k", 2)).toBe(true);
    const { allowed, remaining, retryAfterMs, resetMs } = one.consume("k");
    expect({ allowed, remaining }).toEqual({ allowed: false, remaining: 0 });
    expect(retryAfterMs).toBeGreaterThan(HOUR_MS / 4);
    expect(resetMs).toBeGreaterThanOrEqual(retryAfterMs);
    expect(resetMs).toBeLessThan(HOUR_MS * 1.04);
    expect(other.tryConsume("k")).toBe(false);
    expect(other.tryConsume("another")).toBe(true);
    expect(one.stats()).toEqual({
      in: 3,
      full: 2,
      depth: 2,
      capacity: 100,
      lost: 0,
      expired: 0,
      repaired: 0,
    });
  });

  test("penalties, rewards, a look, and a reset", () => {
    using limiter = create(algorithm);
    const full = { allowed: true, remaining: 3, retryAfterMs: 0, resetMs: 0 };
    expect([limiter.peek("k"), limiter.reward("k", 1), limiter.size]).toEqual([full, full, 0]);
    expect(limiter.penalize("k", 2)).toMatchObject({ allowed: true, remaining: 1 });
    expect(limiter.peek("k", 2)).toMatchObject({ allowed: false, remaining: 1 });
    expect(limiter.penalize("k", 3)).toMatchObject({ allowed: false, remaining: -2 });
    // Nobody owes more than the limit.
    expect(limiter.penalize("k", 1000).remaining).toBe(-3);
    expect(limiter.headers(limiter.consume("k"))["RateLimit-Remaining"]).toBe("0");
    expect(limiter.reward("k", 4)).toMatchObject({ allowed: true, remaining: 1 });
    expect(limiter.reward("k", 1000)).toMatchObject(full);
    expect(limiter.consume("k", 3).allowed).toBe(true);
    expect([limiter.reset("k"), limiter.reset("k"), limiter.peek("k")]).toEqual([
      true,
      false,
      full,
    ]);
    limiter.consume("k");
    limiter.clear();
    expect([limiter.size, limiter.peek("k")]).toEqual([0, full]);
  });

  test("counts by real time", async () => {
    using limiter = create(algorithm, { limit: 2, windowMs: 60 });
    expect([limiter.tryConsume("k", 2), limiter.tryConsume("k")]).toEqual([true, false]);
    for (;;) {
      const { allowed, retryAfterMs } = limiter.peek("k", 2);
      if (allowed) break;
      expect(retryAfterMs).toBeGreaterThan(0);
      await Bun.sleep(retryAfterMs);
    }
    expect(limiter.consume("k", 2).allowed).toBe(true);
  });

  test("text is its UTF-8, and long keys differ in any of their bytes", () => {
    using limiter = create(algorithm, { limit: 1 });
    expect(limiter.tryConsume("grün")).toBe(true);
    expect(limiter.tryConsume(Buffer.from("grün"))).toBe(false);
    const long = "x".repeat(1023);
    expect([limiter.tryConsume(`${long}a`), limiter.tryConsume(`${long}b`)]).toEqual([true, true]);
    expect(limiter.tryConsume(Buffer.from(`${long}a`))).toBe(false);
    expect(() => limiter.tryConsume(`${long}ab`)).toThrow(RangeError);
    expect(() => limiter.tryConsume("\ud800")).toThrow(RangeError);
  });

  test("in a file, after a restart of the machine, all keys are as new", () => {
    using limiter = create(algorithm, { keys: 1000 });
    const keys = Array.from({ length: 500 }, (_, at) => `k${at}`);
    for (const key of keys) limiter.consume(key, 3);
    const words = new Int32Array(limiter.segment.buffer, SEGMENT_HEADER_LENGTH);
    const stride = words.length / 4;
    for (let stripe = 0; stripe < 4; stripe++) words[stripe * stride + STRIPE_BOOT_WORD]! ^= 1;
    expect(keys.filter((key) => limiter.tryConsume(key, 3)).length).toBe(500);
    expect(keys.filter((key) => limiter.tryConsume(key)).length).toBe(0);
    expect(limiter.size).toBe(500);
  });

  test("Workers share the limit", async () => {
    using limiter = create(algorithm, { limit: 1000 });
    const program =
      `import { RateLimiter } from "${process.cwd()}/src/index.ts";` +
      `using limiter = RateLimiter.open("${limiter.name}"); let allowed = 0;` +
      'for (let at = 0; at < 2000; at++) if (limiter.tryConsume("k")) allowed++;' +
      "postMessage(allowed);";
    const url = `data:text/typescript,${encodeURIComponent(program)}`;
    const counts = await Promise.all(
      [1, 2, 3].map(async () => {
        const worker = new Worker(url);
        const { promise, resolve } = Promise.withResolvers<number>();
        worker.addEventListener("message", ({ data }) => resolve(data as number));
        const count = await promise;
        worker.terminate();
        return count;
      }),
    );
    expect(counts.reduce((sum, count) => sum + count)).toBe(1000);
  });
});

testWithTimeNamespaces("processes whose clocks are moved share the limit", () => {
  for (const algorithm of ALGORITHMS) {
    using limiter = create(algorithm);
    expect(limiter.tryConsume("k", 2)).toBe(true);
    const script =
      `import { RateLimiter } from "${process.cwd()}/src/index.ts";` +
      `using limiter = RateLimiter.open("${limiter.name}");` +
      'console.log(limiter.tryConsume("k", 2), limiter.tryConsume("k"), limiter.tryConsume("j", 3));';
    const moved = ["unshare", "-T", "--boottime", "864000", "--fork", BUN, "-e", script];
    expect(Bun.spawnSync(moved).stdout.toString()).toBe("false true true\n");
    expect([limiter.tryConsume("k"), limiter.tryConsume("j")]).toEqual([false, false]);
  }
});

test("a limiter says what it is, and is compared only in what is asked for", () => {
  using limiter = create("gcra", { burst: 7 });
  const { algorithm, limit, windowMs, burst, keys } = limiter;
  const own = { algorithm, limit, windowMs, burst, keys };
  expect(own).toEqual({ ...HOURLY, algorithm: "gcra", burst: 7 });
  RateLimiter.open(limiter.name, own).close();
  RateLimiter.openOrCreate(limiter.name, { ...HOURLY, algorithm: "gcra" }).close();
  for (const [field, other] of Object.entries({
    algorithm: "token-bucket",
    limit: 4,
    windowMs: 4,
    burst: 4,
    keys: 4,
  })) {
    expect(() => RateLimiter.open(limiter.name, { [field]: other })).toThrow(LayoutError);
    expect(() => RateLimiter.open(limiter.name, { [field]: other })).toThrow(
      `it has a different ${field}: expected ${other}`,
    );
  }
  expect(() => RateLimiter.open(name())).toThrow(SystemError);
});

test("the fields of a response", () => {
  using limiter = create("sliding-window", { limit: 100 });
  expect(limiter.headers(limiter.peek("k"))).toEqual({
    "RateLimit-Limit": "100",
    "RateLimit-Remaining": "100",
    "RateLimit-Reset": "0",
  });
  const refused = { allowed: false, remaining: -5, retryAfterMs: 1, resetMs: 1001 };
  expect(limiter.headers(refused)).toEqual({
    "RateLimit-Limit": "100",
    "RateLimit-Remaining": "0",
    "RateLimit-Reset": "2",
    "Retry-After": "1",
  });
  const { headers } = new Response("", { headers: limiter.headers(limiter.consume("k", 100)) });
  expect(headers.get("ratelimit-remaining")).toBe("0");
});

test("several limiters lie in one segment", () => {
  const options = { ...HOURLY, algorithm: "gcra" } as const;
  const length = RateLimiter.byteLength(options);
  using segment = Segment.create(name(), { size: length * 2 });
  using first = RateLimiter.init(segment, 0, options);
  using second = RateLimiter.init(segment, length, { ...options, algorithm: "token-bucket" });
  expect([first.tryConsume("k", 3), second.tryConsume("k", 3)]).toEqual([true, true]);
  expect(RateLimiter.at(segment, length).tryConsume("k")).toBe(false);
  expect(() => RateLimiter.init(segment, 0, options)).toThrow(StateError);
  expect(() => RateLimiter.at(segment, 0, { limit: 4 })).toThrow(LayoutError);
  using again = RateLimiter.init(segment, 0, { ...options, overwrite: true });
  expect(again.tryConsume("k", 3)).toBe(true);
});

test.skipIf(!accessesPlainly())("opened for reading only, it says what it counts", () => {
  using limiter = create("gcra");
  limiter.consume("k");
  using seen = RateLimiter.open(limiter.name, { access: "read" });
  expect([seen.size, seen.stats()]).toEqual([1, limiter.stats()]);
  limiter.consume("j");
  expect(seen.size).toBe(2);
  for (const call of [
    () => seen.consume("k"),
    () => seen.peek("k"),
    () => seen.reset("k"),
    () => seen.clear(),
  ]) {
    expect(call).toThrow("it was opened for reading only");
  }
});

test("tryConsume allocates nothing", () => {
  using limiter = create("sliding-window", { limit: 1_000_000 });
  const key = Buffer.from("client 7");
  const consume = (): void => {
    for (let at = 0; at < 200_000; at++) {
      limiter.tryConsume("client 7");
      limiter.tryConsume(key);
    }
  };
  consume();
  Bun.gc(true);
  const before = process.memoryUsage().heapUsed;
  consume();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(200_000);
});

test("after the end, every call is told so", () => {
  const limiter = create("gcra");
  limiter.close();
  for (const call of [
    () => limiter.consume("k"),
    () => limiter.tryConsume("k"),
    () => limiter.size,
    () => limiter.stats(),
    () => limiter.clear(),
  ]) {
    expect(call).toThrow(ClosedError);
  }
});
