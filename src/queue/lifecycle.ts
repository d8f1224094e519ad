/** How a message queue is made, found and removed: segment, bookkeeping, semaphores. */
import { lstatSync } from "node:fs";
import { LayoutError, SystemError } from "../errors.ts";
import {
  BOOKKEEPER_LOCK,
  BOOK_CREATOR_WORD,
  BOOK_LENGTH,
  BOOK_MAGIC,
  BOOK_MAGIC_WORD,
  BOOK_MODE_WORD,
  BOOK_SLOTS_WORD,
  BOOK_SLOT_SIZE_WORD,
  BOOK_VERSION,
  BOOK_VERSION_WORD,
  CREATOR_BUN,
  CREATOR_FOREIGN,
  CREATOR_LOCK,
  LOCK_WAIT_POINT_OFFSET,
  LOCK_WORD,
  MAGIC_WORD,
  MAX_PARTICIPANTS,
  MAX_SLOTS,
  MODE_NAMED,
  QUEUE_HEADER_LENGTH,
  QUEUE_MAGIC,
  QUEUE_VERSION,
  type QueueGeometry,
  VERSION_WORD,
  bookOffset,
  queueLength,
} from "../layout/message-queue-layout.ts";
import { E, fail } from "../libc/errno.ts";
import { PLATFORM } from "../libc/platform.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import { load, store } from "../memory/atomics.ts";
import { findMappers, mappedObject } from "../memory/mappers.ts";
import type { ByteLock } from "../memory/byte-lock.ts";
import { type Counters, bookOf, makeCounters, openCounters } from "./tokens.ts";
import type { QueueParts } from "./guard.ts";
import type { QueueMode, QueuePlace } from "./options.ts";
import { SlotQueue } from "./slots.ts";
import { Segment } from "../segment/segment.ts";
import { Semaphore } from "../semaphore/semaphore.ts";
import { OwnedLock } from "./owned-lock.ts";
import { Participant } from "./participants.ts";
import { WaitPoint } from "../waiting/wait-point.ts";

/** A queue's parts, and what ends with them. */
export interface OpenQueue extends QueueParts {
  readonly mode: QueueMode;
  readonly creatorLock: ByteLock | undefined;
}

const MODES: readonly QueueMode[] = ["named", "segment", "polling"];
/** How long, in ms, a creator may be between two of its steps. */
const PATIENCE_MS = 1000;

/** The shape that a queue's own bookkeeping gives, at the end of the object. */
function recordedGeometry(segment: Segment): QueueGeometry | undefined {
  const offset = segment.size - BOOK_LENGTH;
  if (offset < 0 || offset % 128 !== 0) return undefined;
  const book = new Int32Array(segment.buffer, offset, BOOK_LENGTH / 4);
  if (load(book, BOOK_MAGIC_WORD) !== BOOK_MAGIC) return undefined;
  const slots = load(book, BOOK_SLOTS_WORD) >>> 0;
  const slotSize = load(book, BOOK_SLOT_SIZE_WORD) >>> 0;
  const inRange = slots >= 1 && slots <= MAX_SLOTS && slotSize >= 2;
  return inRange && bookOffset({ slots, slotSize }) === offset ? { slots, slotSize } : undefined;
}

function writeBook(book: Int32Array, shape: QueueGeometry, mode: number, creator: number): void {
  store(book, BOOK_VERSION_WORD, BOOK_VERSION);
  store(book, BOOK_SLOTS_WORD, shape.slots);
  store(book, BOOK_SLOT_SIZE_WORD, shape.slotSize);
  store(book, BOOK_MODE_WORD, mode);
  store(book, BOOK_CREATOR_WORD, creator);
  store(book, BOOK_MAGIC_WORD, BOOK_MAGIC);
}

/** Makes a queue that must not exist. @param log Told of leftovers, and of a degraded mode. */
export function createQueue(
  place: QueuePlace,
  options: { mode?: number; synchronization?: QueueMode; repaired: () => void },
  log: (type: "degraded" | "leftovers", message: string) => void,
): OpenQueue {
  const { name, geometry } = place;
  using stack = new DisposableStack();
  const size = bookOffset(geometry) + BOOK_LENGTH;
  const { mode } = options;
  const segment = stack.use(createSegment(name, mode === undefined ? { size } : { size, mode }));
  stack.defer(() => segment.unlink());
  const creatorLock = segment.tryLock(CREATOR_LOCK);
  if (creatorLock === undefined) throw new Error(`Another process is removing queue "${name}"`);
  const words = new Int32Array(segment.buffer, 0, QUEUE_HEADER_LENGTH / 4);
  const wanted = MODES.indexOf(options.synchronization ?? "named") + 1;
  const [made, counters] = makeCounters(place, segment, wanted, options.mode, log);
  stack.defer(() => {
    for (const counter of counters) counter.close();
    if (made === MODE_NAMED) for (const semaphore of place.semaphores) Semaphore.unlink(semaphore);
  });
  const queue = assemble(segment, geometry, made, counters, creatorLock, options.repaired);
  writeBook(queue.book, geometry, made, CREATOR_BUN);
  store(words, VERSION_WORD, QUEUE_VERSION);
  // SYNC queue-made: pairs with the opener's look at the magic number.
  store(words, MAGIC_WORD, QUEUE_MAGIC);
  stack.move();
  return queue;
}

function createSegment(name: string, options: { size: number; mode?: number }): Segment {
  try {
    return Segment.create(name, options);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "EEXIST") throw error;
    const hint =
      "Another process made it and lives, or died and left it: MessageQueue.removeLeftovers " +
      "tells which, and removes it in the second case";
    return fail(`Cannot create message queue "${name}"`, -E.EEXIST, "shm_open", name, hint);
  }
}

/** Attaches to a queue, made by Bun or by a C program. */
export function openQueue(
  place: QueuePlace,
  options: { wait?: number; repaired: () => void },
): OpenQueue {
  const { name } = place;
  using stack = new DisposableStack();
  const segment = stack.use(openSegment(name, options.wait ?? 0));
  waitForMagic(segment);
  const recorded = recordedGeometry(segment) ?? addBook(segment, place.geometry);
  const { slots, slotSize } = recorded;
  if (place.chosen && (slots !== place.geometry.slots || slotSize !== place.geometry.slotSize)) {
    throw new LayoutError(`Cannot open message queue "${name}" with another shape`, {
      expected: `${place.geometry.slots} slots of ${place.geometry.slotSize} bytes`,
      found: `${slots} of ${slotSize}`,
      offset: bookOffset(recorded) + BOOK_SLOTS_WORD * 4,
    });
  }
  const book = bookOf(segment, recorded);
  const mode = load(book, BOOK_MODE_WORD);
  const counters = openCounters(place, segment, recorded, mode);
  stack.defer(() => counters.forEach((counter) => counter.close()));
  const queue = assemble(segment, recorded, mode, counters, undefined, options.repaired);
  queue.slots.check();
  stack.move();
  return queue;
}

function openSegment(name: string, wait: number): Segment {
  try {
    return Segment.open(name, { wait });
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "ENOENT") throw error;
    const hint = "Its producer is not running: MessageQueue.create makes a queue";
    return fail(`Cannot open message queue "${name}"`, -E.ENOENT, "shm_open", name, hint);
  }
}

function waitForMagic(segment: Segment): void {
  const what = `Cannot open message queue "${segment.name}"`;
  if (segment.size < QUEUE_HEADER_LENGTH) {
    throw new LayoutError(`${what}: it is too small`, {
      expected: `at least ${QUEUE_HEADER_LENGTH} bytes`,
      found: `${segment.size}`,
      offset: 0,
    });
  }
  const words = new Int32Array(segment.buffer, 0, QUEUE_HEADER_LENGTH / 4);
  const deadline = monotonicMs() + PATIENCE_MS;
  // SYNC queue-made: the creator writes the magic number when all else is there.
  while (load(words, MAGIC_WORD) === 0 && monotonicMs() < deadline) sleepMs(0.5);
  const hex = (value: number): string => `0x${(value >>> 0).toString(16).toUpperCase()}`;
  const magic = load(words, MAGIC_WORD);
  if (magic !== QUEUE_MAGIC) {
    const found = `${hex(magic)}${magic === 0 ? ", its creator never finished" : ""}`;
    throw new LayoutError(what, { expected: `magic ${hex(QUEUE_MAGIC)}`, found, offset: 0 });
  }
  const version = load(words, VERSION_WORD);
  if (version !== QUEUE_VERSION) {
    const expected = `version ${QUEUE_VERSION}`;
    throw new LayoutError(what, { expected, found: `${version}`, offset: VERSION_WORD * 4 });
  }
}

/** Grows a C program's object by the bookkeeping; what C programs have mapped stays as it is. */
function addBook(segment: Segment, geometry: QueueGeometry): QueueGeometry {
  const { name } = segment;
  const deadline = monotonicMs() + PATIENCE_MS;
  let lock = segment.tryLock(BOOKKEEPER_LOCK);
  while (lock === undefined && monotonicMs() < deadline) {
    sleepMs(0.5);
    lock = segment.tryLock(BOOKKEEPER_LOCK);
  }
  if (lock === undefined)
    throw new Error(`Another process keeps the bookkeeper's lock of "${name}"`);
  try {
    segment.remap();
    const recorded = recordedGeometry(segment);
    if (recorded !== undefined) return recorded;
    if (segment.size < queueLength(geometry)) {
      throw new LayoutError(`Cannot open message queue "${name}": it is too small`, {
        expected: `${queueLength(geometry)} bytes for ${geometry.slots} × ${geometry.slotSize}`,
        found: `${segment.size}`,
        offset: 0,
      });
    }
    const size = bookOffset(geometry) + BOOK_LENGTH;
    if (segment.size < size) segment.resize(size);
    const book = bookOf(segment, geometry);
    writeBook(book, geometry, MODE_NAMED, CREATOR_FOREIGN);
    return geometry;
  } finally {
    lock.close();
  }
}

function assemble(
  segment: Segment,
  geometry: QueueGeometry,
  mode: number,
  [mutex, items, spaces]: Counters,
  creatorLock: ByteLock | undefined,
  repaired: () => void,
): OpenQueue {
  const book = bookOf(segment, geometry);
  const participant = Participant.join(segment, book);
  if (participant === undefined) {
    const action = `Cannot open message queue "${segment.name}"`;
    throw new Error(`${action}: ${MAX_PARTICIPANTS} handles have it open, the most possible`);
  }
  const waitPoint = new WaitPoint(segment, bookOffset(geometry) + LOCK_WAIT_POINT_OFFSET);
  const isAlive = (holder: number): boolean => participant.isAlive(holder - 1);
  const lock = new OwnedLock(book, LOCK_WORD, participant.number + 1, waitPoint, isAlive);
  const slots = new SlotQueue(segment.buffer, geometry, repaired);
  const parts = { segment, book, slots, lock, participant, mutex, items, spaces, creatorLock };
  return { ...parts, mode: MODES[mode - 1]! };
}

/** Whether the name still stands for this very object. */
export function isNamed(segment: Segment): boolean {
  const directory = PLATFORM?.directory;
  const object = mappedObject(segment.mapping.address);
  if (directory === undefined || object === undefined) return true;
  const stat = lstatSync(`${directory}${segment.name}`, { throwIfNoEntry: false });
  return stat !== undefined && object.endsWith(` ${stat.ino}`);
}

/**
 * Removes the names of a queue, if they still stand for this one. The segment's comes last: while
 * it is there nobody makes new semaphores of these names.
 */
export function unlinkQueue(segment: Segment, place: QueuePlace): boolean {
  if (!isNamed(segment)) return false;
  for (const name of place.semaphores) Semaphore.unlink(name);
  return segment.unlink();
}

/** @returns undefined when there is none, or one without a size. */
function openIfThere(name: string): Segment | undefined {
  try {
    return Segment.open(name);
  } catch (error) {
    if (error instanceof SystemError && ["ENOENT", "ENODATA"].includes(error.code))
      return undefined;
    throw error;
  }
}

/** Removes what a dead creator left. @returns Whether there was such a queue. */
export function removeDeadQueue(place: QueuePlace): boolean {
  using segment = openIfThere(place.name);
  // An empty one: its creator died before its second step.
  if (segment === undefined) return Segment.unlink(place.name);
  using cleaner = segment.tryLock(CREATOR_LOCK);
  if (cleaner === undefined) return false;
  const shape = recordedGeometry(segment);
  const byBun =
    shape !== undefined && load(bookOf(segment, shape), BOOK_CREATOR_WORD) === CREATOR_BUN;
  // A C program holds no lock: as long as anybody has the object mapped, it may be its creator.
  if (!byBun && hasOtherMappers(segment)) return false;
  return unlinkQueue(segment, place);
}

function hasOtherMappers(segment: Segment): boolean {
  const object = mappedObject(segment.mapping.address);
  const mappers = object === undefined ? undefined : findMappers(object);
  return mappers === undefined || [...mappers.known].some((id) => id !== process.pid);
}
