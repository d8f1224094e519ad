import { checkFunction, shown, visible } from "../arguments.ts";
import { type Metric, escapeHelp, escapeLabel, valueText } from "../meters/metric.ts";
import { quietly } from "../segment/quietly.ts";
import { METRIC_FAMILIES, metrics } from "./metrics.ts";

// Names are somebody else's, and the format has no escapes for what a terminal obeys.
const visibleLabel = (text: string): string => escapeLabel(visible(text));

/** The content type of `prometheusText`, for an HTTP answer. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Writes metrics in Prometheus's text format, version 0.0.4. Does not block.
 *
 * @param families What `metrics` or the `collect` of `Meters` returned. Default: all of this
 *   machine's shared memory, now.
 * @returns The text, which ends with a line end.
 * @throws TypeError when `families` is no array; the errors of `metrics`.
 *
 * @example
 * ```ts
 * using server = Bun.serve({
 *   hostname: "127.0.0.1",
 *   port: 0,
 *   fetch: () =>
 *     new Response(prometheusText(), { headers: { "content-type": PROMETHEUS_CONTENT_TYPE } }),
 * });
 * console.log((await (await fetch(server.url)).text()).includes("bun_shm_"));
 * ```
 */
export function prometheusText(families: readonly Metric[] = metrics()): string {
  if (!Array.isArray(families as unknown)) {
    throw new TypeError(`Cannot print metrics: they must be an array, not ${shown(families)}`);
  }
  const lines: string[] = [];
  for (const family of families) {
    const { name, help, type, samples } = Object(family) as Metric;
    if (
      typeof name !== "string" ||
      typeof help !== "string" ||
      !Array.isArray(samples as unknown)
    ) {
      throw new TypeError(
        `Cannot print metrics: each must be one that metrics() answered, not ${shown(family)}`,
      );
    }
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
    for (const { labels, value, suffix = "" } of samples) {
      const pairs = Object.entries(labels).map(([key, text]) => `${key}="${visibleLabel(text)}"`);
      const braces = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
      lines.push(`${name}${suffix}${braces} ${valueText(value)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The part of prom-client's metrics that this package uses. */
export interface PromMetric {
  inc(labels: Record<string, string>, value: number): void;
  reset(): void;
}

/** The part of prom-client's metric classes that this package uses. */
export type PromConstructor = new (configuration: {
  name: string;
  help: string;
  labelNames: string[];
  registers: never[];
  collect?: () => void;
}) => PromMetric;

/** The part of the module prom-client that this package uses: `await import("prom-client")`. */
export interface PromClient {
  Gauge: PromConstructor;
  Counter: PromConstructor;
  register: unknown;
}

/**
 * Adds the metrics of this machine's shared memory to a prom-client registry; each scrape measures
 * again. A metric that appears in `Meters` later shows from the second scrape on, and one whose
 * name the registry has itself as `bun_shm_meters:NAME`. prom-client is an optional peer: the
 * caller passes it, and this package does not import it. Does not block.
 *
 * @param client The module prom-client.
 * @param registry The registry to add to. Default: the client's own.
 * @throws TypeError when `client` is not prom-client; what prom-client throws.
 *
 * @example
 * ```ts
 * const client = await import("prom-client");
 * registerMetrics(client);
 * console.log((await client.register.metrics()).includes("bun_shm_filesystem_size_bytes"));
 * ```
 */
export function registerMetrics(client: PromClient, registry?: unknown): void {
  for (const type of ["Gauge", "Counter"] as const) {
    const found = (Object(client) as Partial<PromClient>)[type];
    checkFunction("Cannot register metrics", `${type} of the client`, found);
  }
  const target = registry ?? client.register;
  const registered = new Map<string, PromMetric>();
  const meters = new MetersInRegistry(target);
  const fill = (): void => {
    for (const metric of registered.values()) metric.reset();
    meters.begin();
    for (const metric of metrics()) {
      const own = registered.get(metric.name);
      if (own === undefined) meters.take(metric);
      else for (const { labels, value } of metric.samples) own.inc({ ...labels }, value);
    }
  };
  for (const { name, help, type, labels } of METRIC_FAMILIES) {
    const Family = type === "gauge" ? client.Gauge : client.Counter;
    // The first metric measures for all: a registry collects in the order of registration.
    const collect = registered.size === 0 ? { collect: fill } : {};
    const registers = [target] as never[];
    registered.set(
      name,
      new Family({ name, help, labelNames: [...labels], registers, ...collect }),
    );
  }
  // What fails now fails again in the first scrape, which says so.
  quietly(fill);
}

/** What a registry asks of a metric that is not made by prom-client. */
interface CollectedMetric extends Omit<Metric, "samples"> {
  readonly aggregator: "sum";
  get(): Promise<object>;
  reset(): void;
}

interface PromRegistry {
  registerMetric(metric: CollectedMetric): void;
  getSingleMetric(name: string): unknown;
}

/** The metrics of `Meters` in a registry: which ones there are shows only while they are read. */
class MetersInRegistry {
  readonly #registry: PromRegistry | undefined;
  readonly #metrics = new Map<string, Metric>();

  constructor(registry: unknown) {
    const { registerMetric, getSingleMetric } = Object(registry) as Partial<PromRegistry>;
    const isOne = typeof registerMetric === "function" && typeof getSingleMetric === "function";
    this.#registry = isOne ? (registry as PromRegistry) : undefined;
  }

  /** Begins a scrape: what it does not find has no samples. */
  begin(): void {
    for (const [name, metric] of this.#metrics) this.#metrics.set(name, { ...metric, samples: [] });
  }

  take(metric: Metric): void {
    const { name } = metric;
    const isKnown = this.#metrics.has(name);
    this.#metrics.set(name, metric);
    if (!isKnown) this.#registry?.registerMetric(this.#collected(metric));
  }

  #collected({ name, help, type }: Metric): CollectedMetric {
    // The app may have a metric of that name, or make one later: both stay.
    const ownName = `bun_shm_meters:${name}`;
    const collect = (): object => {
      const isTaken = this.#registry?.getSingleMetric(name) !== undefined;
      const shownName = isTaken ? ownName : name;
      const { samples } = this.#metrics.get(name)!;
      const values = samples.map(({ labels, value, suffix = "" }) => ({
        metricName: shownName + suffix,
        labels,
        value,
      }));
      return { name: shownName, help, type, aggregator: "sum", values };
    };
    const get = (): Promise<object> => Promise.resolve(collect());
    return { name: ownName, help, type, aggregator: "sum", get, reset: () => undefined };
  }
}
