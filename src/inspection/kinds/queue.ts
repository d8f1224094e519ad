/** The message queue, both Bun's and the classic C program's. */
import type { Layout } from "../../layout/description.ts";
import { QUEUE_CREATOR_BYTE } from "../../layout/lock-bytes.ts";
import {
  BOOK_HIGH_WATER_WORD,
  BOOK_LOCK_WORD,
  BOOK_PARTICIPANTS_WORD,
  BOOK_MAGIC_WORD,
  BOOK_REPAIRED_WORD,
  BOOK_SLOTS_WORD,
  BOOK_SLOT_SIZE_WORD,
  COUNT_WORD,
  DEFAULT_SLOTS,
  DEFAULT_SLOT_SIZE,
  HEAD_WORD,
  MESSAGE_QUEUE_BOOK,
  MESSAGE_QUEUE_HEADER,
  QUEUE_BOOK_LENGTH,
  QUEUE_BOOK_MAGIC,
  QUEUE_HEADER_LENGTH,
  PARTICIPANT_LOCK_WORD,
  QUEUE_PARTICIPANTS,
  QUEUE_PARTICIPANT_LENGTH,
  type QueueGeometry,
  TAIL_WORD,
  bookOffset,
} from "../../layout/message-queue-layout.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import { type Inspector, lockRow } from "./kind.ts";

/** The single numbers of the bookkeeping: its participants and semaphores tell people nothing. */
const BOOK: Layout = {
  ...MESSAGE_QUEUE_BOOK,
  fields: MESSAGE_QUEUE_BOOK.fields.filter(({ count }) => count === undefined),
};

/** @returns The offset of the bookkeeping, which ends the object; undefined when there is none. */
function findBook(words: ObjectWords): number | undefined {
  const offset = words.size - QUEUE_BOOK_LENGTH;
  if (offset < QUEUE_HEADER_LENGTH || offset % 4 !== 0) return undefined;
  return words.u32(offset + BOOK_MAGIC_WORD * 4) === QUEUE_BOOK_MAGIC ? offset : undefined;
}

/** @returns The shape that a queue's bookkeeping gives; without bookkeeping, the classic one. */
export function queueGeometry(words: ObjectWords): QueueGeometry {
  const classic = { slots: DEFAULT_SLOTS, slotSize: DEFAULT_SLOT_SIZE };
  const book = findBook(words);
  if (book === undefined) return classic;
  const slots = words.u32(book + BOOK_SLOTS_WORD * 4);
  const slotSize = words.u32(book + BOOK_SLOT_SIZE_WORD * 4);
  return bookOffset({ slots, slotSize }) === book ? { slots, slotSize } : classic;
}

function activity(words: ObjectWords): Activity {
  const { slots } = queueGeometry(words);
  const common: Activity = { depth: words.u32(COUNT_WORD * 4), capacity: slots, unit: "messages" };
  const book = findBook(words);
  if (book === undefined) return common;
  return {
    ...common,
    highWater: words.u32(book + BOOK_HIGH_WATER_WORD * 4),
    repaired: words.u32(book + BOOK_REPAIRED_WORD * 4),
  };
}

function damage(words: ObjectWords): string | undefined {
  const { slots } = queueGeometry(words);
  const [head, tail, count] = [HEAD_WORD, TAIL_WORD, COUNT_WORD].map((w) => words.u32(w * 4)) as [
    number,
    number,
    number,
  ];
  if (head < slots && tail < slots && count <= slots) return undefined;
  return `head ${head}, tail ${tail} and count ${count} do not fit ${slots} slots`;
}

export const QUEUE_INSPECTOR: Inspector = {
  kind: "queue",
  parts: (words) => {
    const book = findBook(words);
    const header = { layout: MESSAGE_QUEUE_HEADER, offset: 0 };
    return book === undefined ? [header] : [header, { layout: BOOK, offset: book }];
  },
  activity,
  damage,
  locks(words) {
    const book = findBook(words);
    if (book === undefined) return [];
    const first = book + (BOOK_PARTICIPANTS_WORD + PARTICIPANT_LOCK_WORD) * 4;
    return [
      { role: "lock", offset: book + BOOK_LOCK_WORD * 4, isRole: false },
      ...lockRow("participant", first, QUEUE_PARTICIPANTS, QUEUE_PARTICIPANT_LENGTH, true),
    ];
  },
  roleBytes: [[QUEUE_CREATOR_BYTE, "creator"]],
};
