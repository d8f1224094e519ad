/** The text for Prometheus, beside that of prom-client, and as others read it. */
import { describe, expect, test } from "bun:test";
import parsePrometheusTextFormat from "parse-prometheus-text-format";
import * as client from "prom-client";
import {
  Meters,
  type PromClient,
  metrics,
  prometheusText,
  registerMetrics,
} from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { type Random, seededRandom } from "../support/random.ts";

const LABELS = ["route", "status"] as const;
const VALUES = ['"', "\\", "\n", "\\n", "é🎉", "", " ", "{}", "a=b,c", "\u0000\u001b[31m"];

/** Does the same with meters and with prom-client, and returns what both print. */
async function both(random: Random): Promise<{ ours: string; theirs: string }> {
  const registry = new client.Registry();
  const registers = [registry];
  const name = uniqueName("both");
  using meters = Meters.create(name, { size: 2 ** 20 });
  using second = Meters.open(name);
  const at = (): Meters => (random() < 0.5 ? meters : second);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const help = 'Of "all", \\ and\nmore';
  const labelNames = [...LABELS];

  const theirCounter = new client.Counter({ name: "c_total", help, labelNames, registers });
  const theirPlain = new client.Counter({ name: "plain_total", help, registers });
  const theirGauge = new client.Gauge({ name: "g", help, labelNames, registers });
  const buckets = [0.005, 0.1, 1, 2.5];
  const theirs = new client.Histogram({ name: "h", help, labelNames, buckets, registers });
  const exponential = client.exponentialBuckets(0.001, 1.7, 20);
  const theirPlainHistogram = new client.Histogram({
    name: "e_seconds",
    help,
    buckets: exponential,
    registers,
  });
  for (const each of [meters, second]) {
    each.counter("c_total", { help, labels: LABELS });
    each.counter("plain_total", { help });
    each.gauge("g", { help, labels: LABELS });
    each.histogram("h", { help, labels: LABELS, bounds: buckets });
    each.histogram("e_seconds", { help, exponential: { start: 0.001, factor: 1.7, count: 20 } });
  }
  for (let step = 0; step < 300; step++) {
    const labels = { route: pick(VALUES), status: pick(["200", "500"]) };
    const value = Math.floor(random() * 2000) / 256;
    at().counter("c_total", { help, labels: LABELS }).labels(labels).add(value);
    theirCounter.labels(labels).inc(value);
    at().counter("plain_total", { help }).add(value);
    theirPlain.inc(value);
    at().gauge("g", { help, labels: LABELS }).labels(labels).add(-value);
    theirGauge.labels(labels).dec(value);
    at().histogram("h", { help, labels: LABELS, bounds: buckets }).labels(labels).observe(value);
    theirs.labels(labels).observe(value);
    const growing = { help, exponential: { start: 0.001, factor: 1.7, count: 20 } };
    at().histogram("e_seconds", growing).observe(value);
    theirPlainHistogram.observe(value);
  }
  const ours = meters.prometheusText();
  expect(await second.prometheusTextAsync()).toBe(ours);
  expect(await second.collectAsync()).toEqual(meters.collect());
  meters.unlink();
  return { ours, theirs: await registry.metrics() };
}

describe("the text", () => {
  test("is prom-client's, byte for byte", async () => {
    const { ours, theirs } = await both(seededRandom("exposition"));
    expect(ours.length).toBeGreaterThan(1000);
    expect(ours).toBe(theirs);
  });

  test("is read by a parser like that of prom-client", async () => {
    const { ours, theirs } = await both(seededRandom("parsed"));
    const [one, other] = [parsePrometheusTextFormat(ours), parsePrometheusTextFormat(theirs)];
    expect(one.map(({ name, type }) => [name, type])).toEqual([
      ["c_total", "COUNTER"],
      ["plain_total", "COUNTER"],
      ["g", "GAUGE"],
      ["h", "HISTOGRAM"],
      ["e_seconds", "HISTOGRAM"],
    ]);
    expect(one).toEqual(other);
  });

  const promtool = Bun.which("promtool");
  testNeeding("promtool", promtool !== null)("passes `promtool check metrics`", async () => {
    const { ours } = await both(seededRandom("promtool"));
    const command = [promtool!, "check", "metrics"];
    const { exitCode, stderr } = Bun.spawnSync(command, { stdin: Buffer.from(ours) });
    expect({ exitCode, stderr: String(stderr) }).toEqual({ exitCode: 0, stderr: "" });
  });

  test("of what is no finite number", () => {
    using meters = Meters.create(uniqueName("numbers"), { size: 2 ** 14 });
    const gauge = meters.gauge("g", { help: "h", labels: ["of"] });
    for (const of of [Infinity, -Infinity, Number.NaN, 1e21, 5e-324])
      gauge.labels({ of: `${of}` }).set(of);
    expect(meters.prometheusText().split("\n").slice(2, -1)).toEqual([
      'g{of="Infinity"} +Inf',
      'g{of="-Infinity"} -Inf',
      'g{of="NaN"} NaN',
      'g{of="1e+21"} 1e+21',
      'g{of="5e-324"} 5e-324',
    ]);
    meters.unlink();
  });
});

describe("the metrics of the machine", () => {
  test("have those of all meters, with the name of each", async () => {
    const [one, other] = [uniqueName("one"), uniqueName("other")];
    using first = Meters.create(one, { size: 2 ** 16 });
    using second = Meters.create(other, { size: 2 ** 16 });
    const name = "shared_total";
    first
      .counter(name, { help: "h", labels: ["meters"] })
      .labels({ meters: "own" })
      .add(1);
    second.counter(name, { help: "h" }).add(2);
    first.histogram("took_seconds", { help: "h", bounds: [1] }).observe(0.5);
    second.gauge("took_seconds", { help: "of another type" }).set(1);
    second.counter("bun_shm_depth", { help: "that of the package stays" }).add(9);
    const found = metrics().find((metric) => metric.name === name)!;
    const samples = found.samples.toSorted((a, b) => a.value - b.value);
    expect(samples).toEqual([
      { labels: { meters: one, exported_meters: "own" }, value: 1 },
      { labels: { meters: other }, value: 2 },
    ]);
    const text = prometheusText();
    expect(text).toContain(`shared_total{meters="${other}"} 2\n`);
    expect(text).not.toContain(`bun_shm_depth{meters=`);
    const took = metrics().find((metric) => metric.name === "took_seconds")!;
    if (took.type === "histogram") {
      expect(text).toContain(`took_seconds_bucket{meters="${one}",le="+Inf"} 1\n`);
      expect(took.samples.length).toBe(4);
    } else {
      expect(took.samples).toEqual([{ labels: { meters: other }, value: 1 }]);
    }
    // The metrics of a handle are printed by it too.
    expect(prometheusText(second.collect())).toContain("shared_total 2\n");
    first.unlink();
    second.unlink();
  });

  test("join a registry of prom-client, those that come later too", async () => {
    const registry = new client.Registry();
    using meters = Meters.create(uniqueName("registry"), { size: 2 ** 16 });
    const counter = meters.counter("early_total", { help: "h" });
    counter.add(1);
    registerMetrics(client as unknown as PromClient, registry);
    counter.add(1);
    meters.histogram("late_seconds", { help: "h", bounds: [1] }).observe(3);
    expect(await registry.metrics()).toContain(`early_total{meters="${meters.name}"} 2\n`);
    const text = await registry.metrics();
    expect(text).toContain("# TYPE late_seconds histogram\n");
    expect(text).toContain(`late_seconds_bucket{meters="${meters.name}",le="1"} 0\n`);
    expect(text).toContain(`late_seconds_sum{meters="${meters.name}"} 3\n`);
    // The app makes a metric of the same name: both are shown.
    new client.Counter({ name: "early_total", help: "own", registers: [registry] }).inc(7);
    const both = await registry.metrics();
    expect(both).toContain("\nearly_total 7\n");
    expect(both).toContain(`\nbun_shm_meters:early_total{meters="${meters.name}"} 2\n`);
    meters.unlink();
    meters.close();
    expect(await registry.metrics()).not.toContain("early_total{");
  });
});
