/** The waits of one semaphore handle in the event loop, served in order by one thread. */
import { fail } from "../libc/errno.ts";
import { ThreadWait } from "./semaphore-thread.ts";
import { MAX_TIMER_MS } from "../waiting/limits.ts";
import { type AsyncWaitOptions, checkTimeout } from "../waiting/wait-options.ts";

/** What is waited for. */
interface Waitable {
  readonly what: string;
  readonly address: number;
  tryWait(): boolean;
  post(): void;
  /** Keeps the address good until the returned function is called. */
  hold(): () => void;
}

interface Waiter {
  /** Whether it keeps the process alive. */
  readonly ref: boolean;
  settle(outcome: boolean): void;
  refuse(reason: unknown): void;
}

/** See `Semaphore.waitAsync`. */
export class SemaphoreQueue {
  readonly #semaphore: Waitable;
  readonly #waiters = new Set<Waiter>();
  /** The thread that waits for the first waiter. */
  #thread: ThreadWait | undefined;
  /** Threads that were told to stop, and sleep in the semaphore for one slice more. */
  readonly #leaving = new Set<ThreadWait>();
  #release: (() => void) | undefined;

  constructor(semaphore: Waitable) {
    this.#semaphore = semaphore;
  }

  async wait(options: AsyncWaitOptions): Promise<boolean> {
    const milliseconds = checkTimeout(options.timeoutMs);
    options.signal?.throwIfAborted();
    // Whoever waits already comes first.
    const idle = this.#waiters.size === 0;
    if (this.#semaphore.address !== 0 && idle && this.#semaphore.tryWait()) return true;
    return milliseconds > 0 && this.#enqueue(milliseconds, options);
  }

  /** Refuses all waits, and blocks until no thread touches the semaphore any more. */
  close(reason: unknown): void {
    // A token that was on its way here is given back.
    if (this.#stopThread()) this.#semaphore.post();
    this.#refuseAll(reason);
    for (const thread of this.#leaving) thread.leave();
    this.#leaving.clear();
    this.#letGo();
  }

  #enqueue(milliseconds: number, options: AsyncWaitOptions): Promise<boolean> {
    const { signal, ref = true } = options;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const deadline = performance.now() + milliseconds;
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
      // A token that came this very moment is not for this waiter any more.
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
    if (milliseconds < Number.POSITIVE_INFINITY) tick();
    return promise;
  }

  #startThread(): void {
    this.#release ??= this.#semaphore.hold();
    const thread = new ThreadWait(this.#semaphore.address, (result) => this.#ended(thread, result));
    this.#thread = thread;
  }

  /** The thread keeps the process alive while one of the waiters does. */
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
    if (this.#thread === undefined && this.#leaving.size === 0) this.#letGo();
  }

  /** There is one token, for the first waiter. More may be there for the next. */
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

  /** Ends the thread's wait if it is for one waiter only. @returns Whether that has a token. */
  #giveUp(): boolean {
    return this.#waiters.size === 1 && this.#stopThread();
  }

  #stopThread(): boolean {
    const thread = this.#thread;
    if (thread === undefined) return false;
    this.#thread = undefined;
    this.#leaving.add(thread);
    return !thread.cancel();
  }

  #letGo(): void {
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
