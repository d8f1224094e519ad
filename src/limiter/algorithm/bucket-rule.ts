/*
 * GCRA and the token bucket, which decide alike: the one counts the time at which a bucket would be
 * full again, the other how much is in it. (ITU-T I.371 has both, as virtual scheduling and as
 * leaky bucket, and says that they are equivalent.)
 *
 *     level   points in the bucket, times the ticks of the window: an integer
 *     time    when that was so
 *
 * Each tick adds `limit` to the level, and a point takes the window's ticks from it. So all is
 * integers below 2^53, and exact: from a full bucket, `burst` points and not one more than
 * elapsed / windowMs * limit are taken.
 *
 * What is read is hostile until it was bounded. A level is between an empty bucket less `limit`
 * points, which is what penalties can take, and a full one. A time that lies further ahead than the
 * window is none, and becomes the present, at once in memory too, so that time passes from there. A
 * nearer one (clocks of time namespaces are rounded, by a tick) is kept, so that nothing is filled
 * in twice; then what is missing is bounded so that all of it is there after no more than burst
 * and window.
 */
import type { LimiterMemory } from "./limiter-memory.ts";
import { PairedState } from "./paired-state.ts";
import type { Rule } from "./rule.ts";

export class BucketRule implements Rule {
  readonly capacity: number;
  readonly #state: PairedState;
  readonly #limit: number;
  readonly #window: number;
  readonly #full: number;
  readonly #least: number;
  remaining = 0;
  retryTicks = 0;
  resetTicks = 0;
  /** Whether the state that was read last had a time that cannot be. */
  #isPulledIn = false;

  /** @param window Ticks. */
  constructor(memory: LimiterMemory, limit: number, window: number, burst: number) {
    this.capacity = burst;
    this.#state = new PairedState(memory);
    this.#limit = limit;
    this.#window = window;
    this.#full = burst * window;
    this.#least = -limit * window;
  }

  fill(cell: number, now: number): void {
    this.#state.write(cell, now, this.#full);
  }

  take(cell: number, now: number, cost: number): boolean {
    const state = this.#state;
    this.#read(cell, now);
    const left = state.level - cost * this.#window;
    if (left < 0) {
      if (this.#isPulledIn) state.write(cell, state.time, state.level);
      return false;
    }
    state.write(cell, state.time, left);
    return true;
  }

  penalize(cell: number, now: number, points: number): void {
    const state = this.#state;
    this.#read(cell, now);
    state.write(cell, state.time, Math.max(state.level - points * this.#window, this.#least));
  }

  give(cell: number, now: number, points: number): void {
    const state = this.#state;
    this.#read(cell, now);
    state.write(cell, state.time, Math.min(state.level + points * this.#window, this.#full));
  }

  report(cell: number, now: number, cost: number): void {
    const { level, time } = this.#read(cell, now);
    const lead = time - now;
    const missing = cost * this.#window - level;
    this.remaining = Math.floor(level / this.#window);
    this.retryTicks = missing <= 0 ? 0 : lead + Math.ceil(missing / this.#limit);
    this.resetTicks =
      level >= this.#full ? 0 : lead + Math.ceil((this.#full - level) / this.#limit);
  }

  isFull(cell: number, now: number): boolean {
    return this.#read(cell, now).level >= this.#full;
  }

  /** Reads a state, bounds it, and brings it to the present. */
  #read(cell: number, now: number): PairedState {
    const state = this.#state;
    state.read(cell);
    const full = this.#full;
    let { time, level } = state;
    // Written so that NaN fails each test.
    if (!(level >= this.#least)) level = this.#least;
    if (level > full) level = full;
    this.#isPulledIn = !(time <= now + this.#window);
    if (this.#isPulledIn) time = now;
    if (time > now) level = Math.max(level, this.#least + (time - now) * this.#limit);
    else if (time < now) {
      const gained = (now - time) * this.#limit;
      level = gained >= full - level ? full : level + gained;
      time = now;
    }
    state.time = time;
    state.level = level;
    return state;
  }
}
