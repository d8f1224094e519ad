/** The algorithms against exact models, on plain memory and by a clock of the test's. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { LayoutError } from "../../src/errors.ts";
import { MARK_WORD } from "../../src/layout/limiter-layout.ts";
import { planLimiter } from "../../src/limiter/algorithm/limiter-shape.ts";
import { LimiterKey } from "../../src/limiter/limiter-key.ts";
import { seededRandom } from "../support/random.ts";
import {
  ALGORITHMS,
  type LocalOptions,
  expectSound,
  keyOf,
  localLimiter,
  policyOf,
} from "./local-limiter.ts";

/** What one key has, counted exactly. */
interface Model {
  consume(now: bigint, cost: bigint): boolean;
  penalize(now: bigint, points: bigint): void;
  reward(now: bigint, points: bigint): void;
  remaining(now: bigint): bigint;
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/**
 * GCRA by its own words: a theoretical arrival time, in parts of a tick of which a tick has `limit`.
 * Times are in microseconds.
 */
class Gcra implements Model {
  readonly #limit: bigint;
  readonly #window: bigint;
  readonly #burst: bigint;
  #arrival = 0n;

  constructor({ limit, windowMs, burst }: LocalOptions) {
    this.#limit = BigInt(limit);
    this.#window = BigInt(windowMs) * 1000n;
    this.#burst = BigInt(burst ?? limit);
  }

  consume(now: bigint, cost: bigint): boolean {
    const present = now * this.#limit;
    const next = max(this.#arrival, present) + cost * this.#window;
    if (next - this.#burst * this.#window > present) return false;
    this.#arrival = next;
    return true;
  }

  penalize(now: bigint, points: bigint): void {
    const present = now * this.#limit;
    const next = max(this.#arrival, present) + points * this.#window;
    this.#arrival = min(next, present + (this.#burst + this.#limit) * this.#window);
  }

  reward(now: bigint, points: bigint): void {
    const present = now * this.#limit;
    this.#arrival = max(max(this.#arrival, present) - points * this.#window, present);
  }

  remaining(now: bigint): bigint {
    const present = now * this.#limit;
    const left = this.#burst * this.#window - (max(this.#arrival, present) - present);
    const whole = left / this.#window;
    return left < 0n && left % this.#window !== 0n ? whole - 1n : whole;
  }
}

class FixedWindow implements Model {
  readonly #limit: bigint;
  readonly #window: bigint;
  #start = 0n;
  #taken = 0n;

  constructor({ limit, windowMs }: LocalOptions) {
    this.#limit = BigInt(limit);
    this.#window = BigInt(windowMs) * 1000n;
  }

  #look(now: bigint): void {
    if (this.#taken > 0n && now < this.#start + this.#window) return;
    this.#start = now;
    this.#taken = 0n;
  }

  consume(now: bigint, cost: bigint): boolean {
    this.#look(now);
    if (this.#taken + cost > this.#limit) return false;
    this.#taken += cost;
    return true;
  }

  penalize(now: bigint, points: bigint): void {
    this.#look(now);
    this.#taken = min(this.#taken + points, 2n * this.#limit);
  }

  reward(now: bigint, points: bigint): void {
    this.#look(now);
    this.#taken = max(this.#taken - points, 0n);
  }

  remaining(now: bigint): bigint {
    this.#look(now);
    return this.#limit - this.#taken;
  }
}

/** A log of all points with the number of their sub-window, of which the last 32 count. */
class SlidingWindow implements Model {
  readonly #limit: bigint;
  readonly #step: bigint;
  #log: { sub: bigint; points: bigint }[] = [];

  constructor({ limit, windowMs }: LocalOptions) {
    this.#limit = BigInt(limit);
    this.#step = (BigInt(windowMs) * 1000n + 30n) / 31n;
  }

  #total(now: bigint): bigint {
    this.#log = this.#log.filter(({ sub }) => sub > now / this.#step - 32n);
    return this.#log.reduce((sum, { points }) => sum + points, 0n);
  }

  #add(now: bigint, points: bigint): void {
    this.#log.push({ sub: now / this.#step, points });
  }

  consume(now: bigint, cost: bigint): boolean {
    if (this.#total(now) + cost > this.#limit) return false;
    this.#add(now, cost);
    return true;
  }

  penalize(now: bigint, points: bigint): void {
    this.#add(now, min(points, 2n * this.#limit - this.#total(now)));
  }

  reward(now: bigint, points: bigint): void {
    this.#total(now);
    let left = points;
    for (const entry of this.#log.toReversed()) {
      const given = min(entry.points, left);
      entry.points -= given;
      left -= given;
    }
  }

  remaining(now: bigint): bigint {
    return this.#limit - this.#total(now);
  }
}

function modelOf(options: LocalOptions): Model {
  if (options.algorithm === "sliding-window") return new SlidingWindow(options);
  return options.algorithm === "fixed-window" ? new FixedWindow(options) : new Gcra(options);
}

const LIMITS = fc.oneof(
  fc.integer({ min: 1, max: 10 }),
  fc.integer({ min: 1, max: 1_000_000_000 }),
);
const OPTIONS = fc.record({
  limit: LIMITS,
  windowMs: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 ** 32 - 1 })),
  burst: LIMITS,
});
/** The time since the machine's start: up to ten years. */
const START = fc.double({ min: 0, max: 3e11, noNaN: true });
const CALLS = fc.array(
  fc.record({
    /** How much time passes before, in parts of a window. */
    passes: fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 0.2, noNaN: true }),
      fc.double({ min: 0, max: 3, noNaN: true }),
    ),
    call: fc.constantFrom(
      "consume",
      "consume",
      "consume",
      "tryConsume",
      "penalize",
      "reward",
      "peek",
    ),
    /** Points, in parts of the most that there can be. */
    part: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
    key: fc.constantFrom(
      "a",
      "b",
      "a key of more than sixty-four bytes, of which the digest is stored",
    ),
  }),
  { minLength: 20, maxLength: 60 },
);

describe.each(ALGORITHMS)("%s", (algorithm) => {
  test("decides as its model does", () => {
    let [allowed, refused] = [0, 0];
    fc.assert(
      fc.property(OPTIONS, START, CALLS, (numbers, start, calls) => {
        const options = { ...numbers, algorithm, keys: 5 };
        const isExact = (options.limit + options.burst) * options.windowMs * 1000 <= 2 ** 53;
        // Times in milliseconds, for the largest levels, are the next test's.
        fc.pre(!algorithm.match(/gcra|bucket/) || isExact);
        const clock = { boot: 1, now: start, nowMs: () => clock.now };
        const { core, memory } = localLimiter(options, clock);
        core.create();
        const models = new Map<string, Model>();
        for (const { passes, call, part, key } of calls) {
          clock.now += passes * options.windowMs;
          const now = BigInt(Math.floor(clock.now * 1000));
          const model = models.get(key) ?? modelOf(options);
          models.set(key, model);
          const points = Math.max(1, Math.round(part * core.capacity));
          const stored = keyOf(key);
          if (call === "tryConsume") {
            expect(core.tryConsume(stored, points)).toBe(model.consume(now, BigInt(points)));
          } else {
            const result = core[call](stored, points);
            if (call === "consume") {
              expect(result.allowed).toBe(model.consume(now, BigInt(points)));
              if (result.allowed) allowed++;
              else refused++;
            } else if (call === "peek") expect(result.allowed).toBe(result.retryAfterMs === 0);
            else model[call](now, BigInt(points));
            expect(BigInt(result.remaining)).toBe(model.remaining(now));
          }
        }
        expectSound(memory);
      }),
      { numRuns: 1500 },
    );
    expect([allowed > 1000, refused > 1000]).toEqual([true, true]);
  });

  test("says when to come again, and when all is there, to the millisecond", () => {
    let looks = 0;
    fc.assert(
      fc.property(
        fc.record({ limit: LIMITS, windowMs: fc.integer({ min: 1, max: 1e6 }), burst: LIMITS }),
        fc.integer({ min: 0, max: 3e11 }),
        CALLS,
        (numbers, start, calls) => {
          const options = { ...numbers, algorithm, keys: 5 };
          fc.pre((options.limit + options.burst) * options.windowMs <= 2 ** 53);
          const clock = { boot: 1, now: start, nowMs: () => clock.now };
          const { core } = localLimiter(options, clock);
          core.create();
          const key = keyOf("k");
          for (const { passes, call, part } of calls) {
            clock.now += Math.round(passes * options.windowMs);
            const points = Math.max(1, Math.round(part * core.capacity));
            if (call === "penalize" || call === "reward") core[call](key, points);
            const { allowed, retryAfterMs } = core.consume(key, points);
            const { resetMs } = core.peek(key, 1);
            const then = clock.now;
            const after = (ms: number, cost: number): boolean => {
              clock.now = then + ms;
              const result = core.peek(key, cost).allowed;
              clock.now = then;
              return result;
            };
            expect(allowed).toBe(retryAfterMs === 0);
            expect(after(resetMs, core.capacity)).toBe(true);
            if (resetMs > 0) expect(after(resetMs - 1, core.capacity)).toBe(false);
            if (allowed) continue;
            looks++;
            expect([after(retryAfterMs - 1, points), after(retryAfterMs, points)]).toEqual([
              false,
              true,
            ]);
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(looks).toBeGreaterThan(1000);
  });

  test("remembers as many keys as it was made for, and forgets the one used longest ago", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.tuple(fc.nat(20), fc.constantFrom("use", "use", "peek", "reset", "penalize"))),
        (keys, calls) => {
          const options = { algorithm, limit: 1000, windowMs: 1000, keys };
          const { core, memory } = localLimiter(options, { boot: 1, nowMs: () => 5000 });
          core.create();
          // A Map keeps the order in which keys were set.
          const model = new Map<string, number>();
          for (const [number, call] of calls) {
            const name = `k${number}`;
            const key = keyOf(name);
            if (call === "reset") {
              expect(core.reset(key)).toBe(model.delete(name));
            } else if (call === "peek") {
              expect(core.peek(key, 1).remaining).toBe(1000 - (model.get(name) ?? 0));
            } else {
              const taken = (model.get(name) ?? 0) + 1;
              model.delete(name);
              if (model.size === keys) model.delete([...model.keys()][0]!);
              model.set(name, taken);
              const { remaining } = call === "use" ? core.consume(key, 1) : core.penalize(key, 1);
              expect(remaining).toBe(1000 - taken);
            }
            expect(core.size).toBe(model.size);
          }
          expectSound(memory);
        },
      ),
    );
  });

  test("hostile words neither break it nor make it refuse for over two windows", () => {
    const random = seededRandom(`hostile limiter ${algorithm}`);
    const clock = { boot: 1, now: 1e9, nowMs: () => clock.now };
    const options = { algorithm, limit: 10, windowMs: 1000, keys: 20 };
    const { core, memory } = localLimiter(options, clock);
    core.create();
    const { words } = memory;
    let [errors, repairs] = [0, 0];
    const values = [0, 1, -1, 5, 2 ** 31 - 1, -(2 ** 31), 0x7ff80000, 0x7fefffff, 0x41d00000];
    for (let round = 0; round < 20_000; round++) {
      const at = Math.floor(random() * words.length);
      const scale = random() < 0.5 ? 2 ** 32 : 40;
      words[at] = random() < 0.3 ? values[round % values.length]! : Math.floor(random() * scale);
      const key = keyOf(`k${Math.floor(random() * 30)}`);
      const calls = ["consume", "penalize", "reward", "peek", "reset"] as const;
      const call = calls[round % calls.length]!;
      try {
        const result = core[call](key, 1 + Math.floor(random() * 10));
        if (typeof result === "object") {
          expect(result.retryAfterMs).toBeLessThanOrEqual(2100);
          expect(result.resetMs).toBeLessThanOrEqual(2100);
          expect(Math.abs(result.remaining)).toBeLessThanOrEqual(10);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(LayoutError);
        errors++;
      }
      if (round % 10 === 0) clock.now += 100 * random();
      if (round % 1000 > 0) continue;
      repairs += core.stats().repaired;
      words.fill(0);
      core.create();
    }
    expect(repairs).toBeGreaterThan(0);
    expect(errors).toBeLessThan(20);
  });
});

test("levels too large for microseconds are counted by the millisecond", () => {
  const options = { limit: 1_000_000, windowMs: 86_400_000, keys: 1, burst: 1000 } as const;
  const clock = { boot: 1, now: 1e9, nowMs: () => clock.now };
  const { core } = localLimiter({ ...options, algorithm: "gcra" }, clock);
  core.create();
  const key = keyOf("k");
  let allowed = 0;
  for (let look = 0; look < 200_000; look++) {
    clock.now = 1e9 + look * 0.7;
    if (core.tryConsume(key, 1)) allowed++;
  }
  const elapsed = 200_000 * 0.7 - 0.7;
  const most = 1000 + (elapsed / options.windowMs) * options.limit;
  expect(allowed).toBeLessThanOrEqual(most);
  expect(allowed).toBeGreaterThan(most - 2);
});

test("a sliding window has at most the limit in any span, and refuses little more", () => {
  const random = seededRandom("sliding");
  for (let run = 0; run < 200; run++) {
    const limit = 1 + Math.floor(random() * 20);
    const windowMs = 1 + Math.floor(random() * 1000);
    const clock = { boot: 1, now: random() * 1e10, nowMs: () => clock.now };
    const options = { algorithm: "sliding-window", limit, windowMs, keys: 1 } as const;
    const { core } = localLimiter(options, clock);
    core.create();
    const key = keyOf("k");
    const step = Math.ceil((windowMs * 1000) / 31);
    const times: number[] = [];
    for (let look = 0; look < 500; look++) {
      clock.now += (random() * 3 * windowMs) / limit;
      const now = Math.floor(clock.now * 1000);
      const within = (span: number): number => times.filter((time) => time > now - span).length;
      const allowed = core.tryConsume(key, 1);
      if (allowed) {
        times.push(now);
        expect(within(windowMs * 1000)).toBeLessThanOrEqual(limit);
      } else {
        // An exact log would refuse too, were its window as long as 32 sub-windows.
        expect(within(32 * step)).toBeGreaterThanOrEqual(limit);
      }
    }
  }
});

describe("a clock that jumps by what other processes wrote", () => {
  test.each(ALGORITHMS)("%s: a time in the future ends within two windows", (algorithm) => {
    const clock = { boot: 1, now: 1e12, nowMs: () => clock.now };
    const options = { algorithm, limit: 2, windowMs: 1000, keys: 1 };
    const { core } = localLimiter(options, clock);
    core.create();
    const key = keyOf("k");
    core.tryConsume(key, 2);
    clock.now = 1e6;
    expect(core.peek(key, 1).retryAfterMs).toBeLessThanOrEqual(2100);
    let waited = 0;
    while (waited <= 2100 && !core.tryConsume(key, 1)) {
      clock.now += 10;
      waited += 10;
    }
    expect(waited).toBeLessThanOrEqual(2100);
  });
});

describe("the shape", () => {
  test.each([1, 100, 255, 1000, 5000, 100_000])("has room for %i keys", (keys) => {
    for (const algorithm of ALGORITHMS) {
      const options = { algorithm, limit: 5, windowMs: 1000, keys };
      const { core, memory } = localLimiter(options, { boot: 1, nowMs: () => 1000 });
      core.create();
      const key = new LimiterKey(1, 2);
      for (let at = 0; at < keys; at++) {
        key.set(`client ${at}`);
        core.tryConsume(key, 1);
      }
      const { depth, lost, expired, capacity } = core.stats();
      expect({ depth, lost, expired }).toEqual({ depth: keys, lost: 0, expired: 0 });
      expect(capacity).toBeLessThan(keys * 2);
      if (keys < 1000) expectSound(memory);
    }
  });

  test("of a limiter with several stripes is too small in less than one of 10^9", () => {
    for (let keys = 256; keys <= 2 ** 23; keys = Math.ceil(keys * 1.07)) {
      const { stripeCount, entryCount } = planLimiter(keys, "gcra");
      const mean = keys / stripeCount;
      // Chernoff's bound for more than `entryCount` keys in one stripe.
      const over = entryCount / mean - 1;
      const bound = Math.exp(mean * (over - (1 + over) * Math.log1p(over)));
      expect(bound * stripeCount).toBeLessThan(1e-9);
    }
  });

  test("says what is free", () => {
    const options = { algorithm: "gcra", limit: 5, windowMs: 1000, keys: 300 } as const;
    const { core, memory } = localLimiter(options, { boot: 1, nowMs: () => 1000 });
    core.create();
    for (let at = 0; at < 2000; at++) core.tryConsume(keyOf(`k${at}`), 1);
    const { depth, lost, capacity } = core.stats();
    expect({ depth, lost }).toEqual({ depth: capacity, lost: 2000 - capacity });
    expectSound(memory);
    core.clear();
    expect(core.size).toBe(0);
    expectSound(memory);
    expect(policyOf(options).burst).toBe(5);
  });
});

test("a key in the place of another has nothing of its state", () => {
  for (const algorithm of ALGORITHMS) {
    const clock = { boot: 1, now: 1000, nowMs: () => clock.now };
    const { core } = localLimiter({ algorithm, limit: 3, windowMs: 1000, keys: 1 }, clock);
    core.create();
    core.penalize(keyOf("first"), 6);
    expect(core.consume(keyOf("second"), 3)).toMatchObject({ allowed: true, remaining: 0 });
    expect(core.stats()).toMatchObject({ lost: 1, expired: 0 });
    clock.now += 5000;
    core.tryConsume(keyOf("third"), 1);
    expect(core.stats()).toMatchObject({ lost: 1, expired: 1 });
  }
});

test("keys that begin alike, or have one hash, have limits of their own", () => {
  const options = { algorithm: "gcra", limit: 1, windowMs: 1000, keys: 4 } as const;
  const { core, memory } = localLimiter(options, { boot: 1, nowMs: () => 1000 });
  core.create();
  const long = "x".repeat(200);
  const texts = [long, `${long}y`, "a", "a\0", "", "\0", "x".repeat(64), "x".repeat(65)];
  for (const one of texts) {
    for (const other of texts) {
      core.clear();
      const first = keyOf(one);
      const second = keyOf(other);
      second.hash = first.hash;
      expect(core.tryConsume(first, 1)).toBe(true);
      expect(core.tryConsume(second, 1)).toBe(one !== other);
    }
  }
  expect(memory.words[memory.cellOf(memory.start, 1) + MARK_WORD]).not.toBe(0);
  const digest = new LimiterKey(1, 2);
  digest.set(long);
  expect(Buffer.from(digest.words.buffer).toString("hex")).toBe(
    new Bun.CryptoHasher("sha256").update(long).digest("hex"),
  );
});
