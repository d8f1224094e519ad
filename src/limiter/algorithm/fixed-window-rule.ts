/*
 * A window that starts with a key's first call, and lasts for as long as it says.
 *
 *     time    the window's start, in ticks
 *     level   points that were taken in it; above `limit` after penalties, by `limit` at most
 *
 * A start further ahead than a window is none, and becomes the present, at once in memory too, so
 * that time passes from there. One that lies a little ahead is kept. So a key is refused for two
 * windows at most.
 */
import type { LimiterMemory } from "./limiter-memory.ts";
import { PairedState } from "./paired-state.ts";
import type { Rule } from "./rule.ts";

export class FixedWindowRule implements Rule {
  readonly capacity: number;
  readonly #state: PairedState;
  readonly #window: number;
  remaining = 0;
  retryTicks = 0;
  resetTicks = 0;
  /** Whether the state that was read last had a time that cannot be. */
  #isPulledIn = false;

  /** @param window Ticks. */
  constructor(memory: LimiterMemory, limit: number, window: number) {
    this.capacity = limit;
    this.#state = new PairedState(memory);
    this.#window = window;
  }

  fill(cell: number, now: number): void {
    this.#state.write(cell, now, 0);
  }

  take(cell: number, now: number, cost: number): boolean {
    const state = this.#read(cell, now);
    const taken = state.level + cost;
    if (taken > this.capacity) {
      if (this.#isPulledIn) state.write(cell, state.time, state.level);
      return false;
    }
    state.write(cell, state.time, taken);
    return true;
  }

  penalize(cell: number, now: number, points: number): void {
    const state = this.#read(cell, now);
    state.write(cell, state.time, Math.min(state.level + points, 2 * this.capacity));
  }

  give(cell: number, now: number, points: number): void {
    const state = this.#read(cell, now);
    state.write(cell, state.time, Math.max(state.level - points, 0));
  }

  report(cell: number, now: number, cost: number): void {
    const { time, level } = this.#read(cell, now);
    this.remaining = this.capacity - level;
    this.resetTicks = level === 0 ? 0 : time + this.#window - now;
    this.retryTicks = level + cost > this.capacity ? this.resetTicks : 0;
  }

  isFull(cell: number, now: number): boolean {
    return this.#read(cell, now).level === 0;
  }

  /** Reads a state, bounds it, and starts a new window if the old one is over. */
  #read(cell: number, now: number): PairedState {
    const state = this.#state;
    state.read(cell);
    let { time, level } = state;
    // Written so that NaN fails each test.
    if (!(level >= 0)) level = this.capacity;
    level = Math.min(Math.ceil(level), 2 * this.capacity);
    this.#isPulledIn = !(time <= now + this.#window);
    if (this.#isPulledIn) time = now;
    // Also when all was given back: the window starts with the first point that is taken.
    if (level === 0 || now - time >= this.#window) {
      time = now;
      level = 0;
    }
    state.time = time;
    state.level = level;
    return state;
  }
}
