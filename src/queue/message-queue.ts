import { checkInside, checkOptions, shown } from "../arguments.ts";
import { ClosedError } from "../errors.ts";
import {
  BOOK_HIGH_WATER_WORD,
  BOOK_REPAIRED_WORD,
  DEFAULT_QUEUE_NAME,
} from "../layout/message-queue-layout.ts";
import { load } from "../memory/atomics.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import { takePlace } from "../segment/reload.ts";
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
  OPEN_OR_CREATE_OPTIONS,
  type QueueMode,
  type QueueSpec,
  TRY_ENQUEUE_OPTIONS,
  checkSpec,
  checkText,
} from "./options.ts";
import { ITEMS, SPACES } from "./participants.ts";
import { QueueLog } from "./queue-log.ts";

const NO_OPTIONS: Readonly<Record<never, never>> = {};
const VALUES_OPTIONS: readonly string[] = ["signal"];

/**
 * A bounded queue of texts between processes, byte-compatible with the classic C program that uses
 * shared memory and three named semaphores: C producers and consumers can use the same queue.
 *
 * Any number of processes and threads may produce and consume, with up to 64 handles. Messages come
 * out in the order in which they went in, each once. Asynchronous calls of one handle are served in
 * the order of the calls, and those that need not wait let the event loop turn every two
 * milliseconds.
 *
 * What a crash leaves: a process that is killed at any instant loses at most the one message that
 * it was putting in or taking out. Bun's other handles repair the queue within a second of using it
 * (docs/ARCHITECTURE.md says how); C programs cannot repair it, and wait until a Bun handle does.
 *
 * It trusts its words as far as a C program does: whoever may write them can lose, repeat and
 * change messages. But what is out of range is a LayoutError or is repaired, and no call with a
 * timeout waits much longer because of it.
 *
 * Under `bun --hot`, opening the queue again in a newer load closes the handles of older loads.
 *
 * It always has a name and a segment of its own, and has no `init` and `at`: its layout is the C
 * program's, with the queue at the start of the object and semaphores beside it.
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
  /** The segment that the queue lies in. Closing it closes this handle too. */
  readonly segment: Segment;
  /** Whether this handle made the queue. */
  readonly created: boolean;
  /** How the queue's tokens are counted. */
  readonly synchronization: QueueMode;
  /** How many messages it can hold. */
  readonly capacity: number;
  /** How many bytes of UTF-8 a text can have. */
  readonly maxTextLength: number;

  /** The start of error messages. */
  readonly #toEnqueue: string;
  readonly #toDequeue: string;
  readonly #spec: QueueSpec;
  readonly #queue: OpenQueue;
  readonly #exchange: QueueExchange;

  private constructor(spec: QueueSpec, queue: OpenQueue, exchange: QueueExchange) {
    checkInside(exchange instanceof QueueExchange, "MessageQueue");
    this.name = spec.name;
    this.segment = queue.segment;
    this.created = queue.creatorLock !== undefined;
    this.synchronization = queue.synchronization;
    this.capacity = queue.slots.slots;
    this.maxTextLength = queue.slots.textLength;
    this.#toEnqueue = `Cannot enqueue into message queue ${shown(spec.name)}`;
    this.#toDequeue = `Cannot dequeue from message queue ${shown(spec.name)}`;
    this.#spec = spec;
    this.#queue = queue;
    this.#exchange = exchange;
  }

  static #attach(
    attach: (spec: QueueSpec, attachment: QueueAttachment) => OpenQueue,
    spec: QueueSpec,
    options: MessageQueueCreateOptions & MessageQueueOpenOptions,
  ): MessageQueue {
    const { mode, synchronization, waitMs, logger } = options;
    const log = new QueueLog(spec.name, logger);
    try {
      const queue = attach(spec, { mode, synchronization, waitMs, log });
      try {
        const make = () => new MessageQueue(spec, queue, new QueueExchange(queue, log));
        return takePlace(queue.segment, "queue", make);
      } catch (error) {
        closeQueue(queue);
        throw error;
      }
    } finally {
      log.deliver();
    }
  }

  /**
   * Makes a new queue. Does not block.
   *
   * @param name Default "/messagequeue".
   * @returns The queue.
   * @throws SystemError EEXIST when the name is taken (see `removeLeftovers`), ENOSPC, EACCES;
   *   StateError EBUSY while another process removes a queue of that name; RangeError, TypeError.
   */
  static create(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueCreateOptions = NO_OPTIONS,
  ): MessageQueue {
    const spec = checkSpec("create", name, options, CREATE_OPTIONS);
    return MessageQueue.#attach(createQueue, spec, options);
  }

  /**
   * Attaches to a queue that Bun or a C program made. Blocks until the name appears and the queue
   * is finished, for `waitMs` at most. Without `waitMs` it waits for what is being made: for up to
   * 30 seconds while its maker is known to live, and else for a second. A C program's object is
   * enlarged by the bookkeeping of Bun's handles.
   *
   * @param name Default "/messagequeue".
   * @returns The queue.
   * @throws SystemError ENOENT when there is none, EACCES; StateError EPERM when it is another
   *   user's (see `owner`), EBUSY when 64 handles have it open, or its maker lives and needs
   *   longer, ENODATA when its creator died before it had finished; LayoutError when it is
   *   something else, or its `slots`, `slotSize` or semaphores are not those asked for; RangeError,
   *   TypeError.
   */
  static open(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueOpenOptions = NO_OPTIONS,
  ): MessageQueue {
    const spec = checkSpec("open", name, options, OPEN_OPTIONS);
    return MessageQueue.#attach(openQueue, spec, options);
  }

  /**
   * Attaches to the queue with the messages in it, or makes it: exactly one of several concurrent
   * callers makes it. One whose creator died before it had finished is made again. Blocks while
   * another process is making it, for up to 30 seconds, and for a second to find that nobody is.
   *
   * Another `synchronization` than the creator asked for is a LayoutError. If it is the same, and
   * the creator had to fall back on another way, the logger receives "degraded".
   *
   * @param name Default "/messagequeue".
   * @returns The queue.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT.
   */
  static openOrCreate(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueCreateOptions & OwnerOptions = NO_OPTIONS,
  ): MessageQueue {
    const spec = checkSpec("create", name, options, OPEN_OR_CREATE_OPTIONS);
    return MessageQueue.#attach(openOrCreateQueue, spec, options);
  }

  /**
   * Removes a queue whose creator is dead. If Bun made the queue, the kernel knows that; if a C
   * program made it, no process may have it mapped any more. Blocks only for an object that is
   * still empty, for up to a second.
   *
   * @param name Default "/messagequeue".
   * @returns Whether it removed one: false when the creator lives, or there is no queue.
   * @throws SystemError EACCES; RangeError, TypeError.
   */
  static removeLeftovers(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueNames = NO_OPTIONS,
  ): boolean {
    const spec = checkSpec("remove", name, options, NAMES_OPTIONS);
    return removeDeadQueue(spec, `Cannot remove ${shown(name)}`);
  }

  /**
   * Removes a queue's names, whether its creator lives or not. Processes that have the queue open
   * keep it. Blocks only while another process is removing the same name, for up to a second.
   *
   * @param name Default "/messagequeue".
   * @returns Whether the queue existed. @throws SystemError EACCES; RangeError, TypeError.
   */
  static unlink(
    name: string = DEFAULT_QUEUE_NAME,
    options: MessageQueueNames = NO_OPTIONS,
  ): boolean {
    const { semaphores = [] } = checkSpec("remove", name, options, NAMES_OPTIONS);
    for (const semaphore of semaphores) Semaphore.unlink(semaphore);
    return Segment.unlink(name);
  }

  /** How many messages are in the queue; stale the moment it returns. @throws ClosedError. */
  get size(): number {
    this.#exchange.checkOpen();
    return Math.min(this.#queue.slots.depth, this.capacity);
  }

  /** Whether `close()` was called, here or on the segment. */
  get closed(): boolean {
    return this.#exchange.closed;
  }

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one.
   * Asks the kernel; stale the moment it returns. @throws ClosedError.
   */
  get unlinked(): boolean {
    this.#exchange.checkOpen();
    return this.segment.unlinked;
  }

  /**
   * Puts a text in if there is room now. Does not wait for room; blocks only while another
   * participant is inside the queue, for 50 ms at most. Lone surrogates become U+FFFD.
   *
   * @returns Whether it did: false when the queue was full, or an `enqueueAsync` of this handle
   *   waits for room, which comes first.
   * @throws RangeError for a text that is too long, or contains a NUL; LayoutError when the queue's
   *   words are out of range; ClosedError, TypeError.
   */
  tryEnqueue(text: string, options?: MessageQueueTryEnqueueOptions): boolean {
    if (options !== undefined) checkOptions(this.#toEnqueue, options, TRY_ENQUEUE_OPTIONS);
    checkText(text, options?.truncate, this.maxTextLength);
    this.#exchange.checkOpen();
    if (this.#exchange.attempt(SPACES, text) !== undefined) return true;
    this.#exchange.giveUp(SPACES);
    return false;
  }

  /**
   * Puts a text in, and blocks this thread while the queue is full; for ever without `timeoutMs`.
   *
   * @returns Whether it did: false when the timeout passed.
   * @throws The errors of `tryEnqueue`; StateError EBUSY while an `enqueueAsync` of this handle
   *   waits, which it would keep waiting; the signal's reason when it is aborted.
   */
  enqueue(text: string, options?: MessageQueueEnqueueOptions): boolean {
    if (options !== undefined) checkWait(this.#toEnqueue, options, ENQUEUE_OPTIONS);
    checkText(text, options?.truncate, this.maxTextLength);
    this.#exchange.checkOpen();
    if (this.#exchange.attempt(SPACES, text) !== undefined) return true;
    return this.#exchange.wait(SPACES, text, this.#toEnqueue, options) !== undefined;
  }

  /**
   * Puts a text in like `enqueue`, without blocking the event loop. The calls of one handle are
   * served in order.
   *
   * @returns Whether it did: false when the timeout passed.
   * @throws The errors of `enqueue`; ClosedError also when the handle is closed meanwhile.
   */
  async enqueueAsync(
    text: string,
    options: MessageQueueEnqueueAsyncOptions = NO_OPTIONS,
  ): Promise<boolean> {
    checkWait(this.#toEnqueue, options, ENQUEUE_ASYNC_OPTIONS);
    checkText(text, options.truncate, this.maxTextLength);
    this.#exchange.checkOpen();
    return (await this.#exchange.waitAsync(SPACES, text, options)) !== undefined;
  }

  /**
   * Takes the oldest text out if there is one now. Does not wait for one; blocks only while another
   * participant is inside the queue, for 50 ms at most.
   *
   * @returns The text; undefined when the queue was empty, or a `dequeueAsync` of this handle
   *   waits, which comes first. @throws LayoutError, ClosedError.
   */
  tryDequeue(): string | undefined {
    this.#exchange.checkOpen();
    const text = this.#exchange.attempt(ITEMS, "");
    if (text === undefined) this.#exchange.giveUp(ITEMS);
    return text;
  }

  /**
   * Takes the oldest text out, and blocks this thread while the queue is empty; for ever without
   * `timeoutMs`.
   *
   * @returns The text; undefined when the timeout passed.
   * @throws StateError EBUSY while a `dequeueAsync` or an iterator of this handle waits, which it
   *   would keep waiting; LayoutError, ClosedError, RangeError, TypeError; the signal's reason when
   *   it is aborted.
   */
  dequeue(options?: WaitOptions): string | undefined {
    if (options !== undefined) checkWait(this.#toDequeue, options, WAIT_OPTIONS);
    this.#exchange.checkOpen();
    const text = this.#exchange.attempt(ITEMS, "");
    return text ?? this.#exchange.wait(ITEMS, "", this.#toDequeue, options);
  }

  /**
   * Takes the oldest text out like `dequeue`, without blocking the event loop. The calls of one
   * handle are served in order.
   *
   * @returns The text; undefined when the timeout passed.
   * @throws The errors of `dequeue`; ClosedError also when the handle is closed meanwhile.
   */
  async dequeueAsync(options: AsyncWaitOptions = NO_OPTIONS): Promise<string | undefined> {
    checkWait(this.#toDequeue, options, ASYNC_WAIT_OPTIONS);
    this.#exchange.checkOpen();
    return this.#exchange.waitAsync(ITEMS, "", options);
  }

  /**
   * Takes texts out as they come, without blocking the event loop, until the handle is closed.
   *
   * @param options When its `signal` is aborted, the iterator throws the signal's reason.
   * @returns The iterator. @throws ClosedError, TypeError; the signal's reason when it is aborted.
   */
  values(
    options: { readonly signal?: AbortSignalLike | undefined } = NO_OPTIONS,
  ): AsyncGenerator<string, void, void> {
    checkWait(this.#toDequeue, options, VALUES_OPTIONS);
    this.#exchange.checkOpen();
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

  /** Takes texts out as they come, like `values()`. @returns The iterator. @throws ClosedError. */
  [Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    return this.values();
  }

  /** What this handle has done, and the state of the queue. @throws ClosedError. */
  stats(): MessageQueueStats {
    this.#exchange.checkOpen();
    const { book } = this.#queue;
    const { done, bytes, misses, waits, timeouts } = this.#exchange.counts;
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
      full: misses[SPACES],
      empty: misses[ITEMS],
      repaired: load(book, BOOK_REPAIRED_WORD),
    };
  }

  /**
   * Ends the use of this handle; the queue and its messages stay. Pending asynchronous calls are
   * rejected with ClosedError, and iterators end. Does not block. Calling it again does nothing.
   */
  close(): void {
    this.#exchange.close();
  }

  /**
   * Removes the queue's names if they still belong to this queue, and not to a newer one.
   * @returns Whether this call removed them. @throws SystemError EACCES; ClosedError.
   */
  unlink(): boolean {
    this.#exchange.checkOpen();
    return unlinkQueue(this.segment, this.#spec);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
