/**
 * Who writes which cells.
 *
 * A seat is a row of pages, of which the first has the lock of the seat's owner. Each page holds
 * one block of cells; a page that is taken stays with its seat and its block for ever.
 *
 * Invariant: a cell has one writer, the owner of the seat, so that an update is a plain load, an
 * addition and a plain store. Nobody ever moves, folds or resets what was counted: whoever takes
 * the seat of a dead or closed owner goes on from the values that it finds. So at every instant,
 * whoever dies, each addition is in exactly one cell of one page, or was not made.
 *
 *   take a page  P1  the lock of the meters
 *                P2  page n: seat and block; if it begins a seat, also its lock, and ready = 1
 *                P3  page_count: n -> n + count  (SYNC meters-page: `MetersPages.begin`)
 *   adopt        A1  the lock of the meters; a seat whose lock no living owner has
 *                A2  ready: -> 0
 *                A3  the seat's lock
 *                A4  the cells of gauges that drop: -> 0
 *                A5  ready: 0 -> 1               (SYNC meters-ready: `hasOwner`)
 *   leave        L1  ready: 1 -> 0
 *                L2  the seat's lock
 *
 * Who writes what: pages before `page_count` change only in lock and ready, by those who hold the
 * lock of the meters, and by the seat's owner. Before P3 nobody reads page n, and whoever dies
 * there leaves it to be written over.
 *
 * Gauges of the dead. A reader counts a cell of a gauge that drops if the seat's lock has a living
 * owner, and ready is 1, in this order. While an heir clears the cells, ready is 0, since A2 is
 * before A3. If the heir dies before A5, the next one clears them again.
 */
import {
  PAGE_BLOCK_OFFSET,
  PAGE_CELLS,
  PAGE_READY_OFFSET,
  PAGE_SEAT_OFFSET,
} from "../../layout/meters-layout.ts";
import { load, store } from "../../memory/atomics.ts";
import { isDropping } from "./meter-shape.ts";
import type { MeterSeries, MetersDirectory } from "./meters-directory.ts";
import { type MetersMemory, PAGES_WORD, blocksOf } from "./meters-memory.ts";

/** The locks of seats, by the number of their first page. */
export interface SeatLocks {
  /** Whether a living owner has it. */
  isHeld(page: number): boolean;
  /** Takes it unless a living owner has it. */
  tryTake(page: number): boolean;
  release(page: number): void;
}

/** The lock of the meters. */
export interface MetersLock {
  lock(): void;
  unlock(): void;
}

/** Where there is no room for what was asked. */
export const NO_ROOM = -1;

export const readyWord = (memory: MetersMemory, page: number): number =>
  (memory.pageOffset(page) + PAGE_READY_OFFSET) / 4;
export const seatWord = (memory: MetersMemory, page: number): number =>
  (memory.pageOffset(page) + PAGE_SEAT_OFFSET) / 4;
export const blockWord = (memory: MetersMemory, page: number): number =>
  (memory.pageOffset(page) + PAGE_BLOCK_OFFSET) / 4;

/** The seat of one handle. */
export class MetersSeat {
  readonly #memory: MetersMemory;
  readonly #directory: MetersDirectory;
  readonly #lock: MetersLock;
  readonly #locks: SeatLocks;
  /** The seat's first page; NO_ROOM before the first use. */
  #first = NO_ROOM;
  /** The page of each block. */
  readonly #pages = new Map<number, number>();
  /** The least number of blocks for which no pages were left: pages never come back. */
  #tooMany = Number.POSITIVE_INFINITY;

  constructor(
    memory: MetersMemory,
    directory: MetersDirectory,
    lock: MetersLock,
    locks: SeatLocks,
  ) {
    this.#memory = memory;
    this.#directory = directory;
    this.#lock = lock;
    this.#locks = locks;
  }

  /** Whether this handle has a seat. */
  get isTaken(): boolean {
    return this.#first >= 0;
  }

  /**
   * Where this handle counts for a series; takes a seat and pages at the first use. Blocks while
   * somebody else adds something.
   *
   * @returns The index of the series' first cell; NO_ROOM.
   * @throws LayoutError when the pages cannot be.
   */
  cellsOf({ cell, family }: MeterSeries): number {
    const block = Math.floor(cell / PAGE_CELLS);
    const page = this.#pages.get(block) ?? this.#takeFor(block, blocksOf(family.cellCount));
    return page < 0 ? NO_ROOM : this.#memory.pageCells(page) + (cell % PAGE_CELLS);
  }

  #takeFor(block: number, count: number): number {
    if (this.isTaken && count >= this.#tooMany) return NO_ROOM;
    this.#lock.lock();
    try {
      // What is corrupt is refused before anything is taken.
      this.#directory.sync();
      if (!this.isTaken) this.#adopt();
      if (!this.#pages.has(block)) this.#takePages(block, count);
    } finally {
      this.#lock.unlock();
    }
    return this.#pages.get(block) ?? NO_ROOM;
  }

  /** P2 and P3. The page of the first block lies lowest, so that cells follow each other. */
  #takePages(block: number, count: number): void {
    const memory = this.#memory;
    const taken = memory.pageCount();
    if (taken + count > memory.roomForPages(this.#directory.length)) {
      if (this.isTaken) this.#tooMany = count;
      return;
    }
    const first = this.isTaken ? this.#first : taken;
    for (let at = 0; at < count; at++) {
      store(memory.words, seatWord(memory, taken + at), first);
      store(memory.words, blockWord(memory, taken + at), block + count - 1 - at);
    }
    if (!this.isTaken) {
      // Whoever died here before, or scribbled over it, has no page yet.
      memory.words.fill(0, memory.pageOffset(taken) / 4, seatWord(memory, taken));
      if (!this.#locks.tryTake(taken)) return;
      store(memory.words, readyWord(memory, taken), 1);
    }
    store(memory.words, PAGES_WORD, taken + count);
    this.#first = first;
    for (let at = 0; at < count; at++) this.#pages.set(block + count - 1 - at, taken + at);
  }

  /** A1 to A5: takes a seat that nobody has any more, if there is one. */
  #adopt(): void {
    const memory = this.#memory;
    const count = memory.pageCount();
    for (let page = 0; page < count; page++) {
      if (load(memory.words, seatWord(memory, page)) !== page) continue;
      if (this.#locks.isHeld(page)) continue;
      store(memory.words, readyWord(memory, page), 0);
      if (!this.#locks.tryTake(page)) continue;
      for (let each = page; each < count; each++) {
        if (load(memory.words, seatWord(memory, each)) !== page) continue;
        this.#pages.set(load(memory.words, blockWord(memory, each)) >>> 0, each);
      }
      this.#clearDropped();
      store(memory.words, readyWord(memory, page), 1);
      this.#first = page;
      return;
    }
  }

  /** A4. */
  #clearDropped(): void {
    const { cells } = this.#memory;
    for (const { shape, list, cellCount } of this.#directory.families) {
      if (!isDropping(shape)) continue;
      for (const { cell } of list) {
        const page = this.#pages.get(Math.floor(cell / PAGE_CELLS));
        if (page === undefined) continue;
        const first = this.#memory.pageCells(page) + (cell % PAGE_CELLS);
        cells.fill(0, first, first + cellCount);
      }
    }
  }

  /** L1 and L2: leaves the seat, with all that it counted, to the next one. Does not block. */
  leave(): void {
    if (!this.isTaken) return;
    store(this.#memory.words, readyWord(this.#memory, this.#first), 0);
    this.#locks.release(this.#first);
    this.#first = NO_ROOM;
    this.#pages.clear();
  }
}
