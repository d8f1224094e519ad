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

  /** The word at a byte offset that is a multiple of 4; 0 beyond the end of the object. */
  u32(offset: number): number {
    const page = Math.floor(offset / PAGE);
    let view = this.#pages.get(page);
    if (view === undefined) {
      const { buffer, byteOffset, byteLength } = this.#reader.read(page * PAGE, PAGE);
      view = new DataView(buffer, byteOffset, byteLength);
      this.#pages.set(page, view);
    }
    const at = offset - page * PAGE;
    return at + 4 <= view.byteLength ? view.getUint32(at, true) : 0;
  }

  /** Any bytes; fewer when the object ends before. */
  bytes(offset: number, length: number): Uint8Array {
    return this.#reader.read(offset, length);
  }
}
