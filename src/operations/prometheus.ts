import { checkFunction, shown, visible } from "../arguments.ts";
import { METRIC_FAMILIES, type Metric, metrics } from "./metrics.ts";

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
// Names are somebody else's, and the format has no escapes for what a terminal obeys.
const escapeLabel = (text: string): string => escapeHelp(visible(text)).replaceAll('"', '\\"');

/** The content type of `prometheusText`, for an HTTP answer. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Writes metrics in Prometheus's text format, version 0.0.4. Does not block.
 *
 * @param families What `metrics` returned. Default: all of this machine's shared memory, now.
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
    for (const { labels, value } of samples) {
      const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
      lines.push(`${name}{${pairs.join(",")}} ${value}`);
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
 * again. prom-client is an optional peer: the caller passes it, and this package does not import
 * it. Does not block.
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
  const registered = new Map<string, PromMetric>();
  const fill = (): void => {
    for (const metric of registered.values()) metric.reset();
    for (const { name, samples } of metrics()) {
      for (const { labels, value } of samples) registered.get(name)?.inc({ ...labels }, value);
    }
  };
  for (const { name, help, type, labels } of METRIC_FAMILIES) {
    const Family = type === "gauge" ? client.Gauge : client.Counter;
    // The first metric measures for all: a registry collects in the order of registration.
    const collect = registered.size === 0 ? { collect: fill } : {};
    const registers = [registry ?? client.register] as never[];
    registered.set(
      name,
      new Family({ name, help, labelNames: [...labels], registers, ...collect }),
    );
  }
}
