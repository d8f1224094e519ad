/** What the command shows of meters. */
import { describe, expect, test } from "bun:test";
import { Meters } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { shm, shmJson } from "../support/shm.ts";

function filled(): Meters {
  const meters = Meters.create(uniqueName("shown"), { size: 2 ** 16 });
  const requests = meters.counter("requests_total", { help: "h", labels: ["route"] });
  requests.labels({ route: "/\u001b[31m" }).add(4);
  const exponential = { start: 0.001, factor: 1.1, count: 100 };
  const seconds = meters.histogram("seconds", { help: "h", exponential });
  for (let value = 1; value <= 1000; value++) seconds.observe(value / 1000);
  meters.gauge("open", { help: "h" }).set(2);
  return meters;
}

describe("the command", () => {
  test("stat shows each series, with percentiles and who counts", async () => {
    using meters = filled();
    const { stdout } = await shm("stat", meters.name);
    expect(stdout).toMatch(/^kind +meters$/m);
    expect(stdout).toMatch(/^held +seat 0: \d+ /m);
    // What a terminal obeys is shown as its bytes.
    expect(stdout).toMatch(/^value +requests_total\{route="\/\\x1b\[31m"\} = 4$/m);
    expect(stdout).toMatch(/^value +open = 2$/m);
    const text = /^value +seconds = 1000 \((.*)\)$/m.exec(stdout)![1]!;
    const shown = Object.fromEntries(
      text.split(", ").map((each) => [each.split(" ")[0]!, Number(each.split(" ")[1])]),
    );
    expect(Object.keys(shown)).toEqual(["mean", "p50", "p90", "p99", "p99.9", "max"]);
    expect([shown["mean"], shown["max"]]).toEqual([0.5005, 1]);
    for (const [name, exact] of [
      ["p50", 0.5],
      ["p90", 0.9],
      ["p99", 0.99],
    ] as const) {
      expect(Math.abs(shown[name]! - exact)).toBeLessThan(exact * 0.1);
    }
    const told = await shmJson<{ values: object[]; activity: object }>("stat", meters.name);
    expect(told.values[1]).toMatchObject({ name: "seconds", kind: "histogram", value: 1000 });
    expect(told.activity).toEqual({ in: 1004, depth: 3, full: 0, lost: 0, unit: "series" });
    meters.unlink();
  });

  test("top shows how fast they count", async () => {
    using meters = filled();
    const counter = meters.counter("c", { help: "h" });
    const timer = setInterval(() => counter.add(100), 5);
    type Row = { name: string; kind: string; inRate: number };
    const rows = await shmJson<Row[]>("top", "--once", "--interval", "0.5");
    clearInterval(timer);
    const row = rows.find(({ name }) => name === meters.name)!;
    expect(row.kind).toBe("meters");
    expect(row.inRate).toBeGreaterThan(0);
    meters.unlink();
  });

  test("metrics prints them among those of the machine", async () => {
    using meters = filled();
    const { stdout } = await shm("metrics");
    expect(stdout).toContain(`open{meters="${meters.name}"} 2\n`);
    expect(stdout).toContain(`seconds_count{meters="${meters.name}"} 1000\n`);
    meters.unlink();
  });

  test("says what is damaged", async () => {
    using meters = filled();
    meters.segment.view.setUint32(128 + 132, 5000, true);
    const { stdout } = await shm("stat", meters.name);
    expect(stdout).toMatch(/^damage +Cannot read meters: its count of pages cannot be/m);
    expect((await shm("ls")).exitCode).toBe(0);
    expect((await shm("metrics")).exitCode).toBe(0);
    meters.unlink();
  });
});
