/** What the methods of MessageQueue take and tell. */
import {
  DEFAULT_SLOTS,
  DEFAULT_SLOT_SIZE,
  MAX_SLOTS,
  type QueueGeometry,
} from "../layout/message-queue-layout.ts";
import type { AbortSignalLike } from "../waiting/abort-signal.ts";

/** How tokens are counted: by named semaphores, by semaphores in the segment, or without any. */
export type QueueMode = "named" | "segment" | "polling";

/** What names a queue and gives its shape. */
export interface QueuePlace {
  readonly name: string;
  readonly geometry: QueueGeometry;
  /** Whether the caller chose the shape, or would take any. */
  readonly chosen: boolean;
  /** Mutex, items, spaces. */
  readonly semaphores: readonly [string, string, string];
}

/** Something that happened to a queue, for a log. */
export interface MessageQueueEvent {
  /**
   * "recovered": what a dead process left half done was repaired. "degraded": there are no named
   * semaphores, so C programs cannot take part. "leftovers": a dead queue's semaphore was removed.
   */
  readonly type: "recovered" | "degraded" | "leftovers";
  /** The queue's name. */
  readonly queue: string;
  readonly message: string;
}

/** Which queue. */
export interface MessageQueueName {
  /** The segment's name. Default "/messagequeue". */
  name?: string;
  /**
   * The semaphores' names. Default /mq_mutex, /mq_items and /mq_spaces for the default queue, and
   * NAME_mutex, NAME_items and NAME_spaces for others.
   */
  semaphores?: { mutex: string; items: string; spaces: string };
}

/** How to attach to a queue. */
export interface MessageQueueOptions extends MessageQueueName {
  /** Messages that it holds at most. Default 10; an opener takes what Bun's bookkeeping says. */
  slots?: number;
  /** Bytes for one text, with its NUL. Default 256; likewise. */
  slotSize?: number;
  /** Receives what happens. Default: nobody. */
  logger?: (event: MessageQueueEvent) => void;
}

/** How to make a queue. */
export interface MessageQueueCreateOptions extends MessageQueueOptions {
  /** Permission bits of segment and semaphores. Default 0o600: this user only. */
  mode?: number;
  /**
   * What to begin with: "named" semaphores, which C programs need; semaphores inside the "segment";
   * or "polling". If it is impossible here, the next is taken. Default "named".
   */
  synchronization?: QueueMode;
}

/** How to attach to a queue. */
export interface MessageQueueOpenOptions extends MessageQueueOptions {
  /** Milliseconds to wait, blocking this thread, for the queue to appear. Default 0. */
  waitMs?: number;
}

/** How long a call blocks. */
export interface MessageQueueWaitOptions {
  /** Milliseconds; 0 only tries. Default: for ever. */
  readonly timeoutMs?: number;
}

/** How a text is enqueued. */
export interface MessageQueueEnqueueOptions extends MessageQueueWaitOptions {
  /** Cut a text that is too long, between two characters, instead of refusing it. Default false. */
  readonly truncate?: boolean;
}

/** How long a call lets the event loop go on. */
export interface MessageQueueAsyncOptions extends MessageQueueWaitOptions {
  /** Ends the wait: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignalLike;
}

/** What a handle did; `recoveries`, `depth` and `highWater` are the queue's. */
export interface MessageQueueStats {
  readonly enqueued: number;
  readonly dequeued: number;
  /** Bytes of all texts enqueued and dequeued here. */
  readonly bytes: number;
  /** Calls that had to wait. */
  readonly waits: number;
  /** Calls whose time was over. */
  readonly timeouts: number;
  /** Calls that found the queue full. */
  readonly fullHits: number;
  /** Calls that found the queue empty. */
  readonly emptyHits: number;
  /** Repairs after a death, by all handles since the queue was made. */
  readonly recoveries: number;
  /** Messages in the queue now. */
  readonly depth: number;
  /** Most messages that Bun's handles saw in the queue. */
  readonly highWater: number;
}

/** Checks what a caller gave. @throws RangeError, TypeError. */
export function checkPlace(options: {
  name?: string;
  slots?: number;
  slotSize?: number;
  semaphores?: { mutex: string; items: string; spaces: string };
}): QueuePlace {
  const { name = "/messagequeue", slots = DEFAULT_SLOTS, slotSize = DEFAULT_SLOT_SIZE } = options;
  if (!Number.isInteger(slots) || slots < 1 || slots > MAX_SLOTS) {
    throw new RangeError(
      `Cannot use a message queue of ${String(slots)} slots: it must be an integer from 1 to ` +
        `${MAX_SLOTS}`,
    );
  }
  if (!Number.isInteger(slotSize) || slotSize < 2 || slotSize > 2 ** 30) {
    throw new RangeError(
      `Cannot use a message queue with slots of ${String(slotSize)} bytes: it must be an integer ` +
        `from 2 (one byte and the NUL) to ${2 ** 30}`,
    );
  }
  const prefix = name === "/messagequeue" ? "/mq" : name;
  const { mutex, items, spaces } = options.semaphores ?? {
    mutex: `${prefix}_mutex`,
    items: `${prefix}_items`,
    spaces: `${prefix}_spaces`,
  };
  const chosen = options.slots !== undefined || options.slotSize !== undefined;
  return { name, geometry: { slots, slotSize }, chosen, semaphores: [mutex, items, spaces] };
}

/** Checks a text. @throws TypeError; RangeError for more than `limit` bytes, or a NUL. */
export function checkText(text: string, truncate: boolean, limit: number): void {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot enqueue ${String(text)}: it is not a string`);
  }
  if (text.includes("\0")) {
    throw new RangeError(
      `Cannot enqueue a text with a NUL character (at ${text.indexOf("\0")}): it would end there`,
    );
  }
  // No UTF-16 unit takes more than three bytes.
  if (truncate || text.length * 3 <= limit) return;
  const byteLength = Buffer.byteLength(text);
  if (byteLength <= limit) return;
  throw new RangeError(
    `Cannot enqueue a text of ${byteLength} bytes: a slot holds at most ${limit}. ` +
      `Pass { truncate: true } to cut it`,
  );
}

/** Reports an event of one queue. */
export type QueueLog = (type: MessageQueueEvent["type"], message: string) => void;

/** Where a queue's events go. */
export function logTo({ logger }: MessageQueueOptions, { name }: QueuePlace): QueueLog {
  return (type, message) => logger?.({ type, queue: name, message });
}
