/** How a message queue is made, found and removed: segment, bookkeeping, semaphores. */
import { hex, shown } from "../arguments.ts";
import { LayoutError, StateError, SystemError } from "../errors.ts";
import { QUEUE_CREATOR_BYTE } from "../layout/lock-bytes.ts";
import { refuseOther } from "../layout/recognition.ts";
import {
  BOOK_CREATOR_WORD,
  BOOK_LOCK_WORD,
  BOOK_MODE_WORD,
  BOOK_SLOTS_WORD,
  BOOK_SLOT_SIZE_WORD,
  BOOK_WAIT_POINT_OFFSET,
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
import { load, store, wordsOf } from "../memory/atomics.ts";
import type { ByteLock } from "../memory/byte-lock.ts";
import { findMappers, mappedObject } from "../memory/processes.ts";
import { Segment } from "../segment/segment.ts";
import { Semaphore } from "../semaphore/semaphore.ts";
import { FOR_CREATOR, waitUntil } from "../waiting/patience.ts";
import { WaitPoint } from "../waiting/wait-point.ts";
import { addBook, bookOf, checkSize, recordedGeometry, writeBook } from "./book.ts";
import type { QueueParts } from "./guard.ts";
import { QUEUE_MARK, checkIsQueue, isHalfDone, isZeros } from "./half-done.ts";
import { QUEUE_MODES, type QueueMode, type QueueSpec } from "./options.ts";
import { OwnedLock } from "./owned-lock.ts";
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
  stack.defer(() => segment.unlink());
  const creatorLock = segment.tryLock(QUEUE_CREATOR_BYTE);
  if (creatorLock === undefined) {
    const message = `Cannot create message queue ${shown(name)}: another process is removing it`;
    throw new StateError("EBUSY", message);
  }
  stack.use(creatorLock);
  const words = new Int32Array(segment.buffer, 0, QUEUE_HEADER_LENGTH / 4);
  const wanted = QUEUE_MODES.indexOf(synchronization) + 1;
  const [made, counters] = makeCounters(spec, segment, wanted, mode, log);
  stack.defer(() => {
    for (const counter of counters) counter.close();
    if (made === QUEUE_MODE_NAMED) {
      for (const semaphore of spec.semaphores ?? []) Semaphore.unlink(semaphore);
    }
  });
  const queue = assemble(segment, geometry, made, counters, creatorLock);
  writeBook(queue.book, geometry, made, QUEUE_CREATOR_BUN);
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
  const { name, asked } = spec;
  using stack = new DisposableStack();
  const segment = stack.use(openSegment(name, waitMs));
  waitForMagic(segment, spec.geometry);
  const geometry = recordedGeometry(segment) ?? adoptForeign(spec, segment);
  mustHave(segment, geometry, "number of slots", BOOK_SLOTS_WORD, geometry.slots, asked.slots);
  const { slotSize } = geometry;
  mustHave(segment, geometry, "slotSize", BOOK_SLOT_SIZE_WORD, slotSize, asked.slotSize);
  const mode = load(bookOf(segment, geometry), BOOK_MODE_WORD);
  const counters = openCounters(spec, segment, geometry, mode);
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
      if (isUnfinished && unfinished++ === 0) removeDeadQueue(spec);
      // Somebody removed it between the two attempts: begin again.
      else if (!isOfName(error, "ENOENT")) throw error;
    }
  }
}

/**
 * Compares how tokens are counted with what the caller asked for. A later entry of the list is what
 * a creator falls back on when an earlier one is impossible, so that is logged and not an error.
 */
function checkSynchronization(
  queue: OpenQueue,
  { synchronization: asked, log }: QueueAttachment,
): OpenQueue {
  const { synchronization: found, segment, book } = queue;
  if (asked === undefined || found === asked) return queue;
  if (QUEUE_MODES.indexOf(found) > QUEUE_MODES.indexOf(asked)) {
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

function openSegment(name: string, waitMs: number | undefined): Segment {
  try {
    return Segment.open(name, { waitMs });
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "ENOENT") throw error;
    const hint = "Its producer is not running: MessageQueue.create makes a queue";
    return fail(`Cannot open message queue ${shown(name)}`, -E.ENOENT, "shm_open", name, hint);
  }
}

/** Adds the bookkeeping to a C program's queue, once its semaphores have been seen to be there. */
function adoptForeign(spec: QueueSpec, segment: Segment): QueueGeometry {
  const { geometry } = spec;
  checkSize(segment, geometry);
  for (const each of openCounters(spec, segment, geometry, QUEUE_MODE_NAMED)) each.close();
  return addBook(segment, geometry);
}

function waitForMagic(segment: Segment, geometry: QueueGeometry): void {
  const what = `Cannot open message queue ${shown(segment.name)}`;
  if (segment.size < QUEUE_HEADER_LENGTH) {
    throw new LayoutError(`${what}: it is too small`, {
      expected: `at least ${QUEUE_HEADER_LENGTH} bytes`,
      found: `${segment.size}`,
      offset: 0,
    });
  }
  const kind = { family: "message queue", noun: "message queue" };
  refuseOther(kind, wordsOf(segment.buffer), `message queue ${shown(segment.name)}`, 0);
  const words = new Int32Array(segment.buffer, 0, QUEUE_HEADER_LENGTH / 4);
  // SYNC queue-made: the creator writes the magic number last.
  const magic = waitUntil(() => load(words, MAGIC_WORD) || undefined, FOR_CREATOR);
  if (magic === undefined && !isZeros(segment) && !isHalfDone(segment, geometry)) {
    const details = { expected: hex(QUEUE_MAGIC), found: hex(0), offset: 0 };
    throw new LayoutError(`${what}: something else lies there`, details);
  }
  if (magic === undefined) {
    throw new StateError(
      "ENODATA",
      `${what}: it holds only zeros. Its creator died before it had finished: ` +
        "MessageQueue.removeLeftovers removes it, MessageQueue.openOrCreate makes it again",
    );
  }
  if (magic !== QUEUE_MAGIC) {
    const details = { expected: hex(QUEUE_MAGIC), found: hex(magic), offset: 0 };
    throw new LayoutError(`${what}: it is not a message queue`, details);
  }
  const version = load(words, VERSION_WORD);
  if (version !== QUEUE_VERSION) {
    const expected = `version ${QUEUE_VERSION}`;
    const details = { expected, found: String(version), offset: VERSION_WORD * 4 };
    throw new LayoutError(`${what}: another version made it`, details);
  }
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
    throw new StateError("EBUSY", message);
  }
  const waitPoint = new WaitPoint(segment, bookOffset(geometry) + BOOK_WAIT_POINT_OFFSET);
  const isAlive = (holder: number): boolean => participant.isAlive(holder - 1);
  const lock = new OwnedLock(book, BOOK_LOCK_WORD, participant.number + 1, waitPoint, isAlive);
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
    return Segment.open(name);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "ENOENT" || code === "ENODATA") return undefined;
    throw error;
  }
}

/** Removes what a dead creator left. @returns Whether there was any. */
export function removeDeadQueue(spec: QueueSpec): boolean {
  using segment = openIfThere(spec.name);
  // If the object is empty, its creator died before its second step.
  if (segment === undefined) return Segment.unlink(spec.name);
  using cleaner = segment.tryLock(QUEUE_CREATOR_BYTE);
  if (cleaner === undefined) return false;
  checkIsQueue(segment, spec);
  const geometry = recordedGeometry(segment);
  const byBun =
    geometry !== undefined &&
    load(bookOf(segment, geometry), BOOK_CREATOR_WORD) === QUEUE_CREATOR_BUN;
  // A C program holds no lock, so any process that has the object mapped may be its creator.
  if (!byBun && hasOtherMappers(segment)) return false;
  return unlinkQueue(segment, spec);
}

function hasOtherMappers(segment: Segment): boolean {
  const object = mappedObject(segment.mapping.address);
  const mappers = object === undefined ? undefined : findMappers(object);
  return mappers === undefined || [...mappers.known].some((id) => id !== process.pid);
}
