/** The bookkeeping that Bun's handles keep behind a queue's slots: how it is made and found. */
import { shown } from "../arguments.ts";
import { LayoutError, StateError } from "../errors.ts";
import { fnv1a } from "../layout/hash.ts";
import { QUEUE_BOOKKEEPER_BYTE } from "../layout/lock-bytes.ts";
import {
  BOOK_CREATOR_WORD,
  BOOK_MAGIC_WORD,
  BOOK_MODE_WORD,
  BOOK_NAMES_WORD,
  BOOK_SLOTS_WORD,
  BOOK_SLOT_SIZE_WORD,
  BOOK_VERSION_WORD,
  BOOK_WANTED_WORD,
  MAX_SLOTS,
  QUEUE_BOOK_LENGTH,
  QUEUE_BOOK_MAGIC,
  QUEUE_BOOK_VERSION,
  QUEUE_CREATOR_FOREIGN,
  QUEUE_MODE_NAMED,
  type QueueGeometry,
  bookOffset,
  queueLength,
} from "../layout/message-queue-layout.ts";
import { load, store } from "../memory/atomics.ts";
import type { ByteLock } from "../memory/byte-lock.ts";
import type { Segment } from "../segment/segment.ts";
import { type MakerDeadlines, waitForMaker } from "../waiting/patience.ts";
import type { QueueSpec } from "./options.ts";

/** The words of the bookkeeping. */
export function bookOf(segment: Segment, geometry: QueueGeometry): Int32Array {
  return new Int32Array(segment.buffer, bookOffset(geometry), QUEUE_BOOK_LENGTH / 4);
}

/** The geometry that the bookkeeping at the object's end records; undefined without bookkeeping. */
export function recordedGeometry(segment: Segment): QueueGeometry | undefined {
  const offset = segment.size - QUEUE_BOOK_LENGTH;
  if (offset < 0 || offset % 128 !== 0) return undefined;
  const book = new Int32Array(segment.buffer, offset, QUEUE_BOOK_LENGTH / 4);
  if (load(book, BOOK_MAGIC_WORD) !== QUEUE_BOOK_MAGIC) return undefined;
  const slots = load(book, BOOK_SLOTS_WORD) >>> 0;
  const slotSize = load(book, BOOK_SLOT_SIZE_WORD) >>> 0;
  const inRange = slots >= 1 && slots <= MAX_SLOTS && slotSize >= 2;
  return inRange && bookOffset({ slots, slotSize }) === offset ? { slots, slotSize } : undefined;
}

/** What the bookkeeping says of how the queue was made. */
export interface Making {
  readonly geometry: QueueGeometry;
  readonly mode: number;
  /** The mode that was asked for. */
  readonly wanted: number;
  readonly creator: number;
  readonly semaphores: QueueSpec["semaphores"];
}

/** Fills in the words that never change. */
export function writeBook(book: Int32Array, making: Making): void {
  const { geometry, mode, wanted, creator, semaphores } = making;
  store(book, BOOK_VERSION_WORD, QUEUE_BOOK_VERSION);
  store(book, BOOK_SLOTS_WORD, geometry.slots);
  store(book, BOOK_SLOT_SIZE_WORD, geometry.slotSize);
  store(book, BOOK_MODE_WORD, mode);
  store(book, BOOK_WANTED_WORD, wanted);
  store(book, BOOK_NAMES_WORD, mode === QUEUE_MODE_NAMED ? hashOfNames(semaphores) : 0);
  store(book, BOOK_CREATOR_WORD, creator);
  store(book, BOOK_MAGIC_WORD, QUEUE_BOOK_MAGIC);
}

/** What the bookkeeping records of the semaphores' names: never 0, which stands for unknown. */
export function hashOfNames(semaphores: QueueSpec["semaphores"]): number {
  return fnv1a((semaphores ?? []).join("\0")) >>> 0 || 1;
}

/** @throws LayoutError when there is no room for a queue of that geometry. */
export function checkSize({ name, size }: Segment, geometry: QueueGeometry): void {
  const length = queueLength(geometry);
  if (size >= length) return;
  const { slots, slotSize } = geometry;
  throw new LayoutError(`Cannot open message queue ${shown(name)}: it is too small`, {
    expected: `${length} bytes for ${slots} slots of ${slotSize}`,
    found: String(size),
    offset: 0,
  });
}

/**
 * Enlarges a C program's object by the bookkeeping; what C programs have mapped stays as it is.
 *
 * @param spec Its shape, which the caller assumes, and its semaphores.
 * @returns The recorded geometry, which differs if another process recorded its own first.
 */
export function addBook(segment: Segment, spec: QueueSpec, until: MakerDeadlines): QueueGeometry {
  const { geometry, semaphores } = spec;
  const action = `Cannot open message queue ${shown(segment.name)}`;
  const lockIt = (): ByteLock | undefined => segment.tryLock(QUEUE_BOOKKEEPER_BYTE);
  using lock = waitForMaker(lockIt, () => true, until);
  if (lock === undefined) {
    throw new StateError("EBUSY", `${action}: another process is adding its bookkeeping`);
  }
  segment.remap();
  const recorded = recordedGeometry(segment);
  if (recorded !== undefined) return recorded;
  checkSize(segment, geometry);
  const size = bookOffset(geometry) + QUEUE_BOOK_LENGTH;
  if (segment.size < size) segment.resize(size);
  const [mode, creator] = [QUEUE_MODE_NAMED, QUEUE_CREATOR_FOREIGN];
  writeBook(bookOf(segment, geometry), { geometry, mode, wanted: mode, creator, semaphores });
  return geometry;
}
