import { cpus } from "node:os";
import { ClosedError } from "../errors.ts";
import { HIGH_WATER_WORD, RECOVERIES_WORD } from "../layout/message-queue-layout.ts";
import { monotonicMs } from "../libc/time.ts";
import { load } from "../memory/atomics.ts";
import { QueueGuard } from "./guard.ts";
import {
  type MessageQueueAsyncOptions,
  type MessageQueueCreateOptions,
  type MessageQueueEnqueueOptions,
  type MessageQueueName,
  type MessageQueueOpenOptions,
  type MessageQueueStats,
  type MessageQueueWaitOptions,
  type QueueMode,
  type QueuePlace,
  type QueueLog,
  checkPlace,
  checkText,
  logTo,
} from "./options.ts";
import {
  type OpenQueue,
  createQueue,
  isNamed,
  openQueue,
  removeDeadQueue,
  unlinkQueue,
} from "./lifecycle.ts";
import { Segment } from "../segment/segment.ts";
import { Semaphore } from "../semaphore/semaphore.ts";
import { AsyncLine } from "../waiting/async-line.ts";
import { ITEMS, SPACES, type TokenKind } from "./participants.ts";
import type { TokenCounter } from "./polled-tokens.ts";
import { checkTimeout } from "../waiting/wait-options.ts";

/** The longest uninterrupted sleep, in ms, of a blocking wait … */
const SLICE_MS = 50;
/** … and of one in the event loop. After it the queue is looked over. */
const ASYNC_SLICE_MS = 250;
/**
 * Looks before a sleep: about what a sleep and a wake across cores cost. All processors count:
 * navigator.hardwareConcurrency is 1 for a process that is pinned to a core of its own.
 */
const SPIN_LOOKS: number = cpus().length > 1 ? 6000 : 0;
/** Of this many tries in vain one looks whether tokens were lost. */
const AUDIT_PERIOD = 64;

/**
 * A bounded queue of texts between processes, byte-compatible with the classic C program of shared
 * memory and three named semaphores: its producers and consumers and these work together.
 *
 * Any number of producers and consumers, up to 64 handles. Messages come out in the order in which
 * they went in, each once. A process that is killed at any instant loses nothing but the message it
 * was in the middle of, and the other Bun handles go on within a second, once they use the queue:
 * see docs/ARCHITECTURE.md. C programs have no repair of their own: they wait until a Bun handle
 * does it.
 *
 * @example
 * ```ts
 * using queue = MessageQueue.create({ name: "/letters" });
 * queue.enqueue("Hello");
 * // in another process:
 * using same = MessageQueue.open({ name: "/letters" });
 * console.log(same.dequeue({ timeoutMs: 1000 })); // Hello
 * queue.unlink();
 * ```
 */
export class MessageQueue {
  /** The queue's name. */
  readonly name: string;
  /** Whether this handle made the queue. */
  readonly created: boolean;
  /** How the queue's tokens are counted. */
  readonly synchronization: QueueMode;

  readonly #place: QueuePlace;
  readonly #queue: OpenQueue;
  readonly #guard: QueueGuard;
  readonly #lines: readonly [AsyncLine, AsyncLine] = [new AsyncLine(), new AsyncLine()];
  #closed = false;
  #text = "";
  /** Texts taken out, put in. */
  readonly #done: [number, number] = [0, 0];
  #bytes = 0;
  #waits = 0;
  #timeouts = 0;
  /** Calls that found no token, by kind: empty, full. */
  readonly #hits: [number, number] = [0, 0];

  private constructor(place: QueuePlace, queue: OpenQueue, log: QueueLog) {
    this.name = place.name;
    this.created = queue.creatorLock !== undefined;
    this.synchronization = queue.mode;
    this.#place = place;
    this.#queue = queue;
    this.#guard = new QueueGuard(queue, (message) => log("recovered", message));
  }

  static #attach(
    place: QueuePlace,
    log: QueueLog,
    open: (repaired: () => void) => OpenQueue,
  ): MessageQueue {
    let handle: MessageQueue | undefined;
    const queue = open(() => {
      if (handle !== undefined) handle.#guard.countCorrected();
    });
    return (handle = new MessageQueue(place, queue, log));
  }

  /**
   * Makes a queue that must not exist. Does not block.
   *
   * @throws SystemError EEXIST (see `removeLeftovers`), ENOSPC, EACCES; RangeError, TypeError.
   */
  static create(options: MessageQueueCreateOptions = {}): MessageQueue {
    const place = checkPlace(options);
    const log = logTo(options, place);
    return MessageQueue.#attach(place, log, (repaired) =>
      createQueue(place, { ...options, repaired }, log),
    );
  }

  /**
   * Attaches to a queue that Bun or a C program made. One that is just being made is waited for, up
   * to a second. A C program's object is enlarged, by what the handles note there.
   *
   * @throws SystemError ENOENT when there is none, EACCES; LayoutError when it is something else,
   *   or of another shape; RangeError, TypeError; Error when 64 handles have it open.
   */
  static open(options: MessageQueueOpenOptions = {}): MessageQueue {
    const place = checkPlace(options);
    const wait = checkTimeout(options.waitMs ?? 0);
    return MessageQueue.#attach(place, logTo(options, place), (repaired) =>
      openQueue(place, { wait, repaired }),
    );
  }

  /**
   * Removes a queue whose creator is dead: by the kernel's word if Bun made it, or if no process
   * has it mapped any more. @returns Whether it did; false also when there is no queue.
   * @throws SystemError EACCES.
   */
  static removeLeftovers(options: MessageQueueName = {}): boolean {
    return removeDeadQueue(checkPlace(options));
  }

  /**
   * Removes a queue's names, dead or alive. Who has it open keeps it.
   * @returns Whether there was a queue. @throws SystemError EACCES.
   */
  static unlink(options: MessageQueueName = {}): boolean {
    const { name, semaphores } = checkPlace(options);
    for (const semaphore of semaphores) Semaphore.unlink(semaphore);
    return Segment.unlink(name);
  }

  /** Messages in the queue; stale the moment it returns. */
  get size(): number {
    this.#check();
    return Math.min(this.#queue.slots.depth, this.capacity);
  }

  /** Messages that it holds at most. */
  get capacity(): number {
    return this.#queue.slots.slots;
  }

  /** Bytes of UTF-8 that a text may have. */
  get maxTextLength(): number {
    return this.#queue.slots.textLength;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether the queue's name was removed, or stands for a newer queue: nobody else will come. */
  get unlinked(): boolean {
    this.#check();
    return !isNamed(this.#queue.segment);
  }

  /**
   * Puts a text in, and blocks this thread while the queue is full. Lone surrogates become U+FFFD.
   *
   * @returns false when the time was over.
   * @throws RangeError for a text that is too long or contains a NUL; LayoutError for a queue that
   *   somebody overwrote; ClosedError.
   */
  enqueue(text: string, options: MessageQueueEnqueueOptions = NO_OPTIONS): boolean {
    this.#check();
    checkText(text, options.truncate === true, this.maxTextLength);
    return this.#attempt(SPACES, text, false, SLICE_MS) || this.#block(SPACES, text, options);
  }

  /**
   * Takes the oldest text out, and blocks this thread while the queue is empty.
   * @returns undefined when the time was over. @throws LayoutError, ClosedError, RangeError.
   */
  dequeue(options: MessageQueueWaitOptions = NO_OPTIONS): string | undefined {
    this.#check();
    if (this.#attempt(ITEMS, "", false, SLICE_MS) || this.#block(ITEMS, "", options)) {
      return this.#text;
    }
    return undefined;
  }

  /** As `enqueue`; the event loop goes on, and calls are served in order. */
  async enqueueAsync(
    text: string,
    options: MessageQueueEnqueueOptions & MessageQueueAsyncOptions = NO_OPTIONS,
  ): Promise<boolean> {
    this.#check();
    checkText(text, options.truncate === true, this.maxTextLength);
    return (await this.#blockAsync(SPACES, text, options)) !== undefined;
  }

  /** As `dequeue`; the event loop goes on, and calls are served in order. */
  async dequeueAsync(options: MessageQueueAsyncOptions = NO_OPTIONS): Promise<string | undefined> {
    this.#check();
    return this.#blockAsync(ITEMS, "", options);
  }

  /** Takes texts out as they come, until the handle is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    while (!this.#closed) {
      let text: string | undefined;
      try {
        text = await this.dequeueAsync();
      } catch (error) {
        if (this.#closed && error instanceof ClosedError) return;
        throw error;
      }
      if (text !== undefined) yield text;
    }
  }

  /** What this handle did, and how the queue is. @throws ClosedError. */
  stats(): MessageQueueStats {
    this.#check();
    const { book } = this.#queue;
    return {
      enqueued: this.#done[SPACES],
      dequeued: this.#done[ITEMS],
      bytes: this.#bytes,
      waits: this.#waits,
      timeouts: this.#timeouts,
      fullHits: this.#hits[SPACES],
      emptyHits: this.#hits[ITEMS],
      recoveries: load(book, RECOVERIES_WORD),
      depth: this.size,
      highWater: load(book, HIGH_WATER_WORD),
    };
  }

  /**
   * Ends this handle's use; the queue and its messages stay. Again is harmless. Pending calls are
   * rejected with ClosedError; while there are any it blocks for about 50 ms.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { mutex, items, spaces, participant, creatorLock, segment } = this.#queue;
    for (const counter of [items, spaces, mutex]) counter.close();
    participant.close();
    creatorLock?.close();
    segment.close();
  }

  /** Removes the queue's names, if they still stand for this one. @returns Whether it did. */
  unlink(): boolean {
    this.#check();
    return unlinkQueue(this.#queue.segment, this.#place);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #check(): void {
    if (this.#closed) throw new ClosedError(`message queue "${this.name}"`);
  }

  #counter(kind: TokenKind): TokenCounter {
    return kind === ITEMS ? this.#queue.items : this.#queue.spaces;
  }

  /**
   * One operation, if there is a token.
   *
   * @param hasToken Whether the caller waited for one.
   * @param patienceMs How long to wait for those who are inside.
   */
  #attempt(kind: TokenKind, text: string, hasToken: boolean, patienceMs: number): boolean {
    const { slots, lock, mutex } = this.#queue;
    const own = this.#counter(kind);
    let locked = false;
    let token = hasToken;
    let held = false;
    let done = false;
    try {
      locked = lock.tryLock() || (patienceMs > 0 && this.#guard.lock(patienceMs));
      if (!locked) return false;
      token ||= own.tryWait();
      if (!token) return false;
      held = mutex.tryWait() || (patienceMs > 0 && this.#guard.takeMutex(patienceMs));
      if (!held) return false;
      done = kind === SPACES ? slots.enqueue(text) : this.#take();
      // One that led nowhere was one too many, and is not given back either.
      token = false;
      if (done) this.#bytes += slots.lastLength;
      else this.#guard.recovered("A token too many was dropped");
    } finally {
      if (held) mutex.post();
      if (done) (kind === ITEMS ? this.#queue.spaces : this.#queue.items).post();
      if (token) own.post();
      if (locked) lock.unlock();
      if (hasToken) this.#queue.participant.used(kind);
    }
    if (done) this.#done[kind]++;
    return done;
  }

  #take(): boolean {
    const text = this.#queue.slots.dequeue();
    if (text !== undefined) this.#text = text;
    return text !== undefined;
  }

  /** Whether it looks as if an operation could succeed. */
  #looksReady(kind: TokenKind): boolean {
    const { slots } = this.#queue;
    return kind === ITEMS ? slots.depth > 0 : slots.depth < slots.slots;
  }

  #block(kind: TokenKind, text: string, options: MessageQueueWaitOptions): boolean {
    const timeoutMs = checkTimeout(options.timeoutMs);
    const hits = ++this.#hits[kind];
    if (timeoutMs === 0) {
      if (hits % AUDIT_PERIOD === 0) this.#guard.audit();
      this.#timeouts++;
      return false;
    }
    this.#waits++;
    const deadline = monotonicMs() + timeoutMs;
    const { participant } = this.#queue;
    for (let look = 0; look < SPIN_LOOKS; look++) {
      if (this.#looksReady(kind) && this.#attempt(kind, text, false, 0)) return true;
    }
    for (;;) {
      const left = deadline - monotonicMs();
      if (left <= 0) {
        this.#timeouts++;
        return false;
      }
      participant.waits(kind);
      const took = this.#counter(kind).waitSlice(Math.min(left, SLICE_MS));
      participant.waited(kind, took);
      if (!took) this.#guard.audit();
      else if (this.#attempt(kind, text, true, Math.max(left, SLICE_MS))) return true;
    }
  }

  /** @returns The text, "" for an enqueue; undefined when the time was over. */
  async #blockAsync(
    kind: TokenKind,
    text: string,
    options: MessageQueueAsyncOptions,
  ): Promise<string | undefined> {
    const deadline = monotonicMs() + checkTimeout(options.timeoutMs);
    const { signal } = options;
    const line = this.#lines[kind];
    if (!(await line.enter(deadline - monotonicMs(), signal))) {
      this.#timeouts++;
      return undefined;
    }
    try {
      let took = false;
      for (let attempts = 0; ; attempts++) {
        this.#check();
        if (this.#attempt(kind, text, took, SLICE_MS)) return kind === ITEMS ? this.#text : "";
        if (attempts === 0) {
          this.#hits[kind]++;
          this.#waits++;
        }
        const left = deadline - monotonicMs();
        if (left <= 0) {
          this.#timeouts++;
          return undefined;
        }
        took = await this.#sliceAsync(kind, Math.min(left, ASYNC_SLICE_MS), signal);
        if (!took && !this.#closed) this.#guard.audit();
      }
    } finally {
      line.leave();
    }
  }

  async #sliceAsync(
    kind: TokenKind,
    timeoutMs: number,
    signal: MessageQueueAsyncOptions["signal"],
  ): Promise<boolean> {
    const { participant } = this.#queue;
    let took = false;
    participant.waits(kind);
    try {
      took = await this.#counter(kind).waitAsync({ timeoutMs, signal });
    } finally {
      if (!this.#closed) participant.waited(kind, took);
    }
    return took;
  }
}

const NO_OPTIONS: Readonly<Record<never, never>> = {};
