/** A limiter over a plain buffer, with a clock of the test's. */
import { expect } from "bun:test";
import {
  ENTRY_COUNT_WORD,
  FREE_HEAD_WORD,
  HASH_WORD,
  MARK_WORD,
  NEWER_WORD,
  NEWEST_WORD,
  NEXT_WORD,
  OLDER_WORD,
  OLDEST_WORD,
  STRIPE_HEAD_WORDS,
} from "../../src/layout/limiter-layout.ts";
import { LimiterCore, type StripeLocks } from "../../src/limiter/algorithm/limiter-core.ts";
import { LimiterMemory } from "../../src/limiter/algorithm/limiter-memory.ts";
import {
  type Policy,
  type RateLimiterAlgorithm,
  limiterLength,
  planLimiter,
} from "../../src/limiter/algorithm/limiter-shape.ts";
import { LimiterKey } from "../../src/limiter/limiter-key.ts";

export const ALGORITHMS: readonly RateLimiterAlgorithm[] = [
  "gcra",
  "token-bucket",
  "sliding-window",
  "fixed-window",
];

export interface LocalOptions {
  readonly algorithm: RateLimiterAlgorithm;
  readonly limit: number;
  readonly windowMs: number;
  readonly burst?: number;
  readonly keys: number;
}

/** @returns What a limiter with these options allows. */
export function policyOf({ algorithm, limit, windowMs, burst }: LocalOptions): Policy {
  const isWindow = algorithm.endsWith("-window");
  return { algorithm, limit, windowMs, burst: isWindow ? 0 : (burst ?? limit) };
}

/** @returns A key in the form in which it is stored. */
export function keyOf(text: string): LimiterKey {
  const key = new LimiterKey(1, 2);
  key.set(text);
  return key;
}

/** @returns The bytes of a limiter with these options. */
export function lengthOf({ keys, algorithm }: LocalOptions): number {
  return limiterLength(planLimiter(keys, algorithm));
}

/** @returns A limiter's parts, as each process has its own. */
export function localLimiter(
  options: LocalOptions,
  clock: { readonly boot: number; readonly nowMs: () => number },
  buffer: ArrayBuffer = new ArrayBuffer(lengthOf(options)),
  locks: StripeLocks = { lock: () => false, unlock: () => undefined },
): { readonly core: LimiterCore; readonly memory: LimiterMemory } {
  const shape = planLimiter(options.keys, options.algorithm);
  const memory = new LimiterMemory(buffer, 0, shape, clock);
  return { core: new LimiterCore(memory, policyOf(options), locks), memory };
}

/** Fails unless all that follows from the entries of a limiter follows from them. */
export function expectSound(memory: LimiterMemory): void {
  const { words, stripeCount, entryCount, bucketMask } = memory;
  for (let index = 0; index < stripeCount; index++) {
    const stripe = memory.stripeOf(index);
    const word = (entry: number, at: number): number => words[memory.cellOf(stripe, entry) + at]!;
    const row = (first: number, at: number): number[] => {
      const found: number[] = [];
      for (let entry = first; entry !== 0; entry = word(entry, at)) {
        expect(memory.isEntry(entry) && found.length < entryCount).toBe(true);
        found.push(entry);
      }
      return found;
    };
    const all = Array.from({ length: entryCount }, (_, at) => at + 1);
    const used = all.filter((entry) => word(entry, MARK_WORD) !== 0);
    const free = all.filter((entry) => word(entry, MARK_WORD) === 0);
    const ascending = (entries: number[]): number[] => entries.toSorted((a, b) => a - b);
    const order = row(words[stripe + NEWEST_WORD]!, OLDER_WORD);
    expect(ascending(order)).toEqual(used);
    expect(row(words[stripe + OLDEST_WORD]!, NEWER_WORD)).toEqual(order.toReversed());
    expect(ascending(row(words[stripe + FREE_HEAD_WORD]!, NEXT_WORD))).toEqual(free);
    expect(words[stripe + ENTRY_COUNT_WORD]).toBe(used.length);
    const chained: number[] = [];
    for (let bucket = 0; bucket <= bucketMask; bucket++) {
      for (const entry of row(words[stripe + STRIPE_HEAD_WORDS + bucket]!, NEXT_WORD)) {
        expect((word(entry, HASH_WORD) >>> 6) & bucketMask).toBe(bucket);
        chained.push(entry);
      }
    }
    expect(ascending(chained)).toEqual(used);
  }
}
