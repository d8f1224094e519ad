/** The series of the scrapes: a thousand, of one kind or mixed. */
import type { Meters } from "../../src/index.ts";

export type Kind = "mixed" | "histograms";

/** How many series of each sort there are: a thousand together. */
export const KINDS: Readonly<
  Record<Kind, { readonly counters: number; readonly gauges: number; readonly histograms: number }>
> = {
  mixed: { counters: 500, gauges: 400, histograms: 100 },
  histograms: { counters: 0, gauges: 0, histograms: 1000 },
};

export const BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
export const LABELS: readonly ["route", "method"] = ["route", "method"];
const help = "What it measures.";

/** The labels of one of a thousand routes. */
export function labelsOf(at: number): { route: string; method: string } {
  return { route: `/api/v1/route/${at}`, method: "GET" };
}

/** Updates each series once. */
export function update(meters: Meters, kind: Kind): void {
  const { counters, gauges, histograms } = KINDS[kind];
  const requests = meters.counter("http_requests_total", { help, labels: LABELS });
  const open = meters.gauge("http_open", { help, labels: LABELS });
  const seconds = meters.histogram("http_seconds", { help, labels: LABELS, bounds: BOUNDS });
  for (let at = 0; at < counters; at++) requests.labels(labelsOf(at)).add();
  for (let at = 0; at < gauges; at++) open.labels(labelsOf(at)).set(at);
  for (let at = 0; at < histograms; at++) seconds.labels(labelsOf(at)).observe(at / 100);
}
