import { LayoutError } from "../../errors.ts";
import { NUMBER_SHIFT } from "../../layout/lock-layout.ts";
import {
  MAX_METERS_SIZE,
  METERS_HEAD,
  METERS_HEAD_LENGTH,
  METERS_LOCK_OFFSET,
  MIN_METERS_SIZE,
  PAGE_LENGTH,
  PAGE_LOCK_OFFSET,
} from "../../layout/meters-layout.ts";
import { HEADER_DATA_LENGTH_OFFSET, SEGMENT_HEADER_LENGTH } from "../../layout/segment-header.ts";
import { load } from "../../memory/atomics.ts";
import { readCounter } from "../../atomics/algorithm/split-counter.ts";
import { MetersDirectory, type MeterSeries } from "../../meters/algorithm/meters-directory.ts";
import { LOST_WORD, MetersMemory, OVERFLOWS_WORD } from "../../meters/algorithm/meters-memory.ts";
import { MetersPages } from "../../meters/algorithm/meters-pages.ts";
import { seatWord } from "../../meters/algorithm/meters-seats.ts";
import { percentileOf } from "../../meters/algorithm/percentile.ts";
import type { Metric } from "../../meters/metric.ts";
import { type MetersView, collectSteps, drive, labelsText } from "../../meters/scrape.ts";
import type { Activity } from "../activity.ts";
import type { ObjectWords } from "../object-words.ts";
import { HEADER, dataOffset, headed, headerDamage } from "./header.ts";
import type { Inspector, LockPlace, NamedValue } from "./kind.ts";

/** A copy of what is in use, which the meters' own algorithm reads. @throws LayoutError. */
function copyOf(words: ObjectWords): MetersView {
  const offset = dataOffset(words);
  const length = words.u32(HEADER_DATA_LENGTH_OFFSET);
  const size = length + SEGMENT_HEADER_LENGTH;
  if (size < MIN_METERS_SIZE || size > MAX_METERS_SIZE || headerDamage(words) !== undefined) {
    throw new LayoutError("Cannot read meters: their size cannot be", {
      expected: `${MIN_METERS_SIZE} to ${MAX_METERS_SIZE} bytes, inside the object`,
      found: String(size),
      offset: words.base + HEADER_DATA_LENGTH_OFFSET,
    });
  }
  const memory = new MetersMemory(new ArrayBuffer(length), 0, length, "meters");
  const take = (from: number, bytes: number): void => {
    memory.bytes.set(words.bytes(offset + from, bytes), from);
  };
  take(0, METERS_HEAD_LENGTH);
  take(METERS_HEAD_LENGTH, memory.directoryLength());
  const count = memory.pageCount();
  if (count > 0) take(memory.pageOffset(count - 1), count * PAGE_LENGTH);
  const directory = new MetersDirectory(memory);
  const pages = new MetersPages(memory, directory, (page) => {
    const at = (memory.pageOffset(page) + PAGE_LOCK_OFFSET) / 4;
    const number = load(memory.words, at) >>> NUMBER_SHIFT;
    // Who is out of sight may live.
    return number !== 0 && words.isAlive(number) !== false;
  });
  return { memory, directory, pages };
}

/** @returns What a look finds, or why the bytes are no meters. */
function tried<T>(words: ObjectWords, look: (view: MetersView) => T): T | LayoutError {
  try {
    const view = copyOf(words);
    view.pages.refresh();
    return look(view);
  } catch (error) {
    if (error instanceof LayoutError) return error;
    throw error;
  }
}

/** @returns What a look finds; `otherwise` when the bytes are no meters. */
function looking<T>(words: ObjectWords, otherwise: T, look: (view: MetersView) => T): T {
  const found = tried(words, look);
  return found instanceof LayoutError ? otherwise : found;
}

function* seriesOf({ directory, pages }: MetersView): Generator<MeterSeries> {
  for (const { list } of directory.families) {
    for (const series of list) if (!pages.isUnused(series)) yield series;
  }
}

function activity(words: ObjectWords): Activity {
  return looking<Activity>(words, {}, (view) => {
    let depth = 0;
    let counted = 0;
    for (const series of seriesOf(view)) {
      depth++;
      const { type } = series.family.shape;
      if (type === "counter") counted += view.pages.counter(series);
      else if (type === "histogram") counted += view.pages.histogram(series).count;
    }
    const { words: own } = view.memory;
    const full = readCounter(own, OVERFLOWS_WORD, true);
    const lost = readCounter(own, LOST_WORD, true);
    return { in: counted, depth, full, lost, unit: "series" };
  });
}

const PERCENTILES = { p50: 0.5, p90: 0.9, p99: 0.99, "p99.9": 0.999 };

function valueOf({ pages }: MetersView, series: MeterSeries): NamedValue | undefined {
  const { shape } = series.family;
  const labels = labelsText(series);
  const name = labels === "" ? shape.name : `${shape.name}{${labels}}`;
  if (shape.type !== "histogram") {
    const value = shape.type === "counter" ? pages.counter(series) : pages.gauge(series);
    return value === undefined ? undefined : { name, kind: shape.type, value };
  }
  const found = pages.histogram(series);
  const { count, sum, max } = found;
  if (max === undefined || count === 0) return { name, kind: shape.type, value: count };
  const details: Record<string, number> = { mean: sum / count };
  for (const [label, share] of Object.entries(PERCENTILES)) {
    details[label] = percentileOf(found, shape.bounds, share) ?? 0;
  }
  return { name, kind: shape.type, value: count, details: { ...details, max } };
}

function values(words: ObjectWords): NamedValue[] {
  return looking(words, [], (view) =>
    [...seriesOf(view)].flatMap((series) => valueOf(view, series) ?? []),
  );
}

function locks(words: ObjectWords): LockPlace[] {
  const offset = dataOffset(words);
  const seats = looking(words, [], ({ memory }): LockPlace[] => {
    const pages = Array.from({ length: memory.pageCount() }, (_, page) => page);
    return pages
      .filter((page) => load(memory.words, seatWord(memory, page)) === page)
      .map((page, at) => ({
        role: `seat ${at}`,
        offset: offset + memory.pageOffset(page) + PAGE_LOCK_OFFSET,
        isRole: true,
      }));
  });
  return [{ role: "directory", offset: offset + METERS_LOCK_OFFSET }, ...seats];
}

function metrics(words: ObjectWords): Metric[] {
  return looking(words, [], (view) => drive(collectSteps(view)));
}

function damage(words: ObjectWords): string | undefined {
  return headerDamage(words) ?? tried(words, () => undefined)?.message;
}

export const METERS_INSPECTOR: Inspector = headed("meters", {
  parts: (words) =>
    headerDamage(words) === undefined
      ? [HEADER, { layout: METERS_HEAD, offset: dataOffset(words) }]
      : [HEADER],
  activity,
  values,
  metrics,
  locks,
  damage,
});
