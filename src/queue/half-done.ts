/** How a queue is told from what is half done, and from what is somebody else's. */
import { hex, shown } from "../arguments.ts";
import { LayoutError, StateError } from "../errors.ts";
import { QUEUE_CREATOR_BYTE } from "../layout/lock-bytes.ts";
import { MAKING } from "../layout/making.ts";
import {
  BOOK_CREATOR_WORD,
  MAGIC_WORD,
  QUEUE_CREATOR_BUN,
  QUEUE_HEADER_LENGTH,
  QUEUE_MAGIC,
  QUEUE_VERSION,
  VERSION_WORD,
} from "../layout/message-queue-layout.ts";
import { refuseOther } from "../layout/recognition.ts";
import { load, wordsOf } from "../memory/atomics.ts";
import type { ObjectMark } from "../memory/objects/shared-object.ts";
import { findMappers, mappedObject } from "../memory/processes.ts";
import type { Segment } from "../segment/segment.ts";
import { type MakerDeadlines, waitForMaker } from "../waiting/patience.ts";
import { bookOf, recordedGeometry } from "./book.ts";

/** The mark of a queue that is being made; the version takes its place. */
export const QUEUE_MARK: ObjectMark = { offset: VERSION_WORD * 4, word: MAKING };

/**
 * Whether something without a magic number is what a creator of a queue leaves half done. Bun
 * leaves the mark or the bookkeeping. A C program leaves zeros, which may be anybody's, and stay.
 */
function isHalfDone(segment: Segment): boolean {
  const words = wordsOf(segment.buffer);
  return words[VERSION_WORD] === MAKING || recordedGeometry(segment) !== undefined;
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
export function waitForMagic(segment: Segment, until: MakerDeadlines): void {
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
  if (magic === undefined) failUnfinished(segment, what);
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

/** @throws StateError, LayoutError that says why there is no finished queue. */
function failUnfinished(segment: Segment, what: string): never {
  if (!isHalfDone(segment) && !isZeros(segment)) {
    const details = { expected: hex(QUEUE_MAGIC), found: hex(0), offset: 0 };
    throw new LayoutError(`${what}: something else lies there`, details);
  }
  if (isBeingMade(segment)) {
    const why = "a live process is still making it, or has it open";
    throw new StateError("EBUSY", `${what}: ${why}. Pass a longer waitMs to open`);
  }
  const why = isHalfDone(segment)
    ? "its creator died before it had finished: MessageQueue.removeLeftovers removes it, " +
      "MessageQueue.openOrCreate makes it again"
    : "it holds only zeros. If a C program died before it had finished, MessageQueue.unlink " +
      "removes it";
  throw new StateError("ENODATA", `${what}: ${why}`);
}

/** @throws LayoutError for what is no queue, not even one half done: it stays. */
export function checkIsQueue(segment: Segment, action: string): void {
  const { size, buffer } = segment;
  const magic = size < QUEUE_HEADER_LENGTH ? 0 : load(wordsOf(buffer), MAGIC_WORD);
  if (magic === QUEUE_MAGIC || (magic === 0 && isHalfDone(segment))) return;
  const what = `${action}: it is no message queue, and stays`;
  throw new LayoutError(`${what}. MessageQueue.unlink removes whatever it is`, {
    expected: hex(QUEUE_MAGIC),
    found: isZeros(segment) ? "only zeros" : hex(magic),
    offset: 0,
  });
}

/** Whether other processes map the object; true where nobody can know. */
export function hasOtherMappers(segment: Segment): boolean {
  const object = mappedObject(segment.mapping.address);
  const mappers = object === undefined ? undefined : findMappers(object);
  return mappers === undefined || [...mappers.known].some((id) => id !== process.pid);
}
