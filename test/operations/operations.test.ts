/** room, activities and metrics: what they tell; usage, prune and doctor are in test/cli. */
import { describe, expect, test } from "bun:test";
import { RingBuffer, Segment, activities, metrics, room } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";

describe("operations", () => {
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
