/*
 * Rows, each with its newest value, and counters by which watchers find the rows that changed.
 *
 *     row      latest ─────────────┐
 *              versions   v8    v9 ┘      version v lies in value v mod 2
 *     block    a counter: odd while one of its rows is written
 *     stripe   a lock, and the count of the writes that were begun
 *
 *     write    W1  counter -> odd          the stripe's lock is held from before W1 to after W6
 *              W2  writes + 1
 *              W3  version of the older value -> 0, and its bytes
 *              W4  version of that value -> v
 *              W5  latest -> v
 *              W6  counter -> even, above all that it was
 *     read     R1  latest; R2  version of its value, which must be the same; R3  the bytes
 *              R4  version once more, which must be the same still
 *     watch    in table-watch.ts: writes, then counters, then latest words
 *
 * Each word is written by the holder of its stripe's lock alone.
 *
 * A reader never sees a torn row: it keeps the bytes only if R2 and R4 find the version that R1 did
 * (SYNC table-published: R1 pairs with W5; SYNC table-slot: R4 pairs with W3, whose first store is
 * before its others). It fails only if a whole write ended and another one began within its copy,
 * and then looks again.
 *
 * A writer killed before W5 leaves the row as it was: no reader looks at a value that `latest` does
 * not name, and the next write begins with the same one. Killed from W1 to W6 it leaves an odd
 * counter, which watchers do not count as seen: so they find what was published in W5, whoever
 * comes next. The next holder of the lock, which learns of the death, makes such counters even
 * (`repair`).
 */
import { LayoutError } from "../../errors.ts";
import {
  ROW_LATEST_OFFSET,
  ROW_VALUES_OFFSET,
  ROW_VERSIONS_OFFSET,
  STRIPE_LENGTH,
  STRIPE_REPAIRS_OFFSET,
  STRIPE_WRITES_OFFSET,
} from "../../layout/table-layout.ts";
import { load, loadFence, release, storeFence, wordsOf } from "../../memory/atomics.ts";
import { FixedBytes } from "../../memory/fixed-bytes.ts";
import { type TablePlaces, type TableShape, placesOf } from "./table-shape.ts";

/** A read that fails this often meets bytes that are no row. */
const MAX_ATTEMPTS = 100_000;

const STRIPE_WORDS: number = STRIPE_LENGTH / 4;
const VERSIONS: number = (ROW_VERSIONS_OFFSET - ROW_LATEST_OFFSET) / 4;

/** The rows of a table at an offset of a buffer. The caller holds the stripe's lock to write. */
export class TableRows {
  readonly shape: TableShape;
  readonly places: TablePlaces;
  readonly words: Int32Array;
  /** Indices of the first words of the stripes, the counters and the rows. */
  readonly stripes: number;
  readonly counters: number;
  readonly first: number;
  /** Words from one row to the next. */
  readonly stride: number;
  /** A row's block is `row >>> blockShift`, which is of stripe `block & stripeMask`. */
  readonly blockShift: number;
  readonly stripeMask: number;
  readonly stripeShift: number;
  readonly #bytes: FixedBytes;
  readonly #view: DataView;
  readonly #valueLength: number;

  /** @param byteOffset Of the table's data; a multiple of 128. */
  constructor(buffer: ArrayBuffer, byteOffset: number, shape: TableShape) {
    const places = placesOf(shape);
    this.shape = shape;
    this.places = places;
    this.words = wordsOf(buffer);
    this.stripes = ((byteOffset + places.stripes) / 4) | 0;
    this.counters = ((byteOffset + places.counters) / 4) | 0;
    this.first = ((byteOffset + places.rows) / 4) | 0;
    this.stride = places.rowStride / 4;
    this.blockShift = Math.log2(shape.blockRows);
    this.stripeMask = shape.stripeCount - 1;
    this.stripeShift = Math.log2(shape.stripeCount);
    this.#bytes = new FixedBytes(buffer, 0, buffer.byteLength);
    this.#view = new DataView(buffer);
    this.#valueLength = shape.valueLength;
  }

  /** @returns The stripe whose lock a writer of the row holds. */
  stripeOf(row: number): number {
    return (row >>> this.blockShift) & this.stripeMask;
  }

  /** @returns The newest version of a row, as a signed word; 0 before the first write. */
  version(row: number): number {
    return load(this.words, this.first + row * this.stride);
  }

  /**
   * Copies the newest value of a row to `target`. Takes no lock, and stores nothing in shared
   * memory.
   *
   * @returns The version of the value; 0 when nothing was written yet, and `target` is unchanged.
   * @throws LayoutError when the bytes are no row.
   */
  read(row: number, target: Uint8Array): number {
    const words = this.words;
    const latest = this.first + row * this.stride;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      // SYNC table-published
      const version = load(words, latest);
      if (version === 0) return 0;
      const slot = version & 1;
      const versionIndex = latest + VERSIONS + slot;
      if (load(words, versionIndex) !== version) continue;
      const length = this.#valueLength;
      this.#bytes.take(latest * 4 + ROW_VALUES_OFFSET + slot * length, target, length);
      loadFence();
      // SYNC table-slot
      if (load(words, versionIndex) === version) return version;
    }
    return this.#neverHeld(row);
  }

  /**
   * Reads one field of a row's newest value.
   *
   * @param get Reads the field; the memory may change meanwhile, and then the answer is dropped.
   * @param offset Of the field in a value.
   * @param otherwise What to return when nothing was written yet.
   */
  readField<T>(
    row: number,
    get: (view: DataView, offset: number) => T,
    offset: number,
    otherwise: T,
  ): T {
    const words = this.words;
    const latest = this.first + row * this.stride;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const version = load(words, latest);
      if (version === 0) return otherwise;
      const slot = version & 1;
      const versionIndex = latest + VERSIONS + slot;
      if (load(words, versionIndex) !== version) continue;
      const value = get(
        this.#view,
        latest * 4 + ROW_VALUES_OFFSET + slot * this.#valueLength + offset,
      );
      loadFence();
      if (load(words, versionIndex) === version) return value;
    }
    return this.#neverHeld(row);
  }

  /**
   * Publishes a value. The caller holds the lock of the row's stripe.
   * @returns The version of the value, as a signed word; never 0.
   */
  write(row: number, value: Uint8Array): number {
    const words = this.words;
    const latest = this.first + row * this.stride;
    const block = row >>> this.blockShift;
    const stripe = block & this.stripeMask;
    const counter =
      this.counters + stripe * this.places.counterStride + (block >>> this.stripeShift);
    const writes = this.stripes + stripe * STRIPE_WORDS + STRIPE_WRITES_OFFSET / 4;
    // The version after -1 is 2, since 0 means that nothing was written, and 1 lies where -1 does.
    const version = (load(words, latest) + 1) | 0 || 2;
    const slot = version & 1;
    const odd = load(words, counter) | 1;
    release(words, counter, odd);
    // SYNC table-stripe: whoever sees the new count sees the odd counter, or a later one.
    release(words, writes, (load(words, writes) + 1) | 0);
    release(words, latest + VERSIONS + slot, 0);
    storeFence();
    const length = this.#valueLength;
    this.#bytes.put(latest * 4 + ROW_VALUES_OFFSET + slot * length, value, length);
    release(words, latest + VERSIONS + slot, version);
    release(words, latest, version);
    // 0 means that no row of the block was ever written.
    release(words, counter, (odd + 1) | 0 || 2);
    return version;
  }

  /**
   * Ends what a dead writer of the stripe had begun. The caller holds the stripe's lock. Watchers
   * that saw its write begin look again as long as the counter is odd, so nobody else is told.
   */
  repair(stripe: number): void {
    const { words } = this;
    const { counterStride } = this.places;
    const start = this.counters + stripe * counterStride;
    for (let counter = start; counter < start + counterStride; counter++) {
      const seen = load(words, counter);
      if ((seen & 1) !== 0) release(words, counter, (seen + 1) | 0 || 2);
    }
    const repairs = this.stripes + stripe * STRIPE_WORDS + STRIPE_REPAIRS_OFFSET / 4;
    release(words, repairs, (load(words, repairs) + 1) | 0);
  }

  /** @returns The writes that were begun, and the repairs; each mod 2^32. */
  stats(): { readonly writes: number; readonly repairs: number } {
    let [writes, repairs] = [0, 0];
    for (let stripe = 0; stripe <= this.stripeMask; stripe++) {
      const start = this.stripes + stripe * STRIPE_WORDS;
      writes += load(this.words, start + STRIPE_WRITES_OFFSET / 4);
      repairs += load(this.words, start + STRIPE_REPAIRS_OFFSET / 4);
    }
    return { writes: writes >>> 0, repairs: repairs >>> 0 };
  }

  #neverHeld(row: number): never {
    const latest = this.first + row * this.stride;
    throw new LayoutError(`Cannot read row ${row}: its newest value never holds its version`, {
      expected: `version ${load(this.words, latest)}`,
      found: "another",
      offset: latest * 4,
    });
  }
}
