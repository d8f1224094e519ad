/**
 * Turns cells into metrics and into text, one series at a time, so that a scrape can let the event
 * loop turn in between.
 */
import { readCounter } from "../atomics/algorithm/split-counter.ts";
import { takeTurn } from "../waiting/turns.ts";
import type { MeterFamily, MeterSeries, MetersDirectory } from "./algorithm/meters-directory.ts";
import { LOST_WORD, type MetersMemory, OVERFLOWS_WORD } from "./algorithm/meters-memory.ts";
import type { HistogramValue, MetersPages } from "./algorithm/meters-pages.ts";
import { isDropping } from "./algorithm/meter-shape.ts";
import { type Metric, type MetricSample, escapeHelp, escapeLabel, valueText } from "./metric.ts";

/** What a scrape reads: the memory of a handle, or a copy. */
export interface MetersView {
  readonly memory: MetersMemory;
  readonly directory: MetersDirectory;
  readonly pages: MetersPages;
}

/** Steps of a scrape; between two of them, others may run. */
type Steps<T> = Generator<void, T, void>;

/** Entries of the directory that are read in one step. */
const ENTRIES_PER_STEP = 32;
/** How long a scrape goes on, in ms, before it lets the event loop turn. */
const SHARE_MS = 1;

function* refreshSteps({ directory, pages }: MetersView): Steps<void> {
  while (!directory.sync(ENTRIES_PER_STEP)) yield;
  pages.begin();
  if (![...directory.families].some(({ shape }) => isDropping(shape))) return;
  // The kernel is asked about one owner at a time: there may be hundreds.
  for (const seat of pages.seats) {
    pages.hasOwner(seat);
    yield;
  }
}

/** What had no room, as metrics of its own; none while everything had. */
function droppedMetrics({ memory }: MetersView): Metric[] {
  const counted = [
    [
      "bun_shm_meters_overflows_total",
      "Label values that were counted as `other`, since the directory is full.",
      OVERFLOWS_WORD,
    ],
    ["bun_shm_meters_lost_total", "Updates that were lost, since no page is left.", LOST_WORD],
  ] as const;
  return counted.flatMap(([name, help, word]) => {
    const value = readCounter(memory.words, word, true);
    return value === 0 ? [] : [{ name, help, type: "counter", samples: [{ labels: {}, value }] }];
  });
}

/** @returns The families with their samples. */
export function* collectSteps(view: MetersView): Steps<Metric[]> {
  yield* refreshSteps(view);
  const metrics: Metric[] = [];
  for (const { shape, list } of view.directory.families) {
    const samples: MetricSample[] = [];
    for (const series of list.slice()) {
      addSamples(view, series, samples);
      yield;
    }
    metrics.push({ name: shape.name, help: shape.help, type: shape.type, samples });
  }
  return [...metrics, ...droppedMetrics(view)];
}

function addSamples({ pages }: MetersView, series: MeterSeries, samples: MetricSample[]): void {
  if (pages.isUnused(series)) return;
  const { shape } = series.family;
  const labels = Object.fromEntries(shape.labels.map((name, at) => [name, series.values[at]!]));
  if (shape.type !== "histogram") {
    const value = shape.type === "counter" ? pages.counter(series) : pages.gauge(series);
    if (value !== undefined) samples.push({ labels, value });
    return;
  }
  const { count, sum, buckets } = pages.histogram(series);
  let below = 0;
  for (let at = 0; at < buckets.length; at++) {
    below += buckets[at]!;
    const le = valueText(shape.bounds[at] ?? Number.POSITIVE_INFINITY);
    samples.push({ labels: { le, ...labels }, value: below, suffix: "_bucket" });
  }
  samples.push({ labels, value: sum, suffix: "_sum" });
  samples.push({ labels, value: count, suffix: "_count" });
}

/** @returns Prometheus's text, in the form that prom-client gives it. */
export function* textSteps(view: MetersView): Steps<string> {
  yield* refreshSteps(view);
  // One text a series, and all of them joined once: so little is left for the last step.
  const texts: string[] = [];
  for (const family of view.directory.families) {
    texts.push(headOf(family.shape));
    for (const series of family.list.slice()) {
      const text = seriesText(view, series);
      if (text !== undefined) texts.push(text);
      yield;
    }
    texts.push("");
  }
  for (const metric of droppedMetrics(view)) {
    texts.push(headOf(metric), ...metric.samples.map(({ value }) => `${metric.name} ${value}`), "");
  }
  return texts.length === 0 ? "\n" : texts.join("\n");
}

function headOf({ name, help, type }: Pick<Metric, "name" | "help" | "type">): string {
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}`;
}

/** @returns The lines of a series; undefined when it has no value. */
function seriesText({ pages }: MetersView, series: MeterSeries): string | undefined {
  if (pages.isUnused(series)) return undefined;
  const { shape } = series.family;
  const labels = labelsText(series);
  if (shape.type === "histogram") {
    return bucketsText(series.family, labels, pages.histogram(series));
  }
  const value = shape.type === "counter" ? pages.counter(series) : pages.gauge(series);
  return value === undefined ? undefined : `${shape.name}${inBraces(labels)} ${valueText(value)}`;
}

function bucketsText(
  family: MeterFamily,
  labels: string,
  { count, sum, buckets }: HistogramValue,
): string {
  const lines: string[] = [];
  const { name } = family.shape;
  const rest = labels === "" ? "} " : `,${labels}} `;
  let below = 0;
  for (const [at, head] of bucketHeads(family).entries()) {
    below += buckets[at]!;
    lines.push(head + rest + String(below));
  }
  lines.push(`${name}_sum${inBraces(labels)} ${valueText(sum)}`);
  lines.push(`${name}_count${inBraces(labels)} ${valueText(count)}`);
  return lines.join("\n");
}

const inBraces = (labels: string): string => (labels === "" ? "" : `{${labels}}`);

const texts = new WeakMap<MeterSeries, string>();
const heads = new WeakMap<MeterFamily, readonly string[]>();

/** The labels of a series, as the text has them; made once. */
export function labelsText(series: MeterSeries): string {
  const known = texts.get(series);
  if (known !== undefined) return known;
  const { labels } = series.family.shape;
  const text = labels.map((name, at) => `${name}="${escapeLabel(series.values[at]!)}"`).join(",");
  texts.set(series, text);
  return text;
}

function bucketHeads(family: MeterFamily): readonly string[] {
  const known = heads.get(family);
  if (known !== undefined) return known;
  const { name, bounds } = family.shape;
  const made = [...bounds, Number.POSITIVE_INFINITY].map(
    (bound) => `${name}_bucket{le="${valueText(bound)}"`,
  );
  heads.set(family, made);
  return made;
}

/** Takes all steps at once. */
export function drive<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Takes the steps, and lets the event loop turn. @param check Called after each turn. */
export async function driveAsync<T>(steps: Steps<T>, check: () => void): Promise<T> {
  let startMs = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - startMs < SHARE_MS) continue;
    await takeTurn();
    check();
    startMs = performance.now();
  }
}
