/**
 * Threads that wait for semaphores in place of the event loop.
 *
 * C programs post with a plain `sem_post` and ring no bell, so only a thread that sleeps in the
 * semaphore notices them. A thread serves one wait at a time. Idle threads are kept for later
 * waits, and do not keep the process alive.
 *
 * Who gets the token is decided by a compare-and-exchange on one word that both threads share:
 *
 *   PENDING -> GRANTED    by the thread, once it has taken the token, which is now the waiter's
 *   PENDING -> CANCELLED  by the waiter; the thread posts back a token that it takes after that
 *
 * A second word says when the thread has stopped using the semaphore, after either.
 */
import { UnsupportedError } from "../errors.ts";
import { compareExchange, load, store, waitWhile } from "../memory/atomics.ts";
import {
  CANCELLED,
  LEFT_WORD,
  STATE_WORD,
  PENDING,
  semaphoreProgram,
} from "./semaphore-program.ts";

/** How many idle threads are kept. */
const MAX_IDLE = 4;
const idle: Worker[] = [];

let script: string | undefined;

function startWorker(): Worker {
  script ??= `data:text/javascript,${encodeURIComponent(semaphoreProgram())}`;
  return new Worker(script);
}

/** One wait on a thread of its own. */
export class ThreadWait {
  readonly #words = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;

  /**
   * @param address The semaphore's; it must stay valid until `leave` returns or `ended` is called.
   * @param ended Called once, when the thread has stopped using the semaphore: with 0 for a token,
   *   with a negated errno (-ECANCELED after `cancel`), or with why no thread could be started.
   */
  constructor(address: number, ended: (result: number | Error) => void) {
    const worker = idle.pop() ?? startWorker();
    this.#worker = worker;
    worker.ref();
    const over = new AbortController();
    const settle = (result: number | Error): void => {
      over.abort();
      worker.unref();
      if (result instanceof Error || idle.length >= MAX_IDLE) worker.terminate();
      else idle.push(worker);
      // A thread that failed to start cannot say that it has left.
      store(this.#words, LEFT_WORD, 1);
      ended(result);
    };
    const { signal } = over;
    worker.addEventListener("message", ({ data }) => settle(data as number), { signal });
    worker.addEventListener("error", ({ message }) => settle(cannotStart(message)), { signal });
    worker.postMessage({ address, words: this.#words }, []);
  }

  /** Sets whether the wait keeps the process alive until it ends, which it does at first. */
  keepAlive(alive: boolean): void {
    if (alive) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Gives up the wait. @returns Whether it did; if not, the caller has a token. */
  cancel(): boolean {
    const before = compareExchange(this.#words, STATE_WORD, PENDING, CANCELLED);
    // The process need not live on until the thread has noticed.
    this.#worker.unref();
    return before === PENDING;
  }

  /**
   * Blocks until the thread has stopped using the semaphore, after `cancel`. That takes one slice
   * at most, or longer if the thread is still starting.
   */
  leave(): void {
    while (load(this.#words, LEFT_WORD) === 0) waitWhile(this.#words, LEFT_WORD, 0, 1000);
  }
}

function cannotStart(message: string): UnsupportedError {
  return new UnsupportedError(`Cannot wait for a semaphore on a thread: ${message}`);
}
