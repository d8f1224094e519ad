/** Words of an object, read page by page as they are asked for: one look, and no mapping. */
import type { ObjectReader } from "./object-reader.ts";

const PAGE = 4096;

export class ObjectWords {
  /** Bytes of the object. */
  readonly size: number;
  readonly #reader: ObjectReader;
  readonly #pages = new Map<number, DataView>();

  constructor(reader: ObjectReader) {
    this.#reader = reader;
    this.size = reader.size();
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

  /** The word at a byte offset that is a multiple of 4; 0 beyond the end of the object. */
  u32(offset: number): number {
    const view = this.#page(offset);
    const at = offset % PAGE;
    return at + 4 <= view.byteLength ? view.getUint32(at, true) : 0;
  }

  /** The double at a byte offset that is a multiple of 8, a counter; 0 where there is none. */
  f64(offset: number): number {
    const view = this.#page(offset);
    const at = offset % PAGE;
    const value = at + 8 <= view.byteLength ? view.getFloat64(at, true) : 0;
    return value >= 0 && value <= Number.MAX_SAFE_INTEGER ? value : 0;
  }

  /** Any bytes; fewer when the object ends before. */
  bytes(offset: number, length: number): Uint8Array {
    return this.#reader.read(offset, length);
  }
}
