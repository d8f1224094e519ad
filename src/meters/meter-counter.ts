import { shown } from "../arguments.ts";
import type { MeterSeries } from "./algorithm/meters-directory.ts";
import { type MetersCore, NOTHING } from "./meters-core.ts";

/** A number that only grows, over all processes. `Meters.counter` makes it. */
export class MeterCounter {
  readonly #core: MetersCore;
  readonly #series: MeterSeries;
  #cells: Float64Array = NOTHING;
  #at = 0;

  /** @internal */
  constructor(core: MetersCore, series: MeterSeries) {
    this.#core = core;
    this.#series = series;
  }

  /**
   * Adds to it: one plain addition in memory that only this handle writes, which a crash leaves
   * made or not made. Never blocks, but for the first call, which may wait for another process that
   * adds a metric. An update for which there is no memory is lost, and counted in `stats().lost`.
   *
   * @param by A finite number from 0 on. Default 1.
   * @throws RangeError, TypeError for another amount; ClosedError; LayoutError; TypeError when the
   *   meters were opened for reading only.
   */
  add(by = 1): void {
    if (typeof by !== "number" || !(by >= 0 && by < Infinity)) {
      failAmount("Cannot add", by, "a finite number from 0 on");
    }
    const cells = this.#cells;
    // The length is 0 before the first update, and once the handle is closed.
    if (this.#at < cells.length) cells[this.#at]! += by;
    else this.#addSlowly(by);
  }

  #addSlowly(by: number): void {
    const at = this.#core.bind(this, this.#series);
    if (at < 0) return;
    this.#at = at;
    this.#cells = this.#core.memory.cells;
    this.#cells[at]! += by;
  }

  /** The sum over all processes, dead ones too; stale at once. @throws ClosedError; LayoutError. */
  get value(): number {
    this.#core.checkOpen();
    this.#core.pages.refresh();
    return this.#core.pages.counter(this.#series);
  }

  /** @internal */
  unbind(): void {
    this.#cells = NOTHING;
  }
}

/** @throws RangeError for a number that cannot be; TypeError for what is none. */
export function failAmount(action: string, value: unknown, rule: string): never {
  const wrong = typeof value === "number" ? RangeError : TypeError;
  throw new wrong(`${action} ${shown(value)}: it must be ${rule}`);
}
