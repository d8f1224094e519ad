/*
 * The log of a stripe: which keys changed lately, for those who watch.
 *
 * The owner of the stripe's lock writes it, and only while somebody watches:
 *
 *     W1  RESERVED: where the record ends          W2  the record's words
 *     W3  the slot, which makes the change          W4  POSITION: where the record ends
 *
 * and a watcher reads it without a lock, from where it stopped:
 *
 *     R1  read POSITION    R2  copy the records up to there    R3  read RESERVED
 *
 * A watcher looks the keys up after it has read the log, so it sees the change (W3 before W4: SYNC
 * map-log, R1). If RESERVED is more than the log's length ahead of what it copied, the copy may be
 * torn, and it has lost records (W1 before W2, R2 before R3: SYNC map-log-lap); it is told so.
 *
 * A writer that dies after W1 may have changed a key without a record. Whoever has the lock next
 * says in the log that something was skipped. RESERVED never goes back, because the words that the
 * dead writer overwrote are lost in any case. As long as it differs from POSITION, a watcher that
 * has waited in vain takes the lock to find out.
 *
 * WATCHED says whether to log. Watchers die without a word, so each lap of the log asks again: it
 * lowers WATCHED, from 2 to 1 to 0, and every look of a watcher sets it to 2. A watcher that finds
 * 0 has missed a whole lap, so that it has lost records anyway. It begins again under the lock, so
 * that no change is under way of which it would learn neither from the log nor by looking.
 */
import {
  KEY_WORD,
  LOG_POSITION_WORD,
  LOG_RESERVED_WORD,
  LOG_SET,
  LOG_SKIPPED,
  LOG_WHAT_SHIFT,
  MAX_KEY_LENGTH,
  QUESTIONED,
  UNWATCHED,
  WATCHED,
  WATCHED_WORD,
} from "../../layout/map-layout.ts";
import {
  compareExchange,
  exchange,
  load,
  loadFence,
  release,
  storeFence,
} from "../../memory/atomics.ts";
import type { HashedKey } from "../../struct/hashed-key.ts";
import { Scratch } from "../../struct/scratch.ts";
import { type MapMemory, copyOut } from "./map-memory.ts";

/** Writes the logs of the stripes. The caller holds a stripe's lock. */
export class MapLog {
  readonly #memory: MapMemory;
  readonly #words: Int32Array;
  /** Where the record ends that was added last. */
  #end = 0;
  /** Whether anything was published that nobody was woken for. */
  #hasNews = false;

  constructor(memory: MapMemory) {
    this.#memory = memory;
    this.#words = memory.words;
  }

  /** Whether changes are to be logged. */
  isWatched(stripe: number): boolean {
    return this.#words[stripe + WATCHED_WORD] !== UNWATCHED;
  }

  /** W1 and W2 for a key of the caller's. To be followed by the change, and `publish`. */
  addKey(stripe: number, what: number, key: HashedKey): void {
    const at = this.#begin(stripe, what, key.length);
    for (let word = 0; word < key.wordCount; word++) this.#words[at + word] = key.words[word]!;
  }

  /** W1 and W2 for the entry at a word, likewise. */
  addEntry(stripe: number, what: number, first: number): void {
    const length = this.#words[first + KEY_WORD]! & 0xffff;
    if (length > MAX_KEY_LENGTH) this.#memory.corrupt("a key's length", first + KEY_WORD);
    const at = this.#begin(stripe, what, length);
    const { bytes } = this.#memory;
    copyOut(
      this.#memory,
      stripe + this.#memory.unitsOffset,
      first,
      0,
      (length + 3) >> 2,
      bytes,
      at,
    );
  }

  /** W1 and W2 for changes of any keys, likewise. */
  addSkipped(stripe: number): void {
    this.#begin(stripe, LOG_SKIPPED, 0);
  }

  /** W4: the change that was added last is made. */
  publish(stripe: number): void {
    release(this.#words, stripe + LOG_POSITION_WORD, this.#end);
    this.#hasNews = true;
  }

  /** Whether there is something to wake the watchers for. To be asked once. */
  takeNews(): boolean {
    if (!this.#hasNews) return false;
    this.#hasNews = false;
    return true;
  }

  /** Says that a writer died, and that its change may not be logged. */
  repair(stripe: number): void {
    if (!this.isWatched(stripe)) return;
    this.addSkipped(stripe);
    this.publish(stripe);
  }

  /** W1, and the first word of W2. @returns The index of the word where the key goes. */
  #begin(stripe: number, what: number, keyLength: number): number {
    const words = this.#words;
    const { logWords, logOffset } = this.#memory;
    const log = stripe + logOffset;
    const count = 1 + ((keyLength + 3) >> 2);
    const position = words[stripe + LOG_POSITION_WORD]!;
    let at = position & (logWords - 1);
    const rest = at + count > logWords ? logWords - at : 0;
    this.#end = (position + rest + count) | 0;
    // What a dead writer had reserved may lie further on.
    if (((this.#end - words[stripe + LOG_RESERVED_WORD]!) | 0) > 0) {
      release(words, stripe + LOG_RESERVED_WORD, this.#end);
      storeFence();
    }
    if (rest > 0) {
      words[log + at] = 0;
      at = 0;
    }
    if (at === 0) this.#question(stripe);
    words[log + at] = (what << LOG_WHAT_SHIFT) | keyLength;
    return log + at + 1;
  }

  /** Asks at each lap whether anybody watches still. */
  #question(stripe: number): void {
    const word = stripe + WATCHED_WORD;
    if (compareExchange(this.#words, word, WATCHED, QUESTIONED) === WATCHED) return;
    compareExchange(this.#words, word, QUESTIONED, UNWATCHED);
  }
}

/** What a watcher makes of what it finds. */
export interface LogSink {
  /** A key changed. It lies in the reader's copy from byte `start` on. */
  changed(what: number, start: number, length: number): void;
  /** Some changes are lost. */
  skipped(): void;
}

/** Reads the logs of the stripes, for one watcher. */
export class MapLogReader {
  /** Where the records are copied to. */
  readonly copy: Scratch;
  /** Up to where each log was read. */
  readonly positions: Int32Array;
  readonly #memory: MapMemory;
  readonly #words: Int32Array;

  constructor(memory: MapMemory) {
    this.#memory = memory;
    this.#words = memory.words;
    this.positions = new Int32Array(memory.stripeMask + 1);
    this.copy = new Scratch(memory.logWords * 4);
  }

  /** Begins with the changes from now on. The caller holds the lock of the stripe. */
  begin(index: number): void {
    const stripe = this.#memory.stripeOf(index);
    exchange(this.#words, stripe + WATCHED_WORD, WATCHED);
    this.positions[index] = load(this.#words, stripe + LOG_POSITION_WORD);
  }

  /** Whether a writer is in the middle of a change, or died there. */
  isUnfinished(index: number): boolean {
    const stripe = this.#memory.stripeOf(index);
    const words = this.#words;
    return load(words, stripe + LOG_POSITION_WORD) !== load(words, stripe + LOG_RESERVED_WORD);
  }

  /**
   * Gives what is new in one log to the sink.
   * @returns Whether changes were not logged: then the caller takes the lock, and calls `begin`.
   * @throws LayoutError when the bytes are no log.
   */
  read(index: number, sink: LogSink): boolean {
    const words = this.#words;
    const { logWords, logOffset, bytes } = this.#memory;
    const stripe = this.#memory.stripeOf(index);
    if (this.#isUnwatched(stripe)) return true;
    const from = this.positions[index]!;
    // SYNC map-log: the changes up to there are made.
    const end = load(words, stripe + LOG_POSITION_WORD);
    if (end === from) return false;
    this.positions[index] = end;
    const count = (end - from) | 0;
    if (count > 0 && count <= logWords) {
      const at = from & (logWords - 1);
      const first = Math.min(count, logWords - at);
      const log = (stripe + logOffset) * 4;
      bytes.copyTo(this.copy.fixed, 0, log + at * 4, first * 4);
      bytes.copyTo(this.copy.fixed, first * 4, log, (count - first) * 4);
      loadFence();
      // SYNC map-log-lap: none of the words was overwritten before they were copied.
      if (((load(words, stripe + LOG_RESERVED_WORD) - from) | 0) <= logWords) {
        this.#parse(stripe, at, count, sink);
        return false;
      }
    }
    sink.skipped();
    return false;
  }

  /** Answers the question whether anybody watches. @returns Whether it was given up. */
  #isUnwatched(stripe: number): boolean {
    const words = this.#words;
    const word = stripe + WATCHED_WORD;
    if (load(words, word) === WATCHED) return false;
    // A writer that lowers it sees this, or was faster, so that this sees it.
    return exchange(words, word, WATCHED) === UNWATCHED;
  }

  /** @param at Where the copied words began in the log. */
  #parse(stripe: number, at: number, count: number, sink: LogSink): void {
    const { logWords, logOffset } = this.#memory;
    const { words } = this.copy;
    for (let done = 0; done < count;) {
      const head = words[done]!;
      if (head === 0) {
        done += logWords - ((at + done) & (logWords - 1));
        continue;
      }
      const what = head >> LOG_WHAT_SHIFT;
      const length = head & 0xffff;
      const next = done + 1 + ((length + 3) >> 2);
      if (next > count || length > MAX_KEY_LENGTH || what < LOG_SET || what > LOG_SKIPPED) {
        this.#memory.corrupt("the log", stripe + logOffset + ((at + done) & (logWords - 1)));
      }
      if (what === LOG_SKIPPED) sink.skipped();
      else sink.changed(what, (done + 1) * 4, length);
      done = next;
    }
  }
}
