/** Metrics as a scrape has them, and Prometheus's text of them. */

/** One measured value, and the labels of what it belongs to. */
export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** What stands behind the metric's name in the text: only histograms have such samples. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
}

/** One family of metrics, in Prometheus's sense. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter" | "histogram";
  readonly samples: readonly MetricSample[];
}

export function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

export function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

/** A number as Prometheus reads it. */
export function valueText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
