import { checkInside, checkOptions, shown } from "../arguments.ts";
import { ClosedError } from "../errors.ts";
import {
  BOOK_HIGH_WATER_WORD,
  BOOK_REPAIRED_WORD,
  DEFAULT_QUEUE_NAME,
} from "../layout/message-queue-layout.ts";
import { load } from "../memory/atomics.ts";
import { Segment } from "../segment/segment.ts";
import { Semaphore } from "../semaphore/semaphore.ts";
import type { AbortSignalLike } from "../waiting/abort-signal.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkWait,
} from "../waiting/wait-options.ts";
import { QueueExchange } from "./exchange.ts";
import {
  type OpenQueue,
  type QueueAttachment,
  closeQueue,
  createQueue,
  isNamed,
  openOrCreateQueue,
  openQueue,
  removeDeadQueue,
  unlinkQueue,
} from "./lifecycle.ts";
import {
  CREATE_OPTIONS,
  ENQUEUE_ASYNC_OPTIONS,
  ENQUEUE_OPTIONS,
  type MessageQueueCreateOptions,
  type MessageQueueEnqueueAsyncOptions,
  type MessageQueueEnqueueOptions,
  type MessageQueueNames,
  type MessageQueueOpenOptions,
  type MessageQueueStats,
  type MessageQueueTryEnqueueOptions,
  NAMES_OPTIONS,
  OPEN_OPTIONS,
  type QueueMode,
  type QueuePlace,
  TRY_ENQUEUE_OPTIONS,
  checkPlace,
  checkText,
  logTo,
} from "./options.ts";
import { ITEMS, SPACES } from "./participants.ts";

const NO_OPTIONS: Readonly<Record<never, never>> = {};
const VALUES_OPTIONS: readonly string[] = ["signal"];

/**
 * A bounded queue of texts between processes, byte-compatible with the classic C program of shared
 * memory and three named semaphores: its producers and consumers and these work together.
 *
 * Any number of producers and consumers, up to 64 handles. Messages come out in the order in which
 * they went in, each once. A process that is killed at any instant loses nothing but the message
 * that it was in the middle of, and the other Bun handles go on within a second, once they use the
 * queue: see docs/ARCHITECTURE.md. C programs have no repair of their own: they wait until a Bun
 * handle does it.
 *
 * It has a name and a segment of its own, and cannot lie inside a segment of the user's: its layout
 * is the C program's, which has the queue at the start of the object, and semaphores beside it.
 *
 * @example
 * ```ts
 * using queue = MessageQueue.create("/letters");
 * queue.enqueue("Hello");
 * // in another process:
 * using same = MessageQueue.open("/letters");
 * console.log(same.dequeue({ timeoutMs: 1000 })); // Hello
 * queue.unlink();
 * ```
 */
export class MessageQueue {
  /** The queue's name. */
  readonly name: string;
  /** The segment that the queue lies in. Closing it closes the queue's handle. */
  readonly segment: Segment;
  /** Whether this handle made the queue. */
  readonly created: boolean;
  /** How the queue's tokens are counted. */
  readonly synchronization: QueueMode;
  /** Messages that it holds at most. */
  readonly capacity: number;
  /** Bytes of UTF-8 that a text may have. */
  readonly maxTextLength: number;

  /** How messages of calls begin. */
  readonly #toEnqueue: string;
  readonly #toDequeue: string;
  readonly #place: QueuePlace;
  readonly #queue: OpenQueue;
  readonly #exchange: QueueExchange;

  private constructor(place: QueuePlace, queue: OpenQueue, exchange: QueueExchange) {
    checkInside(exchange instanceof QueueExchange, "MessageQueue");
    this.name = place.name;
    this.segment = queue.segment;
    this.created = queue.creatorLock !== undefined;
    this.synchronization = queue.mode;
    this.capacity = queue.slots.slots;
    this.maxTextLength = queue.slots.textLength;
    this.#toEnqueue = `Cannot enqueue into message queue ${shown(place.name)}`;
    this.#toDequeue = `Cannot dequeue from message queue ${shown(place.name)}`;
    this.#place = place;
    this.#queue = queue;
    this.#exchange = exchange;
  }

  static #attach(
    attach: (place: QueuePlace, attachment: QueueAttachment) => OpenQueue,
    place: QueuePlace,
    options: MessageQueueCreateOptions & MessageQueueOpenOptions,
  ): MessageQueue {
    const log = logTo(options.logger, place.name);
    const { mode, synchronization, waitMs } = options;
    const queue = attach(place, { mode, synchronization, waitMs, log });
    try {
      return new MessageQueue(place, queue, new QueueExchange(queue, log));
    } catch (error) {
      closeQueue(queue);
      throw error;
    }
  }

  /**
   * Makes a queue that must not exist. Does not block.
   *
   * @param name Default "/messagequeue".
   * @throws SystemError EEXIST (see `removeLeftovers`), ENOSPC, EACCES; StateError EBUSY while
   *   another process removes a queue of that name; RangeError, TypeError.
   */
  static create(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueCreateOptions = NO_OPTIONS,
  ): MessageQueue {
    const place = checkPlace("create", name, options, CREATE_OPTIONS);
    return MessageQueue.#attach(createQueue, place, options);
  }

  /**
   * Attaches to a queue that Bun or a C program made. One that is being made is waited for, up to a
   * second. A C program's object is enlarged, by what the handles note there.
   *
   * @param name Default "/messagequeue".
   * @throws SystemError ENOENT when there is none, EACCES; StateError EBUSY when 64 handles have it
   *   open, ENODATA when its creator died before it had finished; LayoutError when it is something
   *   else, or has another shape than asked for; RangeError, TypeError.
   */
  static open(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueOpenOptions = NO_OPTIONS,
  ): MessageQueue {
    const place = checkPlace("open", name, options, OPEN_OPTIONS);
    return MessageQueue.#attach(openQueue, place, options);
  }

  /**
   * Attaches to the queue if there is one, with the messages in it, or else makes it: exactly one
   * of those that come at the same time makes it. One whose creator died before it had finished is
   * made again; that is found out after a second.
   *
   * Where named semaphores were asked for and the queue has none, as after a fallback in `create`,
   * the logger receives "degraded".
   *
   * @param name Default "/messagequeue".
   * @throws As `create` and `open`, but for EEXIST and ENOENT.
   */
  static openOrCreate(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueCreateOptions = NO_OPTIONS,
  ): MessageQueue {
    const place = checkPlace("create", name, options, CREATE_OPTIONS);
    return MessageQueue.#attach(openOrCreateQueue, place, options);
  }

  /**
   * Removes a queue whose creator is dead: the kernel says so if Bun made it; a C program's queue
   * no process may have mapped any more.
   *
   * @param name Default "/messagequeue".
   * @returns Whether it did; false also when there is no queue. @throws SystemError EACCES.
   */
  static removeLeftovers(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueNames = NO_OPTIONS,
  ): boolean {
    return removeDeadQueue(checkPlace("remove", name, options, NAMES_OPTIONS));
  }

  /**
   * Removes a queue's names, dead or alive. Whoever has it open keeps it.
   *
   * @param name Default "/messagequeue".
   * @returns Whether there was a queue. @throws SystemError EACCES.
   */
  static unlink(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueNames = NO_OPTIONS,
  ): boolean {
    const { semaphores = [] } = checkPlace("remove", name, options, NAMES_OPTIONS);
    for (const semaphore of semaphores) Semaphore.unlink(semaphore);
    return Segment.unlink(name);
  }

  /** Messages in the queue; stale the moment it returns. @throws ClosedError. */
  get size(): number {
    this.#exchange.checkOpen();
    return Math.min(this.#queue.slots.depth, this.capacity);
  }

  /** Whether `close()` was called, here or on the segment. */
  get closed(): boolean {
    return this.#exchange.closed;
  }

  /**
   * Whether the queue's name was removed, or stands for a newer queue: nobody else will come.
   * @throws ClosedError.
   */
  get unlinked(): boolean {
    this.#exchange.checkOpen();
    return !isNamed(this.segment);
  }

  /**
   * Puts a text in if there is room now. Does not wait for room, and for whoever is inside the
   * queue at this moment at most 50 ms. Lone surrogates become U+FFFD.
   *
   * @returns false when the queue was full.
   * @throws RangeError for a text that is too long or contains a NUL; LayoutError for a queue that
   *   somebody overwrote; ClosedError, TypeError.
   */
  tryEnqueue(text: string, options?: MessageQueueTryEnqueueOptions): boolean {
    this.#exchange.checkOpen();
    if (options !== undefined) checkOptions(this.#toEnqueue, options, TRY_ENQUEUE_OPTIONS);
    checkText(text, options?.truncate, this.maxTextLength);
    if (this.#exchange.attempt(SPACES, text)) return true;
    this.#exchange.giveUp(SPACES);
    return false;
  }

  /**
   * Puts a text in, and blocks this thread while the queue is full: for ever without options.
   *
   * @returns false when the time was over.
   * @throws As `tryEnqueue`; the signal's reason.
   */
  enqueue(text: string, options?: MessageQueueEnqueueOptions): boolean {
    this.#exchange.checkOpen();
    if (options !== undefined) checkWait(this.#toEnqueue, options, ENQUEUE_OPTIONS);
    checkText(text, options?.truncate, this.maxTextLength);
    return this.#exchange.attempt(SPACES, text) || this.#exchange.wait(SPACES, text, options);
  }

  /**
   * As `enqueue`; the event loop goes on, and calls are served in order.
   *
   * @returns false when the time was over.
   * @throws As `enqueue`; ClosedError also when closed meanwhile.
   */
  async enqueueAsync(
    text: string,
    options: MessageQueueEnqueueAsyncOptions = NO_OPTIONS,
  ): Promise<boolean> {
    this.#exchange.checkOpen();
    checkWait(this.#toEnqueue, options, ENQUEUE_ASYNC_OPTIONS);
    checkText(text, options.truncate, this.maxTextLength);
    return (await this.#exchange.waitAsync(SPACES, text, options)) !== undefined;
  }

  /**
   * Takes the oldest text out if there is one now. Does not wait for one, and for whoever is inside
   * the queue at this moment at most 50 ms.
   *
   * @returns undefined when the queue was empty. @throws LayoutError, ClosedError.
   */
  tryDequeue(): string | undefined {
    this.#exchange.checkOpen();
    if (this.#exchange.attempt(ITEMS, "")) return this.#exchange.text;
    this.#exchange.giveUp(ITEMS);
    return undefined;
  }

  /**
   * Takes the oldest text out, and blocks this thread while the queue is empty: for ever without
   * options.
   *
   * @returns undefined when the time was over.
   * @throws LayoutError, ClosedError, RangeError, TypeError; the signal's reason.
   */
  dequeue(options?: WaitOptions): string | undefined {
    this.#exchange.checkOpen();
    if (options !== undefined) checkWait(this.#toDequeue, options, WAIT_OPTIONS);
    if (this.#exchange.attempt(ITEMS, "") || this.#exchange.wait(ITEMS, "", options)) {
      return this.#exchange.text;
    }
    return undefined;
  }

  /**
   * As `dequeue`; the event loop goes on, and calls are served in order.
   *
   * @returns undefined when the time was over.
   * @throws As `dequeue`; ClosedError also when closed meanwhile.
   */
  async dequeueAsync(options: AsyncWaitOptions = NO_OPTIONS): Promise<string | undefined> {
    this.#exchange.checkOpen();
    checkWait(this.#toDequeue, options, ASYNC_WAIT_OPTIONS);
    return this.#exchange.waitAsync(ITEMS, "", options);
  }

  /**
   * Takes texts out as they come, until the handle is closed.
   *
   * @param options `signal` ends it: it throws the signal's reason. @throws ClosedError at once.
   */
  values(
    options: { readonly signal?: AbortSignalLike | undefined } = NO_OPTIONS,
  ): AsyncGenerator<string, void, void> {
    this.#exchange.checkOpen();
    checkWait(this.#toDequeue, options, VALUES_OPTIONS);
    return this.#take(options.signal);
  }

  async *#take(signal: AbortSignalLike | undefined): AsyncGenerator<string, void, void> {
    while (!this.closed) {
      let text: string | undefined;
      try {
        text = await this.dequeueAsync({ signal });
      } catch (error) {
        if (this.closed && error instanceof ClosedError) return;
        throw error;
      }
      if (text !== undefined) yield text;
    }
  }

  /** Takes texts out as they come, until the handle is closed. */
  [Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    return this.values();
  }

  /** What this handle did, and how the queue is. @throws ClosedError. */
  stats(): MessageQueueStats {
    this.#exchange.checkOpen();
    const { book } = this.#queue;
    const { done, bytes, hits, waits, timeouts } = this.#exchange.counts;
    return {
      in: done[SPACES],
      out: done[ITEMS],
      bytesIn: bytes[SPACES],
      bytesOut: bytes[ITEMS],
      depth: this.size,
      highWater: load(book, BOOK_HIGH_WATER_WORD),
      capacity: this.capacity,
      waits,
      timeouts,
      full: hits[SPACES],
      empty: hits[ITEMS],
      repaired: load(book, BOOK_REPAIRED_WORD),
    };
  }

  /**
   * Ends this handle's use; the queue and its messages stay. Again is harmless. Pending calls are
   * rejected with ClosedError; while there are any it blocks for about 50 ms.
   */
  close(): void {
    this.#exchange.close();
  }

  /** Removes the queue's names, if they still stand for this one. @returns Whether it did. */
  unlink(): boolean {
    this.#exchange.checkOpen();
    return unlinkQueue(this.segment, this.#place);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
