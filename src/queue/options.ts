/** What the methods of MessageQueue take and report, and the checks of it. */
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkMode,
  checkOneOf,
  checkOptions,
  shown,
} from "../arguments.ts";
import {
  DEFAULT_SLOTS,
  DEFAULT_SLOT_SIZE,
  MAX_SLOTS,
  MAX_SLOT_SIZE,
  type QueueGeometry,
  queueSemaphores,
} from "../layout/message-queue-layout.ts";
import { SEMAPHORE_NAME_MAX, checkObjectName } from "../memory/objects/object-name.ts";
import type { Stats } from "../segment/stats.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkTimeout,
} from "../waiting/wait-options.ts";

/** How tokens are counted: by named semaphores, by semaphores in the segment, or without any. */
export type QueueMode = "named" | "segment" | "polling";

/** By the numbers that the bookkeeping has for them, from 1 on. */
export const QUEUE_MODES: readonly QueueMode[] = ["named", "segment", "polling"];

/** Something that happened to a queue, for a log. */
export interface MessageQueueEvent {
  /**
   * "repaired": what a dead process left half done was finished or undone. "degraded": there are no
   * named semaphores, so C programs cannot take part. "leftovers": a dead queue's semaphore was
   * removed.
   */
  readonly type: "repaired" | "degraded" | "leftovers";
  /** The queue's name. */
  readonly queue: string;
  readonly message: string;
}

/** The names of a queue's semaphores. */
export interface MessageQueueSemaphores {
  readonly mutex: string;
  readonly items: string;
  readonly spaces: string;
}

/** What belongs to a queue beside its segment. */
export interface MessageQueueNames {
  /**
   * The semaphores' names. Default /mq_mutex, /mq_items and /mq_spaces for the default queue, and
   * NAME_mutex, NAME_items and NAME_spaces for others that are POSIX objects.
   */
  readonly semaphores?: MessageQueueSemaphores | undefined;
}

/** What everybody who makes or finds a queue can say of it. */
export interface MessageQueueOptions extends MessageQueueNames {
  /** Messages that it holds at most. Default 10; an opener takes what Bun's bookkeeping says. */
  readonly slots?: number | undefined;
  /** Bytes for one text, with its NUL. Default 256; likewise. */
  readonly slotSize?: number | undefined;
  /** Receives what happens. Default: nobody. */
  readonly logger?: ((event: MessageQueueEvent) => void) | undefined;
}

/** How to make a queue. */
export interface MessageQueueCreateOptions extends MessageQueueOptions {
  /** Permission bits of segment and semaphores. Default 0o600: this user only. */
  readonly mode?: number | undefined;
  /**
   * What to begin with: "named" semaphores, which C programs need; semaphores inside the "segment";
   * or "polling". If it is impossible here, the next is taken, and the logger receives "degraded".
   * Default "named".
   */
  readonly synchronization?: QueueMode | undefined;
}

/** How to attach to a queue. */
export interface MessageQueueOpenOptions extends MessageQueueOptions {
  /** Milliseconds to wait, blocking this thread, for the name to appear. Default 0. */
  readonly waitMs?: number | undefined;
}

/** How a text is enqueued. */
export interface MessageQueueTryEnqueueOptions {
  /** Cut a text that is too long, between two characters, instead of refusing it. Default false. */
  readonly truncate?: boolean | undefined;
}

/** How a text is enqueued, and how long that may take. */
export interface MessageQueueEnqueueOptions extends MessageQueueTryEnqueueOptions, WaitOptions {}

/** How a text is enqueued, and how long the event loop may wait for that. */
export interface MessageQueueEnqueueAsyncOptions
  extends MessageQueueTryEnqueueOptions, AsyncWaitOptions {}

/** What one handle did; `depth`, `highWater` and `repaired` are the whole queue's. */
export interface MessageQueueStats extends Stats {
  /** Texts that this handle put in, and took out. */
  readonly in: number;
  readonly out: number;
  /** Bytes of those texts. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Messages in the queue now. */
  readonly depth: number;
  /** Most messages that Bun's handles saw in the queue. */
  readonly highWater: number;
  /** Messages that the queue holds at most. */
  readonly capacity: number;
  /** Calls here that had to wait. */
  readonly waits: number;
  /** Calls here whose time was over. */
  readonly timeouts: number;
  /** Calls here that found the queue full. */
  readonly full: number;
  /** Calls here that found the queue empty. */
  readonly empty: number;
  /** Repairs after a death, by all handles since the queue was made. */
  readonly repaired: number;
}

/** What names a queue and gives its shape. */
export interface QueuePlace {
  readonly name: string;
  readonly geometry: QueueGeometry;
  /** What of the shape the caller asked for, and would not take otherwise. */
  readonly asked: { readonly slots?: number | undefined; readonly slotSize?: number | undefined };
  /** Mutex, items, spaces; undefined where the queue's name gives none. */
  readonly semaphores: readonly [string, string, string] | undefined;
}

/** Reports an event of one queue. */
export type QueueLog = (type: MessageQueueEvent["type"], message: string) => void;

/** The names of the options of each call. */
export const NAMES_OPTIONS: readonly string[] = ["semaphores"];
const PLACE_OPTIONS: readonly string[] = [...NAMES_OPTIONS, "slots", "slotSize", "logger"];
export const CREATE_OPTIONS: readonly string[] = [...PLACE_OPTIONS, "mode", "synchronization"];
export const OPEN_OPTIONS: readonly string[] = [...PLACE_OPTIONS, "waitMs"];
export const TRY_ENQUEUE_OPTIONS: readonly string[] = ["truncate"];
export const ENQUEUE_OPTIONS: readonly string[] = [...WAIT_OPTIONS, "truncate"];
export const ENQUEUE_ASYNC_OPTIONS: readonly string[] = [...ASYNC_WAIT_OPTIONS, "truncate"];

/** A POSIX name, which can have semaphores beside it. */
const POSIX_NAME = /^\/[^/]+$/;

/**
 * Checks what a caller gave to make, find or remove a queue.
 *
 * @param verb For messages: "create".
 * @param known The names of the options that this call has.
 * @throws TypeError, RangeError that name what is wrong.
 */
export function checkPlace(
  verb: string,
  name: string,
  options: MessageQueueCreateOptions & MessageQueueOpenOptions,
  known: readonly string[],
): QueuePlace {
  const action = `Cannot ${verb} message queue ${shown(name)}`;
  if (typeof name !== "string") throw new TypeError(`${action}: its name must be a string`);
  checkOptions(action, options, known);
  const { slots, slotSize, semaphores, logger, mode, synchronization, waitMs } = options;
  if (slots !== undefined) checkInteger(action, "slots", slots, 1, MAX_SLOTS);
  // One byte, and the NUL.
  if (slotSize !== undefined) checkInteger(action, "slotSize", slotSize, 2, MAX_SLOT_SIZE);
  if (logger !== undefined) checkFunction(action, "its logger", logger);
  if (mode !== undefined) checkMode(action, mode);
  if (synchronization !== undefined) {
    checkOneOf(action, "its synchronization", synchronization, QUEUE_MODES);
  }
  checkTimeout(waitMs, "waitMs");
  return {
    name,
    geometry: { slots: slots ?? DEFAULT_SLOTS, slotSize: slotSize ?? DEFAULT_SLOT_SIZE },
    asked: { slots, slotSize },
    semaphores: semaphores === undefined ? namesBeside(name) : checkNames(action, semaphores),
  };
}

function namesBeside(name: string): readonly [string, string, string] | undefined {
  return POSIX_NAME.test(name) ? queueSemaphores(name) : undefined;
}

function checkNames(
  action: string,
  semaphores: MessageQueueSemaphores,
): readonly [string, string, string] {
  checkOptions(`${action}: semaphores`, semaphores, ["mutex", "items", "spaces"]);
  for (const role of ["mutex", "items", "spaces"] as const) {
    const name: unknown = semaphores[role];
    if (typeof name === "string") continue;
    const rule = `the name of its semaphore ${shown(role)} must be a string, not ${shown(name)}`;
    throw new TypeError(`${action}: ${rule}`);
  }
  const { mutex, items, spaces } = semaphores;
  for (const each of [mutex, items, spaces]) checkObjectName(each, "semaphore", SEMAPHORE_NAME_MAX);
  if (new Set([mutex, items, spaces]).size === 3) return [mutex, items, spaces];
  throw new RangeError(
    `${action}: its semaphores must have three names, not ${shown(mutex)} twice`,
  );
}

/**
 * Checks a text.
 *
 * @param limit Most bytes of UTF-8.
 * @throws TypeError when it is no string; RangeError when it is too long, or contains a NUL.
 */
export function checkText(text: string, truncate: boolean | undefined, limit: number): void {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot enqueue ${shown(text)}: it is not a string`);
  }
  if (truncate !== undefined) checkBoolean("Cannot enqueue a text", "truncate", truncate);
  if (text.includes("\0")) {
    throw new RangeError(
      `Cannot enqueue a text with a NUL character (at ${text.indexOf("\0")}): it would end there`,
    );
  }
  // No UTF-16 unit takes more than three bytes.
  if (truncate === true || text.length * 3 <= limit) return;
  const byteLength = Buffer.byteLength(text);
  if (byteLength <= limit) return;
  throw new RangeError(
    `Cannot enqueue a text of ${byteLength} bytes: a slot holds at most ${limit}. ` +
      `Pass { truncate: true } to cut it`,
  );
}

/** Where a queue's events go. */
export function logTo(logger: MessageQueueOptions["logger"], name: string): QueueLog {
  return (type, message) => logger?.({ type, queue: name, message });
}
