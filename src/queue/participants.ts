/**
 * Who takes part in a queue, and how many tokens each has in hand.
 *
 * Each participant holds the lock of its seat, so that others know whether it lives. Its words say
 * how many tokens it has taken and not used. It cannot take a token
 * from a semaphore and note that in one step. So while it waits it is marked as one that may have a
 * token, and whenever it knows that it has none, it increments a count: another process that sees
 * the count change knows that there was no token at that moment.
 */
import {
  BOOK_PARTICIPANTS_WORD,
  PARTICIPANT_ITEMS_WORD,
  PARTICIPANT_LOCK_WORD,
  PARTICIPANT_PROCESS_WORD,
  PARTICIPANT_SPACES_WORD,
  QUEUE_MAY_HAVE_TOKEN,
  QUEUE_NONE_INCREMENT,
  QUEUE_PARTICIPANTS,
  QUEUE_PARTICIPANT_LENGTH,
  QUEUE_TOKENS_MASK,
} from "../layout/message-queue-layout.ts";
import { isMine } from "../locks/algorithm/lock-core.ts";
import { OwnedLock } from "../locks/owned-lock.ts";
import { load, store } from "../memory/atomics.ts";
import type { Segment } from "../segment/segment.ts";

/** The two kinds of token. */
export type TokenKind = 0 | 1;
export const ITEMS: TokenKind = PARTICIPANT_ITEMS_WORD;
export const SPACES: TokenKind = PARTICIPANT_SPACES_WORD;

const PARTICIPANT_WORDS = QUEUE_PARTICIPANT_LENGTH / 4;

/** One participant, and its view of the others. */
export class Participant {
  readonly number: number;
  readonly #seats: readonly OwnedLock[];
  readonly #book: Int32Array;
  readonly #base: number;
  readonly #tokens: [number, number] = [0, 0];
  readonly #waits: [number, number] = [0, 0];
  readonly #nones: [number, number] = [0, 0];

  private constructor(seats: readonly OwnedLock[], book: Int32Array, number: number) {
    this.number = number;
    this.#seats = seats;
    this.#book = book;
    this.#base = BOOK_PARTICIPANTS_WORD + number * PARTICIPANT_WORDS;
    for (const kind of [ITEMS, SPACES]) this.#write(kind);
    store(book, this.#base + PARTICIPANT_PROCESS_WORD, process.pid);
  }

  /** Takes a free number. @returns The participant; undefined when the living have all numbers. */
  static join(segment: Segment, book: Int32Array): Participant | undefined {
    const first = book.byteOffset + (BOOK_PARTICIPANTS_WORD + PARTICIPANT_LOCK_WORD) * 4;
    const seats = Array.from({ length: QUEUE_PARTICIPANTS }, (_, number) => {
      return new OwnedLock(segment, first + number * QUEUE_PARTICIPANT_LENGTH, "a queue's seat");
    });
    const number = seats.findIndex((seat) => isMine(seat.tryLock()));
    return number < 0 ? undefined : new Participant(seats, book, number);
  }

  /** Whether the participant of that number lives; false for numbers that do not exist. */
  isAlive(number: number): boolean {
    return this.#seats[number]?.isHeld === true;
  }

  /** Notes that a wait for a token begins. */
  startWait(kind: TokenKind): void {
    this.#waits[kind]++;
    this.#write(kind);
  }

  /** Notes that a wait ended, with a token or without. */
  endWait(kind: TokenKind, took: boolean): void {
    this.#waits[kind]--;
    if (took) this.#tokens[kind]++;
    else if (this.#waits[kind] === 0) this.#nones[kind] += QUEUE_NONE_INCREMENT;
    this.#write(kind);
  }

  /** Notes that a token was used or given back. */
  endToken(kind: TokenKind): void {
    this.#tokens[kind]--;
    this.#write(kind);
  }

  #write(kind: TokenKind): void {
    const waits = this.#waits[kind] > 0 ? QUEUE_MAY_HAVE_TOKEN : 0;
    store(this.#book, this.#base + kind, this.#nones[kind] | waits | this.#tokens[kind]);
  }

  /** A copy of all participants' words, to compare with later. */
  snapshot(): Int32Array {
    const end = BOOK_PARTICIPANTS_WORD + QUEUE_PARTICIPANTS * PARTICIPANT_WORDS;
    return this.#book.slice(BOOK_PARTICIPANTS_WORD, end);
  }

  /** How many tokens the living have in hand, or may have had since the snapshot `earlier`. */
  tokensInHand(kind: TokenKind, earlier: Int32Array): number {
    let tokens = 0;
    for (let number = 0; number < QUEUE_PARTICIPANTS; number++) {
      const at = number * PARTICIPANT_WORDS + kind;
      const word = load(this.#book, BOOK_PARTICIPANTS_WORD + at);
      if ((word & (QUEUE_TOKENS_MASK | QUEUE_MAY_HAVE_TOKEN)) === 0 || !this.isAlive(number))
        continue;
      tokens += word & QUEUE_TOKENS_MASK;
      if ((word & QUEUE_MAY_HAVE_TOKEN) !== 0 && word === earlier[at]) tokens++;
    }
    return tokens;
  }

  /** The process ids of the living, which mean nothing across containers. */
  processIds(): Set<number> {
    const ids = new Set<number>();
    for (let number = 0; number < QUEUE_PARTICIPANTS; number++) {
      const at = BOOK_PARTICIPANTS_WORD + number * PARTICIPANT_WORDS + PARTICIPANT_PROCESS_WORD;
      const id = load(this.#book, at);
      if (id !== 0 && this.isAlive(number)) ids.add(id);
    }
    return ids;
  }

  /** Gives the number back. */
  close(): void {
    if (this.#book.length > 0) store(this.#book, this.#base + PARTICIPANT_PROCESS_WORD, 0);
    this.#seats[this.number]!.letGo();
  }
}
