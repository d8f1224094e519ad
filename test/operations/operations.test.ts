/** usage, prune, room, activities: what they take and tell; prune's verdicts are in test/cli. */
import { describe, expect, test } from "bun:test";
import {
  RingBuffer,
  Segment,
  activities,
  metrics,
  prometheusText,
  prune,
  registerMetrics,
  room,
  usage,
} from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";

describe("operations", () => {
  test("refuse wrong options, and name them", () => {
    expect(() => usage({ sysV: true } as never)).toThrow(/no option "sysV".*"sysv" may be meant/);
    expect(() => usage({ kinds: 1 } as never)).toThrow(
      new TypeError("Cannot tell who uses shared memory: kinds must be true or false, not 1"),
    );
    expect(() => prune({ dryrun: true } as never)).toThrow(/"dryRun" may be meant/);
    expect(() => prune({ dryRun: true, only: "x" } as never)).toThrow(
      new TypeError('Cannot prune: only must be a function, not "x"'),
    );
    expect(() => prune({ force: "no" } as never)).toThrow(TypeError);
    expect(() => activities("all" as never)).toThrow(/must be an array, not "all"/);
    expect(() => prometheusText(7 as never)).toThrow(/must be an array, not 7/);
    expect(() => registerMetrics({} as never)).toThrow(
      new TypeError(
        "Cannot register metrics: Gauge of the client must be a function, not undefined",
      ),
    );
    expect(() => registerMetrics(undefined as never)).toThrow(/Gauge of the client/);
  });

  test("room tells the file system and its limits", () => {
    const { directory, size, used, free, limits } = room();
    expect(directory).toBe("/dev/shm");
    expect(used + free).toBeLessThanOrEqual(size);
    expect(limits.openFiles).toBeGreaterThan(0);
  });

  test("activities and metrics count in the same words", () => {
    const name = uniqueName("activity");
    using ring = RingBuffer.create(name, { capacity: 4096, kind: "mpsc" });
    using raw = Segment.create(uniqueName("raw"), { size: 64 });
    using producer = ring.producer();
    producer.write("one");
    const found = activities().filter(({ object }) => [name, raw.name].includes(object.name));
    expect(found).toMatchObject([
      {
        object: { name, kind: "mpsc-ring" },
        activity: { in: 1, out: 0, repaired: 0, unit: "bytes" },
      },
    ]);
    const repaired = metrics().find((family) => family.name === "bun_shm_repaired_total");
    expect(repaired?.samples.find(({ labels }) => labels["name"] === name)?.value).toBe(0);
    ring.unlink();
    raw.unlink();
  });
});
