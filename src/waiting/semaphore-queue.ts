/** The waits of one semaphore handle in the event loop, served in order by one thread. */
import { fail } from "../libc/errno.ts";
import { ThreadWait } from "./semaphore-thread.ts";
import { checkTimeout } from "./timeout.ts";

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
  settle(outcome: boolean): void;
  refuse(reason: unknown): void;
}

/** Longest timer that JavaScript has, in ms; a longer wait is set again. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** See `Semaphore.waitAsync`. */
export class SemaphoreQueue {
  readonly #semaphore: Waitable;
  readonly #waiters = new Set<Waiter>();
  #thread: ThreadWait | undefined;
  #release: (() => void) | undefined;

  constructor(semaphore: Waitable) {
    this.#semaphore = semaphore;
  }

  async wait({ timeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal }): Promise<boolean> {
    const milliseconds = checkTimeout(timeoutMs);
    signal?.throwIfAborted();
    // Whoever waits already comes first.
    if (this.#waiters.size === 0 && this.#semaphore.tryWait()) return true;
    if (milliseconds === 0) return void this.#semaphore.address, false;
    return this.#enqueue(milliseconds, signal);
  }

  #enqueue(milliseconds: number, signal: AbortSignal | undefined): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const deadline = performance.now() + milliseconds;
    let timer: Timer | undefined;
    const end = (): void => {
      this.#waiters.delete(waiter);
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    };
    const waiter: Waiter = {
      settle: (outcome) => (end(), resolve(outcome)),
      refuse: (reason) => (end(), reject(reason)),
    };
    const aborted = (): void => {
      // A token that came just now is not for this waiter any more.
      if (this.#giveUp(waiter)) this.#semaphore.post();
      waiter.refuse(signal?.reason);
    };
    const tick = (): void => {
      const left = deadline - performance.now();
      if (left > 0) timer = setTimeout(tick, Math.min(left, MAX_TIMER_MS));
      else waiter.settle(this.#giveUp(waiter));
    };
    this.#waiters.add(waiter);
    signal?.addEventListener("abort", aborted, { once: true });
    if (milliseconds < Number.POSITIVE_INFINITY) tick();
    if (this.#thread === undefined) this.#startThread();
    return promise;
  }

  #startThread(): void {
    this.#release ??= this.#semaphore.hold();
    const thread = new ThreadWait(this.#semaphore.address, (result) => {
      // Given up in the meantime, and another one may be under way.
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      if (result === 0) this.#serve();
      else this.#refuseAll(asError(result, this.#semaphore.what));
      if (this.#waiters.size > 0) this.#startThread();
      else this.#letGo();
    });
    this.#thread = thread;
  }

  /** There is one token: the first waiter has it. More may be there for the next. */
  #serve(): void {
    const [first] = this.#waiters;
    first?.settle(true);
    for (const waiter of this.#waiters) {
      if (!this.#semaphore.tryWait()) return;
      waiter.settle(true);
    }
  }

  /** Ends the thread's wait if it was for this waiter alone. @returns Whether it has a token. */
  #giveUp(waiter: Waiter): boolean {
    if (this.#waiters.size > 1 || !this.#waiters.has(waiter)) return false;
    return this.#stopThread();
  }

  #stopThread(): boolean {
    const thread = this.#thread;
    if (thread === undefined) return false;
    this.#thread = undefined;
    const taken = !thread.cancel();
    // The thread sleeps in the semaphore for one slice more: its memory must stay that long.
    const release = this.#release;
    this.#release = undefined;
    this.#leaving.add(thread);
    void thread.left.then(() => (this.#leaving.delete(thread), release?.()));
    return taken;
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
