/**
 * The classic bounded queue: a circle of fixed slots, each of which holds one NUL-terminated text.
 *
 * Only the holder of both the bookkeeping's lock and the mutex may use it, other than `depth`,
 * `indices` and `isConsistent`. Its methods change words in an order that an heir can finish or
 * undo:
 *
 *   enqueue   E1 journal := ENQUEUE k     dequeue   D1 journal := DEQUEUE k
 *             E2 slot k := text                     D2 text := slot k
 *             E3 tail := k + 1  (commit)            D3 head := k + 1  (commit)
 *             E4 count + 1                          D4 count - 1
 *             E5 journal := NONE                    D5 journal := NONE
 *
 * Invariants, whenever the journal says NONE and the mutex is free:
 *   head, tail < slots;  count <= slots;  tail = (head + count) mod slots.
 * While it says ENQUEUE k, its writer holds the mutex: count is (k - head) mod slots before E4, and
 * one more after it; tail is k before E3. While it says DEQUEUE k, the same is true of head, with a
 * count of (tail - k) mod slots before D4, where 0 means all slots, and one less after it. So tail
 * or head is enough to tell whether the operation took place, and count follows from them: `finish`
 * can be repeated if it is interrupted itself.
 */
import { shown } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import {
  QUEUE_BOOK_LENGTH,
  COUNT_WORD,
  HEAD_WORD,
  BOOK_HIGH_WATER_WORD,
  QUEUE_JOURNAL_DEQUEUE,
  QUEUE_JOURNAL_ENQUEUE,
  QUEUE_JOURNAL_NONE,
  QUEUE_JOURNAL_SLOT_SHIFT,
  BOOK_JOURNAL_WORD,
  BOOK_OPERATIONS_WORD,
  QUEUE_HEADER_LENGTH,
  type QueueGeometry,
  TAIL_WORD,
  bookOffset,
} from "../layout/message-queue-layout.ts";
import { load, store } from "../memory/atomics.ts";

/** What an heir found unfinished, and what became of it. */
export type Finished = "nothing" | "enqueued" | "not enqueued" | "dequeued" | "not dequeued";

const encoder: TextEncoder = new TextEncoder();

/** The slots, and the words that say which are filled. */
export class SlotQueue {
  readonly slots: number;
  /** How many bytes a text can have. */
  readonly textLength: number;
  /** How many bytes the last operation's text had. */
  lastLength = 0;
  readonly #slotSize: number;
  readonly #words: Int32Array;
  readonly #book: Int32Array;
  readonly #bytes: Buffer;
  readonly #slotViews: Uint8Array[] = [];
  /** Called after count was made to agree with head and tail. */
  onCorrected: () => void = () => {};
  readonly #name: string;

  /** @param name The queue's name, for messages. */
  constructor(buffer: ArrayBuffer, geometry: QueueGeometry, name: string) {
    this.slots = geometry.slots;
    this.textLength = geometry.slotSize - 1;
    this.#slotSize = geometry.slotSize;
    this.#words = new Int32Array(buffer, 0, QUEUE_HEADER_LENGTH / 4);
    this.#book = new Int32Array(buffer, bookOffset(geometry), QUEUE_BOOK_LENGTH / 4);
    this.#bytes = Buffer.from(buffer);
    this.#name = name;
  }

  /** Messages in the queue; stale the moment it returns. */
  get depth(): number {
    return load(this.#words, COUNT_WORD) >>> 0;
  }

  /** Head, tail and count, to compare with later. */
  get indices(): string {
    const words = this.#words;
    return `${load(words, HEAD_WORD)} ${load(words, TAIL_WORD)} ${load(words, COUNT_WORD)}`;
  }

  /** @returns Whether it did: false when it is full, since the caller's token was one too many. */
  enqueue(text: string): boolean {
    const count = this.reconcile();
    const slot = this.#index(TAIL_WORD, "tail");
    if (count === this.slots) return false;
    store(
      this.#book,
      BOOK_JOURNAL_WORD,
      QUEUE_JOURNAL_ENQUEUE | (slot << QUEUE_JOURNAL_SLOT_SHIFT),
    );
    const start = QUEUE_HEADER_LENGTH + slot * this.#slotSize;
    const { written } = encoder.encodeInto(text, this.#slotView(slot, start));
    this.#bytes[start + written] = 0;
    this.lastLength = written;
    store(this.#words, TAIL_WORD, slot + 1 === this.slots ? 0 : slot + 1);
    store(this.#words, COUNT_WORD, count + 1);
    this.#finished();
    if (count >= this.#book[BOOK_HIGH_WATER_WORD]!) this.#book[BOOK_HIGH_WATER_WORD] = count + 1;
    return true;
  }

  /** @returns The text; undefined when it is empty, since the caller's token was one too many. */
  dequeue(): string | undefined {
    const count = this.reconcile();
    const slot = this.#index(HEAD_WORD, "head");
    if (count === 0) return undefined;
    store(
      this.#book,
      BOOK_JOURNAL_WORD,
      QUEUE_JOURNAL_DEQUEUE | (slot << QUEUE_JOURNAL_SLOT_SHIFT),
    );
    const start = QUEUE_HEADER_LENGTH + slot * this.#slotSize;
    const limit = start + this.#slotSize;
    // A slot that somebody filled without a NUL ends where the next one starts.
    const found = this.#bytes.indexOf(0, start);
    const end = found < 0 || found > limit ? limit : found;
    const text = this.#bytes.toString("utf8", start, end);
    this.lastLength = end - start;
    store(this.#words, HEAD_WORD, slot + 1 === this.slots ? 0 : slot + 1);
    store(this.#words, COUNT_WORD, count - 1);
    this.#finished();
    return text;
  }

  /** Whether the journal names an unfinished operation, whose writer held the mutex. */
  get isInterrupted(): boolean {
    return load(this.#book, BOOK_JOURNAL_WORD) !== QUEUE_JOURNAL_NONE;
  }

  /** Finishes or undoes the operation of a dead holder of the lock and the mutex. */
  finish(): Finished {
    const journal = load(this.#book, BOOK_JOURNAL_WORD);
    const slot = journal >>> QUEUE_JOURNAL_SLOT_SHIFT;
    const operation = journal & ((1 << QUEUE_JOURNAL_SLOT_SHIFT) - 1);
    const { slots } = this;
    let finished: Finished = "nothing";
    if (slots > 1 && slot < slots && operation === QUEUE_JOURNAL_ENQUEUE) {
      const before = (slot - this.#index(HEAD_WORD, "head") + slots) % slots;
      const done = this.#index(TAIL_WORD, "tail") !== slot;
      store(this.#words, COUNT_WORD, done ? before + 1 : before);
      finished = done ? "enqueued" : "not enqueued";
    } else if (slots > 1 && slot < slots && operation === QUEUE_JOURNAL_DEQUEUE) {
      const before = (this.#index(TAIL_WORD, "tail") - slot + slots) % slots || slots;
      const done = this.#index(HEAD_WORD, "head") !== slot;
      store(this.#words, COUNT_WORD, done ? before - 1 : before);
      finished = done ? "dequeued" : "not dequeued";
    }
    store(this.#book, BOOK_JOURNAL_WORD, QUEUE_JOURNAL_NONE);
    return finished;
  }

  /** Whether head, tail and count agree; only a hint when the caller does not hold the mutex. */
  get isConsistent(): boolean {
    const { slots } = this;
    if (slots === 1) return true;
    const head = load(this.#words, HEAD_WORD);
    return (head + load(this.#words, COUNT_WORD)) % slots === load(this.#words, TAIL_WORD);
  }

  /** @throws LayoutError when head, tail or count is out of range. */
  check(): void {
    this.#index(HEAD_WORD, "head");
    this.#index(TAIL_WORD, "tail");
    this.#count();
  }

  /**
   * Makes count agree with head and tail, as every operation does first.
   *
   * If a C program died between its stores, head and tail decide. If they are equal, the queue is
   * empty or full, and count decides which of the two is nearer.
   *
   * @returns The count.
   */
  reconcile(): number {
    const count = this.#count();
    const { slots } = this;
    if (slots === 1) return count;
    const head = this.#index(HEAD_WORD, "head");
    const distance = (this.#index(TAIL_WORD, "tail") - head + slots) % slots;
    const believed = distance === 0 && count * 2 >= slots ? slots : distance;
    if (believed === count) return count;
    store(this.#words, COUNT_WORD, believed);
    this.onCorrected();
    return believed;
  }

  #finished(): void {
    store(this.#book, BOOK_JOURNAL_WORD, QUEUE_JOURNAL_NONE);
    this.#book[BOOK_OPERATIONS_WORD] = (this.#book[BOOK_OPERATIONS_WORD]! + 1) | 0;
  }

  #slotView(slot: number, start: number): Uint8Array {
    return (this.#slotViews[slot] ??= this.#bytes.subarray(start, start + this.textLength));
  }

  #index(word: number, field: string): number {
    const index = load(this.#words, word) >>> 0;
    if (index < this.slots) return index;
    throw this.#outOfRange(field, word, `below ${this.slots}`, index);
  }

  #count(): number {
    const count = load(this.#words, COUNT_WORD) >>> 0;
    if (count <= this.slots) return count;
    throw this.#outOfRange("count", COUNT_WORD, `at most ${this.slots}`, count);
  }

  #outOfRange(field: string, word: number, expected: string, found: number): LayoutError {
    const what = `Cannot use message queue ${shown(this.#name)}: its ${field} is out of range`;
    return new LayoutError(what, { expected, found: String(found), offset: word * 4 });
  }
}
