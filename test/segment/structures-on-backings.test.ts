/** Every structure on every backing that fits it. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  RingBuffer,
  Segment,
  Semaphore,
  SharedMap,
  SharedRecord,
  codecs,
  struct,
} from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { finished, runBun, spawnBun } from "../support/process.ts";

const PEER = "test/peers/structure-peer.ts";
const directory = mkdtempSync(join(tmpdir(), "bun-shm-structures-"));
afterAll(() => rmSync(directory, { recursive: true }));

let count = 0;
const NAMES = {
  posix: () => uniqueName("on"),
  sysv: () => `sysv:0x${((process.pid << 12) | (0x800 + ++count)).toString(16)}`,
  file: () => `file:${join(directory, `on-${++count}`)}`,
  memfd: () => "memfd:on",
};
const Point = struct({ x: "f64", y: "f64" });

describe.each(Object.entries(NAMES))("on %s", (backing, makeName) => {
  /** By what name another process reaches it. */
  const reach = (segment: Segment): string => (backing === "memfd" ? segment.path! : segment.name);

  test.each(["spsc", "mpsc"] as const)("a ring (%s) carries records to a process", async (kind) => {
    using ring = RingBuffer.create(makeName(), { kind, capacity: 4096 });
    const child = spawnBun(PEER, "ring", reach(ring.segment));
    using producer = ring.producer();
    for (let at = 0; at < 500; at++) {
      expect(producer.write(`record ${at}`, { timeoutMs: 60_000 })).toBe(true);
    }
    const { stdout, stderr } = await finished(child);
    ring.segment.unlink();
    expect([stdout, stderr]).toEqual(["500 record 499\n", ""]);
  });

  test("a map and a record are shared with a process", async () => {
    using map = SharedMap.create(makeName(), { size: 1 << 16, codec: codecs.json() });
    map.set("key", { from: "here" });
    const mapOutcome = await runBun(PEER, "map", reach(map.segment));
    expect(mapOutcome.stderr).toBe("");
    expect(map.get("answer")).toEqual({ from: "there" });
    map.segment.unlink();
    using segment = Segment.create(makeName(), { size: 1 << 16 });
    using record = SharedRecord.init(segment, 0, { codec: Point });
    record.write({ x: 1, y: 2 });
    const { stdout, stderr } = await runBun(PEER, "record", reach(segment));
    segment.unlink();
    expect([stdout, stderr]).toEqual(["1 2\n", ""]);
  });

  test("a semaphore inside it wakes a process", async () => {
    using segment = Segment.create(makeName(), { size: 4096 });
    using semaphore = Semaphore.init(segment, 64, { value: 0 });
    const child = spawnBun(PEER, "semaphore", reach(segment));
    semaphore.post();
    const { stdout } = await finished(child);
    segment.unlink();
    expect(stdout).toBe("woken\n");
  });
});
