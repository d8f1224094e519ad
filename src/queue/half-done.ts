/** What is known as a queue, finished or not, and what is somebody else's. */
import { hex, shown } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import { MAKING } from "../layout/making.ts";
import {
  MAGIC_WORD,
  QUEUE_BOOK_LENGTH,
  QUEUE_HEADER_LENGTH,
  QUEUE_MAGIC,
  type QueueGeometry,
  VERSION_WORD,
  bookOffset,
  queueLength,
} from "../layout/message-queue-layout.ts";
import { load, wordsOf } from "../memory/atomics.ts";
import type { ObjectMark } from "../memory/objects/shared-object.ts";
import type { Segment } from "../segment/segment.ts";
import { recordedGeometry } from "./book.ts";
import type { QueueSpec } from "./options.ts";

/** The mark of a queue that is being made; the version takes its place. */
export const QUEUE_MARK: ObjectMark = { offset: VERSION_WORD * 4, word: MAKING };

/**
 * Whether something without a magic number is what a creator of a queue leaves half done: a Bun
 * process leaves the mark or the bookkeeping, and a C program zeros, which nobody may have open.
 */
export function isHalfDone(segment: Segment, geometry: QueueGeometry): boolean {
  const words = wordsOf(segment.buffer);
  if (words[VERSION_WORD] === MAKING || recordedGeometry(segment) !== undefined) return true;
  const sizes = [queueLength(geometry), bookOffset(geometry) + QUEUE_BOOK_LENGTH];
  return sizes.includes(segment.size) && isZeros(segment);
}

/** Whether an object holds only zeros. */
export function isZeros({ buffer }: Segment): boolean {
  return wordsOf(buffer).every((word) => word === 0);
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
