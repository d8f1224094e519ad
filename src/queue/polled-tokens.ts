/** Tokens that are counted in one word of shared memory, and waited for by polling it. */
import { ClosedError } from "../errors.ts";
import { C } from "../libc/platform.ts";
import { compareExchange, load } from "../memory/atomics.ts";
import { POLL_MS } from "../waiting/limits.ts";
import { waitUntil } from "../waiting/patience.ts";
import type { AsyncWaitOptions } from "../waiting/wait-options.ts";

/** How long an asynchronous wait for a token lasts. */
export interface TokenWait extends AsyncWaitOptions {
  readonly timeoutMs: number;
}

/** What counts tokens: a Semaphore, or PolledTokens as the last resort. */
export interface TokenCounter {
  readonly value: number;
  post(count?: number): void;
  tryWait(): boolean;
  wait(options: { readonly timeoutMs: number }): boolean;
  waitAsync(options: TokenWait): Promise<boolean>;
  /**
   * Takes all tokens above a limit, in one step where the system lets it.
   * @param most The most tokens that there can be. @returns How many it took.
   */
  takeAbove(limit: number, most: number): number;
  close(): void;
}

/** Counts tokens where semaphores are impossible. */
export class PolledTokens implements TokenCounter {
  readonly #words: Int32Array;
  readonly #index: number;
  #closed = false;

  constructor(words: Int32Array, index: number) {
    this.#words = words;
    this.#index = index;
  }

  get value(): number {
    return load(this.#words, this.#index);
  }

  /** Adds tokens. A number that somebody made as high as can be stays so until `takeAbove`. */
  post(count = 1): void {
    for (;;) {
      const seen = load(this.#words, this.#index);
      const more = Math.min(seen + count, C.SEM_VALUE_MAX);
      if (compareExchange(this.#words, this.#index, seen, more) === seen) return;
    }
  }

  tryWait(): boolean {
    for (;;) {
      const seen = load(this.#words, this.#index);
      if (seen <= 0) return false;
      if (compareExchange(this.#words, this.#index, seen, seen - 1) === seen) return true;
    }
  }

  takeAbove(limit: number): number {
    for (;;) {
      const seen = load(this.#words, this.#index);
      if (seen <= limit) return 0;
      if (compareExchange(this.#words, this.#index, seen, limit) === seen) return seen - limit;
    }
  }

  wait({ timeoutMs }: { readonly timeoutMs: number }): boolean {
    const look = (): true | undefined => this.tryWait() || undefined;
    return waitUntil(look, { timeoutMs, everyMs: POLL_MS }) === true;
  }

  async waitAsync(options: TokenWait): Promise<boolean> {
    const deadline = performance.now() + options.timeoutMs;
    for (;;) {
      options.signal?.throwIfAborted();
      if (this.#closed) throw new ClosedError("a queue's tokens");
      if (this.tryWait()) return true;
      if (performance.now() >= deadline) return false;
      await sleep(POLL_MS, options.ref !== false);
    }
  }

  close(): void {
    this.#closed = true;
  }
}

/** @param ref Whether the timer keeps the process alive. */
function sleep(timeoutMs: number, ref: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  if (!ref) timer.unref();
  return promise;
}
