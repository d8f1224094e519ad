/** What the methods of MessageQueue take and report, and how arguments are checked. */
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
import { type OwnerOptions, checkOwnerOption } from "../memory/objects/owner.ts";
import type { Stats } from "../segment/stats.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkTimeout,
} from "../waiting/wait-options.ts";

/** How tokens are counted: by named semaphores, by semaphores in the segment, or by polling. */
export type QueueMode = "named" | "segment" | "polling";

/** In the order of their numbers in the bookkeeping, which start at 1. */
export const QUEUE_MODES: readonly QueueMode[] = ["named", "segment", "polling"];

/** An event of a queue, for a log. */
export interface MessageQueueEvent {
  /**
   * "repaired": what a dead process had left unfinished was finished or undone. "degraded": the
   * queue has no named semaphores, so C programs cannot take part. "leftovers": a semaphore of an
   * earlier, dead queue was removed.
   */
  readonly type: "repaired" | "degraded" | "leftovers";
  /** The queue's name. */
  readonly queue: string;
  /** What happened, as one sentence. */
  readonly message: string;
}

/** The names of a queue's semaphores. */
export interface MessageQueueSemaphores {
  readonly mutex: string;
  readonly items: string;
  readonly spaces: string;
}

/** The names that belong to a queue beside its segment's. */
export interface MessageQueueNames {
  /**
   * The semaphores' names. Default /mq_mutex, /mq_items and /mq_spaces for the default queue, and
   * NAME_mutex, NAME_items and NAME_spaces for others that are POSIX objects.
   */
  readonly semaphores?: MessageQueueSemaphores | undefined;
}

/** How to make a queue, or what the queue that is found must be like. */
export interface MessageQueueOptions extends MessageQueueNames {
  /** How many messages it can hold. Default 10; for an existing queue of Bun's, any number. */
  readonly slots?: number | undefined;
  /** Bytes for one text, with its NUL. Default 256; for an existing queue of Bun's, any number. */
  readonly slotSize?: number | undefined;
  /**
   * Receives the queue's events, each when the call in which it happened has ended its work on the
   * queue. So it may use the queue, or close it. It is not awaited, and what it throws is an
   * uncaught exception that changes no call's outcome. Default: the events are dropped.
   */
  readonly logger?: ((event: MessageQueueEvent) => void) | undefined;
}

/** How to make a queue. */
export interface MessageQueueCreateOptions extends MessageQueueOptions {
  /**
   * Permission bits of the segment and the semaphores, whatever the umask. Default 0o600: this user
   * only.
   */
  readonly mode?: number | undefined;
  /**
   * How to count tokens: by "named" semaphores, which C programs need; by semaphores inside the
   * "segment"; or by "polling". If one is impossible here, the next is used, and the logger
   * receives "degraded". Default "named".
   */
  readonly synchronization?: QueueMode | undefined;
}

/** How to attach to a queue. */
export interface MessageQueueOpenOptions extends MessageQueueOptions, OwnerOptions {
  /**
   * Milliseconds to wait, blocking this thread, for the name to appear, and for its maker to finish
   * the queue. Default 0.
   */
  readonly waitMs?: number | undefined;
}

/** How a text is enqueued. */
export interface MessageQueueTryEnqueueOptions {
  /** Cut off a text that is too long, between two characters. Default false: it is an error. */
  readonly truncate?: boolean | undefined;
}

/** How a text is enqueued, and how long that may take. */
export interface MessageQueueEnqueueOptions extends MessageQueueTryEnqueueOptions, WaitOptions {}

/** How a text is enqueued, and how long the event loop may wait for that. */
export interface MessageQueueEnqueueAsyncOptions
  extends MessageQueueTryEnqueueOptions, AsyncWaitOptions {}

/** What one handle has done; `depth`, `highWater` and `repaired` are the whole queue's. */
export interface MessageQueueStats extends Stats {
  /** Texts that this handle put in. */
  readonly in: number;
  /** Texts that this handle took out. */
  readonly out: number;
  /** Bytes that this handle put in. */
  readonly bytesIn: number;
  /** Bytes that this handle took out. */
  readonly bytesOut: number;
  /** Messages in the queue now. */
  readonly depth: number;
  /** The most messages that Bun's handles ever saw in the queue. */
  readonly highWater: number;
  /** How many messages the queue can hold. */
  readonly capacity: number;
  /** Calls of this handle that had to wait. */
  readonly waits: number;
  /** Calls of this handle whose timeout passed. */
  readonly timeouts: number;
  /** Calls of this handle that found the queue full. */
  readonly full: number;
  /** Calls of this handle that found the queue empty. */
  readonly empty: number;
  /** Repairs after a death, by all handles since the queue was made. */
  readonly repaired: number;
}

/** A queue's names and its shape. */
export interface QueueSpec {
  readonly name: string;
  /** The shape asked for, or the default one. */
  readonly geometry: QueueGeometry;
  /** What the caller asked for explicitly; an existing queue must have it. */
  readonly asked: { readonly slots?: number | undefined; readonly slotSize?: number | undefined };
  /** Mutex, items, spaces; undefined when none can be derived from the queue's name. */
  readonly semaphores: readonly [string, string, string] | undefined;
  /** Whose segment and semaphores are opened. */
  readonly owner: OwnerOptions["owner"];
}

/** The names of each call's options. */
export const NAMES_OPTIONS: readonly string[] = ["semaphores"];
const SPEC_OPTIONS: readonly string[] = [...NAMES_OPTIONS, "slots", "slotSize", "logger"];
export const CREATE_OPTIONS: readonly string[] = [...SPEC_OPTIONS, "mode", "synchronization"];
export const OPEN_OPTIONS: readonly string[] = [...SPEC_OPTIONS, "waitMs", "owner"];
export const OPEN_OR_CREATE_OPTIONS: readonly string[] = [...CREATE_OPTIONS, "owner"];
export const TRY_ENQUEUE_OPTIONS: readonly string[] = ["truncate"];
export const ENQUEUE_OPTIONS: readonly string[] = [...WAIT_OPTIONS, "truncate"];
export const ENQUEUE_ASYNC_OPTIONS: readonly string[] = [...ASYNC_WAIT_OPTIONS, "truncate"];

/** A POSIX name, from which the semaphores' names can be derived. */
const POSIX_NAME = /^\/[^/]+$/;

/**
 * Checks the arguments of a call that makes, finds or removes a queue.
 *
 * @param verb The call's verb in messages, as in "create".
 * @param known The names of the call's options.
 * @returns The queue that the arguments describe.
 * @throws TypeError, RangeError.
 */
export function checkSpec(
  verb: string,
  name: string,
  options: MessageQueueCreateOptions & MessageQueueOpenOptions,
  known: readonly string[],
): QueueSpec {
  const action = `Cannot ${verb} message queue ${shown(name)}`;
  if (typeof name !== "string") throw new TypeError(`${action}: its name must be a string`);
  checkOptions(action, options, known);
  const { slots, slotSize, semaphores, logger, mode, synchronization, waitMs, owner } = options;
  if (slots !== undefined) checkInteger(action, "slots", slots, 1, MAX_SLOTS);
  // At least one byte and the NUL.
  if (slotSize !== undefined) checkInteger(action, "slotSize", slotSize, 2, MAX_SLOT_SIZE);
  if (logger !== undefined) checkFunction(action, "its logger", logger);
  if (mode !== undefined) checkMode(action, mode);
  if (synchronization !== undefined) {
    checkOneOf(action, "its synchronization", synchronization, QUEUE_MODES);
  }
  checkTimeout(waitMs, "waitMs");
  checkOwnerOption(action, options);
  return {
    name,
    geometry: { slots: slots ?? DEFAULT_SLOTS, slotSize: slotSize ?? DEFAULT_SLOT_SIZE },
    asked: { slots, slotSize },
    semaphores: semaphores === undefined ? namesBeside(name) : checkNames(action, semaphores),
    owner,
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
 * @param limit How many bytes of UTF-8 it can have.
 * @throws TypeError when it is not a string; RangeError when it is too long, or contains a NUL.
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
