/**
 * The message queue: a header and slots as the classic C program lays them out, and after them the
 * bookkeeping by which Bun's handles survive each other's death. C programs do not look there.
 *
 * The bookkeeping starts at the next multiple of 128, and ends the object. With 10 slots of 256
 * bytes everything fits into one page of 4096: a C producer that truncates the object to its 2580
 * bytes clears the bookkeeping, and no process gets a SIGBUS.
 */
import { type Layout, bytes, u32 } from "./description.ts";
import { LOCK_LENGTH } from "./lock-layout.ts";

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
/** Bytes of a slot by default. */
export const DEFAULT_SLOT_SIZE = 256;
/** The most slots: a slot's number and a flag share one word of the journal. */
export const MAX_SLOTS: number = 2 ** 24;
/** Bytes of the longest slot. */
export const MAX_SLOT_SIZE: number = 2 ** 30;

/** The words before the slots, which are the same in every geometry. */
export const MESSAGE_QUEUE_HEADER: Layout = {
  name: "message_queue_header",
  text: "Starts a queue of any geometry; the slots follow immediately.",
  length: QUEUE_HEADER_LENGTH,
  fields: [
    u32("magic", MAGIC_WORD * 4, "0x4D51534D. The creator, last."),
    u32("version", VERSION_WORD * 4, "1. The creator."),
    u32("head", HEAD_WORD * 4, "The slot that is read next. A consumer that holds the mutex."),
    u32("tail", TAIL_WORD * 4, "The slot that is written next. A producer that holds the mutex."),
    u32("count", COUNT_WORD * 4, "Messages now queued. Whoever holds the mutex."),
  ],
};

/** What a C program sees, at the default geometry. */
export const MESSAGE_QUEUE: Layout = {
  name: "message_queue",
  text: "The classic struct of 2580 bytes: 10 slots of 256 bytes each.",
  length: QUEUE_HEADER_LENGTH + DEFAULT_SLOTS * DEFAULT_SLOT_SIZE,
  fields: [
    ...MESSAGE_QUEUE_HEADER.fields,
    bytes(
      "slots",
      QUEUE_HEADER_LENGTH,
      DEFAULT_SLOTS * DEFAULT_SLOT_SIZE,
      "Each a NUL-terminated text. A producer that holds the mutex.",
    ),
  ],
};

/** The shape of a queue. */
export interface QueueGeometry {
  readonly slots: number;
  /** Bytes of a slot, including the NUL. */
  readonly slotSize: number;
}

/** @returns The bytes that a C program sees. */
export function queueLength({ slots, slotSize }: QueueGeometry): number {
  return QUEUE_HEADER_LENGTH + slots * slotSize;
}

/** @returns The offset of the bookkeeping, in bytes. */
export function bookOffset(geometry: QueueGeometry): number {
  return Math.ceil(queueLength(geometry) / 128) * 128;
}

/** The name of the classic program's queue. */
export const DEFAULT_QUEUE_NAME = "/messagequeue";

/** @returns The names of a queue's semaphores: mutex, items, spaces. */
export function queueSemaphores(name: string): readonly [string, string, string] {
  const prefix = name === DEFAULT_QUEUE_NAME ? "/mq" : name;
  return [`${prefix}_mutex`, `${prefix}_items`, `${prefix}_spaces`];
}

export const QUEUE_BOOK_LENGTH = 1920;
/** "BOOK" as bytes in memory. */
export const QUEUE_BOOK_MAGIC = 0x4b4f4f42;
export const QUEUE_BOOK_VERSION = 2;

/** Indices of words from the start of the bookkeeping. */
export const BOOK_MAGIC_WORD = 0;
export const BOOK_VERSION_WORD = 1;
export const BOOK_SLOTS_WORD = 2;
export const BOOK_SLOT_SIZE_WORD = 3;
export const BOOK_MODE_WORD = 4;
export const BOOK_CREATOR_WORD = 5;
export const BOOK_WANTED_WORD = 6;
export const BOOK_NAMES_WORD = 7;
export const BOOK_REPAIRED_WORD = 16;
export const BOOK_HIGH_WATER_WORD = 17;
export const BOOK_OPERATIONS_WORD = 18;
export const BOOK_LOCK_WORD = 32;
export const BOOK_JOURNAL_WORD = 34;
export const BOOK_PARTICIPANTS_WORD = 144;

/** Bytes from the start of the bookkeeping to mutex, items and spaces, one after the other. */
export const BOOK_SEMAPHORES_OFFSET = 384;
/** Bytes for each semaphore; a `sem_t` takes 32 here, and at most 64 elsewhere. */
export const BOOK_SEMAPHORE_LENGTH = 64;

/** The most handles of one queue. */
export const QUEUE_PARTICIPANTS = 64;
export const QUEUE_PARTICIPANT_LENGTH = 20;
/** Indices of words from the start of a participant. */
export const PARTICIPANT_ITEMS_WORD = 0;
export const PARTICIPANT_SPACES_WORD = 1;
export const PARTICIPANT_PROCESS_WORD = 2;
export const PARTICIPANT_LOCK_WORD = 3;

export const MESSAGE_QUEUE_PARTICIPANT: Layout = {
  name: "message_queue_participant",
  text: "What one handle has in hand. Its lock says whether it lives.",
  length: QUEUE_PARTICIPANT_LENGTH,
  fields: [
    u32("items", PARTICIPANT_ITEMS_WORD * 4, "Tokens of `items`: see the constants. Its handle."),
    u32("spaces", PARTICIPANT_SPACES_WORD * 4, "Tokens of `spaces`, likewise. Its handle."),
    u32("process_id", PARTICIPANT_PROCESS_WORD * 4, "0 when the handle is closed. Its handle."),
    u32("lock", PARTICIPANT_LOCK_WORD * 4, "See the lock. Its handle.", LOCK_LENGTH / 4),
  ],
};

const semaphore = (name: string, which: number, value: string): Layout["fields"][number] =>
  bytes(
    name,
    BOOK_SEMAPHORES_OFFSET + which * BOOK_SEMAPHORE_LENGTH,
    BOOK_SEMAPHORE_LENGTH,
    `Mode 2: an unnamed \`sem_t\`; mode 3: its first word counts. Starts at ${value}. All handles.`,
  );

export const MESSAGE_QUEUE_BOOK: Layout = {
  name: "message_queue_book",
  text: "The bookkeeping of Bun's handles, at the first multiple of 128 after the slots.",
  length: QUEUE_BOOK_LENGTH,
  fields: [
    u32("magic", BOOK_MAGIC_WORD * 4, '"BOOK". Whoever makes the bookkeeping, last.'),
    u32("version", BOOK_VERSION_WORD * 4, "2. Whoever makes it."),
    u32("slots", BOOK_SLOTS_WORD * 4, "How many slots there are. Whoever makes it."),
    u32("slot_size", BOOK_SLOT_SIZE_WORD * 4, "Bytes of a slot, including its NUL. Likewise."),
    u32("mode", BOOK_MODE_WORD * 4, "Where the semaphores are: `QUEUE_MODE_…`. Likewise."),
    u32("creator", BOOK_CREATOR_WORD * 4, "Who made the queue: `QUEUE_CREATOR_…`. Likewise."),
    u32("wanted", BOOK_WANTED_WORD * 4, "The `mode` that its maker asked for; 0: unknown."),
    u32(
      "names",
      BOOK_NAMES_WORD * 4,
      "Mode 1: FNV-1a of the semaphores' names, a NUL between two; 0: unknown. Whoever makes it.",
    ),
    u32("repaired", BOOK_REPAIRED_WORD * 4, "Repairs after a death, mod 2^32. Whoever repairs."),
    u32("high_water", BOOK_HIGH_WATER_WORD * 4, "The most messages queued. The lock's holder."),
    u32("operations", BOOK_OPERATIONS_WORD * 4, "Those that ended, mod 2^32. The lock's holder."),
    u32("lock", BOOK_LOCK_WORD * 4, "See the lock. Whoever uses the queue.", LOCK_LENGTH / 4),
    u32("journal", BOOK_JOURNAL_WORD * 4, "slot << 4 | `QUEUE_JOURNAL_…`. The lock's holder."),
    semaphore("mutex", 0, "1"),
    semaphore("items", 1, "0"),
    semaphore("spaces", 2, "the number of slots"),
    u32(
      "participants",
      BOOK_PARTICIPANTS_WORD * 4,
      "64 of `message_queue_participant`. Each handle its own.",
      (QUEUE_PARTICIPANTS * QUEUE_PARTICIPANT_LENGTH) / 4,
    ),
  ],
};

/** `mode`: named semaphores, which C programs use too. */
export const QUEUE_MODE_NAMED = 1;
/** `mode`: semaphores inside the bookkeeping. */
export const QUEUE_MODE_IN_SEGMENT = 2;
/** `mode`: plain words, which waiters poll. */
export const QUEUE_MODE_POLLING = 3;

/** `creator`: a handle, which holds the creator's lock byte for as long as it is open. */
export const QUEUE_CREATOR_BUN = 1;
/** `creator`: a program that keeps no books, and holds no lock. */
export const QUEUE_CREATOR_FOREIGN = 2;

/** `journal`: the mutex may be held or not, and no field is being changed. */
export const QUEUE_JOURNAL_NONE = 0;
/** `journal`: the mutex is held, and the slot is being filled. */
export const QUEUE_JOURNAL_ENQUEUE = 1;
/** `journal`: the mutex is held, and the slot is being emptied. */
export const QUEUE_JOURNAL_DEQUEUE = 2;
/** `journal`: the lowest bit of the slot's number. */
export const QUEUE_JOURNAL_SLOT_SHIFT = 4;

/** In a participant's token word: how many tokens it has in hand. */
export const QUEUE_TOKENS_MASK = 0x7f;
/** In a participant's token word: it waits, and so may have a token that it has not noted yet. */
export const QUEUE_MAY_HAVE_TOKEN = 0x80;
/** In a participant's token word: counts the moments at which it had no token. */
export const QUEUE_NONE_INCREMENT = 0x100;
