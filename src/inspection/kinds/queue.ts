/** The message queue, be it Bun's or the classic C program's, as far as its bytes tell. */
import type { Layout } from "../../layout/description.ts";
import {
  BOOK_LENGTH,
  BOOK_MAGIC,
  BOOK_MAGIC_WORD,
  BOOK_SLOTS_WORD,
  BOOK_SLOT_SIZE_WORD,
  COUNT_WORD,
  DEFAULT_SLOTS,
  DEFAULT_SLOT_SIZE,
  HEAD_WORD,
  HIGH_WATER_WORD,
  MAGIC_WORD,
  MAX_PARTICIPANTS,
  QUEUE_HEADER_LENGTH,
  type QueueGeometry,
  RECOVERIES_WORD,
  TAIL_WORD,
  VERSION_WORD,
  bookOffset,
} from "../../layout/message-queue-layout.ts";
import { QUEUE_CREATOR_BYTE, QUEUE_FIRST_PARTICIPANT_BYTE } from "../../layout/lock-bytes.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import { type Structure, numbered } from "./kind.ts";

const u32 = (name: string, word: number, text: string): Layout["fields"][0] => ({
  name,
  type: "uint32_t",
  offset: word * 4,
  text,
});

const QUEUE_HEADER: Layout = {
  name: "message_queue",
  text: "The head of the queue, as the classic C program has it; the slots follow.",
  length: QUEUE_HEADER_LENGTH,
  fields: [
    u32("magic", MAGIC_WORD, "0x4D51534D."),
    u32("version", VERSION_WORD, "1."),
    u32("head", HEAD_WORD, "The slot that is read next."),
    u32("tail", TAIL_WORD, "The slot that is written next."),
    u32("count", COUNT_WORD, "Messages now queued."),
  ],
};

const QUEUE_BOOK: Layout = {
  name: "message_queue_book",
  text: "What Bun's handles note behind the slots.",
  length: BOOK_LENGTH,
  fields: [
    u32("book_magic", BOOK_MAGIC_WORD, "0x4B4F4F42."),
    u32("slots", BOOK_SLOTS_WORD, "How many slots there are."),
    u32("slot_size", BOOK_SLOT_SIZE_WORD, "Bytes of a slot, the NUL included."),
    u32("recoveries", RECOVERIES_WORD, "Repairs after a participant died."),
    u32("high_water", HIGH_WATER_WORD, "The most messages that were queued."),
  ],
};

/** Offset of the bookkeeping, which ends the object; undefined in a C program's queue. */
function findBook(words: ObjectWords): number | undefined {
  const offset = words.size - BOOK_LENGTH;
  if (offset < QUEUE_HEADER_LENGTH || offset % 4 !== 0) return undefined;
  return words.u32(offset + BOOK_MAGIC_WORD * 4) === BOOK_MAGIC ? offset : undefined;
}

/** The shape of a queue, as its bookkeeping says; the classic one without any. */
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
    highWater: words.u32(book + HIGH_WATER_WORD * 4),
    repaired: words.u32(book + RECOVERIES_WORD * 4),
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

export const QUEUE_STRUCTURE: Structure = {
  kind: "queue",
  parts: (words) => {
    const book = findBook(words);
    const header = { layout: QUEUE_HEADER, offset: 0 };
    return book === undefined ? [header] : [header, { layout: QUEUE_BOOK, offset: book }];
  },
  activity,
  damage,
  roles: [
    ...numbered(QUEUE_FIRST_PARTICIPANT_BYTE, MAX_PARTICIPANTS, "participant"),
    [QUEUE_CREATOR_BYTE, "creator"],
  ],
};
