/** The memory of meters: its words, bytes and cells, and where each part lies. */
import { LayoutError } from "../../errors.ts";
import {
  METERS_CLOCK_OFFSET,
  METERS_DIRECTORY_OFFSET,
  METERS_HEAD_LENGTH,
  METERS_LOST_OFFSET,
  METERS_OVERFLOWS_OFFSET,
  METERS_PAGES_OFFSET,
  PAGE_CELLS,
  PAGE_HEAD_LENGTH,
  PAGE_LENGTH,
  PAGE_SHIFT,
  directoryLimit,
} from "../../layout/meters-layout.ts";
import { load, wordsOf } from "../../memory/atomics.ts";

/** Words from the start of the data. */
export const DIRECTORY_WORD: number = METERS_DIRECTORY_OFFSET / 4;
export const PAGES_WORD: number = METERS_PAGES_OFFSET / 4;
export const OVERFLOWS_WORD: number = METERS_OVERFLOWS_OFFSET / 4;
export const LOST_WORD: number = METERS_LOST_OFFSET / 4;
export const CLOCK_WORD: number = METERS_CLOCK_OFFSET / 4;

/** Cells between the last cell of a page and the first of the next one up. */
const GAP_CELLS: number = PAGE_HEAD_LENGTH / 8;

/** The views of one handle, or of a copy. They have no elements once the memory is unmapped. */
export class MetersMemory {
  readonly words: Int32Array;
  readonly cells: Float64Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes of the data. */
  readonly length: number;
  /** Bytes from the segment's start to the data, for messages. */
  readonly offset: number;
  /** For messages: `meters "/x"`. */
  readonly what: string;

  constructor(buffer: ArrayBufferLike, offset: number, length: number, what: string) {
    this.words = wordsOf(buffer, offset, length);
    this.cells = new Float64Array(buffer, offset, Math.floor(length / 8));
    this.bytes = new Uint8Array(buffer, offset, length);
    this.view = new DataView(buffer, offset, length);
    this.length = length;
    this.offset = offset;
    this.what = what;
  }

  /** Bytes from the start of the data to a page. */
  pageOffset(page: number): number {
    return Math.floor(this.length / 128) * 128 - (page + 1) * PAGE_LENGTH;
  }

  /** The index of a page's first cell. */
  pageCells(page: number): number {
    return (this.pageOffset(page) + PAGE_HEAD_LENGTH) / 8;
  }

  /** How many pages fit beside a directory of that length. */
  roomForPages(directoryLength: number): number {
    const room = Math.floor(this.length / 128) * 128 - METERS_HEAD_LENGTH - directoryLength;
    return Math.max(0, Math.floor(room / PAGE_LENGTH));
  }

  /** Bytes of finished entries. @throws LayoutError when there cannot be so many. */
  directoryLength(): number {
    const length = load(this.words, DIRECTORY_WORD) >>> 0;
    if (length % 8 === 0 && length <= directoryLimit(this.length)) return length;
    const limit = directoryLimit(this.length);
    return this.wrong("the length of its directory", `at most ${limit}`, length, 128);
  }

  /** Pages that are taken. @throws LayoutError when there cannot be so many. */
  pageCount(): number {
    const count = load(this.words, PAGES_WORD) >>> 0;
    const most = this.roomForPages(0);
    return count <= most ? count : this.wrong("its count of pages", `at most ${most}`, count, 132);
  }

  /** @param at Bytes from the start of the data. @throws LayoutError. */
  wrong(which: string, expected: string, found: string | number, at: number): never {
    throw new LayoutError(`Cannot read ${this.what}: ${which} cannot be`, {
      expected,
      found: String(found),
      offset: this.offset + at,
    });
  }
}

/** How many blocks a series of so many cells begins in: those of one block never cross its end. */
export function blocksOf(cellCount: number): number {
  return Math.ceil(cellCount / PAGE_CELLS);
}

/**
 * Where the next series lies.
 *
 * @param end The first cell that no series has.
 * @returns Its first cell. One that is longer than a block has its blocks for itself.
 */
export function placeCells(end: number, cellCount: number): number {
  const within = end % PAGE_CELLS;
  return within === 0 || within + cellCount <= PAGE_CELLS ? end : end - within + PAGE_CELLS;
}

/** The first cell behind a series. */
export function endOfCells(first: number, cellCount: number): number {
  return cellCount <= PAGE_CELLS ? first + cellCount : first + blocksOf(cellCount) * PAGE_CELLS;
}

/**
 * The index of a series' cell, from the index of its first one: the pages of its blocks lie one
 * behind the other, with their heads between them.
 */
export function cellAt(first: number, cell: number): number {
  return first + cell + (cell >> PAGE_SHIFT) * GAP_CELLS;
}
