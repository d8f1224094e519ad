import { checkFunction, shown } from "../arguments.ts";
import { METRIC_FAMILIES, type Metric, metrics } from "./metrics.ts";

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

/** The content type of `prometheusText`, for an HTTP answer. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Metrics in Prometheus's text format, version 0.0.4. Does not block.
 *
 * @param families Default: all of this machine's shared memory, now.
 * @returns The text, with a line end at its end.
 * @throws TypeError for what are no families; UnsupportedError as `metrics`.
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

/** As much of prom-client's metrics as is needed. */
export interface PromMetric {
  inc(labels: Record<string, string>, value: number): void;
  reset(): void;
}

/** As much of its metric classes as is needed. */
export type PromConstructor = new (configuration: {
  name: string;
  help: string;
  labelNames: string[];
  registers: never[];
  collect?: () => void;
}) => PromMetric;

/** As much of the module prom-client as is needed: `await import("prom-client")`. */
export interface PromClient {
  Gauge: PromConstructor;
  Counter: PromConstructor;
  register: unknown;
}

/**
 * Adds this machine's shared memory to a prom-client registry: each scrape reads it again.
 * prom-client is an optional peer: this package does not import it, the caller hands it in.
 *
 * @param client The module prom-client.
 * @param registry Where to add; default the client's own.
 * @throws TypeError when the client is not prom-client.
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
    // The first one reads for all: a registry collects in the order of registration.
    const collect = registered.size === 0 ? { collect: fill } : {};
    const registers = [registry ?? client.register] as never[];
    registered.set(
      name,
      new Family({ name, help, labelNames: [...labels], registers, ...collect }),
    );
  }
}
