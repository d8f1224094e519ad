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
import { compareExchange, load, store, waitWhile } from "../memory/atomics.ts";

/** The states of a wait; word 0 of the memory that the threads share. */
export const WAITING = 0;
export const TAKEN = 1;
export const CANCELLED = 2;
/** Word 1: 0 while the thread may touch the semaphore, then 1. */
export const STATE_WORD = 0;
export const LEFT_WORD = 1;

/** What a thread is told. */
export interface ThreadTask {
  readonly address: number;
  readonly words: Int32Array;
}

/** What it answers: 0 for a token, a negated errno, or -ECANCELED. */
export type ThreadAnswer = number;

/** How many threads without work are kept. */
const MAX_IDLE = 4;
const idle: Worker[] = [];

// An executable made with `bun build --compile` contains the file when it is an entry point too,
// and finds it when entry points lie flat: --entry-naming "[name].[ext]".
const SCRIPT: URL = new URL("./semaphore-worker.ts", import.meta.url);

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
    const worker = idle.pop() ?? new Worker(SCRIPT);
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
    worker.addEventListener("message", ({ data }) => settle(data as ThreadAnswer), { signal });
    worker.addEventListener("error", ({ message }) => settle(cannotStart(message)), { signal });
    worker.postMessage({ address, words: this.#words } satisfies ThreadTask, []);
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

function cannotStart(message: string): Error {
  return new Error(
    `Cannot wait for a semaphore on a thread: ${message}. With bun build --compile, add ` +
      `src/semaphore/semaphore-worker.ts as an entry point, and --entry-naming "[name].[ext]"`,
  );
}
