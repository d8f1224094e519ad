/**
 * The directory of families and series, which is only ever appended to.
 *
 * Invariant: the first `directory_length` bytes are finished entries, which never change. Whoever
 * appends holds the lock of the meters: it writes the entry behind them, and then stores the new
 * length (SYNC meters-entry: the store in `#publish` pairs with the load in `sync`). If it dies
 * before that store, the next one writes over what it left; nothing has to be repaired.
 *
 * Each handle has a mirror in private memory, which `sync` brings up to date: so the bytes of an
 * entry are read and checked once, and a scrape reads none of them.
 */
import {
  COUNTER_ENTRY,
  ENTRY_KIND_OFFSET,
  ENTRY_LENGTH_OFFSET,
  FAMILY_AGGREGATE_OFFSET,
  FAMILY_BOUNDS_OFFSET,
  FAMILY_DROPS_OFFSET,
  FAMILY_HEAD_LENGTH,
  FAMILY_HELP_OFFSET,
  FAMILY_LABELS_OFFSET,
  FAMILY_NAME_OFFSET,
  GAUGE_ENTRY,
  HISTOGRAM_ENTRY,
  MAX_BOUNDS,
  MAX_HELP_LENGTH,
  MAX_LABELS,
  MAX_LABEL_VALUE_LENGTH,
  MAX_METER_NAME_LENGTH,
  METERS_HEAD_LENGTH,
  PAGE_LENGTH,
  SERIES_CELL_OFFSET,
  SERIES_ENTRY,
  SERIES_FAMILY_OFFSET,
  SERIES_HEAD_LENGTH,
  directoryLimit,
} from "../../layout/meters-layout.ts";
import { store } from "../../memory/atomics.ts";
import { EntryReader, EntryWriter } from "./entry-bytes.ts";
import {
  AGGREGATES,
  METER_TYPES,
  type MeterShape,
  OTHER,
  areBounds,
  cellCountOf,
  isLabelName,
  isMeterName,
  keyOf,
  sampleNames,
} from "./meter-shape.ts";
import { DIRECTORY_WORD, type MetersMemory, endOfCells, placeCells } from "./meters-memory.ts";

const KINDS = { counter: COUNTER_ENTRY, gauge: GAUGE_ENTRY, histogram: HISTOGRAM_ENTRY };

/** One set of label values of a family. */
export interface MeterSeries {
  readonly family: MeterFamily;
  /** In the order of the family's labels. */
  readonly values: readonly string[];
  /** Its first cell: block * PAGE_CELLS + the cell in the block. */
  readonly cell: number;
}

/** One metric, and its series; the first one takes what has no room, if there are labels. */
export interface MeterFamily {
  readonly shape: MeterShape;
  /** Bytes from the start of the data to its entry. */
  readonly at: number;
  readonly cellCount: number;
  readonly list: MeterSeries[];
  readonly byKey: Map<string, MeterSeries>;
}

/** The mirror of the directory. */
export class MetersDirectory {
  readonly #memory: MetersMemory;
  readonly #families = new Map<string, MeterFamily>();
  readonly #byOffset = new Map<number, MeterFamily>();
  /** The names of all samples: a histogram has four. */
  readonly #taken = new Map<string, MeterFamily>();
  /** Bytes that were read. */
  #seen = 0;
  #endOfCells = 0;

  constructor(memory: MetersMemory) {
    this.#memory = memory;
  }

  get families(): Iterable<MeterFamily> {
    return this.#families.values();
  }

  get familyCount(): number {
    return this.#families.size;
  }

  /** Bytes of entries that the mirror has. */
  get length(): number {
    return this.#seen;
  }

  /** Cells that series have, from 0 on. */
  get cellCount(): number {
    return this.#endOfCells;
  }

  find(name: string): MeterFamily | undefined {
    return this.#families.get(name);
  }

  /** The family that has one of the names that a new one's samples would have. */
  rivalOf(shape: MeterShape): MeterFamily | undefined {
    for (const name of sampleNames(shape)) {
      const rival = this.#taken.get(name);
      if (rival !== undefined) return rival;
    }
    return undefined;
  }

  /**
   * Reads entries that are new. SYNC meters-entry: pairs with `#publish`.
   *
   * @param most How many it reads at most.
   * @returns Whether the mirror has all entries now.
   * @throws LayoutError when an entry cannot be.
   */
  sync(most: number = Number.POSITIVE_INFINITY): boolean {
    const length = this.#memory.directoryLength();
    if (length === this.#seen) return true;
    if (length < this.#seen) {
      return this.#memory.wrong("its directory", `at least ${this.#seen} bytes`, length, 128);
    }
    for (let read = 0; this.#seen < length; read++) {
      if (read >= most) return false;
      this.#seen += this.#read(METERS_HEAD_LENGTH + this.#seen, length - this.#seen);
    }
    return true;
  }

  /** @returns The length of the entry. */
  #read(at: number, rest: number): number {
    const entry = new EntryReader(this.#memory, at);
    const length = entry.u32(ENTRY_LENGTH_OFFSET);
    if (length < SERIES_HEAD_LENGTH || length > rest || length % 8 !== 0) {
      entry.wrong("the length of an entry", `a multiple of 8 up to ${rest}`, length);
    }
    const kind = entry.u32(ENTRY_KIND_OFFSET);
    if (kind === SERIES_ENTRY) this.#readSeries(entry, length);
    else this.#readFamily(entry, length, kind);
    return length;
  }

  #readFamily(entry: EntryReader, length: number, kind: number): void {
    const type = METER_TYPES.get(kind);
    if (type === undefined || length < FAMILY_HEAD_LENGTH) {
      return entry.wrong("the kind of an entry", "1, 2, 3 or 4", kind, ENTRY_KIND_OFFSET);
    }
    const count = (offset: number, what: string, least: number, most: number): number => {
      const value = entry.u32(offset);
      if (value >= least && value <= most) return value;
      return entry.wrong(what, `from ${least} to ${most}`, value, offset);
    };
    const aggregate = count(FAMILY_AGGREGATE_OFFSET, "an aggregate", 0, AGGREGATES.length - 1);
    const drops = count(FAMILY_DROPS_OFFSET, "whether it drops", 0, 1);
    const nameLength = count(FAMILY_NAME_OFFSET, "a name's length", 1, MAX_METER_NAME_LENGTH);
    const helpLength = count(FAMILY_HELP_OFFSET, "a help's length", 0, MAX_HELP_LENGTH);
    const labelCount = count(FAMILY_LABELS_OFFSET, "a count of labels", 0, MAX_LABELS);
    const least = type === "histogram" ? 1 : 0;
    const most = type === "histogram" ? MAX_BOUNDS : 0;
    const boundCount = count(FAMILY_BOUNDS_OFFSET, "a count of bounds", least, most);
    entry.begin(FAMILY_HEAD_LENGTH, length);
    const bounds = Array.from({ length: boundCount }, () => entry.f64());
    const name = entry.text(nameLength);
    const help = entry.text(helpLength);
    const labels = Array.from({ length: labelCount }, () => entry.counted(MAX_METER_NAME_LENGTH));
    if (!isMeterName(name)) entry.wrong("a metric's name", "a name of Prometheus's", name);
    for (const label of labels) {
      if (!isLabelName(label, type)) entry.wrong("a label", "a name of Prometheus's", label);
    }
    if (new Set(labels).size < labels.length) entry.wrong("labels", "each once", labels.join());
    if (!areBounds(bounds)) entry.wrong("bounds", "finite ones that grow", bounds.join());
    this.#addFamily(entry, {
      name,
      help,
      type,
      aggregate: AGGREGATES[aggregate]!,
      whenDead: drops === 1 ? "drop" : "keep",
      labels,
      bounds,
    });
  }

  #addFamily(entry: EntryReader, shape: MeterShape): void {
    if (this.rivalOf(shape) !== undefined) entry.wrong("a name", "each once", shape.name);
    const { at } = entry;
    const family = { shape, at, cellCount: cellCountOf(shape), list: [], byKey: new Map() };
    this.#families.set(shape.name, family);
    this.#byOffset.set(at - METERS_HEAD_LENGTH, family);
    for (const name of sampleNames(shape)) this.#taken.set(name, family);
  }

  #readSeries(entry: EntryReader, length: number): void {
    const family = this.#byOffset.get(entry.u32(SERIES_FAMILY_OFFSET));
    if (family === undefined) {
      const found = entry.u32(SERIES_FAMILY_OFFSET);
      return entry.wrong("the family of a series", "one before it", found, SERIES_FAMILY_OFFSET);
    }
    const expected = placeCells(this.#endOfCells, family.cellCount);
    const cell = entry.u32(SERIES_CELL_OFFSET);
    if (cell !== expected) {
      entry.wrong("the cells of a series", `cell ${expected}`, cell, SERIES_CELL_OFFSET);
    }
    entry.begin(SERIES_HEAD_LENGTH, length);
    const values = family.shape.labels.map(() => entry.counted(MAX_LABEL_VALUE_LENGTH));
    const key = keyOf(values);
    if (family.byKey.has(key)) entry.wrong("label values", "each once", JSON.stringify(values));
    const series = { family, values, cell };
    family.list.push(series);
    family.byKey.set(key, series);
    this.#endOfCells = endOfCells(cell, family.cellCount);
  }

  /**
   * Appends a family, and its first series with it. The caller holds the lock, and has synced.
   * @returns The family; undefined when there is no room.
   */
  addFamily(shape: MeterShape): MeterFamily | undefined {
    const writer = new EntryWriter();
    writer.u32(0, KINDS[shape.type], AGGREGATES.indexOf(shape.aggregate));
    writer.u32(shape.whenDead === "drop" ? 1 : 0);
    writer.u32(Buffer.byteLength(shape.name), Buffer.byteLength(shape.help));
    writer.u32(shape.labels.length, shape.bounds.length);
    for (const bound of shape.bounds) writer.f64(bound);
    writer.text(shape.name);
    writer.text(shape.help);
    for (const label of shape.labels) writer.counted(label);
    writer.end();
    const values = shape.labels.map(() => OTHER);
    const cell = placeCells(this.#endOfCells, cellCountOf(shape));
    this.#writeSeries(writer, this.#seen, cell, values);
    return this.#publish(writer) ? this.find(shape.name) : undefined;
  }

  /**
   * Appends a series. The caller holds the lock, and has synced.
   * @returns The series; undefined when there is no room.
   */
  addSeries(family: MeterFamily, values: readonly string[]): MeterSeries | undefined {
    const writer = new EntryWriter();
    const cell = placeCells(this.#endOfCells, family.cellCount);
    this.#writeSeries(writer, family.at - METERS_HEAD_LENGTH, cell, values);
    return this.#publish(writer) ? family.byKey.get(keyOf(values)) : undefined;
  }

  #writeSeries(writer: EntryWriter, family: number, cell: number, values: readonly string[]): void {
    writer.begin();
    writer.u32(0, SERIES_ENTRY, family, cell);
    for (const value of values) writer.counted(value);
    writer.end();
  }

  /** SYNC meters-entry: pairs with `sync`. @returns Whether there was room. */
  #publish({ bytes }: EntryWriter): boolean {
    const memory = this.#memory;
    const end = this.#seen + bytes.length;
    const room = memory.length - METERS_HEAD_LENGTH - memory.pageCount() * PAGE_LENGTH - 128;
    if (end > directoryLimit(memory.length) || end > room) return false;
    memory.bytes.set(bytes, METERS_HEAD_LENGTH + this.#seen);
    store(memory.words, DIRECTORY_WORD, end);
    this.sync();
    return true;
  }
}
