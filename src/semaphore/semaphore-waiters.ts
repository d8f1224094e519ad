/** The waits of one semaphore handle in the event loop, which one thread serves in order. */
import { fail } from "../libc/errno.ts";
import { ThreadWait } from "./semaphore-thread.ts";
import { MAX_TIMER_MS } from "../waiting/limits.ts";
import type { AsyncWaitOptions } from "../waiting/wait-options.ts";

/** The semaphore, as much of it as a wait needs. */
interface Waitable {
  readonly what: string;
  readonly address: number;
  tryWait(): boolean;
  post(): void;
  /** Keeps the address valid until the returned function is called. */
  hold(): () => void;
}

interface Waiter {
  /** Whether it keeps the process alive. */
  readonly ref: boolean;
  settle(outcome: boolean): void;
  refuse(reason: unknown): void;
}

/** The waits of one handle: see `Semaphore.waitAsync`. */
export class SemaphoreWaiters {
  readonly #semaphore: Waitable;
  readonly #waiters = new Set<Waiter>();
  /** The thread that waits on behalf of the first waiter. */
  #thread: ThreadWait | undefined;
  /** Cancelled threads, which may sleep in the semaphore until the end of their slice. */
  readonly #leaving = new Set<ThreadWait>();
  #release: (() => void) | undefined;

  constructor(semaphore: Waitable) {
    this.#semaphore = semaphore;
  }

  /** @returns Whether it took a token: false when the timeout passed. */
  async wait(timeoutMs: number, options: AsyncWaitOptions): Promise<boolean> {
    // Earlier waiters come first.
    if (this.#waiters.size === 0 && this.#semaphore.tryWait()) return true;
    return timeoutMs > 0 && this.#enqueue(timeoutMs, options);
  }

  /** Rejects all waits, and blocks until no thread uses the semaphore any more. */
  close(reason: unknown): void {
    // A token that the thread has taken for a waiter is posted back.
    if (this.#stopThread()) this.#semaphore.post();
    this.#refuseAll(reason);
    for (const thread of this.#leaving) thread.leave();
    this.#leaving.clear();
    this.#releaseMemory();
  }

  #enqueue(timeoutMs: number, options: AsyncWaitOptions): Promise<boolean> {
    const { signal, ref = true } = options;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const deadline = performance.now() + timeoutMs;
    let timer: Timer | undefined;
    const end = (): void => {
      this.#waiters.delete(waiter);
      this.#keepAlive();
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    };
    const waiter: Waiter = {
      ref,
      settle: (outcome) => (end(), resolve(outcome)),
      refuse: (reason) => (end(), reject(reason)),
    };
    const aborted = (): void => {
      // A token that came at this very moment is not for this waiter any more.
      if (this.#giveUp()) this.#semaphore.post();
      waiter.refuse(signal?.reason);
    };
    const tick = (): void => {
      const left = deadline - performance.now();
      if (left <= 0) return waiter.settle(this.#giveUp());
      timer = setTimeout(tick, Math.min(left, MAX_TIMER_MS));
      if (!ref) timer.unref();
    };
    this.#waiters.add(waiter);
    if (this.#thread === undefined) this.#startThread();
    this.#keepAlive();
    signal?.addEventListener("abort", aborted, { once: true });
    if (timeoutMs < Number.POSITIVE_INFINITY) tick();
    return promise;
  }

  #startThread(): void {
    this.#release ??= this.#semaphore.hold();
    const thread = new ThreadWait(this.#semaphore.address, (result) => this.#ended(thread, result));
    this.#thread = thread;
  }

  /** Lets the thread keep the process alive while one of the waiters does. */
  #keepAlive(): void {
    let alive = false;
    for (const { ref } of this.#waiters) alive ||= ref;
    this.#thread?.keepAlive(alive);
  }

  #ended(thread: ThreadWait, result: number | Error): void {
    this.#leaving.delete(thread);
    if (this.#thread === thread) {
      this.#thread = undefined;
      if (result === 0) this.#serve();
      else this.#refuseAll(asError(result, this.#semaphore.what));
      if (this.#waiters.size > 0) this.#startThread();
      this.#keepAlive();
    }
    if (this.#thread === undefined && this.#leaving.size === 0) this.#releaseMemory();
  }

  /** Gives the thread's token to the first waiter, and further tokens to the next ones. */
  #serve(): void {
    const [first] = this.#waiters;
    first?.settle(true);
    for (const waiter of this.#waiters) {
      if (!this.#semaphore.tryWait()) return;
      waiter.settle(true);
    }
  }

  #refuseAll(reason: unknown): void {
    for (const waiter of this.#waiters) waiter.refuse(reason);
  }

  /** Stops the thread if only one waiter is left. @returns Whether that waiter has a token. */
  #giveUp(): boolean {
    return this.#waiters.size === 1 && this.#stopThread();
  }

  /** @returns Whether the thread had taken a token before it was stopped. */
  #stopThread(): boolean {
    const thread = this.#thread;
    if (thread === undefined) return false;
    this.#thread = undefined;
    this.#leaving.add(thread);
    return !thread.cancel();
  }

  #releaseMemory(): void {
    this.#release?.();
    this.#release = undefined;
  }
}

function asError(result: number | Error, what: string): unknown {
  if (result instanceof Error) return result;
  try {
    return fail(`Cannot wait for ${what}`, result, "sem_timedwait");
  } catch (error) {
    return error;
  }
}
