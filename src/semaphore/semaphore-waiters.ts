/** The waits of one semaphore handle in the event loop, which one thread serves in order. */
import { E, fail } from "../libc/errno.ts";
import { quietly } from "../segment/quietly.ts";
import { ThreadWait } from "../waiting/wait-thread.ts";
import { MAX_TIMER_MS } from "../waiting/limits.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import type { AsyncWaitOptions } from "../waiting/wait-options.ts";
import type { WaitMemory } from "../waiting/wait-memory.ts";

/** The semaphore, as much of it as a wait needs. */
interface Waitable {
  readonly what: string;
  tryTake(): boolean;
  post(): void;
  /** @throws LayoutError when the bytes are no semaphore's. */
  check(): void;
  /** Keeps the semaphore from ending until the returned function is called. */
  hold(): () => void;
  /** Memory of the semaphore in which a thread can sleep, whatever becomes of the handle. */
  enterMemory(): WaitMemory;
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
  #release: (() => void) | undefined;

  constructor(semaphore: Waitable) {
    this.#semaphore = semaphore;
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.#waiters.size > 0;
  }

  /** @returns Whether it took a token: false when the timeout passed. */
  async wait(timeoutMs: number, options: AsyncWaitOptions): Promise<boolean> {
    // Earlier waiters come first.
    if (!this.any && this.#semaphore.tryTake()) {
      if (isTurnDue()) await takeTurn();
      return true;
    }
    return timeoutMs > 0 && this.#enqueue(timeoutMs, options);
  }

  /** Rejects all waits. */
  close(reason: unknown): void {
    // A token that the thread has taken for a waiter is posted back.
    if (this.#stopThread()) this.#giveBack();
    this.#refuseAll(reason);
  }

  #enqueue(timeoutMs: number, options: AsyncWaitOptions): Promise<boolean> {
    const { signal, ref = true } = options;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const deadline = performance.now() + timeoutMs;
    let timer: Timer | undefined;
    const end = (): void => {
      this.#waiters.delete(waiter);
      if (!this.any) this.#endHold();
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
      if (this.#giveUp()) this.#giveBack();
      waiter.refuse(signal?.reason);
    };
    const tick = (): void => {
      const left = deadline - performance.now();
      if (left <= 0) return waiter.settle(this.#giveUp());
      timer = setTimeout(tick, Math.min(left, MAX_TIMER_MS));
      if (!ref) timer.unref();
    };
    signal?.addEventListener("abort", aborted, { once: true });
    this.#waiters.add(waiter);
    try {
      this.#release ??= this.#semaphore.hold();
      if (this.#thread === undefined) this.#startThread();
    } catch (error) {
      waiter.refuse(error);
      return promise;
    }
    this.#keepAlive();
    if (timeoutMs < Number.POSITIVE_INFINITY) tick();
    return promise;
  }

  #startThread(): void {
    const thread = new ThreadWait(this.#semaphore.enterMemory(), (result) => {
      if (this.#thread === thread) this.#ended(result);
    });
    this.#thread = thread;
  }

  /** Lets the thread keep the process alive while one of the waiters does. */
  #keepAlive(): void {
    let alive = false;
    for (const { ref } of this.#waiters) alive ||= ref;
    this.#thread?.keepAlive(alive);
  }

  #ended(result: number | Error): void {
    this.#thread = undefined;
    try {
      if (result === 0) this.#serve();
      // If the bytes are sound again by now, the wait goes on.
      else if (result === -E.EBADMSG) this.#semaphore.check();
      else throw asError(result, this.#semaphore.what);
      if (this.any) this.#startThread();
    } catch (error) {
      this.#refuseAll(error);
    }
    this.#keepAlive();
  }

  /** Posts a token that nobody waits for any more. */
  #giveBack(): void {
    // Where it cannot be posted, nobody can take one either, or there are as many as there can be.
    quietly(() => this.#semaphore.post());
  }

  /** Gives the thread's token to the first waiter, and further tokens to the next ones. */
  #serve(): void {
    const [first] = this.#waiters;
    first?.settle(true);
    for (const waiter of this.#waiters) {
      if (!this.#semaphore.tryTake()) return;
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
    return !thread.cancel();
  }

  #endHold(): void {
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
