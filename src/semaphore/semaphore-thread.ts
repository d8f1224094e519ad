/**
 * Threads that wait for semaphores, so that the event loop need not.
 *
 * C programs post with plain `sem_post` and ring no bell: only a thread that sleeps in the
 * semaphore hears them. One thread serves one wait; idle ones are kept for the next, and keep no
 * process alive.
 *
 * Whose is the token? One word in memory that both threads share decides, by compare and exchange:
 *
 *   WAITING -> TAKEN      by the thread, once it has the token: the token is the waiter's
 *   WAITING -> CANCELLED  by the waiter: a token that the thread takes after that it posts back
 *   either  -> LEFT       by the thread, when it has let go of the semaphore for good
 */
import { UnsupportedError } from "../errors.ts";
import { compareExchange, load, store, waitWhile } from "../memory/atomics.ts";
import {
  CANCELLED,
  LEFT_WORD,
  STATE_WORD,
  WAITING,
  semaphoreProgram,
} from "./semaphore-program.ts";

/** How many threads without work are kept. */
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
   * @param address Of the semaphore; good until `leave` returned or `ended` was called.
   * @param ended Called once, when the thread has let go of the semaphore: 0 when there is a token,
   *   else a negated errno (-ECANCELED after `cancel`), or the reason why there is no thread.
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
      // No thread touches the semaphore any more, also when it never started.
      store(this.#words, LEFT_WORD, 1);
      ended(result);
    };
    const { signal } = over;
    worker.addEventListener("message", ({ data }) => settle(data as number), { signal });
    worker.addEventListener("error", ({ message }) => settle(cannotStart(message)), { signal });
    worker.postMessage({ address, words: this.#words }, []);
  }

  /** Whether the wait keeps the process alive, until it has ended. At first it does. */
  keepAlive(alive: boolean): void {
    if (alive) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Gives up. @returns false when the token was taken before; it is the caller's now. */
  cancel(): boolean {
    const before = compareExchange(this.#words, STATE_WORD, WAITING, CANCELLED);
    // Until the thread has noticed it is not the process's reason to live.
    this.#worker.unref();
    return before === WAITING;
  }

  /**
   * Blocks until the thread has let go of the semaphore, after `cancel`: one slice at most, and
   * longer only while the thread is starting.
   */
  leave(): void {
    while (load(this.#words, LEFT_WORD) === 0) waitWhile(this.#words, LEFT_WORD, 0, 1000);
  }
}

function cannotStart(message: string): UnsupportedError {
  return new UnsupportedError(`Cannot wait for a semaphore on a thread: ${message}`);
}
