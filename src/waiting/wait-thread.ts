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
import { fail } from "../libc/errno.ts";
import { close, open } from "../libc/fcntl.ts";
import { C } from "../libc/platform.ts";
import { compareExchange } from "../memory/atomics.ts";
import { withDescriptors } from "../memory/descriptor.ts";
import {
  CANCELLED,
  PENDING,
  STATE_WORD,
  type WaitAnswer,
  type WaitMessage,
  threadProgram,
} from "./thread-program.ts";

/** How many threads sleep. */
const MAX_SLEEPERS = 4;
/** How many descriptors must be free when a thread starts; it takes two. */
const THREAD_DESCRIPTORS = 4;

/** Called with 0 for a token or a change, with a negated errno, or with why there is no thread. */
type Ended = (result: number | Error) => void;

let script: string | undefined;
let lastId = 0;

/** In Bun, a thread that finds no descriptors ends the whole process: so they are tried before. */
function checkDescriptors(): void {
  const free: number[] = [];
  try {
    while (free.length < THREAD_DESCRIPTORS) {
      const opened = withDescriptors(() => open("/dev/null", C.O_RDONLY | C.O_CLOEXEC));
      if (opened < 0) fail("Cannot start a thread that waits", opened, "open");
      free.push(opened);
    }
  } finally {
    for (const descriptor of free) close(descriptor);
  }
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
    script ??= `data:text/javascript,${encodeURIComponent(threadProgram())}`;
    this.#worker = new Worker(script);
    this.#worker.unref();
    this.#worker.addEventListener("message", ({ data }) => {
      const { id, result } = data as WaitAnswer;
      this.#end(id, result);
    });
    this.#worker.addEventListener("error", ({ message }) => {
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

const idle: WaitThread[] = [];
let sleepers = 0;
let watcher: WaitThread | undefined;

/** @returns A thread that may sleep; undefined when all of them do. */
function takeSleeper(): WaitThread | undefined {
  const thread = idle.pop();
  if (thread !== undefined || sleepers === MAX_SLEEPERS) return thread;
  const started = new WaitThread(() => sleepers--);
  sleepers++;
  return started;
}

/** One wait on a thread. */
export class ThreadWait {
  readonly #words = new Int32Array(new SharedArrayBuffer(4));
  readonly #id = ++lastId;
  readonly #thread: WaitThread;

  /**
   * @param address The semaphore's or the word's; it must stay valid until `ended` is called.
   * @param ended Called once, when the thread has stopped using the memory: with 0 for a token or
   *   a change, with a negated errno (-ECANCELED after `cancel`), or with why there is no thread.
   * @param key For a word: its value, for as long as it is to be waited.
   * @throws SystemError EMFILE.
   */
  constructor(address: number, ended: (result: number | Error) => void, key?: number) {
    const message = { id: this.#id, address, key, words: this.#words };
    const sleeper = takeSleeper();
    if (sleeper === undefined) {
      this.#thread = watcher ??= new WaitThread(() => (watcher = undefined));
      this.#thread.start({ ...message, alone: false }, ended);
    } else {
      this.#thread = sleeper;
      sleeper.start({ ...message, alone: true }, (result) => {
        if (typeof result === "number") idle.push(sleeper);
        ended(result);
      });
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
