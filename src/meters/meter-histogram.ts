import { checkFunction, isThenable, shown } from "../arguments.ts";
import { FIRST_BUCKET_CELL, MAX_CELL, SUM_CELL } from "../layout/meters-layout.ts";
import type { MeterSeries } from "./algorithm/meters-directory.ts";
import { cellAt } from "./algorithm/meters-memory.ts";
import type { HistogramValue } from "./algorithm/meters-pages.ts";
import { percentileOf } from "./algorithm/percentile.ts";
import { failAmount } from "./meter-counter.ts";
import { type MetersCore, NOTHING } from "./meters-core.ts";

/** How values are spread, over all processes: counts in buckets. `Meters.histogram` makes it. */
export class MeterHistogram {
  readonly #core: MetersCore;
  readonly #series: MeterSeries;
  readonly #bounds: Float64Array;
  #cells: Float64Array = NOTHING;
  #at = 0;

  /** @internal */
  constructor(core: MetersCore, series: MeterSeries) {
    this.#core = core;
    this.#series = series;
    this.#bounds = Float64Array.from(series.family.shape.bounds);
  }

  /**
   * Counts a value: in its bucket, in the sum, and as the largest, by a plain store each, in this
   * order. A crash in between leaves a value that is counted and not in the sum; the count is that
   * of the buckets, and can never differ from them. Never blocks, but for the first call, like
   * `MeterCounter.add`.
   *
   * @param value A finite number, in the metric's unit.
   * @throws RangeError, TypeError for another value; ClosedError; LayoutError; TypeError when the
   *   meters were opened for reading only.
   */
  observe(value: number): void {
    if (!Number.isFinite(value)) failAmount("Cannot observe", value, "a finite number");
    const cells = this.#cells;
    const at = this.#at;
    if (at < cells.length) {
      cells[cellAt(at, FIRST_BUCKET_CELL + this.#bucketOf(value))]! += 1;
      cells[at + SUM_CELL]! += value;
      const max = cells[at + MAX_CELL]!;
      // A cell that holds +0 was never set.
      if (value > max || (max === 0 && Object.is(max, 0))) {
        cells[at + MAX_CELL] = value === 0 ? -0 : value;
      }
    } else if (this.#bind()) {
      this.observe(value);
    }
  }

  /** The first bucket whose bound is not below the value. */
  #bucketOf(value: number): number {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (bounds[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @returns Whether there is memory for it. */
  #bind(): boolean {
    const at = this.#core.bind(this, this.#series);
    if (at < 0) return false;
    this.#at = at;
    this.#cells = this.#core.memory.cells;
    return true;
  }

  /**
   * Calls a function, and observes how many seconds it took, also when it throws. If it returns a
   * promise, the time is that until the promise is settled.
   *
   * @returns What the function returned.
   * @throws What the function throws; the errors of `observe`; TypeError when `fn` is none.
   */
  time<T>(fn: () => T): T {
    checkFunction("Cannot time", "its argument", fn);
    const startMs = performance.now();
    const end = (): void => this.observe((performance.now() - startMs) / 1000);
    let isPending = false;
    try {
      const result = fn();
      if (!isThenable(result)) return result;
      isPending = true;
      return Promise.resolve(result).finally(end) as T;
    } finally {
      if (!isPending) end();
    }
  }

  #value(): HistogramValue {
    this.#core.checkOpen();
    this.#core.pages.refresh();
    return this.#core.pages.histogram(this.#series);
  }

  /** How many values were observed, by all; stale at once. @throws ClosedError; LayoutError. */
  get count(): number {
    return this.#value().count;
  }

  /** Their sum; stale at once. @throws ClosedError; LayoutError. */
  get sum(): number {
    return this.#value().sum;
  }

  /** The largest of them; undefined before the first. @throws ClosedError; LayoutError. */
  get max(): number | undefined {
    return this.#value().max;
  }

  /**
   * The value below which `p` percent of all observations lie, of all processes and since the
   * meters were made. The bucket is the right one, and the value is interpolated within it: the
   * error is less than the bucket's width, which with exponential bounds is `factor` - 1 of the
   * value. Above the last bound it is interpolated up to the largest value. Stale at once.
   *
   * @param p From 0 to 100, as in 99.9.
   * @returns Undefined when nothing was observed.
   * @throws RangeError, TypeError for a bad `p`; ClosedError; LayoutError.
   */
  percentile(p: number): number | undefined {
    if (!(typeof p === "number" && p >= 0 && p <= 100)) {
      const wrong = typeof p === "number" ? RangeError : TypeError;
      throw new wrong(`Cannot tell percentile ${shown(p)}: it must be a number from 0 to 100`);
    }
    return percentileOf(this.#value(), this.#series.family.shape.bounds, p / 100);
  }

  /** @internal */
  unbind(): void {
    this.#cells = NOTHING;
  }
}
