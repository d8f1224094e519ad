/** How a queue is told from what is half done, and from what is somebody else's. */
import { hex, shown } from "../arguments.ts";
import { LayoutError, StateError } from "../errors.ts";
import { QUEUE_CREATOR_BYTE } from "../layout/lock-bytes.ts";
import { MAKING } from "../layout/making.ts";
import {
  BOOK_CREATOR_WORD,
  MAGIC_WORD,
  QUEUE_BOOK_LENGTH,
  QUEUE_CREATOR_BUN,
  QUEUE_HEADER_LENGTH,
  QUEUE_MAGIC,
  QUEUE_VERSION,
  type QueueGeometry,
  VERSION_WORD,
  bookOffset,
  queueLength,
} from "../layout/message-queue-layout.ts";
import { refuseOther } from "../layout/recognition.ts";
import { load, wordsOf } from "../memory/atomics.ts";
import type { ObjectMark } from "../memory/objects/shared-object.ts";
import { findMappers, mappedObject } from "../memory/processes.ts";
import type { Segment } from "../segment/segment.ts";
import { type MakerDeadlines, waitForMaker } from "../waiting/patience.ts";
import { bookOf, recordedGeometry } from "./book.ts";
import type { QueueSpec } from "./options.ts";

/** The mark of a queue that is being made; the version takes its place. */
export const QUEUE_MARK: ObjectMark = { offset: VERSION_WORD * 4, word: MAKING };

/**
 * Whether something without a magic number is what a creator of a queue leaves half done: a Bun
 * process leaves the mark or the bookkeeping, and a C program zeros, which nobody may have open.
 */
function isHalfDone(segment: Segment, geometry: QueueGeometry): boolean {
  const words = wordsOf(segment.buffer);
  if (words[VERSION_WORD] === MAKING || recordedGeometry(segment) !== undefined) return true;
  const sizes = [queueLength(geometry), bookOffset(geometry) + QUEUE_BOOK_LENGTH];
  return sizes.includes(segment.size) && isZeros(segment);
}

/** Whether an object holds only zeros. */
function isZeros({ buffer }: Segment): boolean {
  return wordsOf(buffer).every((word) => word === 0);
}

/** Whether Bun made the queue, or has begun to: then its creator has a lock. */
export function isByBun(segment: Segment): boolean {
  const geometry = recordedGeometry(segment);
  if (geometry === undefined) return wordsOf(segment.buffer)[VERSION_WORD] === MAKING;
  return load(bookOf(segment, geometry), BOOK_CREATOR_WORD) === QUEUE_CREATOR_BUN;
}

/**
 * Whether a queue without a magic number is still being made. A C program holds no lock, so anybody
 * who has the object may be its creator.
 */
function isBeingMade(segment: Segment): boolean {
  if (segment.isLocked(QUEUE_CREATOR_BYTE)) return true;
  return !isByBun(segment) && hasOtherMappers(segment);
}

/**
 * Waits until the queue is finished, which its magic number says.
 * @throws LayoutError for what is no queue; StateError EBUSY, ENODATA for one that is unfinished.
 */
export function waitForMagic(
  segment: Segment,
  geometry: QueueGeometry,
  until: MakerDeadlines,
): void {
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
  const look = (): number | undefined => load(words, MAGIC_WORD) || undefined;
  const magic = waitForMaker(look, () => isBeingMade(segment), until);
  if (magic === undefined && !isZeros(segment) && !isHalfDone(segment, geometry)) {
    const details = { expected: hex(QUEUE_MAGIC), found: hex(0), offset: 0 };
    throw new LayoutError(`${what}: something else lies there`, details);
  }
  if (magic === undefined && isBeingMade(segment)) {
    throw new StateError(
      "EBUSY",
      `${what}: a live process is still making it, or has it open. Pass a longer waitMs to open`,
    );
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

/** @throws LayoutError for what is no queue, not even one half done: it stays. */
export function checkIsQueue(segment: Segment, { name, geometry }: QueueSpec): void {
  const { size, buffer } = segment;
  const magic = size < QUEUE_HEADER_LENGTH ? 0 : load(wordsOf(buffer), MAGIC_WORD);
  if (magic === QUEUE_MAGIC || (magic === 0 && isHalfDone(segment, geometry))) return;
  throw new LayoutError(`Cannot remove ${shown(name)}: it is no message queue, and stays`, {
    expected: hex(QUEUE_MAGIC),
    found: hex(magic),
    offset: 0,
  });
}

/** Whether other processes map the object; true where nobody can know. */
export function hasOtherMappers(segment: Segment): boolean {
  const object = mappedObject(segment.mapping.address);
  const mappers = object === undefined ? undefined : findMappers(object);
  return mappers === undefined || [...mappers.known].some((id) => id !== process.pid);
}
