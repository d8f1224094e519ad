/**
 * What metrics cost, beside prom-client, which counts in one process and shares nothing.
 *
 *     bun bench/meters/meters.bench.ts [--json]
 */
import * as client from "prom-client";
import { Meters } from "../../src/index.ts";
import { type Figure, compare, finish, heading, report } from "../state/measure.ts";
import { bunProgram, spreadOf } from "../support/report.ts";
import { type Target, showTargets } from "../support/targets.ts";
import { BOUNDS, KINDS, type Kind, LABELS, labelsOf, update } from "./series.ts";

const PROCESSES = 8;
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 9);
const prefix = `/bench-meters-${process.pid}`;
const help = "What it measures.";
const targets: Target[] = [];

/** @param loop Does it `count` times: a loop of its own is compiled for what it calls alone. */
function measure(name: string, count: number, loop: (count: number) => void): Figure {
  for (let warm = 0; warm < 3; warm++) loop(count);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = Bun.nanoseconds();
    loop(count);
    return (Bun.nanoseconds() - start) / count;
  });
  return report(name, "ns", rounds);
}

function updates(): void {
  heading("Updates");
  using meters = Meters.create(`${prefix}-updates`, { size: 2 ** 20 });
  meters.unlink();
  const registers = [new client.Registry()];
  const labelNames = [...LABELS];
  const buckets = [...BOUNDS];
  const values = Array.from({ length: 1024 }, (_, at) => at / 200);

  const counter = meters.counter("c_total", { help, labels: LABELS });
  const child = counter.labels(labelsOf(1));
  const theirs = new client.Counter({ name: "c_total", help, labelNames, registers });
  const theirChild = theirs.labels(labelsOf(1));
  const add = measure("MeterCounter.add", 1e6, (count) => {
    for (let n = 0; n < count; n++) child.add();
  });
  const inc = measure("prom-client: inc of a child", 1e5, (count) => {
    for (let n = 0; n < count; n++) theirChild.inc();
  });
  compare("add, × faster than prom-client", inc, add);

  const gauge = meters.gauge("g", { help });
  const last = meters.gauge("l", { help, aggregate: "last" });
  const theirGauge = new client.Gauge({ name: "g", help, registers });
  measure("MeterGauge.set", 1e6, (count) => {
    for (let n = 0; n < count; n++) gauge.set(n);
  });
  measure("MeterGauge.set, of the last", 1e6, (count) => {
    for (let n = 0; n < count; n++) last.set(n);
  });
  measure("prom-client: set", 1e6, (count) => {
    for (let n = 0; n < count; n++) theirGauge.set(n);
  });

  const histogram = meters.histogram("h", { help, bounds: BOUNDS });
  const exponential = { start: 0.0001, factor: 1.1, count: 150 };
  const fine = meters.histogram("f", { help, exponential });
  const theirHistogram = new client.Histogram({ name: "h", help, buckets, registers });
  const observe = measure("MeterHistogram.observe, 11 bounds", 1e6, (count) => {
    for (let n = 0; n < count; n++) histogram.observe(values[n & 1023]!);
  });
  measure("MeterHistogram.observe, 150 bounds", 1e6, (count) => {
    for (let n = 0; n < count; n++) fine.observe(values[n & 1023]!);
  });
  const theirObserve = measure("prom-client: observe, 11 bounds", 1e5, (count) => {
    for (let n = 0; n < count; n++) theirHistogram.observe(values[n & 1023]!);
  });
  compare("observe, × faster than prom-client", theirObserve, observe);

  const labels = measure("labels of a child that is known, and add", 1e5, (count) => {
    for (let n = 0; n < count; n++) {
      counter.labels({ route: "/api/v1/route/1", method: "GET" }).add();
    }
  });
  const theirLabels = measure("prom-client: inc with labels", 1e5, (count) => {
    for (let n = 0; n < count; n++) theirs.inc({ route: "/api/v1/route/1", method: "GET" });
  });
  compare("labels and add, × faster than prom-client", theirLabels, labels);
  measure("MeterHistogram.percentile(99), 150 bounds", 1e4, (count) => {
    for (let n = 0; n < count; n++) fine.percentile(99);
  });
  targets.push({ what: "MeterCounter.add, ns", least: "15", aim: "5", measured: add });
}

/** The same series in prom-client, of one process. */
function registryOf(kind: Kind): client.Registry {
  const registry = new client.Registry();
  const registers = [registry];
  const labelNames = [...LABELS];
  const { counters, gauges, histograms } = KINDS[kind];
  const requests = new client.Counter({ name: "http_requests_total", help, labelNames, registers });
  const open = new client.Gauge({ name: "http_open", help, labelNames, registers });
  const buckets = [...BOUNDS];
  const seconds = new client.Histogram({
    name: "http_seconds",
    help,
    labelNames,
    buckets,
    registers,
  });
  for (let at = 0; at < counters; at++) requests.labels(labelsOf(at)).inc();
  for (let at = 0; at < gauges; at++) open.labels(labelsOf(at)).set(at);
  for (let at = 0; at < histograms; at++) seconds.labels(labelsOf(at)).observe(at / 100);
  return registry;
}

const milliseconds = (start: number): number => (Bun.nanoseconds() - start) / 1e6;

/** How long the event loop was held at most, in ms, while a promise was pending. */
async function longestTurn(pending: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let isDone = false;
  let last = Bun.nanoseconds();
  const look = (): void => {
    const now = Bun.nanoseconds();
    longest = Math.max(longest, (now - last) / 1e6);
    last = now;
    if (!isDone) setImmediate(look);
  };
  const done = Promise.withResolvers<void>();
  setImmediate(() => {
    last = Bun.nanoseconds();
    setImmediate(look);
    void pending().then(() => {
      longest = Math.max(longest, (Bun.nanoseconds() - last) / 1e6);
      isDone = true;
      done.resolve();
    });
  });
  await done.promise;
  return longest;
}

async function scrapes(kind: Kind): Promise<void> {
  heading(`Scrapes of 1,000 series (${kind}) over ${PROCESSES} processes`);
  const name = `${prefix}-${kind}`;
  const size = 2 ** 23;
  using meters = Meters.create(name, { size });
  const children = [];
  try {
    for (let at = 0; at < PROCESSES - 1; at++) {
      const command = bunProgram(at % 2, "bench/meters/counter.ts", name, kind);
      const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "inherit"] });
      children.push(child);
      for await (const _ of child.stdout) break;
    }
    update(meters, kind);
    const rounds = Array.from({ length: ROUNDS }, (_, at) => at);
    const first = rounds.map(() => {
      using fresh = Meters.open(name);
      const start = Bun.nanoseconds();
      fresh.prometheusText();
      return milliseconds(start);
    });
    const text = rounds.map(() => {
      const start = Bun.nanoseconds();
      meters.prometheusText();
      return milliseconds(start);
    });
    const collected = rounds.map(() => {
      const start = Bun.nanoseconds();
      meters.collect();
      return milliseconds(start);
    });
    const turns: number[] = [];
    for (const _ of rounds) turns.push(await longestTurn(() => meters.prometheusTextAsync()));
    const firstTurns: number[] = [];
    for (const _ of rounds) {
      using fresh = Meters.open(name);
      firstTurns.push(await longestTurn(() => fresh.prometheusTextAsync()));
    }
    const registry = registryOf(kind);
    const theirs: number[] = [];
    for (const _ of rounds) {
      const start = Bun.nanoseconds();
      await registry.metrics();
      theirs.push(milliseconds(start));
    }
    report(`prometheusText, ${meters.prometheusText().length >> 10} KiB`, "ms", text);
    report("prometheusText, the first of a handle", "ms", first);
    report("collect", "ms", collected);
    report("prometheusTextAsync: longest turn of the loop", "ms", turns);
    report("prometheusTextAsync, the first: longest turn", "ms", firstTurns);
    report("prom-client: metrics, of one process", "ms", theirs);
    if (kind === "mixed") {
      targets.push(
        { what: "scrape of 1,000 series, ms", least: "5", aim: "2", measured: spreadOf(text) },
        { what: "longest turn meanwhile, ms", least: "2", aim: "1.5", measured: spreadOf(turns) },
      );
    }
  } finally {
    for (const child of children) child.kill();
    for (const child of children) await child.exited;
    meters.unlink();
  }
}

updates();
await scrapes("mixed");
await scrapes("histograms");
finish([]);
showTargets(targets, !process.argv.includes("--json"));
