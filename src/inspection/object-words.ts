/** The words of an object, read page by page when they are asked for, each page once. */
import type { ObjectReader } from "./object-reader.ts";

const PAGE = 4096;

export class ObjectWords {
  /** Bytes from the start of the structure to the end of the object, when the look began. */
  readonly size: number;
  /** Bytes from the start of the object to the structure, from which offsets are counted. */
  readonly base: number;
  readonly #reader: ObjectReader;
  readonly #pages: Map<number, DataView>;

  constructor(reader: ObjectReader, within?: { readonly words: ObjectWords; readonly at: number }) {
    this.#reader = reader;
    this.base = within === undefined ? 0 : within.words.base + within.at;
    this.size = within === undefined ? reader.size() : within.words.size - within.at;
    this.#pages = within === undefined ? new Map() : within.words.#pages;
  }

  /** @returns The words from an offset on, a multiple of 4. */
  from(at: number): ObjectWords {
    return new ObjectWords(this.#reader, { words: this, at });
  }

  #page(offset: number): DataView {
    const page = Math.floor(offset / PAGE);
    const known = this.#pages.get(page);
    if (known !== undefined) return known;
    const { buffer, byteOffset, byteLength } = this.#reader.read(page * PAGE, PAGE);
    const view = new DataView(buffer, byteOffset, byteLength);
    this.#pages.set(page, view);
    return view;
  }

  /** @returns The word at a byte offset, a multiple of 4; 0 beyond the end of the object. */
  u32(offset: number): number {
    const view = this.#page(this.base + offset);
    const at = (this.base + offset) % PAGE;
    return at + 4 <= view.byteLength ? view.getUint32(at, true) : 0;
  }

  /** @returns The counter, a double, at a byte offset, a multiple of 8; 0 when it is no counter. */
  f64(offset: number): number {
    const view = this.#page(this.base + offset);
    const at = (this.base + offset) % PAGE;
    const value = at + 8 <= view.byteLength ? view.getFloat64(at, true) : 0;
    return value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : 0;
  }

  /** @returns Whether a participant of its locks lives; undefined when that cannot be seen. */
  isAlive(participant: number): boolean | undefined {
    return this.#reader.isAlive(participant);
  }

  /** @returns A copy of bytes, read again; fewer when the object ends early. */
  bytes(offset: number, length: number): Uint8Array {
    return this.#reader.read(this.base + offset, length);
  }
}
