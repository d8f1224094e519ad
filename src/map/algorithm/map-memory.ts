/** Where the parts of a map lie, and what a corrupt one is answered with. */
import {
  BUCKET_WORDS,
  NEXT,
  OTHER_HEAD,
  FIRST_HEAD,
  STRIPE_HEAD_WORDS,
} from "../../layout/map-layout.ts";
import { LayoutError } from "../../errors.ts";
import { wordsOf } from "../../memory/atomics.ts";
import { type MapShape, stripeWords } from "./map-shape.ts";

/** The words of a map in a buffer. Its numbers are this process's own, checked once. */
export class MapMemory {
  readonly words: Int32Array;
  /** The same memory; word `i` of an f64 is `floats[i >> 1]`. */
  readonly floats: Float64Array;
  readonly shape: MapShape;
  /** First word of stripe 0, and words from one to the next. */
  readonly start: number;
  readonly stride: number;
  /** Words from a stripe's start to its units. */
  readonly unitsOffset: number;
  readonly unitWords: number;
  readonly unitCount: number;
  readonly stripeMask: number;
  readonly bucketMask: number;

  constructor(buffer: ArrayBuffer, byteOffset: number, shape: MapShape) {
    this.words = wordsOf(buffer);
    this.floats = new Float64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
    this.shape = shape;
    this.start = (byteOffset / 4) | 0;
    this.stride = stripeWords(shape);
    this.unitsOffset = STRIPE_HEAD_WORDS + shape.bucketCount * BUCKET_WORDS;
    this.unitWords = shape.unitWords;
    this.unitCount = shape.unitCount;
    this.stripeMask = shape.stripeCount - 1;
    this.bucketMask = shape.bucketCount - 1;
  }

  /** First word of the stripe of a hash: its low bits. */
  stripeOf(hash: number): number {
    return this.start + (hash & this.stripeMask) * this.stride;
  }

  /** The home bucket of a hash, by bits 6 to 25; the tag has those above, the rest overlaps. */
  bucketOf(hash: number): number {
    return (hash >>> 6) & this.bucketMask;
  }

  /** Throws what a number that cannot be right is answered with. */
  corrupt(what: string, word: number): never {
    throw new LayoutError(`Cannot use the map: ${what} is corrupt`, {
      expected: "a number in range",
      found: String(this.words[word]),
      offset: word * 4,
    });
  }
}

/** Copies `count` words of an entry's payload, from word `skip` on; false when it is cut. */
export function copyOut(
  memory: MapMemory,
  units: number,
  first: number,
  skip: number,
  count: number,
  target: Int32Array,
): boolean {
  const { words, unitWords, unitCount } = memory;
  let cell = first;
  let head = FIRST_HEAD;
  let done = 0;
  // Each turn uses up some of `skip` or of `count`, so this ends whatever the chain says.
  while (done < count) {
    const room = unitWords - head;
    if (skip >= room) {
      skip -= room;
    } else {
      const from = cell + head + skip;
      const part = Math.min(room - skip, count - done);
      for (let at = 0; at < part; at++) target[done + at] = words[from + at]!;
      done += part;
      skip = 0;
      if (done === count) return true;
    }
    const next = words[cell + NEXT]!;
    if (next <= 0 || next >= unitCount) return false;
    cell = units + next * unitWords;
    head = OTHER_HEAD;
  }
  return true;
}

/** Whether an entry's payload starts with these words. */
export function startsWith(
  memory: MapMemory,
  units: number,
  first: number,
  key: Int32Array,
  count: number,
): boolean {
  const { words, unitWords, unitCount } = memory;
  let cell = first;
  let head = FIRST_HEAD;
  let done = 0;
  for (;;) {
    const part = Math.min(unitWords - head, count - done);
    for (let at = 0; at < part; at++) {
      if (words[cell + head + at]! !== key[done + at]!) return false;
    }
    done += part;
    if (done === count) return true;
    const next = words[cell + NEXT]!;
    if (next <= 0 || next >= unitCount) return false;
    cell = units + next * unitWords;
    head = OTHER_HEAD;
  }
}
