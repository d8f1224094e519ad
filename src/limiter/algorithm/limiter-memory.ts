/** Where the parts of a limiter lie, and the error for corrupt ones. */
import { LayoutError } from "../../errors.ts";
import { STRIPE_HEAD_WORDS } from "../../layout/limiter-layout.ts";
import { wordsOf } from "../../memory/atomics.ts";
import type { BootClock } from "../../memory/boot.ts";
import { type LimiterShape, bucketCountOf, stripeWords } from "./limiter-shape.ts";

/** The words of a limiter in a buffer. Its other numbers are private copies, which were checked. */
export class LimiterMemory {
  readonly words: Int32Array;
  /** The same memory: the f64 at word `i` is `floats[i >> 1]`. */
  readonly floats: Float64Array;
  readonly clock: BootClock;
  /** The index of the first word of stripe 0; and the words from one stripe to the next. */
  readonly start: number;
  readonly stride: number;
  readonly stripeCount: number;
  readonly bucketMask: number;
  /** The words from a stripe's start to those of an entry with the number 0, which is not there. */
  readonly entriesOffset: number;
  readonly entryCount: number;
  readonly entryWords: number;

  constructor(buffer: ArrayBuffer, byteOffset: number, shape: LimiterShape, clock: BootClock) {
    const bucketCount = bucketCountOf(shape.entryCount);
    this.words = wordsOf(buffer);
    this.floats = new Float64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
    this.clock = clock;
    this.start = (byteOffset / 4) | 0;
    this.stride = stripeWords(shape);
    this.stripeCount = shape.stripeCount;
    this.bucketMask = bucketCount - 1;
    this.entriesOffset = STRIPE_HEAD_WORDS + bucketCount - shape.entryWords;
    this.entryCount = shape.entryCount;
    this.entryWords = shape.entryWords;
  }

  /** @returns The index of the first word of a hash's stripe, which the hash's low bits choose. */
  stripeOf(hash: number): number {
    return this.start + (hash & (this.stripeCount - 1)) * this.stride;
  }

  /** @returns The index of the word of a hash's bucket in its stripe. */
  bucketOf(stripe: number, hash: number): number {
    return stripe + STRIPE_HEAD_WORDS + ((hash >>> 6) & this.bucketMask);
  }

  /** @returns The index of the first word of an entry, whose number was checked. */
  cellOf(stripe: number, entry: number): number {
    return stripe + this.entriesOffset + entry * this.entryWords;
  }

  /** @returns Whether a number that was read is that of an entry. */
  isEntry(entry: number): boolean {
    return entry > 0 && entry <= this.entryCount;
  }

  /** @throws LayoutError, always: what was made right is wrong again at once. */
  corrupt(word: number): never {
    throw new LayoutError("Cannot use the rate limiter: its index is corrupt", {
      expected: "a number in range",
      found: String(this.words[word]),
      offset: word * 4,
    });
  }
}
