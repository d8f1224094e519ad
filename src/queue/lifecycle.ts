/** How a message queue is made, found and removed: segment, bookkeeping, semaphores. */
import { hex, shown } from "../arguments.ts";
import { LayoutError, RELOAD_HINT, StateError, SystemError } from "../errors.ts";
import { QUEUE_CREATOR_BYTE } from "../layout/lock-bytes.ts";
import {
  BOOK_LOCK_WORD,
  BOOK_MODE_WORD,
  BOOK_NAMES_WORD,
  BOOK_SLOTS_WORD,
  BOOK_SLOT_SIZE_WORD,
  BOOK_WANTED_WORD,
  MAGIC_WORD,
  QUEUE_BOOK_LENGTH,
  QUEUE_CREATOR_BUN,
  QUEUE_HEADER_LENGTH,
  QUEUE_MAGIC,
  QUEUE_MODE_NAMED,
  QUEUE_PARTICIPANTS,
  QUEUE_VERSION,
  type QueueGeometry,
  VERSION_WORD,
  bookOffset,
} from "../layout/message-queue-layout.ts";
import { E, fail } from "../libc/errno.ts";
import { OwnedLock } from "../locks/owned-lock.ts";
import { load, store } from "../memory/atomics.ts";
import type { ByteLock } from "../memory/byte-lock.ts";
import { quietly } from "../segment/quietly.ts";
import { Segment } from "../segment/segment.ts";
import { Semaphore } from "../semaphore/semaphore.ts";
import { type MakerDeadlines, deadlinesFor } from "../waiting/patience.ts";
import { addBook, bookOf, checkSize, hashOfNames, recordedGeometry, writeBook } from "./book.ts";
import type { QueueParts } from "./guard.ts";
import { QUEUE_MARK, checkIsQueue, hasOtherMappers, isByBun, waitForMagic } from "./half-done.ts";
import { QUEUE_MODES, type QueueMode, type QueueSpec } from "./options.ts";
import { Participant } from "./participants.ts";
import type { QueueLog } from "./queue-log.ts";
import { SlotQueue } from "./slots.ts";
import { type Counters, makeCounters, openCounters } from "./tokens.ts";

/** An open queue. */
export interface OpenQueue extends QueueParts {
  readonly synchronization: QueueMode;
  /** Says that the queue's creator lives; undefined for all other handles. */
  readonly creatorLock: ByteLock | undefined;
}

/** What a handle asks for beside the queue itself. */
export interface QueueAttachment {
  readonly mode?: number | undefined;
  readonly synchronization?: QueueMode | undefined;
  readonly waitMs?: number | undefined;
  readonly log: QueueLog;
}

/** Makes a new queue. */
export function createQueue(spec: QueueSpec, attachment: QueueAttachment): OpenQueue {
  const { name, geometry } = spec;
  const { mode, synchronization = "named", log } = attachment;
  using stack = new DisposableStack();
  const segment = stack.use(createSegment(name, bookOffset(geometry) + QUEUE_BOOK_LENGTH, mode));
  stack.defer(() => quietly(() => segment.unlink()));
  const creatorLock = segment.tryLock(QUEUE_CREATOR_BYTE);
  // Until it has the lock, its creator is taken for dead if it is stopped for long.
  if (creatorLock === undefined || segment.unlinked) {
    const message = `Cannot create message queue ${shown(name)}: another process is removing it`;
    throw new StateError("EBUSY", message);
  }
  const words = new Int32Array(segment.buffer, 0, QUEUE_HEADER_LENGTH / 4);
  const wanted = QUEUE_MODES.indexOf(synchronization) + 1;
  const [made, counters] = makeCounters(spec, segment, wanted, mode, log);
  stack.defer(() => {
    for (const counter of counters) counter.close();
    if (made === QUEUE_MODE_NAMED) {
      for (const semaphore of spec.semaphores ?? []) quietly(() => Semaphore.unlink(semaphore));
    }
  });
  const queue = assemble(segment, geometry, made, counters, creatorLock);
  const { semaphores } = spec;
  writeBook(queue.book, { geometry, mode: made, wanted, creator: QUEUE_CREATOR_BUN, semaphores });
  store(words, VERSION_WORD, QUEUE_VERSION);
  // SYNC queue-made: pairs with the opener's look at the magic number.
  store(words, MAGIC_WORD, QUEUE_MAGIC);
  stack.move();
  return queue;
}

function createSegment(name: string, size: number, mode: number | undefined): Segment {
  try {
    return Segment.make(name, { size, mode }, QUEUE_MARK);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "EEXIST") throw error;
    const hint =
      "Another process made it and lives, or died and left it: MessageQueue.removeLeftovers " +
      "finds out, and removes it in the second case; MessageQueue.openOrCreate takes it as it is";
    return fail(`Cannot create message queue ${shown(name)}`, -E.EEXIST, "shm_open", name, hint);
  }
}

/** Attaches to a queue, made by Bun or by a C program. */
export function openQueue(spec: QueueSpec, { waitMs }: QueueAttachment): OpenQueue {
  const { asked } = spec;
  using stack = new DisposableStack();
  const until = deadlinesFor(waitMs);
  const segment = stack.use(openSegment(spec, waitMs));
  waitForMagic(segment, until);
  const geometry = recordedGeometry(segment) ?? adoptForeign(spec, segment, until);
  mustHave(segment, geometry, "number of slots", BOOK_SLOTS_WORD, geometry.slots, asked.slots);
  const { slotSize } = geometry;
  mustHave(segment, geometry, "slotSize", BOOK_SLOT_SIZE_WORD, slotSize, asked.slotSize);
  const mode = load(bookOf(segment, geometry), BOOK_MODE_WORD);
  if (mode === QUEUE_MODE_NAMED) checkNames(spec, segment, geometry);
  const counters = openCounters(spec, segment, geometry, mode, until);
  stack.defer(() => counters.forEach((counter) => counter.close()));
  const queue = assemble(segment, geometry, mode, counters, undefined);
  stack.defer(() => queue.participant.close());
  queue.slots.check();
  stack.move();
  return queue;
}

/**
 * Attaches to the queue, or makes it. One whose creator died before it had finished is made again.
 */
export function openOrCreateQueue(spec: QueueSpec, attachment: QueueAttachment): OpenQueue {
  const { name } = spec;
  const isOfName = (error: unknown, code: string): boolean =>
    error instanceof SystemError && error.code === code && error.path === name;
  for (let unfinished = 0; ;) {
    try {
      return createQueue(spec, attachment);
    } catch (error) {
      if (!isOfName(error, "EEXIST")) throw error;
    }
    try {
      return checkSynchronization(openQueue(spec, attachment), attachment);
    } catch (error) {
      const isUnfinished = (error as { code?: unknown }).code === "ENODATA";
      if (isUnfinished && unfinished++ === 0)
        removeDeadQueue(spec, `Cannot make ${shown(spec.name)}`);
      // Somebody removed it between the two attempts: begin again.
      else if (!isOfName(error, "ENOENT")) throw error;
    }
  }
}

/**
 * Compares how tokens are counted with what the caller asked for. If the creator asked for the same
 * and had to fall back on another way, that is logged and not an error.
 */
function checkSynchronization(
  queue: OpenQueue,
  { synchronization: asked, log }: QueueAttachment,
): OpenQueue {
  const { synchronization: found, segment, book } = queue;
  if (asked === undefined || found === asked) return queue;
  if (asked === QUEUE_MODES[load(book, BOOK_WANTED_WORD) - 1]) {
    log.note("degraded", `The queue has "${found}" synchronization; C programs cannot join`);
    return queue;
  }
  const offset = book.byteOffset + BOOK_MODE_WORD * 4;
  closeQueue(queue);
  const what = `Cannot open message queue ${shown(segment.name)}`;
  throw new LayoutError(`${what}: it was made with a different synchronization`, {
    expected: asked,
    found,
    offset,
  });
}

/** @throws LayoutError when the queue was made with semaphores of other names. */
function checkNames({ semaphores }: QueueSpec, segment: Segment, geometry: QueueGeometry): void {
  const found = load(bookOf(segment, geometry), BOOK_NAMES_WORD) >>> 0;
  if (semaphores === undefined || found === 0 || found === hashOfNames(semaphores)) return;
  const what = `Cannot open message queue ${shown(segment.name)}`;
  throw new LayoutError(`${what}: it was made with semaphores of other names`, {
    expected: semaphores.map((name) => shown(name)).join(", "),
    found: `names of the hash ${hex(found)}`,
    offset: bookOffset(geometry) + BOOK_NAMES_WORD * 4,
  });
}

/** Ends the use of everything that belongs to a queue. */
export function closeQueue(queue: OpenQueue): void {
  const { mutex, items, spaces, participant, creatorLock, segment } = queue;
  for (const counter of [items, spaces, mutex]) counter.close();
  participant.close();
  creatorLock?.close();
  segment.close();
}

/** Compares a parameter with the one asked for, if any. @throws LayoutError when they differ. */
function mustHave(
  segment: Segment,
  geometry: QueueGeometry,
  field: string,
  word: number,
  found: number,
  asked: number | undefined,
): void {
  if (asked === undefined || asked === found) return;
  const what = `Cannot open message queue ${shown(segment.name)}`;
  const offset = bookOffset(geometry) + word * 4;
  throw new LayoutError(`${what}: it was made with a different ${field}`, {
    expected: String(asked),
    found: String(found),
    offset,
  });
}

function openSegment({ name, owner }: QueueSpec, waitMs: number | undefined): Segment {
  try {
    return Segment.open(name, { waitMs, owner });
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "ENOENT") throw error;
    const hint = "Its producer is not running: MessageQueue.create makes a queue";
    return fail(`Cannot open message queue ${shown(name)}`, -E.ENOENT, "shm_open", name, hint);
  }
}

/** Adds the bookkeeping to a C program's queue, once its semaphores have been seen to be there. */
function adoptForeign(spec: QueueSpec, segment: Segment, until: MakerDeadlines): QueueGeometry {
  const { geometry } = spec;
  checkSize(segment, geometry);
  for (const each of openCounters(spec, segment, geometry, QUEUE_MODE_NAMED, until)) each.close();
  return addBook(segment, spec, until);
}

function assemble(
  segment: Segment,
  geometry: QueueGeometry,
  mode: number,
  [mutex, items, spaces]: Counters,
  creatorLock: ByteLock | undefined,
): OpenQueue {
  const book = bookOf(segment, geometry);
  const participant = Participant.join(segment, book);
  if (participant === undefined) {
    const action = `Cannot open message queue ${shown(segment.name)}`;
    const message = `${action}: ${QUEUE_PARTICIPANTS} handles have it open, the most possible`;
    throw new StateError("EBUSY", message + RELOAD_HINT);
  }
  const lock = new OwnedLock(segment, book.byteOffset + BOOK_LOCK_WORD * 4, "a queue's lock");
  const slots = new SlotQueue(segment.buffer, geometry, segment.name);
  const parts = { segment, book, slots, lock, participant, mutex, items, spaces, creatorLock };
  return { ...parts, synchronization: QUEUE_MODES[mode - 1]! };
}

/**
 * Removes the names of a queue if they still belong to it. The segment's name goes last: while it
 * exists, nobody makes new semaphores with these names.
 */
export function unlinkQueue(segment: Segment, spec: QueueSpec): boolean {
  if (segment.unlinked) return false;
  for (const name of spec.semaphores ?? []) Semaphore.unlink(name);
  return segment.unlink();
}

/** @returns The segment; undefined when there is none, or it is empty. */
function openIfThere(name: string): Segment | undefined {
  try {
    // The kernel decides whose object this user may remove.
    return Segment.open(name, { owner: "any" });
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "ENOENT" || code === "ENODATA") return undefined;
    throw error;
  }
}

/** Removes what a dead creator left, as a part of `action`. @returns Whether there was any. */
export function removeDeadQueue(spec: QueueSpec, action: string): boolean {
  using segment = openIfThere(spec.name);
  // If the object is empty, its creator died before its second step.
  if (segment === undefined) return Segment.unlink(spec.name);
  using cleaner = segment.tryLock(QUEUE_CREATOR_BYTE);
  if (cleaner === undefined) return false;
  checkIsQueue(segment, action);
  // A C program holds no lock, so any process that has the object mapped may be its creator.
  if (!isByBun(segment) && hasOtherMappers(segment)) return false;
  return unlinkQueue(segment, spec);
}
