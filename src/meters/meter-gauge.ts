import { addToCounter, readCounter } from "../atomics/algorithm/split-counter.ts";
import { STAMP_CELL } from "../layout/meters-layout.ts";
import type { MeterSeries } from "./algorithm/meters-directory.ts";
import { CLOCK_WORD } from "./algorithm/meters-memory.ts";
import { failAmount } from "./meter-counter.ts";
import { type MetersCore, NOTHING } from "./meters-core.ts";

/**
 * A number that goes up and down. Each handle has one of its own, and `aggregate` says how they
 * make one number. `Meters.gauge` makes it.
 */
export class MeterGauge {
  readonly #core: MetersCore;
  readonly #series: MeterSeries;
  readonly #isStamped: boolean;
  #cells: Float64Array = NOTHING;
  #at = 0;

  /** @internal */
  constructor(core: MetersCore, series: MeterSeries) {
    this.#core = core;
    this.#series = series;
    this.#isStamped = series.family.shape.aggregate === "last";
  }

  /**
   * Sets this handle's number: one plain store, which a crash leaves made or not made. Where
   * `aggregate` is "last", a second one says when: after a crash in between, the new number counts
   * as set when the one before was. Never blocks, but for the first call, like `MeterCounter.add`.
   *
   * @param value Any number; Infinity and NaN are numbers to Prometheus too.
   * @throws TypeError for what is no number, or when the meters were opened for reading only;
   *   ClosedError; LayoutError.
   */
  set(value: number): void {
    if (typeof value !== "number") failAmount("Cannot set a gauge to", value, "a number");
    const cells = this.#cells;
    const at = this.#at;
    if (at < cells.length) {
      // A cell that holds +0 was never set.
      cells[at] = value === 0 ? -0 : value;
      if (this.#isStamped) this.#stamp();
    } else if (this.#bind()) {
      this.set(value);
    }
  }

  /** Adds to this handle's number, like `set`. @param by A finite number. Default 1. */
  add(by = 1): void {
    if (!Number.isFinite(by)) failAmount("Cannot add", by, "a finite number");
    const cells = this.#cells;
    const at = this.#at;
    if (at < cells.length) {
      const sum = cells[at]! + by;
      cells[at] = sum === 0 ? -0 : sum;
      if (this.#isStamped) this.#stamp();
    } else if (this.#bind()) {
      this.add(by);
    }
  }

  /** Takes from this handle's number, like `add`. */
  sub(by = 1): void {
    if (!Number.isFinite(by)) failAmount("Cannot take", by, "a finite number");
    this.add(-by);
  }

  /** Of two that are set at the same time, either may count as the last. */
  #stamp(): void {
    const { words } = this.#core.memory;
    addToCounter(words, CLOCK_WORD, 1);
    this.#cells[this.#at + STAMP_CELL] = readCounter(words, CLOCK_WORD);
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
   * The number over all processes; stale at once. Undefined where nobody who counts has set one,
   * unless the numbers are added up. Asks the kernel which owners live. @throws ClosedError;
   * LayoutError.
   */
  get value(): number | undefined {
    this.#core.checkOpen();
    this.#core.pages.refresh();
    return this.#core.pages.gauge(this.#series);
  }

  /** @internal */
  unbind(): void {
    this.#cells = NOTHING;
  }
}
