/**
 * Threads that wait in place of the event loop, for what rings no bell: for semaphores, since C
 * programs post with a plain `sem_post`, and for the word of a wait point whose bells do not reach
 * this thread.
 *
 * A few threads sleep, each in one wait, which is the fastest way. When they are all busy, one more
 * thread looks at all further waits once a millisecond. So any number of waits needs few threads.
 * Idle ones are kept, and do not keep the process alive.
 *
 * Who gets a token is decided by a compare-and-exchange on one word that both threads share:
 *
 *   PENDING -> GRANTED    by the thread, once it has taken the token, which is now the waiter's
 *   PENDING -> CANCELLED  by the waiter; the thread posts back a token that it takes after that
 */
import { UnsupportedError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { compareExchange, load } from "../memory/atomics.ts";
import { hasDescriptors } from "../memory/descriptor.ts";
import {
  CANCELLED,
  PENDING,
  READY_ID,
  STATE_WORD,
  TAKEN_WORD,
  WAIT_WORDS,
  type WaitAnswer,
  type WaitMessage,
  threadProgram,
} from "./thread-program.ts";
import type { WaitMemory } from "./wait-memory.ts";

/** How many threads sleep. */
const MAX_SLEEPERS = 4;
/** How many descriptors must be free when a thread starts; it keeps two, and begins with more. */
const THREAD_DESCRIPTORS = 8;

/** Called with 0 for a token or a change, with a negated errno, or with why there is no thread. */
type Ended = (result: number | Error) => void;

let script: string | undefined;
let lastId = 0;

/**
 * In Bun, a thread that finds no descriptors ends the whole process: so they are counted before,
 * also for those threads that have not taken theirs yet.
 */
function checkDescriptors(): void {
  if (hasDescriptors(THREAD_DESCRIPTORS * (pool.starting + 1))) return;
  fail("Cannot start a thread that waits", -E.EMFILE, "open");
}

/** One thread, and the waits that it serves. */
class WaitThread {
  readonly #worker: Worker;
  readonly #waits = new Map<number, Ended>();
  /** The waits that keep the process alive. */
  readonly #kept = new Set<number>();

  /** @param failed Called when the thread cannot serve any wait. */
  constructor(failed: () => void) {
    checkDescriptors();
    let isStarting = true;
    const started = (): void => {
      if (isStarting) pool.starting--;
      isStarting = false;
    };
    pool.starting++;
    script ??= `data:text/javascript,${encodeURIComponent(threadProgram())}`;
    this.#worker = new Worker(script);
    this.#worker.unref();
    this.#worker.addEventListener("message", ({ data }) => {
      const { id, result } = data as WaitAnswer;
      if (id === READY_ID) started();
      else this.#end(id, result);
    });
    this.#worker.addEventListener("error", ({ message }) => {
      started();
      failed();
      this.#worker.terminate();
      const error = new UnsupportedError(`Cannot wait on a thread: ${message}`);
      for (const id of this.#waits.keys()) this.#end(id, error);
    });
  }

  start(message: WaitMessage, ended: Ended): void {
    this.#waits.set(message.id, ended);
    this.keepAlive(message.id, true);
    this.#worker.postMessage(message, []);
  }

  keepAlive(id: number, alive: boolean): void {
    if (alive) this.#kept.add(id);
    else this.#kept.delete(id);
    if (this.#kept.size > 0) this.#worker.ref();
    else this.#worker.unref();
  }

  #end(id: number, result: number | Error): void {
    const ended = this.#waits.get(id);
    this.#waits.delete(id);
    this.keepAlive(id, false);
    ended?.(result);
  }
}

/** The threads of this one. */
interface Pool {
  readonly idle: WaitThread[];
  sleepers: number;
  watcher: WaitThread | undefined;
  /** How many have not begun yet. */
  starting: number;
}

// `bun --hot` loads this module again, and nothing would end the threads of older loads.
const KEY = Symbol.for(`bun-shm: threads that wait of ${import.meta.url}`);
const shared = globalThis as { [KEY]?: Pool };
const pool: Pool = (shared[KEY] ??= { idle: [], sleepers: 0, watcher: undefined, starting: 0 });

/** @returns A thread that may sleep; undefined when all of them do. */
function takeSleeper(): WaitThread | undefined {
  const thread = pool.idle.pop();
  if (thread !== undefined || pool.sleepers === MAX_SLEEPERS) return thread;
  const started = new WaitThread(() => pool.sleepers--);
  pool.sleepers++;
  return started;
}

/** One wait on a thread. */
export class ThreadWait {
  readonly #words = new Int32Array(new SharedArrayBuffer(WAIT_WORDS * 4));
  readonly #id = ++lastId;
  readonly #thread: WaitThread;

  /**
   * @param memory The semaphore's or the word's, which this leaves when the thread has stopped
   *   using it, or at once if this throws.
   * @param ended Called then, once: with 0 for a token or a change, with a negated errno
   *   (-ECANCELED after `cancel`), or with why there is no thread.
   * @param key For a word: its value, for as long as it is to be waited.
   * @throws SystemError EMFILE.
   */
  constructor(memory: WaitMemory, ended: Ended, key?: number) {
    const { address, pages } = memory;
    const message = { id: this.#id, address, pages, key, words: this.#words };
    const left: Ended = (result) => {
      memory.leave(load(this.#words, TAKEN_WORD) === 1);
      ended(result);
    };
    try {
      const sleeper = takeSleeper();
      if (sleeper === undefined) {
        this.#thread = pool.watcher ??= new WaitThread(() => (pool.watcher = undefined));
        this.#thread.start({ ...message, alone: false }, left);
      } else {
        this.#thread = sleeper;
        sleeper.start({ ...message, alone: true }, (result) => {
          if (typeof result === "number") pool.idle.push(sleeper);
          left(result);
        });
      }
    } catch (error) {
      memory.leave(false);
      throw error;
    }
  }

  /** Sets whether the wait keeps the process alive until it ends, which it does at first. */
  keepAlive(alive: boolean): void {
    this.#thread.keepAlive(this.#id, alive);
  }

  /** Gives up the wait. @returns Whether it did; if not, it has ended, maybe with a token. */
  cancel(): boolean {
    const before = compareExchange(this.#words, STATE_WORD, PENDING, CANCELLED);
    // The process need not live on until the thread has noticed.
    this.keepAlive(false);
    return before === PENDING;
  }
}
