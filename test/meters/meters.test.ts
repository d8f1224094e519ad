/** Metrics of several handles, which stand for processes: each has a seat of its own. */
import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type LabelledMeter,
  type MeterCounter,
  Meters,
  Segment,
  StateError,
  openObject,
} from "../../src/index.ts";
import { accessesPlainly } from "../../src/memory/atomics.ts";
import { caught } from "../support/caught.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";

const testPlain = testNeeding("plain loads, as on x64", accessesPlainly());

const handles: Meters[] = [];
afterEach(() => {
  for (const meters of handles.splice(0).toReversed()) {
    if (meters.closed) continue;
    meters.unlink();
    meters.close();
  }
});

function create(size: number = 2 ** 18): Meters {
  const meters = Meters.create(uniqueName("meters"), { size });
  handles.push(meters);
  return meters;
}

function another({ name }: Meters): Meters {
  const meters = Meters.open(name);
  handles.push(meters);
  return meters;
}

const HELP = { help: "h" } as const;
const LABELS = ["route", "status"] as const;

describe("counters", () => {
  test("are the sum over all handles, and go on after one is closed", () => {
    const first = create();
    const second = another(first);
    const [one, two] = [first.counter("c_total", HELP), second.counter("c_total", HELP)];
    one.add();
    two.add(2.5);
    expect([one.value, two.value]).toEqual([3.5, 3.5]);
    second.close();
    expect(one.value).toBe(3.5);
    const third = another(first);
    third.counter("c_total", HELP).add(10);
    expect(one.value).toBe(13.5);
    // It took the place of the closed one.
    expect(first.stats().seats).toBe(2);
    expect(() => two.add()).toThrow("it is closed");
    expect(one.value).toBe(13.5);
  });

  test("refuse to become less", () => {
    const counter = create().counter("c_total", HELP);
    for (const by of [-1, Number.NaN, Infinity]) {
      expect(caught(() => counter.add(by)).name).toBe("RangeError");
    }
    expect(caught(() => counter.add("1" as never)).name).toBe("TypeError");
    counter.add(0);
    expect(counter.value).toBe(0);
  });

  test("have as many owners as the memory has room for", () => {
    const count = 200;
    const meters = create(Meters.byteLength({ series: 1, processes: count }));
    for (let round = 1; round <= 2; round++) {
      const all = Array.from({ length: count }, () => Meters.open(meters.name));
      for (const each of all) each.counter("c_total", HELP).add();
      expect(meters.counter("c_total", HELP).value).toBe(count * round);
      for (const each of all) each.close();
    }
    expect(meters.stats()).toMatchObject({ seats: count, lost: 0, full: 0 });
  });

  test("in Workers are counted like those of processes", async () => {
    const meters = create();
    const counter = meters.counter("c_total", HELP);
    const source =
      `import { Meters } from "${process.cwd()}/src/index.ts";` +
      `const meters = Meters.open("${meters.name}");` +
      `for (let n = 0; n < 1000; n++) meters.counter("c_total", { help: "h" }).add();` +
      `postMessage("done");`;
    for (let round = 0; round < 2; round++) {
      const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`);
      await new Promise((resolve, reject) => {
        worker.addEventListener("message", resolve);
        worker.addEventListener("error", reject);
      });
      worker.terminate();
    }
    expect(counter.value).toBe(2000);
  });

  test("of a Worker that was terminated stay, and its gauge goes", async () => {
    const meters = create();
    const gauge = meters.gauge("g", HELP);
    const source =
      `import { Meters } from "${process.cwd()}/src/index.ts";` +
      `globalThis.meters = Meters.open("${meters.name}");` +
      `meters.gauge("g", { help: "h" }).set(1);` +
      `meters.counter("c_total", { help: "h" }).add(7);` +
      `postMessage("done"); setInterval(() => undefined, 1000);`;
    for (let round = 1; round <= 2; round++) {
      const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`);
      await new Promise((resolve) => worker.addEventListener("message", resolve));
      expect(gauge.value).toBe(1);
      worker.terminate();
      while (gauge.value !== 0) await Bun.sleep(1);
      expect(meters.counter("c_total", HELP).value).toBe(7 * round);
    }
    // The second one took the place of the first.
    expect(meters.stats().seats).toBe(1);
  });

  test("are found inside a segment of the caller's, and end with it", () => {
    using segment = Segment.create("memfd:meters", { size: 2 ** 16 });
    using meters = Meters.init(segment, 128, { size: 2 ** 14 });
    using same = Meters.at(segment, 128);
    const counter = meters.counter("c", HELP);
    counter.add();
    same.counter("c", HELP).add();
    expect(counter.value).toBe(2);
    // Two handles of one thread have a seat each.
    expect(meters.stats().seats).toBe(2);
    meters.close();
    expect(() => counter.add()).toThrow("it is closed");
    expect(same.counter("c", HELP).value).toBe(2);
  });
});

describe("gauges", () => {
  test.each([
    ["sum", 5],
    ["max", 7],
    ["min", -2],
    ["last", 7],
  ] as const)("that show the %s", (aggregate, expected) => {
    const first = create();
    const second = another(first);
    const third = another(first);
    const gauges = [first, second, third].map((each) => each.gauge("g", { ...HELP, aggregate }));
    expect(gauges[0]!.value).toBe(aggregate === "sum" ? 0 : undefined);
    gauges[0]!.set(-2);
    gauges[1]!.add(6);
    gauges[1]!.sub(6);
    expect(gauges[2]!.value).toBe({ sum: -2, max: 0, min: -2, last: 0 }[aggregate]);
    gauges[2]!.set(7);
    expect(gauges[0]!.value).toBe(expected);
  });

  test("zero is a value like others", () => {
    const meters = create();
    const least = meters.gauge("g", { ...HELP, aggregate: "min" });
    least.set(0);
    expect(Object.is(least.value, 0)).toBe(true);
    least.set(Number.NaN);
    expect(least.value).toBeNaN();
  });

  test("of closed handles go or stay", () => {
    const first = create();
    const second = another(first);
    const of = (meters: Meters) =>
      [
        meters.gauge("goes", HELP),
        meters.gauge("stays", { ...HELP, whenDead: "keep" }),
        meters.gauge("last_goes", { ...HELP, aggregate: "last" }),
        meters.gauge("last_stays", { ...HELP, aggregate: "last", whenDead: "keep" }),
      ] as const;
    const values = (): unknown[] => of(first).map(({ value }) => value);
    for (const gauge of of(first)) gauge.set(1);
    for (const gauge of of(second)) gauge.set(2);
    expect(values()).toEqual([3, 3, 2, 2]);
    second.close();
    expect(values()).toEqual([1, 3, 1, 2]);
    // Whoever takes its place finds what stays, and nothing of what goes.
    const heir = another(first);
    heir.counter("c", HELP).add();
    expect(values()).toEqual([1, 3, 1, 2]);
    for (const gauge of of(heir)) gauge.add(1);
    expect(values()).toEqual([2, 4, 1, 3]);
    expect(first.stats().seats).toBe(2);
  });
});

describe("histograms", () => {
  test("count in buckets, up to and including each bound", () => {
    const meters = create();
    const histogram = meters.histogram("h", { ...HELP, bounds: [-1, 0, 1] });
    for (const value of [-2, -1, -0.5, 0, 0.5, 1, 1.5]) histogram.observe(value);
    const samples = meters.collect()[0]!.samples;
    expect(samples.map(({ value }) => value)).toEqual([2, 4, 6, 7, -0.5, 7]);
    expect([histogram.count, histogram.sum, histogram.max]).toEqual([7, -0.5, 1.5]);
    for (const value of [Number.NaN, Infinity]) {
      expect(caught(() => histogram.observe(value)).name).toBe("RangeError");
    }
    expect(histogram.count).toBe(7);
  });

  test("know the largest value, also below zero", () => {
    const histogram = create().histogram("h", { ...HELP, bounds: [1] });
    expect([histogram.max, histogram.percentile(50)]).toEqual([undefined, undefined]);
    histogram.observe(-5);
    expect(histogram.max).toBe(-5);
    histogram.observe(-7);
    expect(histogram.max).toBe(-5);
    histogram.observe(0);
    expect(histogram.max).toBe(0);
  });

  test("of several blocks, by several handles", () => {
    const first = create();
    const second = another(first);
    const bounds = Array.from({ length: 200 }, (_, at) => at);
    const small = first.counter("small", HELP);
    const [one, two] = [first, second].map((each) => each.histogram("h", { ...HELP, bounds }));
    for (let value = 0; value <= 200; value++) (value % 2 === 0 ? one! : two!).observe(value);
    small.add();
    const { samples } = first.collect().find(({ name }) => name === "h")!;
    expect(samples.slice(0, 201).map(({ value }) => value)).toEqual(
      Array.from({ length: 201 }, (_, at) => at + 1),
    );
    expect([one!.count, two!.sum, small.value]).toEqual([201, (200 * 201) / 2, 1]);
    expect(Math.abs(one!.percentile(50)! - 100)).toBeLessThan(1);
  });

  test("time functions, and those that fail too", async () => {
    const histogram = create().histogram("h", { ...HELP, bounds: [1, 60] });
    expect(histogram.time(() => 5)).toBe(5);
    expect(await histogram.time(async () => 6)).toBe(6);
    const fail = (): never => {
      throw new Error("failed");
    };
    expect(() => histogram.time(fail)).toThrow("failed");
    expect(histogram.time(async () => fail())).rejects.toThrow("failed");
    await Bun.sleep(0);
    expect(histogram.count).toBe(4);
    expect(histogram.sum).toBeGreaterThan(0);
  });
});

describe("labels", () => {
  test("have a child each, the same one for the same values", () => {
    const meters = create();
    const requests = meters.counter("c_total", { ...HELP, labels: LABELS });
    const child = requests.labels({ route: "/", status: 200 });
    expect(requests.labels({ status: "200", route: "/" })).toBe(child);
    expect(meters.counter("c_total", { ...HELP, labels: LABELS })).toBe(requests);
    child.add(3);
    requests.labels({ route: "/x", status: 500 }).add();
    const seen = another(meters).collect();
    expect(seen).toEqual([
      {
        name: "c_total",
        help: "h",
        type: "counter",
        samples: [
          { labels: { route: "/", status: "200" }, value: 3 },
          { labels: { route: "/x", status: "500" }, value: 1 },
        ],
      },
    ]);
  });

  test("differ however they are cut", () => {
    const meters = create();
    const two = meters.counter("c", { ...HELP, labels: ["a", "b"] });
    const values = [
      ["x", "yz"],
      ["xy", "z"],
      ["", "xyz"],
      ["\0", ""],
      ["", "\0"],
      ["a\uffff", "b"],
      ["a", "\uffffb"],
    ];
    for (const [a, b] of values) two.labels({ a: a!, b: b! }).add();
    const other = another(meters);
    expect(other.collect()[0]!.samples.map(({ labels }) => [labels["a"], labels["b"]!])).toEqual(
      values,
    );
    expect(other.collect()[0]!.samples.every(({ value }) => value === 1)).toBe(true);
  });

  test.each<[string, unknown, string, string]>([
    [
      "a missing one",
      { route: "/" },
      "TypeError",
      'label "status" must be text or a finite number',
    ],
    ["nothing", undefined, "TypeError", "must be text or a finite number, not undefined"],
    ["one too many", { route: "/", status: 1, x: 1 }, "TypeError", 'not "x"'],
    ["an object", { route: {}, status: 1 }, "TypeError", "not an object"],
    ["half a character", { route: "\ud800", status: 1 }, "RangeError", "well-formed"],
  ])("refuse %s", (_, values, name, text) => {
    const requests = create().counter("c_total", { ...HELP, labels: LABELS });
    const error = caught(() => requests.labels(values as never));
    expect(error.name).toBe(name);
    expect(error.message).toContain(text);
  });
});

describe("shapes", () => {
  test.each<[string, (meters: Meters) => unknown, string]>([
    ["type", (meters) => meters.gauge("c", HELP), 'expected "gauge"'],
    ["labels", (meters) => meters.counter("c", { ...HELP, labels: ["b"] }), 'expected ["b"]'],
    ["bounds", (meters) => meters.histogram("h", { ...HELP, bounds: [2] }), "found [1]"],
    ["aggregate", (meters) => meters.gauge("g", { ...HELP, aggregate: "max" }), 'expected "max"'],
    ["whenDead", (meters) => meters.gauge("g", { ...HELP, whenDead: "keep" }), 'found "drop"'],
  ])("of another %s are refused, in any process", (field, make, text) => {
    const first = create();
    first.counter("c", { ...HELP, labels: ["a"] });
    first.gauge("g", HELP);
    first.histogram("h", { ...HELP, bounds: [1] });
    for (const meters of [first, another(first)]) {
      const error = caught(() => make(meters));
      expect([error.name, error.code]).toEqual(["LayoutError", "ELAYOUT"]);
      expect(error.message).toContain(`with other ${field}`);
      expect(error.message).toContain(text);
    }
    expect(first.stats().metrics).toBe(3);
  });

  test("whose samples would have the names of another metric are refused", () => {
    const meters = create();
    meters.histogram("h", { ...HELP, bounds: [1] });
    expect(() => meters.counter("h_count", HELP)).toThrow("its samples have names of histogram");
    meters.counter("x_sum", HELP);
    expect(() => meters.histogram("x", { ...HELP, bounds: [1] })).toThrow("names of counter");
  });

  test("keep the help of whoever made them", () => {
    const meters = create();
    meters.counter("c", HELP);
    another(meters).counter("c", { help: "better" });
    expect(meters.collect()[0]!.help).toBe("h");
  });

  test.each<[string, (meters: Meters) => unknown]>([
    ["name", (meters) => meters.counter("1a", HELP)],
    ["dash", (meters) => meters.counter("a-b", HELP)],
    ["empty name", (meters) => meters.counter("", HELP)],
    ["label", (meters) => meters.counter("c", { ...HELP, labels: ["a:b"] })],
    ["reserved label", (meters) => meters.counter("c", { ...HELP, labels: ["__a"] })],
    ["label twice", (meters) => meters.counter("c", { ...HELP, labels: ["a", "a"] })],
    ["le", (meters) => meters.histogram("h", { ...HELP, bounds: [1], labels: ["le"] })],
    ["bounds that fall", (meters) => meters.histogram("h", { ...HELP, bounds: [2, 1] })],
    ["no bounds", (meters) => meters.histogram("h", { ...HELP, bounds: [] })],
    ["an endless bound", (meters) => meters.histogram("h", { ...HELP, bounds: [Infinity] })],
    [
      "a factor of 1",
      (meters) =>
        meters.histogram("h", { ...HELP, exponential: { start: 1, factor: 1, count: 3 } }),
    ],
    [
      "bounds without end",
      (meters) =>
        meters.histogram("h", { ...HELP, exponential: { start: 1, factor: 1e300, count: 9 } }),
    ],
    ["a long help", (meters) => meters.counter("c", { help: "x".repeat(1001) })],
  ])("with a bad %s are refused", (_, make) => {
    const meters = create();
    expect(caught(() => make(meters)).name).toBe("RangeError");
    expect(meters.stats().metrics).toBe(0);
  });

  test("need either bounds or how they grow", () => {
    const meters = create();
    expect(() => meters.histogram("h", HELP as never)).toThrow("either bounds or exponential");
    const both = { ...HELP, bounds: [1], exponential: { start: 1, factor: 2, count: 3 } };
    expect(() => meters.histogram("h", both as never)).toThrow("either bounds or exponential");
  });
});

describe("a directory that is full", () => {
  const fill = (requests: LabelledMeter<MeterCounter, "user">, count: number): void => {
    for (let user = 0; user < count; user++) requests.labels({ user }).add();
  };

  test("counts more labels as `other`, and says how often", () => {
    const meters = create(8192);
    const requests = meters.counter("c_total", { ...HELP, labels: ["user"] });
    fill(requests, 500);
    const { full, depth, lost } = meters.stats();
    expect(full).toBe(500 - (depth - 1));
    expect([full > 0, lost]).toEqual([true, 0]);
    const [counter, dropped] = meters.collect();
    expect(counter!.samples.reduce((sum, { value }) => sum + value, 0)).toBe(500);
    expect(counter!.samples[0]).toEqual({ labels: { user: "other" }, value: full });
    expect(dropped).toMatchObject({ name: "bun_shm_meters_overflows_total" });
    expect(meters.prometheusText()).toContain(`\nbun_shm_meters_overflows_total ${full}\n`);
    // Those that were there go on, and so do other processes.
    requests.labels({ user: 0 }).add();
    const same = another(meters).counter("c_total", { ...HELP, labels: ["user"] });
    same.labels({ user: "new" }).add();
    expect(same.labels({ user: 0 }).value).toBe(2);
    expect(same.labels({ user: "newer" }).value).toBe(full + 1);
  });

  test("takes no more metrics", () => {
    const meters = create(4096);
    let made = 0;
    const error = caught(() => {
      for (;;) meters.counter(`metric_${made++}`, HELP);
    });
    expect(error).toBeInstanceOf(StateError);
    expect(error.code).toBe("ENOSPC");
    expect(error.message).toContain("Make larger meters under another name");
    expect(meters.stats().metrics).toBe(made - 1);
    expect(meters.collect().length).toBe(made - 1);
  });

  test("a value that is too long is `other`", () => {
    const meters = create();
    const requests = meters.counter("c_total", { ...HELP, labels: ["user"] });
    const long = requests.labels({ user: "x".repeat(1001) });
    long.add();
    expect(requests.labels({ user: "é".repeat(501) })).toBe(long);
    expect(meters.stats().full).toBe(2);
    expect(meters.collect()[0]!.samples).toEqual([{ labels: { user: "other" }, value: 1 }]);
    requests.labels({ user: "x".repeat(1000) }).add();
    expect(another(meters).collect()[0]!.samples.length).toBe(2);
  });

  test("updates without a page are lost, and counted", () => {
    const first = create(4096);
    const counters = [first];
    first.counter("c", HELP).add();
    while (counters.length < 8) {
      const meters = another(first);
      meters.counter("c", HELP).add();
      counters.push(meters);
    }
    const { lost, seats } = first.stats();
    expect(seats + lost).toBe(8);
    expect(lost).toBeGreaterThan(0);
    expect(first.counter("c", HELP).value).toBe(seats);
    expect(first.prometheusText()).toContain(`bun_shm_meters_lost_total ${lost}\n`);
  });
});

describe("byteLength", () => {
  test.each([
    [1, 1, 0],
    [100, 8, 0],
    [1000, 8, 0],
    [10, 50, 12],
    [40, 3, 100],
  ])("%i series and %i handles of %i buckets have room", (series, processes, buckets) => {
    const size = Meters.byteLength({ series, processes, buckets });
    const first = create(size);
    const all = [first, ...Array.from({ length: processes - 1 }, () => another(first))];
    const bounds = Array.from({ length: buckets }, (_, at) => at + 1);
    for (const meters of all) {
      const labels = ["route", "method"] as const;
      for (let at = 0; at < series; at++) {
        const values = { route: `/some/usual/path/${at}`, method: "GET" };
        if (buckets === 0) {
          meters
            .counter("http_requests_total", { ...HELP, labels })
            .labels(values)
            .add();
        } else {
          const histogram = meters.histogram("http_request_seconds", { ...HELP, bounds, labels });
          histogram.labels(values).observe(at % buckets);
        }
      }
    }
    const { full, lost, depth, seats } = first.stats();
    expect({ full, lost, depth, seats }).toEqual({
      full: 0,
      lost: 0,
      depth: series + 1,
      seats: processes,
    });
  });

  test("takes a plan or a size, and refuses what is none", () => {
    expect(Meters.byteLength({ size: 5000 })).toBe(5000);
    expect(caught(() => Meters.byteLength({ series: 0, processes: 1 })).name).toBe("RangeError");
    expect(caught(() => Meters.byteLength({ series: 1 } as never)).name).toBe("TypeError");
    expect(caught(() => Meters.byteLength({ series: 2 ** 29, processes: 9 })).name).toBe(
      "RangeError",
    );
  });
});

describe("a handle that only reads", () => {
  testPlain("shows what others count, and refuses to", () => {
    const meters = create();
    meters.counter("c", HELP).add(3);
    const gauge = meters.gauge("g", HELP);
    gauge.set(4);
    using seen = Meters.open(meters.name, { access: "read" });
    expect(seen.counter("c", HELP).value).toBe(3);
    expect(seen.gauge("g", HELP).value).toBe(4);
    expect(seen.prometheusText()).toBe(meters.prometheusText());
    using segment = Segment.open(meters.name, { access: "read" });
    using placed = Meters.at(segment, 0);
    expect(placed.collect()).toEqual(meters.collect());
    for (const call of [
      () => seen.counter("c", HELP).add(),
      () => seen.gauge("g", HELP).set(1),
      () => seen.counter("new", HELP),
    ]) {
      const error = caught(call);
      expect(error.name).toBe("TypeError");
      expect(error.message).toContain("was opened for reading only");
    }
    expect(seen.stats()).toEqual(meters.stats());
  });
});

describe("a copy of a file", () => {
  test("has what was counted, and nobody in it lives", () => {
    const directory = mkdtempSync(join(tmpdir(), "bun-shm-meters-"));
    try {
      using meters = Meters.create(`file:${directory}/meters`, { size: 2 ** 16 });
      meters.counter("c", HELP).add(5);
      meters.gauge("g", HELP).set(6);
      copyFileSync(`${directory}/meters`, `${directory}/copy`);
      using copy = Meters.open(`file:${directory}/copy`);
      expect([meters.gauge("g", HELP).value, copy.gauge("g", HELP).value]).toEqual([6, 0]);
      copy.counter("c", HELP).add(1);
      expect([meters.counter("c", HELP).value, copy.counter("c", HELP).value]).toEqual([5, 6]);
      expect(copy.stats().seats).toBe(1);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("what tools see", () => {
  test("each series, with percentiles, and who has a seat", () => {
    const meters = create();
    const requests = meters.counter("c_total", { ...HELP, labels: ["route"] });
    requests.labels({ route: 'a"b' }).add(2);
    const histogram = meters.histogram("h_seconds", { ...HELP, bounds: [1, 2, 4] });
    for (const value of [0.5, 1.5, 3]) histogram.observe(value);
    meters.gauge("g", HELP).set(-1);
    using object = openObject(meters.name);
    expect(object.kind).toBe("meters");
    expect(object.damage()).toBeUndefined();
    expect(object.activity()).toEqual({ in: 5, depth: 3, full: 0, lost: 0, unit: "series" });
    expect(object.roles()).toEqual(["seat 0"]);
    expect(object.values()).toEqual([
      { name: 'c_total{route="a\\"b"}', kind: "counter", value: 2 },
      {
        name: "h_seconds",
        kind: "histogram",
        value: 3,
        details: expect.objectContaining({ mean: 5 / 3, max: 3, p50: 1.5 }) as never,
      },
      { name: "g", kind: "gauge", value: -1 },
    ]);
    expect(object.metrics()).toEqual(meters.collect());
  });
});
