/**
 * The message queue: a header and slots as the classic C program lays them out, and behind them the
 * bookkeeping by which Bun's handles survive each other's death. C programs do not look there.
 *
 * The bookkeeping starts at the next multiple of 128, and is the end of the object. With 10 slots
 * of 256 bytes everything fits one page of 4096: a C producer that truncates the object to its 2580
 * bytes clears the bookkeeping, and ends no process with a SIGBUS.
 */

import { type Layout, bytes, u32 } from "./description.ts";

export const QUEUE_MAGIC = 0x4d51534d;
export const QUEUE_VERSION = 1;

/** Indices of the header's words. */
export const MAGIC_WORD = 0;
export const VERSION_WORD = 1;
export const HEAD_WORD = 2;
export const TAIL_WORD = 3;
export const COUNT_WORD = 4;

/** Bytes before the first slot. */
export const QUEUE_HEADER_LENGTH = 20;
export const DEFAULT_SLOTS = 10;
export const DEFAULT_SLOT_SIZE = 256;
/** Most slots: their numbers and a flag share one word of the journal. */
export const MAX_SLOTS: number = 2 ** 24;

/** What a C program sees, at the default geometry. */
export const MESSAGE_QUEUE: Layout = {
  name: "message_queue",
  text: "The classic struct of 2580 bytes: 10 slots of 256 bytes each.",
  length: QUEUE_HEADER_LENGTH + DEFAULT_SLOTS * DEFAULT_SLOT_SIZE,
  fields: [
    u32("magic", MAGIC_WORD * 4, "0x4D51534D. The creator, last."),
    u32("version", VERSION_WORD * 4, "1. The creator."),
    u32("head", HEAD_WORD * 4, "The slot that is read next. A consumer that holds the mutex."),
    u32("tail", TAIL_WORD * 4, "The slot that is written next. A producer that holds the mutex."),
    u32("count", COUNT_WORD * 4, "Messages now queued. Whoever holds the mutex."),
    bytes(
      "slots",
      QUEUE_HEADER_LENGTH,
      DEFAULT_SLOTS * DEFAULT_SLOT_SIZE,
      "Each a NUL-terminated text. A producer that holds the mutex.",
    ),
  ],
};

/** Shape of a queue. */
export interface QueueGeometry {
  readonly slots: number;
  /** Bytes of a slot, the NUL included. */
  readonly slotSize: number;
}

/** Bytes of what C sees. */
export function queueLength({ slots, slotSize }: QueueGeometry): number {
  return QUEUE_HEADER_LENGTH + slots * slotSize;
}

/** Offset of the bookkeeping. */
export function bookOffset(geometry: QueueGeometry): number {
  return Math.ceil(queueLength(geometry) / 128) * 128;
}

/*
 * The bookkeeping. Offsets from its start, in bytes.
 *
 * |    0 | magic, version, slots, slot size, mode, creator     | the creator, magic last      |
 * |   64 | recoveries, high-water mark, operations             | who holds the lock           |
 * |  128 | lock: the holder's participant number + 1, 0 = free | who takes and who leaves it  |
 * |  132 | journal: what is done under the mutex               | who holds the lock           |
 * |  256 | wait point of the lock                              | waiters and wakers           |
 * |  384 | mutex, items, spaces: 64 bytes each, if they are not named semaphores | everybody  |
 * |  576 | participants: 64 × { items u32, spaces u32, process id u32 } | each its own        |
 */
export const BOOK_LENGTH = 1408;
export const BOOK_MAGIC = 0x4b4f4f42;
export const BOOK_VERSION = 1;

/** Indices of words from the start of the bookkeeping. */
export const BOOK_MAGIC_WORD = 0;
export const BOOK_VERSION_WORD = 1;
export const BOOK_SLOTS_WORD = 2;
export const BOOK_SLOT_SIZE_WORD = 3;
export const BOOK_MODE_WORD = 4;
export const BOOK_CREATOR_WORD = 5;
export const RECOVERIES_WORD = 16;
export const HIGH_WATER_WORD = 17;
export const OPERATIONS_WORD = 18;
export const LOCK_WORD = 32;
export const JOURNAL_WORD = 33;

export const LOCK_WAIT_POINT_OFFSET = 256;
export const SEMAPHORES_OFFSET = 384;
export const SEMAPHORE_STRIDE = 64;
export const PARTICIPANTS_WORD = 144;
export const PARTICIPANT_WORDS = 3;
export const MAX_PARTICIPANTS = 64;

/** BOOK_MODE_WORD: how tokens are counted. */
export const MODE_NAMED = 1;
export const MODE_IN_SEGMENT = 2;
export const MODE_POLLING = 3;

/** BOOK_CREATOR_WORD: whether the creator holds CREATOR_LOCK, or is a C program. */
export const CREATOR_BUN = 1;
export const CREATOR_FOREIGN = 2;

/** Journal: the mutex may be held or not, and no field is being changed. */
export const JOURNAL_NONE = 0;
/** Journal: the mutex is held, and slot `journal >> 4` is being filled or emptied. */
export const JOURNAL_ENQUEUE = 1;
export const JOURNAL_DEQUEUE = 2;

/** Lock bytes of the object: participants have 0 to 63. */
export const CREATOR_LOCK = 64;
export const BOOKKEEPER_LOCK = 65;

/** A participant's word of one semaphore: how many tokens it has in hand … */
export const TOKENS_MASK = 0x7f;
/** … whether it waits, and so may have one that it could not note yet … */
export const MAY_HAVE_TOKEN = 0x80;
/** … and a count of the moments at which it had none. */
export const NONE_INCREMENT = 0x100;
