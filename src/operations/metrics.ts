import type { Activity } from "../inspection/activity.ts";
import type { Metric, MetricSample } from "../meters/metric.ts";
import { fileSystemInfo } from "../inspection/file-system.ts";
import { forEachStructure } from "./activities.ts";
import { objectDirectory } from "./room.ts";
import { unlisted } from "./unlisted.ts";
import { type ObjectUsage, usage } from "./usage.ts";

type Labels = Readonly<Record<string, string>>;

/** The name, meaning and labels of a family of metrics. */
export interface MetricFamily {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly labels: readonly string[];
  readonly help: string;
}

const FAMILIES = {
  filesystem_size_bytes: ["gauge", ["directory"], "Room for shared memory."],
  filesystem_free_bytes: ["gauge", ["directory"], "Room that is left."],
  filesystem_unlisted_bytes: [
    "gauge",
    ["directory", "kind"],
    "Room taken by removed objects that processes keep, and by files in directories.",
  ],
  object_holders: ["gauge", ["name", "kind", "state"], "Locks and roles that are held, by holder."],
  semaphore_value: ["gauge", ["name", "backing"], "Value of a named semaphore."],
  object_size_bytes: ["gauge", ["name", "kind", "backing"], "Size of an object."],
  object_used_bytes: ["gauge", ["name", "kind", "backing"], "Memory that an object takes."],
  object_users: ["gauge", ["name", "kind", "backing"], "Processes that have an object."],
  object_orphaned: ["gauge", ["name", "kind", "backing"], "1 when no live process has it."],
  depth: ["gauge", ["name", "kind", "unit"], "What is in a structure now."],
  capacity: ["gauge", ["name", "kind", "unit"], "What a structure can hold."],
  high_water: ["gauge", ["name", "kind", "unit"], "The most that was in a structure."],
  records_in_total: ["counter", ["name", "kind"], "Records that went in."],
  records_out_total: ["counter", ["name", "kind"], "Records that came out."],
  bytes_in_total: ["counter", ["name", "kind"], "Bytes that went in."],
  bytes_out_total: ["counter", ["name", "kind"], "Bytes that came out."],
  waits_total: ["counter", ["name", "kind"], "Times that somebody waited."],
  full_total: ["counter", ["name", "kind"], "Writes that found no room."],
  empty_total: ["counter", ["name", "kind"], "Reads that found nothing."],
  lost_total: [
    "counter",
    ["name", "kind"],
    "Records overwritten or evicted before they were read.",
  ],
  expired_total: ["counter", ["name", "kind"], "Entries of a map whose time was over."],
  atomic_value: ["gauge", ["name", "key"], "Value of a named word or counter of atomics."],
  repaired_total: ["counter", ["name", "kind"], "Repairs after a process died."],
} as const satisfies Record<string, readonly [MetricFamily["type"], readonly string[], string]>;

/** Every family that `metrics` can return. @internal */
export const METRIC_FAMILIES: readonly MetricFamily[] = Object.entries(FAMILIES).map(
  ([name, [type, labels, help]]) => ({ name: `bun_shm_${name}`, type, labels, help }),
);

type Samples = Map<string, MetricSample[]>;

function add(
  samples: Samples,
  family: keyof typeof FAMILIES,
  labels: Labels,
  value: number | undefined,
): void {
  if (value === undefined) return;
  const name = `bun_shm_${family}`;
  samples.set(name, [...(samples.get(name) ?? []), { labels, value }]);
}

/**
 * Measures every structure in shared memory that this user may read, and how full the memory is. It
 * only reads bytes, and disturbs nobody. Does not block; the result is stale the moment it is
 * returned. Some counters wrap to 0 at 2^32, which Prometheus takes for a reset. The metrics in
 * `Meters` are there too, with the name of their meters as the label `meters`.
 *
 * @returns The families that have samples.
 * @throws UnsupportedError where the system does not show its objects (macOS, FreeBSD).
 *
 * @example
 * ```ts
 * for (const { name, samples } of metrics()) console.log(name, samples.length);
 * ```
 */
export function metrics(): Metric[] {
  const samples: Samples = new Map();
  const objects = usage({ sysv: true });
  const directory = objectDirectory("Cannot read the metrics");
  const { size, free } = fileSystemInfo(directory);
  add(samples, "filesystem_size_bytes", { directory }, size);
  add(samples, "filesystem_free_bytes", { directory }, free);
  const unlistedBytes = new Map<string, number>([
    ["removed", 0],
    ["directory", 0],
  ]);
  for (const object of objects) addObject(samples, object);
  const meters: MetersMetrics = new Map();
  forEachStructure(objects, ({ name, kind }, inspected) => {
    addActivity(samples, { name, kind }, inspected.activity());
    if (kind === "meters") {
      for (const metric of inspected.metrics()) addMetric(meters, name, metric);
      return;
    }
    // A damaged table of names may have one twice, which no scraper takes.
    const values = new Map(inspected.values().map((each) => [each.name, each.value]));
    for (const [key, value] of values) add(samples, "atomic_value", { name, key }, value);
  });
  for (const { kind, used } of unlisted())
    unlistedBytes.set(kind, (unlistedBytes.get(kind) ?? 0) + used);
  for (const [kind, used] of unlistedBytes) {
    add(samples, "filesystem_unlisted_bytes", { directory, kind }, used);
  }
  const own = METRIC_FAMILIES.flatMap(({ name, help, type }): Metric[] => {
    const found = samples.get(name);
    return found === undefined ? [] : [{ name, help, type, samples: found }];
  });
  return [...own, ...meters.values()];
}

type MetersMetrics = Map<string, Metric & { readonly samples: MetricSample[] }>;

/** What this package's own metrics are named; nobody's meters add to them. */
const OWN_PREFIX = "bun_shm_";

/** Adds a metric of meters, with the name of the meters as one more label. */
function addMetric(meters: MetersMetrics, from: string, metric: Metric): void {
  const { name, help, type } = metric;
  const known = meters.get(name) ?? { name, help, type, samples: [] };
  // Prometheus takes no metric of two types; that of the first object counts.
  if (name.startsWith(OWN_PREFIX) || known.type !== type) return;
  meters.set(name, known);
  for (const { labels, ...rest } of metric.samples) {
    known.samples.push({ ...rest, labels: { meters: from, ...exported(labels) } });
  }
}

/** The labels, of which one that is called `meters` gets the name that Prometheus gives such. */
function exported(labels: Labels): Labels {
  if (labels["meters"] === undefined) return labels;
  const renamed = Object.entries(labels).map(([key, text]) => [
    /^(?:exported_)*meters$/.test(key) ? `exported_${key}` : key,
    text,
  ]);
  return Object.fromEntries(renamed) as Labels;
}

function addObject(samples: Samples, object: ObjectUsage): void {
  const { name, kind, type, backing } = object;
  if (type === "semaphore") {
    add(samples, "semaphore_value", { name, backing }, object.value);
    return;
  }
  const labels = { name, kind, backing };
  add(samples, "object_size_bytes", labels, object.size);
  add(samples, "object_used_bytes", labels, object.used);
  add(samples, "object_users", labels, object.users.length);
  for (const state of ["running", "stopped", "dead", "unknown"] as const) {
    const held = object.holders.filter((holder) => holder.state === state).length;
    if (object.holders.length > 0) add(samples, "object_holders", { name, kind, state }, held);
  }
  add(samples, "object_orphaned", labels, object.state === "orphaned" ? 1 : 0);
}

function addActivity(samples: Samples, labels: Labels, activity: Activity): void {
  add(samples, "records_in_total", labels, activity.in);
  add(samples, "records_out_total", labels, activity.out);
  add(samples, "bytes_in_total", labels, activity.bytesIn);
  add(samples, "bytes_out_total", labels, activity.bytesOut);
  add(samples, "waits_total", labels, activity.waits);
  add(samples, "full_total", labels, activity.full);
  add(samples, "empty_total", labels, activity.empty);
  add(samples, "lost_total", labels, activity.lost);
  add(samples, "expired_total", labels, activity.expired);
  add(samples, "repaired_total", labels, activity.repaired);
  const level = { ...labels, unit: activity.unit ?? "" };
  add(samples, "depth", level, activity.depth);
  add(samples, "capacity", level, activity.capacity);
  add(samples, "high_water", level, activity.highWater);
}
