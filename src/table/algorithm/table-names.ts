/*
 * Names of rows, which are given once and stay.
 *
 *     count    how many rows have a name: rows 0 to count - 1
 *     names    one for each row: hash, length, bytes
 *     index    an open hash table of words: 0, or row + 1
 *
 *     assign   N1  the newest name -> index, if it is not there     the names' lock is held
 *              N2  look for the name; done if it is there
 *              N3  the bytes of name `count`
 *              N4  count + 1
 *              N5  the name -> index
 *     find     F1  count; F2  the index; F3  the name of row count - 1
 *
 * The store of `count` decides which names there are. A name at or above it is nobody's, and the
 * next assignment writes over it; a name below it never changes. So a name has one row, and a row
 * that a killed process was about to name is named by the next one: nothing leaks.
 *
 * Only the newest name can be missing in the index, between N4 and N5 or after a death there, since
 * the next assignment begins with N1. So a look finds all names that were given before it began:
 * the newest one by F3, and the others in the index, where they were before `count` grew further
 * (SYNC table-name: F1 pairs with N4).
 *
 * The index has room for twice as many rows, so that a look ends at an empty word soon. A full
 * index (hostile bytes) ends it after all words.
 */
import { LayoutError } from "../../errors.ts";
import {
  NAME_BYTES_OFFSET,
  NAME_BYTE_LENGTH_OFFSET,
  NAME_HASH_OFFSET,
  TABLE_NAME_COUNT_OFFSET,
} from "../../layout/table-layout.ts";
import { load, release, storeFence } from "../../memory/atomics.ts";
import type { HashedKey } from "../../struct/hashed-key.ts";
import type { TableRows } from "./table-rows.ts";

/** No row has the name, and none is free for it. */
export const NO_ROW = -1;

const LENGTH_WORD: number = NAME_BYTE_LENGTH_OFFSET / 4;
const HASH_WORD: number = NAME_HASH_OFFSET / 4;
const BYTES_WORD: number = NAME_BYTES_OFFSET / 4;

/** The names of a table. */
export class TableNames {
  readonly #words: Int32Array;
  readonly #rows: number;
  readonly #nameLength: number;
  readonly #count: number;
  readonly #index: number;
  readonly #mask: number;
  readonly #names: number;
  readonly #stride: number;
  readonly #text: Buffer;
  readonly #textWords: Int32Array;

  /** @param byteOffset Of the table's data. */
  constructor({ words, shape, places }: TableRows, byteOffset: number) {
    this.#words = words;
    this.#rows = shape.rows;
    this.#nameLength = shape.nameLength;
    this.#count = ((byteOffset + TABLE_NAME_COUNT_OFFSET) / 4) | 0;
    this.#index = ((byteOffset + places.index) / 4) | 0;
    this.#mask = places.indexWords - 1;
    this.#names = ((byteOffset + places.names) / 4) | 0;
    this.#stride = places.nameStride / 4;
    const text = new ArrayBuffer((shape.nameLength + 3) & ~3);
    this.#text = Buffer.from(text);
    this.#textWords = new Int32Array(text);
  }

  /** How many rows have a name: the first ones. @throws LayoutError for more than there are. */
  get count(): number {
    const count = load(this.#words, this.#count);
    return count >= 0 && count <= this.#rows ? count : this.#corrupt(this.#count, this.#rows);
  }

  /** @returns The row that has the name; `NO_ROW` when none has. */
  find(key: HashedKey): number {
    // SYNC table-name
    const { count } = this;
    const row = this.#look(key);
    if (row >= 0) return row;
    return count > 0 && this.#hasName(count - 1, key) ? count - 1 : NO_ROW;
  }

  /**
   * Gives the name to the first row without one, unless a row has it. The caller holds the lock.
   * @returns The row; `NO_ROW` when every row has a name.
   */
  assign(key: HashedKey): number {
    const words = this.#words;
    const { count } = this;
    if (count > 0) this.#enter(count - 1);
    const found = this.#look(key);
    if (found >= 0) return found;
    if (count === this.#rows) return NO_ROW;
    const name = this.#names + count * this.#stride;
    words[name + HASH_WORD] = key.hash;
    words[name + LENGTH_WORD] = key.length;
    for (let at = 0; at < key.wordCount; at++) words[name + BYTES_WORD + at] = key.words[at]!;
    storeFence();
    // SYNC table-name
    release(words, this.#count, count + 1);
    this.#enter(count);
    return count;
  }

  /** @returns The name of a row; undefined when it has none. @throws LayoutError. */
  nameOf(row: number): string | undefined {
    if (row >= this.count) return undefined;
    const words = this.#words;
    const name = this.#names + row * this.#stride;
    const length = words[name + LENGTH_WORD]!;
    if (length < 0 || length > this.#nameLength) {
      this.#corrupt(name + LENGTH_WORD, this.#nameLength);
    }
    // A copy, since others could write the bytes while they are decoded.
    for (let at = 0; at * 4 < length; at++) this.#textWords[at] = words[name + BYTES_WORD + at]!;
    return this.#text.toString("utf8", 0, length);
  }

  /** Looks in the index. */
  #look(key: HashedKey): number {
    const mask = this.#mask;
    for (let at = key.hash & mask, left = mask; left >= 0; at = (at + 1) & mask, left--) {
      const row = load(this.#words, this.#index + at) - 1;
      if (row === -1) return NO_ROW;
      if (row >= 0 && row < this.#rows && this.#hasName(row, key)) return row;
    }
    return NO_ROW;
  }

  #hasName(row: number, key: HashedKey): boolean {
    const words = this.#words;
    const name = this.#names + row * this.#stride;
    if (words[name + HASH_WORD] !== key.hash || words[name + LENGTH_WORD] !== key.length) {
      return false;
    }
    for (let at = 0; at < key.wordCount; at++) {
      if (words[name + BYTES_WORD + at] !== key.words[at]) return false;
    }
    return true;
  }

  /** Puts a row into the index, by its name's hash, unless it is there. */
  #enter(row: number): void {
    const mask = this.#mask;
    const hash = this.#words[this.#names + row * this.#stride + HASH_WORD]!;
    for (let at = hash & mask, left = mask; left >= 0; at = (at + 1) & mask, left--) {
      const found = load(this.#words, this.#index + at);
      if (found === row + 1) return;
      if (found === 0) return release(this.#words, this.#index + at, row + 1);
    }
  }

  #corrupt(word: number, most: number): never {
    throw new LayoutError("Cannot use the names of the table: a number is corrupt", {
      expected: `0 to ${most}`,
      found: String(load(this.#words, word)),
      offset: word * 4,
    });
  }
}
