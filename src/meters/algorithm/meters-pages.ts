/**
 * What all pages say together: the values of a series over all processes.
 *
 * A page's seat and block never change, so they are read and checked once. Each cell of each page
 * is read once in a scrape, by a plain load of 8 bytes; since nothing is ever moved, nothing is
 * counted twice, whatever others do meanwhile.
 */
import {
  FIRST_BUCKET_CELL,
  MAX_CELL,
  PAGE_CELLS,
  STAMP_CELL,
  SUM_CELL,
} from "../../layout/meters-layout.ts";
import { load } from "../../memory/atomics.ts";
import type { MeterSeries, MetersDirectory } from "./meters-directory.ts";
import { type MetersMemory, blocksOf, cellAt } from "./meters-memory.ts";
import { blockWord, readyWord, seatWord } from "./meters-seats.ts";

/** What a histogram has observed. */
export interface HistogramValue {
  /** How many values: the sum of `buckets`. */
  readonly count: number;
  readonly sum: number;
  /** The largest value; undefined before the first one. */
  readonly max: number | undefined;
  /** How many values each bucket got, not cumulative; the last one is that of +Inf. */
  readonly buckets: Float64Array;
}

/** A page, and the first page of its seat. */
interface Page {
  readonly page: number;
  readonly seat: number;
}

/** Reads the values of series. */
export class MetersPages {
  readonly #memory: MetersMemory;
  readonly #directory: MetersDirectory;
  /** Whether a living owner has the seat of that first page. */
  readonly #isAlive: (page: number) => boolean;
  readonly #byBlock = new Map<number, Page[]>();
  readonly #seats = new Set<number>();
  #seen = 0;
  /** What is known of seats, in this scrape. */
  #present = new Map<number, boolean>();

  constructor(
    memory: MetersMemory,
    directory: MetersDirectory,
    isAlive: (page: number) => boolean,
  ) {
    this.#memory = memory;
    this.#directory = directory;
    this.#isAlive = isAlive;
  }

  /** The first pages of all seats. */
  get seats(): Iterable<number> {
    return this.#seats;
  }

  /** Seats that were ever taken. */
  get seatCount(): number {
    return this.#seats.size;
  }

  /** Pages that are taken. */
  get pageCount(): number {
    return this.#seen;
  }

  /** Begins a scrape: looks for new pages. SYNC meters-page. @throws LayoutError. */
  begin(): void {
    const memory = this.#memory;
    const count = memory.pageCount();
    if (count < this.#seen) memory.wrong("its count of pages", `${this.#seen}`, count, 132);
    this.#present.clear();
    for (; this.#seen < count; this.#seen++) this.#add(this.#seen);
  }

  #add(page: number): void {
    const memory = this.#memory;
    const seat = load(memory.words, seatWord(memory, page)) >>> 0;
    const block = load(memory.words, blockWord(memory, page)) >>> 0;
    const at = memory.pageOffset(page);
    if (seat !== page && !this.#seats.has(seat)) {
      memory.wrong(`the seat of page ${page}`, "one before it", seat, at + 8);
    }
    const most = memory.length / 8;
    if (block > most) memory.wrong(`the block of page ${page}`, `up to ${most}`, block, at + 12);
    const pages = this.#byBlock.get(block) ?? [];
    if (pages.some((each) => each.seat === seat)) {
      memory.wrong(`the block of page ${page}`, "each once in a seat", block, at + 12);
    }
    pages.push({ page, seat });
    this.#byBlock.set(block, pages);
    this.#seats.add(seat);
  }

  /** The seats' pages that have a series. */
  #pagesOf({ cell }: MeterSeries): readonly Page[] {
    return this.#byBlock.get(Math.floor(cell / PAGE_CELLS)) ?? [];
  }

  #firstCell({ cell }: MeterSeries, page: number): number {
    return this.#memory.pageCells(page) + (cell % PAGE_CELLS);
  }

  /**
   * Whether a seat's gauges are those of a living owner. It asks the kernel, once in a scrape. SYNC
   * meters-ready: the lock's owner is read first, and `ready` then.
   */
  hasOwner(seat: number): boolean {
    const known = this.#present.get(seat);
    if (known !== undefined) return known;
    const { words } = this.#memory;
    const has = this.#isAlive(seat) && load(words, readyWord(this.#memory, seat)) === 1;
    this.#present.set(seat, has);
    return has;
  }

  /** A counter's value. */
  counter(series: MeterSeries): number {
    let sum = 0;
    for (const { page } of this.#pagesOf(series)) {
      sum += this.#memory.cells[this.#firstCell(series, page)]!;
    }
    return sum;
  }

  /** A gauge's value; undefined where nobody has set one, unless values are added up. */
  gauge(series: MeterSeries): number | undefined {
    const { cells } = this.#memory;
    const { aggregate, whenDead } = series.family.shape;
    let value: number | undefined = aggregate === "sum" ? 0 : undefined;
    let newest = 0;
    for (const { page, seat } of this.#pagesOf(series)) {
      if (whenDead === "drop" && !this.hasOwner(seat)) continue;
      const first = this.#firstCell(series, page);
      const found = cells[first]!;
      if (aggregate === "sum") {
        value! += found;
      } else if (aggregate === "last") {
        const stamp = cells[first + STAMP_CELL]!;
        if (stamp > newest) [value, newest] = [found, stamp];
      } else if (!isUnset(found)) {
        value = value === undefined ? found : Math[aggregate](value, found);
      }
    }
    // A zero that was set has a sign, so that it differs from a cell that was not.
    return value === undefined ? undefined : value + 0;
  }

  /** A histogram's values. @throws LayoutError when its pages do not follow each other. */
  histogram(series: MeterSeries): HistogramValue {
    const { cells } = this.#memory;
    const { cellCount, shape } = series.family;
    const buckets = new Float64Array(shape.bounds.length + 1);
    let [sum, max]: [number, number | undefined] = [0, undefined];
    for (const { page, seat } of this.#pagesOf(series)) {
      if (cellCount > PAGE_CELLS) this.#checkRow(series, page, seat);
      const first = this.#firstCell(series, page);
      // An observation writes its bucket first: what a sum has, the buckets read later have too.
      sum += cells[first + SUM_CELL]!;
      const most = cells[first + MAX_CELL]!;
      if (!isUnset(most)) max = max === undefined ? most + 0 : Math.max(max, most);
      for (let at = 0; at < buckets.length; at++) {
        buckets[at]! += cells[cellAt(first, FIRST_BUCKET_CELL + at)]!;
      }
    }
    let count = 0;
    for (let at = 0; at < buckets.length; at++) count += buckets[at]!;
    return { count, sum: sum + 0, max, buckets };
  }

  /** Checks that the pages of a series' other blocks lie behind that of its first one. */
  #checkRow({ cell, family }: MeterSeries, page: number, seat: number): void {
    const block = Math.floor(cell / PAGE_CELLS);
    for (let at = 1; at < blocksOf(family.cellCount); at++) {
      const pages = this.#byBlock.get(block + at);
      if (pages?.some((each) => each.seat === seat && each.page === page - at)) continue;
      const offset = this.#memory.pageOffset(page);
      this.#memory.wrong(`page ${page}`, `block ${block + at} behind it`, "another", offset);
    }
  }

  /** Whether a family's first series, which takes what has no room, was never used. */
  isUnused(series: MeterSeries): boolean {
    const { list, shape, cellCount } = series.family;
    if (list[0] !== series || shape.labels.length === 0) return false;
    return this.#pagesOf(series).every(({ page }) => {
      const first = this.#firstCell(series, page);
      for (let at = 0; at < cellCount; at++) {
        if (!isUnset(this.#memory.cells[cellAt(first, at)]!)) return false;
      }
      return true;
    });
  }

  /** Brings the mirrors up to date, for a look at one series. @throws LayoutError. */
  refresh(): void {
    this.#directory.sync();
    this.begin();
  }
}

/** Whether a cell was never set: it holds +0, and a zero that is set is -0. */
function isUnset(value: number): boolean {
  return Object.is(value, 0);
}
