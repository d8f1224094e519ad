/**
 * Eight processes at one rate limiter, of which some are killed and replaced: never more than the
 * limit is allowed, and all of the limit but what the killed ones had in hand.
 */
import { describe, expect, test } from "bun:test";
import { RateLimiter, type RateLimiterAlgorithm, Segment, SharedAtomics } from "../../src/index.ts";
import { bootMs } from "../../src/memory/boot.ts";
import { SOAK } from "../support/kill.ts";
import {
  type AllowedCall,
  LIMITER_KEYS,
  allowedCalls,
  recordLength,
} from "../support/limiter-record.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, finished, spawnBun } from "../support/process.ts";

const PROCESSES = 8;
const KILLS = SOAK ? 200 : 16;
const CALLS = SOAK ? 20_000_000 : 1_000_000;
const HOUR_MS = 3_600_000;
/** Times are read in whole microseconds. */
const TICK_MS = 0.001;

interface Run {
  /** The allowed calls of each key. */
  readonly allowed: readonly AllowedCall[][];
  readonly elapsedMs: number;
  readonly kills: number;
}

async function run(limiter: RateLimiter): Promise<Run> {
  const record = uniqueName("record");
  const places = PROCESSES + KILLS;
  using segment = Segment.create(record, { size: recordLength(places) });
  using atomics = SharedAtomics.create(`${record}-calls`, { counters: ["calls"] });
  const { calls } = atomics.counters;
  let place = 0;
  const spawn = (): Child =>
    spawnBun(
      "test/peers/limiter-consumer.ts",
      limiter.name,
      record,
      String(place++),
      String(CALLS),
    );
  try {
    const start = bootMs();
    const children = Array.from({ length: PROCESSES }, spawn);
    let kills = 0;
    for (let at = 0; at < KILLS; at++) {
      while (calls.value < ((at + 1) * CALLS) / (KILLS + 2)) await Bun.sleep(0.5);
      const child = children[at % PROCESSES]!;
      child.kill("SIGKILL");
      await child.exited;
      if (child.signalCode === "SIGKILL") kills++;
      children[at % PROCESSES] = spawn();
    }
    for (const child of children) {
      const { exitCode, stderr } = await finished(child, HOUR_MS);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    }
    const elapsedMs = bootMs() - start;
    expect(calls.value).toBeGreaterThanOrEqual(CALLS);
    const all = allowedCalls(segment, places);
    const allowed = Array.from({ length: LIMITER_KEYS }, (_, key) =>
      all.filter((call) => call.key === key),
    );
    const { repaired, in: counted } = limiter.stats();
    console.log(
      `${limiter.algorithm}: ${calls.value} calls, ${all.length} recorded of ${counted} allowed, ` +
        `${kills} kills, ${repaired} repairs, ${Math.round(elapsedMs)} ms`,
    );
    expect(kills).toBeGreaterThan(0);
    expect(repaired).toBeLessThanOrEqual(kills);
    return { allowed, elapsedMs, kills };
  } finally {
    atomics.unlink();
    segment.unlink();
  }
}

/**
 * @param allows How many calls may lie in a span of so many ms.
 * @returns The spans in which more were surely allowed: those that hold their times before and after.
 */
function faultsIn(calls: readonly AllowedCall[], allows: (spanMs: number) => number): string[] {
  const ends = calls.toSorted((a, b) => a.after - b.after);
  const faults: string[] = [];
  for (const { before: start } of calls) {
    let count = 0;
    for (const { before, after } of ends) {
      if (before < start) continue;
      count++;
      if (count > allows(after - start)) faults.push(`${count} in ${after - start} ms`);
    }
  }
  return faults;
}

const LONG = { limit: 4000, windowMs: 4 * HOUR_MS, keys: 1000 };

describe("eight processes, a million calls, and kills", () => {
  test.each(["gcra", "token-bucket", "sliding-window", "fixed-window"] as const)(
    "%s gives out its limit, and not one more",
    async (algorithm: RateLimiterAlgorithm) => {
      using limiter = RateLimiter.create(uniqueName("limit"), { ...LONG, algorithm });
      const { allowed, elapsedMs, kills } = await run(limiter);
      limiter.unlink();
      const isWindow = algorithm.endsWith("-window");
      const filled = isWindow ? 0 : Math.ceil((elapsedMs / LONG.windowMs) * LONG.limit);
      let missing = 0;
      for (const calls of allowed) {
        expect(calls.length).toBeLessThanOrEqual(LONG.limit + filled);
        missing += Math.max(LONG.limit - calls.length, 0);
      }
      // A killed one has one point in hand at most.
      expect(missing).toBeLessThanOrEqual(kills);
    },
    HOUR_MS,
  );

  const SHORT = { limit: 50, windowMs: 40, keys: 1000 };
  test.each([
    ["gcra", { burst: 20 }],
    ["sliding-window", {}],
  ] as const)(
    "%s keeps to its limit in every span of time",
    async (algorithm, more) => {
      const { limit, windowMs } = SHORT;
      using limiter = RateLimiter.create(uniqueName("limit"), { ...SHORT, ...more, algorithm });
      const { allowed } = await run(limiter);
      limiter.unlink();
      const allows = (spanMs: number): number => {
        if (algorithm === "gcra") return 20 + ((spanMs + TICK_MS) / windowMs) * limit;
        return spanMs < windowMs - TICK_MS ? limit : Infinity;
      };
      for (const calls of allowed) {
        expect(calls.length).toBeGreaterThan(limit);
        expect(faultsIn(calls, allows)).toEqual([]);
      }
    },
    HOUR_MS,
  );
});
