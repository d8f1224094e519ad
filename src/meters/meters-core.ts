/** What the metrics of one handle share: the memory, its mirror, and the handle's seat. */
import { addToCounter } from "../atomics/algorithm/split-counter.ts";
import { shown } from "../arguments.ts";
import { LayoutError, StateError } from "../errors.ts";
import { monotonicMs } from "../libc/time.ts";
import type { Structure } from "../segment/structure.ts";
import { CENSUS_MS } from "../waiting/limits.ts";
import { type MeterShape, difference, keyOf } from "./algorithm/meter-shape.ts";
import {
  type MeterFamily,
  type MeterSeries,
  MetersDirectory,
} from "./algorithm/meters-directory.ts";
import { LOST_WORD, type MetersMemory, OVERFLOWS_WORD } from "./algorithm/meters-memory.ts";
import { MetersPages } from "./algorithm/meters-pages.ts";
import { type MetersLock, MetersSeat, NO_ROOM } from "./algorithm/meters-seats.ts";
import { metersMemory } from "./meters-header.ts";
import { OwnedSeatLocks, metersLock } from "./meters-locks.ts";

/** A metric that knows where its cells are, until its handle is closed. */
interface Bound {
  unbind(): void;
}

/** The cells of a metric before its first update, and once its handle is closed. */
export const NOTHING: Float64Array = new Float64Array(0);

export class MetersCore {
  readonly memory: MetersMemory;
  readonly directory: MetersDirectory;
  readonly pages: MetersPages;
  readonly isReadOnly: boolean;
  readonly #structure: Structure;
  readonly #lock: MetersLock;
  readonly #seat: MetersSeat;
  readonly #bound = new Set<Bound>();
  #isClosed = false;
  /** When no seat was found. */
  #failedMs = Number.NEGATIVE_INFINITY;

  constructor(structure: Structure) {
    const memory = metersMemory(structure);
    const directory = new MetersDirectory(memory);
    const locks = new OwnedSeatLocks(structure, memory);
    this.#structure = structure;
    this.#lock = metersLock(structure);
    this.memory = memory;
    this.directory = directory;
    this.pages = new MetersPages(memory, directory, (page) => locks.isHeld(page));
    this.#seat = new MetersSeat(memory, directory, this.#lock, locks);
    this.isReadOnly = structure.segment.access === "read";
  }

  get what(): string {
    return this.#structure.what;
  }

  /** @throws ClosedError. */
  checkOpen(): void {
    this.#structure.placed.checkOpen();
  }

  /** @throws ClosedError; TypeError when the meters were opened for reading only. */
  checkWritable(action: string): void {
    this.checkOpen();
    if (!this.isReadOnly) return;
    throw new TypeError(`${action}: ${this.what} was opened for reading only`);
  }

  /**
   * Finds a metric, or makes it.
   * @throws LayoutError when it has another shape; StateError ENOSPC; ClosedError; TypeError.
   */
  family(shape: MeterShape): MeterFamily {
    this.checkOpen();
    this.directory.sync();
    return this.#find(shape) ?? this.#make(shape);
  }

  #make(shape: MeterShape): MeterFamily {
    const action = `Cannot make ${shape.type} ${shown(shape.name)} of ${this.what}`;
    this.checkWritable(action);
    this.#lock.lock();
    try {
      this.directory.sync();
      const family = this.#find(shape) ?? this.directory.addFamily(shape);
      if (family !== undefined) return family;
    } finally {
      this.#lock.unlock();
    }
    const why = `its directory has no room left of ${this.memory.length} bytes`;
    throw new StateError("ENOSPC", `${action}: ${why}. Make larger meters under another name`);
  }

  /** @throws LayoutError when a metric of that name has another shape. */
  #find(shape: MeterShape): MeterFamily | undefined {
    const rival = this.directory.rivalOf(shape);
    if (rival === undefined) return undefined;
    const action = `Cannot use ${shape.type} ${shown(shape.name)} of ${this.what}`;
    const offset = this.memory.offset + rival.at;
    if (rival.shape.name !== shape.name) {
      const why = `its samples have names of ${rival.shape.type} ${shown(rival.shape.name)}`;
      const details = { expected: "names of its own", found: rival.shape.name, offset };
      throw new LayoutError(`${action}: ${why}`, details);
    }
    const differs = difference(rival.shape, shape);
    if (differs === undefined) return rival;
    const { field, found, asked } = differs;
    const details = { expected: asked, found, offset };
    throw new LayoutError(`${action}: it exists with other ${field}`, details);
  }

  /** The series of a metric without labels, or the one that takes what has no room. */
  firstOf(family: MeterFamily): MeterSeries {
    const [first] = family.list;
    if (first !== undefined) return first;
    throw new LayoutError(`Cannot use ${shown(family.shape.name)} of ${this.what}: no series`, {
      expected: "a series behind it",
      found: "none",
      offset: this.memory.offset + family.at,
    });
  }

  /**
   * Finds a series, or makes it.
   * @returns Undefined when there is no room; that is counted.
   * @throws TypeError when the meters were opened for reading only; ClosedError.
   */
  series(
    family: MeterFamily,
    values: readonly string[],
    tooLong: boolean,
  ): MeterSeries | undefined {
    this.checkOpen();
    this.directory.sync();
    const key = keyOf(values);
    const known = family.byKey.get(key);
    if (known !== undefined) return known;
    this.checkWritable(`Cannot add labels to ${shown(family.shape.name)}`);
    const made = tooLong ? undefined : this.#makeSeries(family, values, key);
    if (made === undefined) addToCounter(this.memory.words, OVERFLOWS_WORD, 1);
    return made;
  }

  #makeSeries(
    family: MeterFamily,
    values: readonly string[],
    key: string,
  ): MeterSeries | undefined {
    this.#lock.lock();
    try {
      this.directory.sync();
      return family.byKey.get(key) ?? this.directory.addSeries(family, values);
    } finally {
      this.#lock.unlock();
    }
  }

  /**
   * Where this handle counts for a series. A metric asks once, and keeps the answer until `unbind`.
   *
   * @returns The index of the first cell; NO_ROOM when the update is lost, which is counted.
   * @throws ClosedError; TypeError when the meters were opened for reading only; LayoutError.
   */
  bind(meter: Bound, series: MeterSeries): number {
    this.checkWritable(`Cannot update ${shown(series.family.shape.name)}`);
    const at = this.#mayTry() ? this.#seat.cellsOf(series) : NO_ROOM;
    if (at >= 0) {
      this.#bound.add(meter);
    } else {
      if (!this.#seat.isTaken) this.#failedMs = monotonicMs();
      addToCounter(this.memory.words, LOST_WORD, 1);
    }
    return at;
  }

  /** A seat may become free, but the kernel is not asked for each update that has none. */
  #mayTry(): boolean {
    return this.#seat.isTaken || monotonicMs() - this.#failedMs >= CENSUS_MS;
  }

  /** Leaves the seat. No metric of this handle touches the memory afterwards. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const meter of this.#bound) meter.unbind();
    this.#bound.clear();
    // Memory that is unmapped has no words; its segment is closed, and the kernel knows.
    if (this.memory.words.length > 0 && !this.#structure.segment.closed) this.#seat.leave();
  }
}
