/*
 * A rate limiter over a buffer.
 *
 * Each call takes the lock of its key's stripe, reads the clock under it, changes one entry, and
 * releases the lock: so the calls of all processes and threads have one order, with times that only
 * grow, and each algorithm is as exact as it is in one thread. Who writes: the lock's owner, all
 * words of the stripe. No word is read without the lock, but for counts that only inform. The
 * lock's own words order the accesses of its owners (SYNC with release and take in LockCore).
 *
 * Invariant: at every instant, each entry with a mark has a whole state, which says at least what
 * was allowed of its key. See the rules for the changes of a state, the table for those of a mark.
 */
import {
  ALLOWED_WORD,
  ENTRY_COUNT_WORD,
  EXPIRED_WORD,
  LOST_WORD,
  MARK_WORD,
  REFUSED_WORD,
  REPAIRS_WORD,
  STRIPE_BOOT_WORD,
} from "../../layout/limiter-layout.ts";
import { load, release, store } from "../../memory/atomics.ts";
import { BucketRule } from "./bucket-rule.ts";
import { FixedWindowRule } from "./fixed-window-rule.ts";
import type { LimiterMemory } from "./limiter-memory.ts";
import { rebuild } from "./limiter-repair.ts";
import { type Policy, ticksPerMs } from "./limiter-shape.ts";
import { LimiterTable, type StoredKey } from "./limiter-table.ts";
import type { Rule } from "./rule.ts";
import { SlidingWindowRule } from "./sliding-window-rule.ts";

/** The locks of the stripes, or a test's stand-in. */
export interface StripeLocks {
  /** Takes a lock. @returns Whether the last owner died while it held the lock. */
  lock(stripe: number): boolean;
  unlock(stripe: number): void;
}

/** The answer to a call. */
export interface RateLimiterResult {
  /** Whether the points were there. If not, none were taken. */
  readonly allowed: boolean;
  /** Whole points that are left; below 0 while a penalty is not worked off. */
  readonly remaining: number;
  /** Milliseconds, rounded up, until that cost is there if nobody else takes any; 0 if it is. */
  readonly retryAfterMs: number;
  /** Milliseconds, rounded up, until everything is there again if nobody takes any more. */
  readonly resetMs: number;
}

/** What a limiter holds, and has done since it was made; counts of events are mod 2^32. */
export interface RateLimiterStats {
  /** Calls that were allowed. */
  readonly in: number;
  /** Calls that were refused. */
  readonly full: number;
  /** Keys that it remembers. */
  readonly depth: number;
  /** The most keys that it has room for; at least `keys`. */
  readonly capacity: number;
  /** Keys that were forgotten for want of room while points of theirs were still missing. */
  readonly lost: number;
  /** Keys that were forgotten for want of room, and were as good as new. */
  readonly expired: number;
  /** Stripes that were repaired after a process died. */
  readonly repaired: number;
}

function ruleFor(memory: LimiterMemory, policy: Policy): Rule {
  const { algorithm, limit, windowMs, burst } = policy;
  const window = windowMs * ticksPerMs(policy);
  if (algorithm === "sliding-window") return new SlidingWindowRule(memory, limit, window);
  if (algorithm === "fixed-window") return new FixedWindowRule(memory, limit, window);
  return new BucketRule(memory, limit, window, burst);
}

export class LimiterCore {
  readonly #memory: LimiterMemory;
  readonly #words: Int32Array;
  readonly #locks: StripeLocks;
  readonly #rule: Rule;
  readonly #table: LimiterTable;
  readonly #ticksPerMs: number;

  constructor(memory: LimiterMemory, policy: Policy, locks: StripeLocks) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#locks = locks;
    this.#rule = ruleFor(memory, policy);
    this.#table = new LimiterTable(memory, this.#rule);
    this.#ticksPerMs = ticksPerMs(policy);
  }

  /** The most points that are ever there at once. */
  get capacity(): number {
    return this.#rule.capacity;
  }

  /** Makes an empty limiter, which nobody uses yet. */
  create(): void {
    for (let index = 0; index < this.#memory.stripeCount; index++) {
      const stripe = this.#memory.stripeOf(index);
      rebuild(this.#memory, stripe);
      this.#words[stripe + STRIPE_BOOT_WORD] = this.#memory.clock.boot;
    }
  }

  /** Takes points. @returns Whether they were there. */
  tryConsume(key: StoredKey, cost: number): boolean {
    const stripe = this.#lock(key.hash);
    try {
      const now = this.#now();
      return this.#take(stripe, this.#table.use(stripe, key, now), now, cost);
    } finally {
      this.#unlock(key.hash);
    }
  }

  /** Takes points, and says how the key stands then. */
  consume(key: StoredKey, cost: number): RateLimiterResult {
    const stripe = this.#lock(key.hash);
    try {
      const now = this.#now();
      const cell = this.#table.use(stripe, key, now);
      const allowed = this.#take(stripe, cell, now, cost);
      return this.#answer(cell, now, allowed, allowed ? 0 : cost);
    } finally {
      this.#unlock(key.hash);
    }
  }

  #take(stripe: number, cell: number, now: number, cost: number): boolean {
    const allowed = this.#rule.take(cell, now, cost);
    this.#words[stripe + (allowed ? ALLOWED_WORD : REFUSED_WORD)]!++;
    return allowed;
  }

  /** Takes points, whether they are there or not. */
  penalize(key: StoredKey, points: number): RateLimiterResult {
    const stripe = this.#lock(key.hash);
    try {
      const now = this.#now();
      const cell = this.#table.use(stripe, key, now);
      this.#rule.penalize(cell, now, points);
      return this.#answer(cell, now, undefined, 1);
    } finally {
      this.#unlock(key.hash);
    }
  }

  /** Gives points back. */
  reward(key: StoredKey, points: number): RateLimiterResult {
    const stripe = this.#lock(key.hash);
    try {
      const now = this.#now();
      const cell = this.#table.find(stripe, key);
      if (cell !== 0) this.#rule.give(cell, now, points);
      return this.#answer(cell, now, undefined, 1);
    } finally {
      this.#unlock(key.hash);
    }
  }

  /** Says whether a cost is there, and takes nothing. */
  peek(key: StoredKey, cost: number): RateLimiterResult {
    const stripe = this.#lock(key.hash);
    try {
      return this.#answer(this.#table.find(stripe, key), this.#now(), undefined, cost);
    } finally {
      this.#unlock(key.hash);
    }
  }

  /** Forgets a key, which is full then. @returns Whether it was there. */
  reset(key: StoredKey): boolean {
    const stripe = this.#lock(key.hash);
    try {
      const cell = this.#table.find(stripe, key);
      if (cell !== 0) this.#table.remove(stripe, cell);
      return cell !== 0;
    } finally {
      this.#unlock(key.hash);
    }
  }

  /** Forgets all keys, one stripe after the other. */
  clear(): void {
    for (let index = 0; index < this.#memory.stripeCount; index++) {
      const stripe = this.#lock(index);
      try {
        this.#forget(stripe);
      } finally {
        this.#unlock(index);
      }
    }
  }

  get size(): number {
    return this.#sum(ENTRY_COUNT_WORD);
  }

  stats(): RateLimiterStats {
    const { stripeCount, entryCount } = this.#memory;
    return {
      in: this.#sum(ALLOWED_WORD),
      full: this.#sum(REFUSED_WORD),
      depth: this.size,
      capacity: stripeCount * entryCount,
      lost: this.#sum(LOST_WORD),
      expired: this.#sum(EXPIRED_WORD),
      repaired: this.#sum(REPAIRS_WORD),
    };
  }

  #sum(word: number): number {
    let total = 0;
    for (let index = 0; index < this.#memory.stripeCount; index++) {
      total += load(this.#words, this.#memory.stripeOf(index) + word) >>> 0;
    }
    return total;
  }

  /**
   * @param cell The first word of the key's entry; 0 when it has none, and so is full.
   * @param allowed Undefined: what the rule says about the cost.
   */
  #answer(
    cell: number,
    now: number,
    allowed: boolean | undefined,
    cost: number,
  ): RateLimiterResult {
    const rule = this.#rule;
    if (cell === 0) {
      return { allowed: true, remaining: rule.capacity, retryAfterMs: 0, resetMs: 0 };
    }
    rule.report(cell, now, cost);
    const { remaining, retryTicks, resetTicks } = rule;
    return {
      allowed: allowed ?? retryTicks === 0,
      remaining,
      retryAfterMs: Math.ceil(retryTicks / this.#ticksPerMs),
      resetMs: Math.ceil(resetTicks / this.#ticksPerMs),
    };
  }

  #now(): number {
    return Math.floor(this.#memory.clock.nowMs() * this.#ticksPerMs);
  }

  /**
   * Takes the lock of a hash's stripe, and repairs what a dead owner left.
   * @returns The index of the stripe's first word.
   */
  #lock(hash: number): number {
    const memory = this.#memory;
    const stripe = memory.stripeOf(hash);
    if (this.#locks.lock(hash & (memory.stripeCount - 1))) this.#table.repair(stripe);
    if (this.#words[stripe + STRIPE_BOOT_WORD] !== memory.clock.boot) this.#restart(stripe);
    return stripe;
  }

  #unlock(hash: number): void {
    this.#locks.unlock(hash & (this.#memory.stripeCount - 1));
  }

  /**
   * After a start of the machine nobody knows how long ago the times of a file were: long enough,
   * and all keys are full. The word comes last, so that whoever dies meanwhile leaves it to do.
   */
  #restart(stripe: number): void {
    const { boot } = this.#memory.clock;
    if (boot === 0 || this.#words[stripe + STRIPE_BOOT_WORD] === 0) return;
    this.#forget(stripe);
    release(this.#words, stripe + STRIPE_BOOT_WORD, boot);
  }

  #forget(stripe: number): void {
    const memory = this.#memory;
    for (let entry = 1; entry <= memory.entryCount; entry++) {
      store(this.#words, memory.cellOf(stripe, entry) + MARK_WORD, 0);
    }
    rebuild(memory, stripe);
  }
}
