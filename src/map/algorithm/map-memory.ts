/** Where the parts of a map lie, and the error for corrupt ones. */
import {
  BOOT_WORD,
  BUCKET_WORDS,
  EXPIRY_WORD,
  KEY_LENGTH_MASK,
  KEY_WORD,
  LIST_CURRENT_WORD,
  LIST_STATES_WORD,
  LIST_STATE_WORDS,
  NEXT_EXPIRY_WORD,
  NEXT_WORD,
  MAP_HEAD_LENGTH,
  OTHER_HEAD_WORDS,
  FIRST_HEAD_WORDS,
  STALE_WORD,
  STRIPE_BOOT_WORD,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";
import { LayoutError } from "../../errors.ts";
import { wordsOf } from "../../memory/atomics.ts";
import type { BootClock } from "../../memory/boot.ts";
import { FixedBytes } from "../../memory/fixed-bytes.ts";
import { type MapShape, logWords, stripeWords } from "./map-shape.ts";

/** A time that has passed, by any clock. */
const LONG_AGO: number = Number.MIN_VALUE;

/** The words of a map in a buffer. Its other numbers are private copies, which were checked. */
export class MapMemory {
  readonly words: Int32Array;
  /** The same memory: the f64 at word `i` is `floats[i >> 1]`. */
  readonly floats: Float64Array;
  /** The same memory, to be copied to and from. */
  readonly bytes: FixedBytes;
  readonly shape: MapShape;
  /** By which entries expire. */
  readonly clock: BootClock;
  /** The index of the first word of stripe 0; and the words from one stripe to the next. */
  readonly start: number;
  readonly stride: number;
  /** The words from a stripe's start to its units, and to its log. */
  readonly unitsOffset: number;
  readonly logOffset: number;
  /** The words of a stripe's log, a power of two. */
  readonly logWords: number;
  readonly unitWords: number;
  readonly unitCount: number;
  readonly stripeMask: number;
  readonly bucketMask: number;

  constructor(buffer: ArrayBuffer, byteOffset: number, shape: MapShape, clock: BootClock) {
    this.words = wordsOf(buffer);
    this.floats = new Float64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
    this.bytes = new FixedBytes(buffer, 0, buffer.byteLength);
    this.shape = shape;
    this.clock = clock;
    this.start = ((byteOffset + MAP_HEAD_LENGTH) / 4) | 0;
    this.stride = stripeWords(shape);
    this.unitsOffset = STRIPE_HEAD_WORDS + shape.bucketCount * BUCKET_WORDS;
    this.logOffset = this.unitsOffset + shape.unitCount * shape.unitWords;
    this.logWords = logWords(shape);
    this.unitWords = shape.unitWords;
    this.unitCount = shape.unitCount;
    this.stripeMask = shape.stripeCount - 1;
    this.bucketMask = shape.bucketCount - 1;
  }

  /** @returns The index of the first word of a hash's stripe, which the hash's low bits choose. */
  stripeOf(hash: number): number {
    return this.start + (hash & this.stripeMask) * this.stride;
  }

  /** @returns The home bucket of a hash, by its bits from 6 up; a large map's overlap the tag. */
  bucketOf(hash: number): number {
    return (hash >>> 6) & this.bucketMask;
  }

  /**
   * @param first The index of the first word of an entry.
   * @returns When it expires, by this map's clock; 0: never. What is counted from an earlier start
   *   of the machine has expired, since nobody knows how long ago that was.
   */
  expiryOf(first: number): number {
    return this.#sinceBoot(this.floats[(first + EXPIRY_WORD) >> 1]!, first + BOOT_WORD);
  }

  /** @param first The index of the first word of an entry. @returns Whether it has expired. */
  hasExpired(first: number): boolean {
    const expiry = this.expiryOf(first);
    return expiry !== 0 && expiry <= this.clock.nowMs();
  }

  /**
   * @param first The index of the first word of an entry.
   * @returns When it may go: some time after it has expired, if it was stored so; 0: never.
   */
  endOf(first: number): number {
    const expiry = this.expiryOf(first);
    return expiry === 0 ? 0 : expiry + (this.words[first + STALE_WORD]! >>> 0);
  }

  /** @returns When the next entry of a stripe may go; 0: never. */
  nextExpiryOf(stripe: number): number {
    return this.#sinceBoot(
      this.floats[(stripe + NEXT_EXPIRY_WORD) >> 1]!,
      stripe + STRIPE_BOOT_WORD,
    );
  }

  #sinceBoot(time: number, bootWord: number): number {
    if (time === 0) return 0;
    const boot = this.words[bootWord]!;
    return boot === this.clock.boot || boot === 0 || this.clock.boot === 0 ? time : LONG_AGO;
  }

  /** @returns The index of the first word of a unit. */
  firstOf(stripe: number, unit: number): number {
    return stripe + this.unitsOffset + unit * this.unitWords;
  }

  /**
   * @param first The index of the first word of an entry.
   * @returns The index of a word of its value; 0 when its units end before that.
   */
  wordOfValue(stripe: number, first: number, word: number): number {
    const { words, unitWords, unitCount } = this;
    let left = (((words[first + KEY_WORD]! & KEY_LENGTH_MASK) + 3) >> 2) + word;
    for (let cell = first, head = FIRST_HEAD_WORDS; ; head = OTHER_HEAD_WORDS) {
      if (left < unitWords - head) return cell + head + left;
      left -= unitWords - head;
      const next = words[cell + NEXT_WORD]!;
      if (next <= 0 || next >= unitCount) return 0;
      cell = this.firstOf(stripe, next);
    }
  }

  /** @returns The unit that a slot's word refers to. @throws LayoutError when there is none. */
  unitOf(reference: number, slot: number): number {
    const unit = reference & 0xffffff;
    if (unit === 0 || unit >= this.unitCount) this.corrupt("a slot", slot);
    return unit;
  }

  /**
   * @param list The index of the first word of a list's entry.
   * @returns What a word of its state says that counts.
   */
  stateOf(stripe: number, list: number, word: number): number {
    const current = this.words[this.wordOfValue(stripe, list, LIST_CURRENT_WORD)]! & 1;
    const at = LIST_STATES_WORD + current * LIST_STATE_WORDS + word;
    return this.words[this.wordOfValue(stripe, list, at)]!;
  }

  /** @returns A unit that a list's word says is an element. @throws LayoutError when it is none. */
  elementOf(unit: number, list: number): number {
    if (unit <= 0 || unit >= this.unitCount) this.corrupt("a list", list);
    return unit;
  }

  /** @throws LayoutError, always: a word holds a number that cannot be right. */
  corrupt(what: string, word: number): never {
    throw new LayoutError(`Cannot use the map: ${what} is corrupt`, {
      expected: "a number in range",
      found: String(this.words[word]),
      offset: word * 4,
    });
  }
}

/**
 * Copies `count` words of an entry's payload, from word `skip` on, to word `at` of a target.
 * @returns Whether they were all there; not when the chain of units ends early.
 */
export function copyOut(
  memory: MapMemory,
  units: number,
  first: number,
  skip: number,
  count: number,
  target: FixedBytes,
  at = 0,
): boolean {
  const { words, unitWords, unitCount } = memory;
  let cell = first;
  let head = FIRST_HEAD_WORDS;
  let done = 0;
  // Each turn uses up some of `skip` or of `count`, so this ends whatever the chain says.
  while (done < count) {
    const room = unitWords - head;
    if (skip >= room) {
      skip -= room;
    } else {
      const from = cell + head + skip;
      const part = Math.min(room - skip, count - done);
      memory.bytes.copyTo(target, (at + done) * 4, from * 4, part * 4);
      done += part;
      skip = 0;
      if (done === count) return true;
    }
    const next = words[cell + NEXT_WORD]!;
    if (next <= 0 || next >= unitCount) return false;
    cell = units + next * unitWords;
    head = OTHER_HEAD_WORDS;
  }
  return true;
}

/** @returns Whether an entry's payload starts with these words. */
export function startsWith(
  memory: MapMemory,
  units: number,
  first: number,
  key: Int32Array,
  count: number,
): boolean {
  const { words, unitWords, unitCount } = memory;
  let cell = first;
  let head = FIRST_HEAD_WORDS;
  let done = 0;
  for (;;) {
    const part = Math.min(unitWords - head, count - done);
    for (let at = 0; at < part; at++) {
      if (words[cell + head + at]! !== key[done + at]!) return false;
    }
    done += part;
    if (done === count) return true;
    const next = words[cell + NEXT_WORD]!;
    if (next <= 0 || next >= unitCount) return false;
    cell = units + next * unitWords;
    head = OTHER_HEAD_WORDS;
  }
}
