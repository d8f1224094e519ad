/** Counted tokens without semaphores: one word in shared memory, and waiting by looking again. */
import { ClosedError } from "../errors.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import { add, compareExchange, load } from "../memory/atomics.ts";
import type { AbortSignalLike } from "../waiting/abort-signal.ts";
import { checkTimeout } from "../waiting/wait-options.ts";

/** What counts tokens: a Semaphore, or the last resort in this file. */
export interface TokenCounter {
  readonly value: number;
  post(count?: number): void;
  tryWait(): boolean;
  /** One uninterrupted sleep. @returns Whether it took a token. */
  waitSlice(sliceMs: number): boolean;
  waitAsync(options: {
    timeoutMs?: number;
    signal?: AbortSignalLike | undefined;
  }): Promise<boolean>;
  close(): void;
}

/** How often a waiter looks, in ms. */
const POLL_MS = 1;

/** For platforms and situations without semaphores. */
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

  post(count = 1): void {
    add(this.#words, this.#index, count);
  }

  tryWait(): boolean {
    for (;;) {
      const seen = load(this.#words, this.#index);
      if (seen <= 0) return false;
      if (compareExchange(this.#words, this.#index, seen, seen - 1) === seen) return true;
    }
  }

  waitSlice(sliceMs: number): boolean {
    const deadline = monotonicMs() + sliceMs;
    for (;;) {
      if (this.tryWait()) return true;
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      sleepMs(Math.min(left, POLL_MS));
    }
  }

  async waitAsync(options: {
    timeoutMs?: number;
    signal?: AbortSignalLike | undefined;
  }): Promise<boolean> {
    const deadline = performance.now() + checkTimeout(options.timeoutMs);
    for (;;) {
      options.signal?.throwIfAborted();
      if (this.#closed) throw new ClosedError("a queue's tokens");
      if (this.tryWait()) return true;
      if (performance.now() >= deadline) return false;
      await Bun.sleep(POLL_MS);
    }
  }

  close(): void {
    this.#closed = true;
  }
}
